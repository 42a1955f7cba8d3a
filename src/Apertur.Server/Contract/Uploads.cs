using System.Text.Json.Serialization;

namespace Apertur.Server.Contract;

/// <summary>What whoever has sent an image changes of it.</summary>
internal sealed record ImageUpdateRequest
{
    /// <summary>At most 500 characters, one line; null or an empty text takes it away.</summary>
    public string? Caption { get; init; }
}

/// <summary>How an image is described now.</summary>
internal sealed record ImageUpdateResponse(Guid Id, string? Caption)
{
    /// <summary>What is said of it; null when nothing is.</summary>
    public string? Caption { get; init; } = Caption;
}

/// <summary>An image that the server is to fetch. The fields of an upload may stand beside these.</summary>
internal sealed record FetchRequest
{
    /// <summary>Where it is: an https address without a user name. Redirects are followed.</summary>
    public string? Url { get; init; }

    /// <summary>
    /// What the file is called. Without it: the name that the source says (Content-Disposition), else the end of the address when it names a
    /// picture, else a neutral name.
    /// </summary>
    public string? Filename { get; init; }

    /// <summary>
    /// For a source at which photos are picked (<c>google_drive</c>, <c>google_photos</c>, <c>onedrive</c>, <c>box</c>): the access token that its picker gave,
    /// shown to its own hosts and kept nowhere.
    /// </summary>
    [JsonPropertyName("access_token")]
    public string? AccessToken { get; init; }

    /// <summary>SHA-256 of the file in hex: checked before the photo is taken.</summary>
    public string? Sha256 { get; init; }
}

/// <summary>Images that are wanted together.</summary>
internal sealed record ArchiveRequest
{
    /// <summary>Their ids, at most 500. Together they may have 2 GB.</summary>
    public IReadOnlyList<Guid>? UploadIds { get; init; }
}

/// <summary>What a browser downloads an archive with.</summary>
/// <param name="Ticket">What gives those images, and nothing else, to whoever holds it. It counts for a minute.</param>
/// <param name="LeftOut">How many of them are not in the archive, because their bytes were removed.</param>
internal sealed record ArchiveTicketResponse(string Ticket, int LeftOut);

/// <summary>An image that was taken in. When this is sent, its bytes and rows are on disk.</summary>
internal sealed record UploadResponse
{
    public required Guid Id { get; init; }
    public required string Filename { get; init; }

    [JsonPropertyName("size_bytes")]
    public required long SizeBytes { get; init; }

    /// <summary>How many destinations it is being delivered to.</summary>
    public required int Destinations { get; init; }

    [JsonPropertyName("long_polling")]
    public required bool LongPolling { get; init; }

    public required string Sha256 { get; init; }

    /// <summary>SHA-256 of what was sent, where its session has metadata removed (<c>strip</c>); absent where the photo is stored as it came.</summary>
    [JsonPropertyName("original_sha256")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? OriginalSha256 { get; init; }

    [JsonPropertyName("mime_type")]
    public required string MimeType { get; init; }

    public required int? Width { get; init; }
    public required int? Height { get; init; }
}
