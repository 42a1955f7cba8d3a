using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;

namespace Apertur.Destinations;

/// <summary>
/// Odoo, through the plugin Apertur Connect: it is told of each image, fetches it by the link, and attaches it to the record that the session's
/// tags or metadata name. The plugin answers 200 whatever happened; only its words tell.
/// </summary>
/// <param name="http">The guarded way out.</param>
/// <param name="clock">Time limits, <c>Retry-After</c> dates.</param>
public sealed class OdooDestination(OutboundHttp http, TimeProvider clock) : IDestinationType
{
    private const string Topic = "image.delivered";

    // The plugin verifies the signature before it looks at the topic, and ignores one that it does not know.
    private const string TestTopic = "destination.test";
    private const string Ignored = "Event ignored";

    private readonly JsonApi _api = new(http, clock);

    public string Type => "odoo";

    public string Label => "Odoo";

    public IReadOnlyList<ConfigField> Fields { get; } =
    [
        new("url", "URL", ConfigFieldKind.Url)
        {
            Required = true,
            Help = "The plugin's webhook URL, as Odoo's settings show it: https://…/apertur/webhook.",
        },
        new("secret", "Webhook secret") { Required = true, Secret = true, Help = "The same as in the plugin's settings." },
    ];

    public Task<DeliveryOutcome> DeliverAsync(Delivery delivery, CancellationToken cancellationToken) =>
        TellAsync(Topic, delivery, Judge, cancellationToken);

    /// <summary>Sends an event that the plugin ignores once it has found the signature right: nothing comes into Odoo.</summary>
    public Task<DeliveryOutcome> TestAsync(DestinationConfig config, CancellationToken cancellationToken) => TellAsync(
        TestTopic, TestImage.Delivery(config, clock),
        (status, message) => (status, message) == ("ok", Ignored) ? new DeliveryOutcome.Accepted() : Judge(status, message),
        cancellationToken);

    private static DeliveryOutcome Judge(string? status, string? message) => (status, message) switch
    {
        ("ok", null) => new DeliveryOutcome.Accepted(),
        ("ok", Ignored) => new DeliveryOutcome.GiveUp("Odoo ignored it: the plugin takes no photos by this event."),
        ("ok", "No entity ref") => new DeliveryOutcome.GiveUp(
            "Odoo found no record to attach it to: neither tags nor metadata of the session name one, such as odoo:res.partner:42."),
        ("error", "Record not found") => new DeliveryOutcome.GiveUp("The record in Odoo that it belongs to does not exist any more."),
        ("error", "Invalid signature") => new DeliveryOutcome.Broken(
            "Odoo did not accept the signature. Enter the webhook secret of the plugin's settings here."),
        ("error", "Image download failed") => new DeliveryOutcome.TryAgain(
            "Odoo could not fetch the image. It must be able to reach the public address of this server."),
        _ => new DeliveryOutcome.TryAgain("Odoo answered, but not that it has the image."),
    };

    private Task<DeliveryOutcome> TellAsync(
        string topic, Delivery delivery, Func<string?, string?, DeliveryOutcome> judge, CancellationToken cancellationToken) =>
        _api.AttemptAsync(0, async deadline =>
        {
            using var request = Request(topic, delivery);
            var answer = await _api.SendAsync(request, deadline);
            if (!answer.IsSuccess)
                return answer.Outcome;
            // Odoo wraps what the plugin returns in JSON-RPC; a proxy or another version may not.
            return answer.Means((answer.Json as JsonObject)?.ContainsKey("jsonrpc") is true
                ? judge(answer.Text("result", "status"), answer.Text("result", "message"))
                : judge(answer.Text("status"), answer.Text("message")));
        }, cancellationToken);

    private static HttpRequestMessage Request(string topic, Delivery delivery)
    {
        var data = new JsonObject
        {
            ["id"] = delivery.ImageId.ToString(),
            ["filename"] = delivery.Filename,
            ["size_bytes"] = delivery.SizeBytes,
            ["mime_type"] = delivery.MimeType,
            ["session_id"] = delivery.SessionId.ToString(),
            ["download_url"] = delivery.DownloadUrl().AbsoluteUri,
            ["tags"] = new JsonArray([.. delivery.Tags.Select(tag => (JsonNode)tag)]),
            ["metadata"] = delivery.Metadata?.DeepClone(),
        };
        if (delivery.OriginalSha256 is { } original)
            data["original_sha256"] = original;
        if (delivery.Caption is { } caption)
            data["caption"] = caption;
        if (delivery.Answers is { } answers)
            data["answers"] = answers.DeepClone();
        var body = Encoding.UTF8.GetBytes(new JsonObject { ["topic"] = topic, ["event"] = topic, ["data"] = data }.ToJsonString());
        using var signature = Signature.OfBody(delivery.Config.Required("secret"));
        return new HttpRequestMessage(HttpMethod.Post, delivery.Config.Required("url"))
        {
            Headers =
            {
                { "User-Agent", "Apertur-Webhook/1.0" },
                { "X-APTR-Delivery-ID", delivery.Id.ToString() },
                { "X-Apertur-Signature", signature.Append(body).Finish() },
            },
            Content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } },
        };
    }
}
