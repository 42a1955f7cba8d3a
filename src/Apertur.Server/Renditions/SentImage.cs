using Apertur.Destinations;
using Apertur.Server.Uploads;

namespace Apertur.Server.Renditions;

/// <summary>What is given out of an upload: the image as it is stored, or a rendition of it.</summary>
internal sealed record SentImage
{
    public required VerifiedImage Bytes { get; init; }

    public required string Filename { get; init; }

    public required string MimeType { get; init; }

    /// <summary>Of <see cref="Bytes"/>.</summary>
    public required string Sha256 { get; init; }

    /// <inheritdoc cref="Delivery.OriginalSha256"/>
    public required string? OriginalSha256 { get; init; }

    /// <summary>Which rendition it is; null for the image as it is stored.</summary>
    public required Rendition? Rendition { get; init; }

    public static SentImage AsStored(Upload upload, VerifiedImage bytes) => new()
    {
        Bytes = bytes,
        Filename = upload.Filename,
        MimeType = upload.MimeType,
        Sha256 = upload.Sha256,
        OriginalSha256 = upload.OriginalSha256,
        Rendition = null,
    };

    public static SentImage Of(Upload upload, VerifiedImage bytes, string sha256, Rendition rendition) => new()
    {
        Bytes = bytes,
        Filename = Filenames.Sanitise(upload.Filename, Rendition.MimeType),
        MimeType = Rendition.MimeType,
        Sha256 = sha256,
        OriginalSha256 = upload.SentSha256,
        Rendition = rendition,
    };
}
