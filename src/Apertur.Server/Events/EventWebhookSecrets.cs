using System.Text.Json;
using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Server.Storage;

namespace Apertur.Server.Events;

/// <summary>What is encrypted of an event webhook, in the clear.</summary>
internal sealed class EventWebhookSecrets(Secrets secrets)
{
    // What is shorter guards nothing, and a "1" masked wherever it stands would spoil the answer.
    private const int ShortestSecret = 6;

    public string Secret(EventWebhook webhook) => secrets.Unprotect(EventWebhook.SecretColumn, webhook.Id, webhook.Secret);

    public JsonObject CustomHeaders(EventWebhook webhook) =>
        JsonNode.Parse(secrets.Unprotect(EventWebhook.CustomHeadersColumn, webhook.Id, webhook.CustomHeaders))!.AsObject();

    public string NewSecret(Guid webhookId) => secrets.Protect(EventWebhook.SecretColumn, webhookId, Secrets.Generate());

    public string ProtectHeaders(Guid webhookId, JsonObject headers) =>
        secrets.Protect(EventWebhook.CustomHeadersColumn, webhookId, headers.ToJsonString());

    /// <summary>
    /// What a receiver answered, without the values of custom headers: one that echoes its requests would else put them in the
    /// clear before everybody who may see deliveries. Of <c>Bearer x</c> the <c>x</c> alone is found, too, and what JSON makes of it.
    /// </summary>
    public static string Hide(JsonObject customHeaders, string answer)
    {
        var values = customHeaders.Select(header => (string)header.Value!).ToList();
        foreach (var value in values.Concat(values.Select(value => value[(value.LastIndexOf(' ') + 1)..]))
                     .Where(value => value.Length >= ShortestSecret)
                     .SelectMany(value => new[] { value, JsonEncodedText.Encode(value).ToString(), value.Replace("/", @"\/", StringComparison.Ordinal) }))
            answer = answer.Replace(value, DestinationConfig.Mask, StringComparison.Ordinal);
        return answer;
    }
}
