using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Server.Http;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;

namespace Apertur.Server.Events;

/// <summary>What one request to an event webhook came to.</summary>
/// <param name="Accepted">Whether it answered with a 2xx in time.</param>
/// <param name="Status">Of the answer; null when there was none.</param>
/// <param name="Body">How the answer's body began; null when there was none.</param>
/// <param name="DurationMs">From the request to the end of the answer.</param>
/// <param name="Error">Why it was not accepted; null when it was.</param>
/// <param name="TimedOut">Whether its time was up before it answered.</param>
internal sealed record EventAnswer(bool Accepted, int? Status, string? Body, int DurationMs, string? Error, bool TimedOut = false);

/// <summary>Sends one event to one webhook: the request, its signature and the answer.</summary>
internal sealed class EventRequests(
    OutboundHttp http, EventWebhookSecrets secrets, DownloadLinks links, Settings settings, TimeProvider clock)
{
    /// <summary>How much of an answer's body is kept.</summary>
    public const int MaxAnswerLength = 4096;

    /// <param name="webhook">Who is told.</param>
    /// <param name="happened">What is told.</param>
    /// <param name="row">The delivery, with the topic as this webhook spells it.</param>
    /// <param name="stopping">Ends the attempt without an answer.</param>
    /// <exception cref="OperationCanceledException">The server is stopping.</exception>
    public async Task<EventAnswer> SendAsync(
        EventWebhook webhook, LoggedEvent happened, EventDelivery row, CancellationToken stopping)
    {
        var headers = secrets.CustomHeaders(webhook);
        using var request = Describe(webhook, headers, happened, row);
        var started = clock.GetTimestamp();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(settings.Events.TimeoutSeconds), clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stopping);
        try
        {
            using var response = await http.SendAsync(request, either.Token);
            var outcome = HttpOutcome.Of(response, clock);
            var body = await ReadAsync(response, headers, either.Token);
            var accepted = outcome is DeliveryOutcome.Accepted;
            return new(accepted, (int)response.StatusCode, body, Elapsed(started), outcome.ReasonText);
        }
        catch (Exception exception) when (exception is OperationCanceledException or HttpRequestException)
        {
            stopping.ThrowIfCancellationRequested();
            var outcome = limit.IsCancellationRequested
                ? new DeliveryOutcome.TryAgain($"The destination did not answer within {settings.Events.TimeoutSeconds} s.") { TimedOut = true }
                : HttpOutcome.Of(exception);
            return new(false, null, null, Elapsed(started), outcome.ReasonText, outcome is DeliveryOutcome.TryAgain { TimedOut: true });
        }
    }

    private HttpRequestMessage Describe(EventWebhook webhook, JsonObject headers, LoggedEvent happened, EventDelivery row)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, webhook.Url);
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, (string?)value);
        if (!request.Headers.Contains("User-Agent"))
            request.Headers.Add("User-Agent", "Apertur-Webhook/1.0");
        request.Headers.Add("X-APTR-Delivery-ID", row.Id.ToString());

        var body = Encoding.UTF8.GetBytes(Body(happened, row.Topic));
        request.Content = new ByteArrayContent(body);
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json") { CharSet = "utf-8" };
        Sign(request, webhook, happened.Id.ToString(), body);
        return request;
    }

    private void Sign(HttpRequestMessage request, EventWebhook webhook, string eventId, byte[] body)
    {
        var seconds = clock.GetUtcNow().ToUnixTimeSeconds();
        var timestamp = seconds.ToString(CultureInfo.InvariantCulture);
        var secret = secrets.Secret(webhook);
        if (webhook.SignatureMethod == EventWebhook.Svix)
        {
            using var signature = Signature.Svix(secret, eventId, seconds);
            request.Headers.Add("svix-id", eventId);
            request.Headers.Add("svix-timestamp", timestamp);
            request.Headers.Add("svix-signature", signature.Append(body).Finish());
        }
        else
        {
            using var signature = Signature.OfTimestampedBody(secret, seconds);
            request.Headers.Add("X-Apertur-Timestamp", timestamp);
            request.Headers.Add("X-Apertur-Signature", signature.Append(body).Finish());
        }
    }

    /// <summary>The body of a request, with a fresh link to the photo.</summary>
    public string Body(LoggedEvent happened, string topic)
    {
        var body = JsonNode.Parse(happened.Body)!;
        body["event"] = topic;
        body["topic"] = topic;
        if (happened.UploadId is { } upload)
            body["data"]!["download_url"] = links.Create(upload).AbsoluteUri;
        return body.ToJsonString(WireJson.Wire.Options);
    }

    /// <summary>The beginning of the answer. One that breaks off changes nothing: the status was there before it.</summary>
    private static async Task<string> ReadAsync(HttpResponseMessage response, JsonObject headers, CancellationToken cancellationToken)
    {
        // More than is kept, so that a secret at its end is whole when it is looked for.
        var buffer = new byte[MaxAnswerLength + WebhookHeaders.MaxCustomValueLength];
        var length = 0;
        try
        {
            await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
            int read;
            while ((read = await stream.ReadAsync(buffer.AsMemory(length), cancellationToken)) > 0)
                length += read;
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException)
        {
        }

        return StorableText.Of(EventWebhookSecrets.Hide(headers, Encoding.UTF8.GetString(buffer, 0, length)), MaxAnswerLength);
    }

    private int Elapsed(long started) => (int)clock.GetElapsedTime(started).TotalMilliseconds;
}
