using Apertur.Server.Uploads;

namespace Apertur.Server.Metadata;

/// <summary>
/// Takes metadata out of a photo and leaves the picture as it is, bit for bit: what goes is overwritten where it stands, so nothing moves and no
/// offset changes. Only what is known to be harmless stays: what is not known goes, and a file whose parts cannot be told apart is refused.
/// <c>docs/decisions/0019-removing-metadata.md</c> has the reasons.
/// </summary>
internal static class MetadataRemoval
{
    /// <param name="file">All of it; changed in place.</param>
    /// <param name="mimeType">What its first bytes say, see <see cref="ImageHeader.TypeOf"/>.</param>
    /// <param name="strip">What goes.</param>
    /// <returns>How many bytes of it count from now on: what programs put behind the end of a photo is cut off.</returns>
    /// <exception cref="InvalidDataException">Its parts cannot be told apart. What has become of the bytes is of no use.</exception>
    public static int Run(Span<byte> file, string mimeType, Strip strip) => mimeType switch
    {
        _ when strip == Strip.None => file.Length,
        ImageHeader.Jpeg => JpegMetadata.Clean(file, strip),
        ImageHeader.Png => PngMetadata.Clean(file, strip),
        ImageHeader.WebP => WebPMetadata.Clean(file, strip),
        ImageHeader.Heic => HeicMetadata.Clean(file, strip),
        _ => throw new InvalidDataException($"Nothing is known of metadata in {mimeType}."),
    };
}
