using System.Buffers;
using System.Globalization;
using System.Text.Json.Nodes;

namespace Apertur.Destinations;

/// <summary>The headers of a webhook request: which ones an owner may add, and the ones every receiver can rely on.</summary>
public static class WebhookHeaders
{
    /// <summary>Characters of a header's value that a user gave.</summary>
    public const int MaxCustomValueLength = 4096;

    // Longer texts stay out of the headers of the binary format: receivers commonly refuse more than 8 KB of all headers
    // together.
    private const int MaxTextLength = 2048;
    private const int MaxCustomNameLength = 128;

    // RFC 9110, 5.6.2: what a header's name is made of.
    private static readonly SearchValues<char> _nameCharacters =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    // What is ours to say, and what would change where the message goes or where it ends.
    private static readonly string[] _reserved =
        ["Host", "Connection", "Keep-Alive", "Upgrade", "TE", "Trailer", "Transfer-Encoding", "Expect", "HTTP2-Settings"];
    private static readonly string[] _reservedPrefixes = ["Content-", "Proxy-", "X-Apertur-", "X-Aptr-", "webhook-", "svix-"];

    /// <summary>
    /// A message when an owner's header cannot be sent, null when it can. Never repeats the value, which is a secret.
    /// </summary>
    public static string? Problem(string name, string value)
    {
        if (name.Length is 0 or > MaxCustomNameLength || name.AsSpan().ContainsAnyExcept(_nameCharacters))
            return "A header's name takes letters, digits and hyphens only.";
        if (_reserved.Contains(name, StringComparer.OrdinalIgnoreCase)
            || Array.Exists(_reservedPrefixes, prefix => name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)))
        {
            return $"The header {name} is set by the server and cannot be replaced.";
        }

        return value.Length > MaxCustomValueLength || value.AsSpan().ContainsAnyExceptInRange(' ', '~')
            ? $"The value of the header {name} must be printable ASCII of at most 4096 characters."
            : null;
    }

    /// <summary>Puts everything on the request but the signatures, which the body decides.</summary>
    internal static void Add(
        HttpRequestMessage request, Delivery delivery, IReadOnlyDictionary<string, string> custom, string format)
    {
        foreach (var (name, value) in custom)
            request.Headers.TryAddWithoutValidation(name, value);

        if (!request.Headers.Contains("User-Agent"))
            request.Headers.Add("User-Agent", "Apertur-Webhook/1.0");
        request.Headers.Add("X-Aptr-Session-Id", delivery.SessionId.ToString());
        request.Headers.Add("X-Aptr-Image-Index", delivery.ImageIndex.ToString(CultureInfo.InvariantCulture));
        request.Headers.Add("X-Aptr-Image-Id", delivery.ImageId.ToString());
        request.Headers.Add("X-APTR-Delivery-ID", delivery.Id.ToString());
        if (format == WebhookBody.Binary)
            AddWhatOtherFormatsHaveInTheBody(request, delivery);
    }

    private static void AddWhatOtherFormatsHaveInTheBody(HttpRequestMessage request, Delivery delivery)
    {
        request.Headers.Add("X-Aptr-Mime-Type", delivery.MimeType);
        request.Headers.Add("X-Aptr-Sha256", delivery.Sha256);
        if (delivery.OriginalSha256 is { } original)
            request.Headers.Add("X-Aptr-Original-Sha256", original);
        if (delivery.Visitor is { } visitor)
            request.Headers.Add("X-Aptr-Visitor", visitor);
        // Percent-encoded UTF-8: a header holds ASCII only.
        request.Headers.Add("X-Aptr-Filename", Uri.EscapeDataString(delivery.Filename));
        // The default encoder of JSON writes ASCII only.
        AddShort("X-Aptr-Tags", new JsonArray([.. delivery.Tags.Select(tag => (JsonNode)tag)]).ToJsonString());
        if (delivery.Metadata is { } metadata)
            AddShort("X-Aptr-Metadata", metadata.ToJsonString());
        if (delivery.Caption is { } caption)
            AddShort("X-Aptr-Caption", Uri.EscapeDataString(caption));
        if (delivery.Answers is { } answers)
            AddShort("X-Aptr-Answers", answers.ToJsonString());

        void AddShort(string name, string value)
        {
            if (value.Length <= MaxTextLength)
                request.Headers.TryAddWithoutValidation(name, value);
        }
    }
}
