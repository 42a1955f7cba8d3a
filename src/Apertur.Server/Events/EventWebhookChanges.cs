using System.Text.Json;
using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Server.Contract;
using Apertur.Server.Http;

namespace Apertur.Server.Events;

/// <summary>Validates a request to create or change an event webhook, and applies it.</summary>
internal static class EventWebhookChanges
{
    private const int MaxUrlLength = 2048;
    private const int MaxTopics = 50;
    private const int MaxRetries = 50;
    private const int MaxIntervalSeconds = 7 * 24 * 3600;
    private const int MaxFailures = 10_000;
    private const int MaxHeaders = 50;

    /// <summary>Applies what was given; what is absent stays. With errors the webhook is not to be saved.</summary>
    public static void Apply(
        EventWebhookRequest request, EventWebhook webhook, EventWebhookSecrets secrets, List<FieldError> errors)
    {
        if (request.Url is { } url)
            webhook.Url = url;
        if (webhook.Url.Length == 0)
            errors.Add(new("url", "url is required: the address that receives the events."));
        else if (webhook.Url.Length > MaxUrlLength || !DestinationConfig.IsWebAddress(webhook.Url))
        {
            errors.Add(new("url",
                $"url must be an absolute http or https address without a user name, of at most {MaxUrlLength} characters."));
        }

        if (request.Topics is { } topics)
            webhook.Topics = CheckTopics(topics, errors);
        else if (webhook.Topics.Length == 0)
            errors.Add(new("topics", "topics is required: what the webhook is told about, such as project.upload.* or *."));

        if (request.SignatureMethod is { } method)
            webhook.SignatureMethod = method;
        if (webhook.SignatureMethod is not (EventWebhook.Hmac or EventWebhook.Svix))
            errors.Add(new("signatureMethod", $"signatureMethod must be {EventWebhook.Hmac} or {EventWebhook.Svix}."));

        ApplyRetries(request, webhook, errors);
        if (request.CustomHeaders is { } headers)
            webhook.CustomHeaders = secrets.ProtectHeaders(webhook.Id, CheckHeaders(headers, errors));
    }

    private static void ApplyRetries(EventWebhookRequest request, EventWebhook webhook, List<FieldError> errors)
    {
        webhook.MaxRetries = request.MaxRetries ?? webhook.MaxRetries;
        if (webhook.MaxRetries is < 0 or > MaxRetries)
            errors.Add(new("maxRetries", $"maxRetries must be from 0 to {MaxRetries}."));

        if (request.RetryIntervals is { } intervals)
            webhook.RetryIntervals = [.. intervals];
        if (webhook.RetryIntervals.Length > MaxRetries
            || Array.Exists(webhook.RetryIntervals, seconds => seconds is < 1 or > MaxIntervalSeconds))
        {
            errors.Add(new("retryIntervals",
                $"retryIntervals must be up to {MaxRetries} whole seconds, each from 1 to {MaxIntervalSeconds}."));
        }

        if (webhook is { MaxRetries: > 0, RetryIntervals.Length: 0 })
            errors.Add(new("retryIntervals", "retryIntervals must hold at least one number of seconds when there are retries."));

        webhook.DisableAfterFailures = request.DisableAfterFailures ?? webhook.DisableAfterFailures;
        if (webhook.DisableAfterFailures is < 1 or > MaxFailures)
            errors.Add(new("disableAfterFailures", $"disableAfterFailures must be from 1 to {MaxFailures}."));
    }

    private static string[] CheckTopics(IReadOnlyList<string?> topics, List<FieldError> errors)
    {
        if (topics.Count is 0 or > MaxTopics)
            errors.Add(new("topics", $"topics must hold 1 to {MaxTopics} topics."));
        var malformed = topics.Where(pattern => pattern is null || !Topics.IsWellFormed(pattern))
            .Select(pattern => pattern is { Length: > 0 and <= 64 } ? $"'{pattern}'" : "…").Take(5).ToList();
        if (malformed.Count > 0)
        {
            errors.Add(new("topics",
                $"Not a topic: {string.Join(", ", malformed)}. A topic is up to {Topics.MaxWords} words of a-z, 0-9 and _ with dots between them, "
                + $"such as {Topics.UploadCompleted}; * stands for any word."));
        }

        return [.. topics.OfType<string>().Distinct()];
    }

    private static JsonObject CheckHeaders(JsonNode headers, List<FieldError> errors)
    {
        if (headers is JsonArray { Count: 0 })
            return [];
        if (headers is not JsonObject map || map.Count > MaxHeaders
            || map.Any(header => header.Value?.GetValueKind() != JsonValueKind.String))
        {
            errors.Add(new("customHeaders", $"customHeaders must be an object of up to {MaxHeaders} strings."));
            return [];
        }

        errors.AddRange(map.Select(header => WebhookHeaders.Problem(header.Key, (string)header.Value!))
            .OfType<string>().Select(problem => new FieldError("customHeaders", problem)));
        return map;
    }
}
