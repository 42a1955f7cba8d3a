using System.Text.Json.Serialization;

namespace Apertur.Server.Contract;

/// <summary>Where everything of a session is now.</summary>
internal sealed record DeliveryStatusResponse
{
    public required string Status { get; init; }

    /// <summary>Never goes back; what <c>pollFrom</c> is compared with.</summary>
    public required DateTimeOffset LastChanged { get; init; }

    public required IReadOnlyList<FileStatus> Files { get; init; }
}

/// <summary>One image of the session.</summary>
internal sealed record FileStatus
{
    [JsonPropertyName("record_id")]
    public required Guid RecordId { get; init; }

    public required string Filename { get; init; }

    [JsonPropertyName("size_bytes")]
    public required long SizeBytes { get; init; }

    [JsonPropertyName("has_thumbnail")]
    public required bool HasThumbnail { get; init; }

    public required IReadOnlyList<FileDestination> Destinations { get; init; }
}

/// <summary>How far one image is on its way to one destination.</summary>
internal sealed record FileDestination
{
    [JsonPropertyName("destination_id")]
    public required Guid DestinationId { get; init; }

    public required string Type { get; init; }
    public required string Name { get; init; }

    /// <summary><c>pending</c>, <c>sending</c>, <c>sent</c>, <c>retrying</c> or <c>failed</c>.</summary>
    public required string Status { get; init; }

    public required int Attempts { get; init; }

    [JsonPropertyName("last_error")]
    public required string? LastError { get; init; }
}
