using System.Text.Json.Nodes;
using Apertur.Server.Storage;

namespace Apertur.Server.Events;

/// <summary>What is encrypted of an event webhook, in the clear.</summary>
internal sealed class EventWebhookSecrets(Secrets secrets)
{
    public string Secret(EventWebhook webhook) => secrets.Unprotect(EventWebhook.SecretColumn, webhook.Id, webhook.Secret);

    public JsonObject CustomHeaders(EventWebhook webhook) =>
        JsonNode.Parse(secrets.Unprotect(EventWebhook.CustomHeadersColumn, webhook.Id, webhook.CustomHeaders))!.AsObject();

    public string NewSecret(Guid webhookId) => secrets.Protect(EventWebhook.SecretColumn, webhookId, Secrets.Generate());

    public string ProtectHeaders(Guid webhookId, JsonObject headers) =>
        secrets.Protect(EventWebhook.CustomHeadersColumn, webhookId, headers.ToJsonString());
}
