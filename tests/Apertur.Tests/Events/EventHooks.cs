using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Apertur.Tests.Support;

namespace Apertur.Tests.Events;

/// <summary>What tests of event webhooks do again and again.</summary>
internal static class EventHooks
{
    public static string WebhooksPath(this AperturApp app) => $"projects/{app.ProjectId}/webhooks";

    /// <summary>A webhook for these topics, as the API gives it.</summary>
    public static Task<JsonNode> ListenAsync(this AperturApp app, Receiver receiver, params string[] topics) =>
        app.CreateWebhookAsync(receiver, new JsonObject(), topics);

    /// <summary>A webhook for these topics and with these further fields, as the API gives it.</summary>
    public static async Task<JsonNode> CreateWebhookAsync(this AperturApp app, Receiver receiver, JsonObject fields, params string[] topics)
    {
        fields["url"] = receiver.Url;
        fields["topics"] = new JsonArray([.. topics.Select(topic => JsonValue.Create(topic))]);
        return (await app.Client.PostAsync(app.WebhooksPath(), fields)).Expect(HttpStatusCode.Created).Json;
    }

    public static async Task<JsonNode> WebhookAsync(this AperturApp app, JsonNode webhook) =>
        (await app.Client.GetAsync($"{app.WebhooksPath()}/{webhook["id"]}")).Expect(HttpStatusCode.OK).Json;

    public static async Task<JsonNode> ChangeWebhookAsync(this AperturApp app, JsonNode webhook, JsonObject fields) =>
        (await app.Client.SendAsync(HttpMethod.Patch, $"{app.WebhooksPath()}/{webhook["id"]}", fields)).Expect(HttpStatusCode.OK).Json;

    /// <summary>The webhook's history, newest first.</summary>
    public static async Task<JsonNode> HistoryAsync(this AperturApp app, JsonNode webhook, string query = "") =>
        (await app.Client.GetAsync($"{app.WebhooksPath()}/{webhook["id"]}/deliveries{query}")).Expect(HttpStatusCode.OK).Json;

    /// <summary>Waits until the newest entry of the history has that status, and gives it.</summary>
    public static async Task<JsonNode> NewestBecomesAsync(this AperturApp app, JsonNode webhook, string status) =>
        (await Eventually.Becomes(
            () => app.HistoryAsync(webhook),
            // One that waits for its first attempt is called retrying too.
            history => history["deliveries"]!.AsArray().FirstOrDefault() is { } newest && (string)newest["status"]! == status
                && (status != "retrying" || newest["lastError"] is not null),
            $"the newest event is {status}"))["deliveries"]![0]!;

    /// <summary>Asks for another try of the newest entry of the history, and gives what is said to that.</summary>
    public static async Task<string> RetryNewestAsync(this AperturApp app, JsonNode webhook)
    {
        var newest = (await app.HistoryAsync(webhook))["deliveries"]![0]!;
        var answer = await app.Client.PostAsync($"{app.WebhooksPath()}/{webhook["id"]}/deliveries/{newest["id"]}/retry");
        return (string)answer.Expect(HttpStatusCode.OK).Json["message"]!;
    }

    /// <summary>The next event that arrives.</summary>
    public static Task<Received> NextAsync(this Receiver receiver) => receiver.NextAsync(TestContext.Current.CancellationToken);

    public static JsonNode Json(this Received request) => JsonNode.Parse(request.Body)!;

    /// <summary>The signature of method <c>hmac_sha256</c>, worked out apart from the server's code.</summary>
    public static string HmacOf(this Received request, JsonNode webhook) =>
        "sha256=" + Convert.ToHexStringLower(HMACSHA256.HashData(
            Encoding.UTF8.GetBytes((string)webhook["secret"]!),
            Encoding.UTF8.GetBytes($"{request["X-Apertur-Timestamp"]}.{Encoding.UTF8.GetString(request.Body)}")));
}
