using System.Text;
using Apertur.Server.Http;
using Apertur.Server.Uploads;

namespace Apertur.Server.Tus;

/// <summary>
/// What a client says of a photo beside its bytes: <c>Upload-Metadata</c> of tus 1.0, keys with values in base64. Read are <c>filename</c> (or
/// <c>name</c>), <c>sha256</c> and the <see cref="UploadFields"/>; others are kept and given back.
/// </summary>
internal sealed record UploadMetadata
{
    private const int MaxLength = 16 * 1024;

    public string? Filename { get; private init; }

    /// <summary>64 lower-case hex characters; null when it was not said.</summary>
    public string? Sha256 { get; private init; }

    public SentFields Sent { get; } = new();

    /// <exception cref="ApiErrorException">400: it cannot be read, or a field does not take its value.</exception>
    public static UploadMetadata Parse(string header)
    {
        if (header.Length > MaxLength)
            throw Malformed("is too long");
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var pair in header.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var words = pair.Split(' ', 2, StringSplitOptions.TrimEntries);
            if (!values.TryAdd(words[0], words.Length == 1 ? "" : Decode(words[1])))
                throw Malformed("says something twice");
        }

        var metadata = new UploadMetadata
        {
            Filename = values.GetValueOrDefault("filename") ?? values.GetValueOrDefault("name"),
            Sha256 = values.GetValueOrDefault(UploadDigests.Sha256Field) is { } sha256 ? UploadDigests.ReadSha256(sha256) : null,
        };
        foreach (var field in UploadFields.All.Where(field => values.ContainsKey(field.Name)))
            metadata.Sent.Take(field, values[field.Name]);
        return metadata;
    }

    private static string Decode(string base64)
    {
        var bytes = new byte[base64.Length];
        return Convert.TryFromBase64String(base64, bytes, out var length)
            ? Encoding.UTF8.GetString(bytes, 0, length)
            : throw Malformed("has a value that is not base64");
    }

    private static ApiErrorException Malformed(string how) =>
        ApiErrors.Validation(TusHeaders.Metadata, $"{TusHeaders.Metadata} {how}.").ToException();
}
