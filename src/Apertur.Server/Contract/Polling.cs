using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Apertur.Server.Contract;

/// <summary>What waits to be fetched, oldest first.</summary>
internal sealed record PollResponse(IReadOnlyList<PollImage> Images);

/// <summary>An image that nobody has acknowledged yet.</summary>
internal sealed record PollImage
{
    public required Guid Id { get; init; }
    public required string Filename { get; init; }

    [JsonPropertyName("size_bytes")]
    public required long SizeBytes { get; init; }

    [JsonPropertyName("mime_type")]
    public required string MimeType { get; init; }

    /// <summary>SHA-256 of what was sent, where its session has metadata removed (<c>strip</c>); absent where the photo is stored as it came.</summary>
    [JsonPropertyName("original_sha256")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public required string? OriginalSha256 { get; init; }

    public required string Source { get; init; }

    /// <summary>Which of the visitors of its session sent it, by an id of that visitor's own; absent when nobody said.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public required string? Visitor { get; init; }

    /// <summary>What its sender says of it: one line; absent when nothing.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public required string? Caption { get; init; }

    /// <summary>What its session asked for and the sender gave: texts by the name of the field; absent when nothing was given.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public required JsonObject? Answers { get; init; }

    [JsonPropertyName("created_at")]
    public required DateTimeOffset CreatedAt { get; init; }
}

/// <summary>Always <c>acknowledged</c>.</summary>
internal sealed record AckResponse(string Status);
