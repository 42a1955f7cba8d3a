using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Apertur.Destinations;
using Microsoft.AspNetCore.Http;

namespace Apertur.Tests.Support;

/// <summary>
/// Stands for the controller of Odoo's plugin as the contract describes it: verifies, finds the record, fetches the image, attaches it, and
/// answers 200 with words in a JSON-RPC envelope, whatever happened.
/// </summary>
internal sealed class OdooPlugin : IAsyncDisposable
{
    public const string Secret = "s3cret-of-the-plugin";

    private readonly OutboundHttp _http = new(allowPrivateNetworks: true);
    private readonly ConcurrentDictionary<string, (string Name, byte[] Bytes, string MimeType)> _attachments = new();

    private OdooPlugin(Receiver receiver)
    {
        Receiver = receiver;
        receiver.Otherwise = HandleAsync;
    }

    /// <summary>Where it listens; what is queued there is answered instead.</summary>
    public Receiver Receiver { get; }

    /// <summary>By image.</summary>
    public IReadOnlyCollection<(string Name, byte[] Bytes, string MimeType)> Attachments => [.. _attachments.Values];

    /// <summary>Ids of the records that exist.</summary>
    public HashSet<int> Records { get; } = [42];

    /// <summary>Whether the answer stands in an envelope of JSON-RPC.</summary>
    public bool Wraps { get; set; } = true;

    public static async Task<OdooPlugin> StartAsync() => new(await Receiver.StartAsync());

    public async ValueTask DisposeAsync()
    {
        await Receiver.DisposeAsync();
        _http.Dispose();
    }

    /// <summary>Takes the image and loses the answer.</summary>
    public async Task TakeAndAbortAsync(HttpContext context)
    {
        await AnswerAsync(context);
        context.Abort();
    }

    private async Task HandleAsync(HttpContext context)
    {
        var said = await AnswerAsync(context);
        await context.Response.WriteAsJsonAsync(Wraps ? new JsonObject { ["jsonrpc"] = "2.0", ["id"] = null, ["result"] = said } : said);
    }

    private async Task<JsonObject> AnswerAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        var signature = "sha256=" + Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(Secret), body.ToArray()));
        if (context.Request.Headers["X-Apertur-Signature"] != signature)
            return Say("error", "Invalid signature");

        var payload = JsonNode.Parse(body.ToArray())!;
        if ((string?)payload["topic"] is not ("image.delivered" or "image.uploaded"))
            return Say("ok", "Event ignored");
        var data = payload["data"]!;
        var record = data["metadata"]?["odoo"]?["res_id"]?.GetValue<int>()
            ?? data["tags"]!.AsArray().Select(tag => ((string)tag!).Split(':')).Where(tag => tag is ["odoo", _, _]).Select(tag => (int?)int.Parse(tag[2])).FirstOrDefault();
        if (record is null)
            return Say("ok", "No entity ref");

        using var request = new HttpRequestMessage(HttpMethod.Get, (string)data["download_url"]!);
        using var image = await _http.SendAsync(request, context.RequestAborted);
        if (!image.IsSuccessStatusCode)
            return Say("error", "Image download failed");
        if (!Records.Contains(record.Value))
            return Say("error", "Record not found");
        _attachments[(string)data["id"]!] =
            ((string)data["filename"]!, await image.Content.ReadAsByteArrayAsync(context.RequestAborted), (string)data["mime_type"]!);
        return new JsonObject { ["status"] = "ok" };
    }

    private static JsonObject Say(string status, string message) => new() { ["status"] = status, ["message"] = message };
}
