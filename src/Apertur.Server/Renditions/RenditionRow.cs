using Apertur.Destinations;

namespace Apertur.Server.Renditions;

/// <summary>A rendition that was made, and what its file holds.</summary>
internal sealed class RenditionRow
{
    /// <summary>Version 7; names the file, so another making is another file.</summary>
    public required Guid Id { get; init; }

    public required Guid UploadId { get; init; }

    /// <summary>A <see cref="Rendition"/> as one word.</summary>
    public required string Kind { get; init; }

    public required long SizeBytes { get; init; }

    /// <summary>64 lower-case hex characters.</summary>
    public required string Sha256 { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }
}
