using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Server.Storage;

namespace Apertur.Server.Events;

/// <summary>Decrypts and encrypts the secrets of event webhooks.</summary>
internal sealed class EventWebhookSecrets(ColumnEncryption encryption)
{
    // What is shorter guards nothing, and a "1" masked wherever it stands would spoil the answer.
    private const int ShortestSecret = 6;

    public string Secret(EventWebhook webhook) => encryption.Unprotect(EventWebhook.SecretColumn, webhook.Id, webhook.Secret);

    public JsonObject CustomHeaders(EventWebhook webhook) =>
        JsonNode.Parse(encryption.Unprotect(EventWebhook.CustomHeadersColumn, webhook.Id, webhook.CustomHeaders))!.AsObject();

    public string NewSecret(Guid webhookId) => encryption.Protect(EventWebhook.SecretColumn, webhookId, ColumnEncryption.Generate());

    public string ProtectHeaders(Guid webhookId, JsonObject headers) =>
        encryption.Protect(EventWebhook.CustomHeadersColumn, webhookId, headers.ToJsonString());

    /// <summary>
    /// What a receiver answered, without the values of custom headers: one that echoes its requests would else put them in the
    /// clear before everybody who may see deliveries. Of <c>Bearer x</c> the <c>x</c> alone is found, too, and what JSON makes of it, and
    /// at the end of the answer the beginning of one.
    /// </summary>
    public static string Hide(JsonObject customHeaders, string answer)
    {
        // The longest first, because one may be part of another.
        var forms = customHeaders.SelectMany(header => Forms(((string)header.Value!).Trim())).OrderByDescending(form => form.Length).ToList();
        foreach (var form in forms)
            answer = answer.Replace(form, DestinationConfig.Mask, StringComparison.Ordinal);
        var rest = forms.Select(form => Enumerable.Range(ShortestSecret, form.Length - ShortestSecret)
            .LastOrDefault(length => answer.AsSpan().EndsWith(form.AsSpan(0, length), StringComparison.Ordinal))).DefaultIfEmpty().Max();
        return answer[..^rest];
    }

    private static IEnumerable<string> Forms(string value)
    {
        foreach (var secret in new[] { value, value[(value.LastIndexOf(' ') + 1)..] }.Where(text => text.Length >= ShortestSecret))
        {
            yield return secret;
            yield return secret.Replace("/", @"\/", StringComparison.Ordinal);
            yield return JsonEncodedText.Encode(secret).ToString();
            yield return JsonEncodedText.Encode(secret, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).ToString();
        }
    }
}
