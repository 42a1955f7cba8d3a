using System.Text;
using Apertur.Server.Http;
using Apertur.Server.Sessions;
using Apertur.Server.Uploads;

namespace Apertur.Server.Tus;

/// <summary>
/// What a client says of a photo beside its bytes: <c>Upload-Metadata</c> of tus 1.0, keys with values in base64. Read are <c>filename</c> (or
/// <c>name</c>), <c>sha256</c>, the <see cref="UploadFields"/> and, as <c>answer.name</c> and so on, what its session asks for; others are kept and given back.
/// </summary>
internal sealed record UploadMetadata
{
    private const int MaxLength = 16 * 1024;

    // The name of a person must not be taken for the name of the file, which some clients call so.
    private const string AnswerPrefix = "answer.";

    public string? Filename { get; private init; }

    /// <summary>64 lower-case hex characters; null when it was not said.</summary>
    public string? Sha256 { get; private init; }

    public required SentFields Sent { get; init; }

    /// <exception cref="ApiErrorException">400: it cannot be read, or a field does not take its value.</exception>
    public static UploadMetadata Parse(string header, UploadSession session)
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
            Sent = new SentFields(session),
            Sha256 = values.GetValueOrDefault(UploadDigests.Sha256Field) is { } sha256 ? UploadDigests.ReadSha256(sha256) : null,
        };
        foreach (var field in metadata.Sent.Fields)
        {
            if (values.TryGetValue(UploadFields.All.Contains(field) ? field.Name : AnswerPrefix + field.Name, out var text))
                metadata.Sent.Take(field, text);
        }

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
