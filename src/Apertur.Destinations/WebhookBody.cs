using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Apertur.Destinations;

/// <summary>
/// The body of one webhook request: text, the image, text. It is read twice, first to sign it and then to send it, and both
/// times in pieces: the signature stands in a header before a body that may be larger than memory.
/// </summary>
internal sealed class WebhookBody
{
    public const string JsonBase64 = "json_base64";
    public const string MultipartForm = "multipart";
    public const string Binary = "binary";
    public const string Link = "link";

    // A multiple of three, so that every piece but the last encodes to base64 without padding.
    private const int PieceBytes = 48 * 1024;

    // The fields of the multipart form that a tag must not pretend to be.
    private static readonly string[] _ownFields = ["image", "session_id", "image_id", "image_index", "sha256", "original_sha256", "tags", "visitor", "caption", "answers"];

    // The body is never part of a page, so nothing needs escaping beyond what JSON asks for; receivers read addresses and names.
    private static readonly JsonWriterOptions _json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly JsonSerializerOptions _jsonText = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly Delivery _delivery;
    private readonly ReadOnlyMemory<byte> _before;
    private readonly ReadOnlyMemory<byte> _after;
    private readonly Image _image;

    private WebhookBody(
        Delivery delivery, string contentType, ReadOnlyMemory<byte> before, Image image, ReadOnlyMemory<byte> after)
    {
        (_delivery, ContentType, _before, _image, _after) = (delivery, contentType, before, image, after);
    }

    private enum Image
    {
        Absent,
        Raw,
        Base64,
    }

    public string ContentType { get; }

    /// <summary>Bytes of the whole body.</summary>
    public long Length => _before.Length + _after.Length + _image switch
    {
        Image.Raw => _delivery.SizeBytes,
        Image.Base64 => (_delivery.SizeBytes + 2) / 3 * 4,
        _ => 0,
    };

    public static WebhookBody Of(string format, Delivery delivery) => format switch
    {
        Binary => new WebhookBody(delivery, "application/octet-stream", default, Image.Raw, default),
        MultipartForm => Multipart(delivery),
        Link => Json(delivery, linked: true),
        _ => Json(delivery, linked: false),
    };

    /// <summary>The body piece by piece. Each piece is only good until the next one is asked for.</summary>
    /// <exception cref="IOException">The stored image cannot be read, or is not as long as its row says.</exception>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        yield return _before;
        if (_image != Image.Absent)
        {
            await foreach (var piece in ReadImageAsync(cancellationToken).ConfigureAwait(false))
                yield return piece;
        }

        yield return _after;
    }

    private async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadImageAsync(
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var raw = ArrayPool<byte>.Shared.Rent(PieceBytes);
        var encoded = ArrayPool<byte>.Shared.Rent(Base64.GetMaxEncodedToUtf8Length(PieceBytes));
        try
        {
            using var image = _delivery.OpenRead();
            var left = _delivery.SizeBytes;
            while (left > 0)
            {
                var count = (int)Math.Min(left, PieceBytes);
                await image.ReadExactlyAsync(raw.AsMemory(0, count), cancellationToken).ConfigureAwait(false);
                left -= count;
                if (_image == Image.Raw)
                {
                    yield return raw.AsMemory(0, count);
                    continue;
                }

                Base64.EncodeToUtf8(raw.AsSpan(0, count), encoded, out _, out var written, isFinalBlock: left == 0);
                yield return encoded.AsMemory(0, written);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(raw);
            ArrayPool<byte>.Shared.Return(encoded);
        }
    }

    private static WebhookBody Json(Delivery delivery, bool linked)
    {
        var text = new ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(text, _json);
        json.WriteStartObject();
        json.WriteString("session_id", delivery.SessionId);
        json.WriteString("image_id", delivery.ImageId);
        json.WriteNumber("image_index", delivery.ImageIndex);
        json.WriteString("mime_type", delivery.MimeType);
        json.WriteString("filename", delivery.Filename);
        json.WriteNumber("size_bytes", delivery.SizeBytes);
        json.WriteString(linked ? "download_url" : "data", linked ? delivery.DownloadUrl().AbsoluteUri : "");
        json.Flush();
        // Without a link the string is empty so far: the image goes between its quotes.
        var cut = text.WrittenCount - 1;
        json.WritePropertyName("tags");
        json.WriteRawValue(JsonArray(delivery.Tags));
        json.WritePropertyName("metadata");
        if (delivery.Metadata is { } metadata)
            metadata.WriteTo(json);
        else
            json.WriteNullValue();
        json.WriteString("sha256", delivery.Sha256);
        if (delivery.OriginalSha256 is { } original)
            json.WriteString("original_sha256", original);
        if (delivery.Visitor is { } visitor)
            json.WriteString("visitor", visitor);
        if (delivery.Caption is { } caption)
            json.WriteString("caption", caption);
        if (delivery.Answers is { } answers)
        {
            json.WritePropertyName("answers");
            answers.WriteTo(json);
        }

        json.WriteEndObject();
        json.Flush();
        return linked
            ? new WebhookBody(delivery, "application/json", text.WrittenMemory, Image.Absent, default)
            : new WebhookBody(delivery, "application/json", text.WrittenMemory[..cut], Image.Base64, text.WrittenMemory[cut..]);
    }

    /// <summary>The form of RFC 7578, with names escaped as browsers do (HTML standard, multipart form data).</summary>
    private static WebhookBody Multipart(Delivery delivery)
    {
        // Random, so that nobody can make an image that holds it.
        var boundary = "apertur-" + RandomNumberGenerator.GetHexString(32, lowercase: true);
        var text = new StringBuilder();
        Field("session_id", delivery.SessionId.ToString());
        Field("image_id", delivery.ImageId.ToString());
        Field("image_index", delivery.ImageIndex.ToString(CultureInfo.InvariantCulture));
        Field("sha256", delivery.Sha256);
        if (delivery.OriginalSha256 is { } original)
            Field("original_sha256", original);
        if (delivery.Visitor is { } visitor)
            Field("visitor", visitor);
        if (delivery.Caption is { } caption)
            Field("caption", caption);
        if (delivery.Answers is { } answers)
            Field("answers", answers.ToJsonString(_jsonText));
        Field("tags", JsonArray(delivery.Tags));
        foreach (var tag in delivery.Tags)
        {
            var colon = tag.IndexOf(':', StringComparison.Ordinal);
            if (colon > 0 && !_ownFields.Contains(tag[..colon], StringComparer.OrdinalIgnoreCase))
                Field(tag[..colon], tag[(colon + 1)..]);
        }

        text.Append(CultureInfo.InvariantCulture, $"--{boundary}\r\n");
        text.Append(CultureInfo.InvariantCulture,
            $"Content-Disposition: form-data; name=\"image\"; filename=\"{Escape(delivery.Filename)}\"\r\n");
        text.Append(CultureInfo.InvariantCulture, $"Content-Type: {delivery.MimeType}\r\n\r\n");
        return new WebhookBody(delivery, $"multipart/form-data; boundary={boundary}",
            Encoding.UTF8.GetBytes(text.ToString()), Image.Raw, Encoding.UTF8.GetBytes($"\r\n--{boundary}--\r\n"));

        void Field(string name, string value) => text.Append(CultureInfo.InvariantCulture,
            $"--{boundary}\r\nContent-Disposition: form-data; name=\"{Escape(name)}\"\r\n\r\n{value}\r\n");
    }

    private static string Escape(string name) => name
        .Replace("\"", "%22", StringComparison.Ordinal)
        .Replace("\r", "%0D", StringComparison.Ordinal)
        .Replace("\n", "%0A", StringComparison.Ordinal);

    private static string JsonArray(IEnumerable<string> texts)
    {
        var array = new JsonArray();
        foreach (var text in texts)
            array.Add((JsonNode)text);
        return array.ToJsonString(_jsonText);
    }
}
