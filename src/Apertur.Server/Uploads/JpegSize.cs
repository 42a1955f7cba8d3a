namespace Apertur.Server.Uploads;

/// <summary>
/// The size of a JPEG (ITU-T T.81, annex B), turned as its EXIF orientation says. Cameras and programs write stray bytes and wrong lengths
/// between segments; as decoders do, whatever is no marker is passed over.
/// </summary>
internal static class JpegSize
{
    private const int StartOfImage = 0xD8;
    private const int EndOfImage = 0xD9;
    private const int StartOfScan = 0xDA;
    private const int App1 = 0xE1;

    public static ReadOnlySpan<byte> Signature => [0xFF, 0xD8, 0xFF];

    public static ImageSize? Read(FileWindow file)
    {
        ImageSize? size = null;
        int? orientation = null;
        // A preview is a JPEG inside of a segment. Where that segment's head is damaged, the search comes upon it.
        ImageSize? previewSize = null;
        var previews = 0;
        long at = 2;
        while (NextMarker(file, ref at) is { } marker)
        {
            if (marker == StartOfImage)
                previews++;
            else if (marker == EndOfImage && previews > 0)
                previews--;
            else if (marker is EndOfImage or StartOfScan && previews == 0)
                break;
            else if (marker is not (0x01 or >= 0xD0 and <= 0xD7) && file.TryUInt16(at, out var length) && length >= 2)
            {
                var found = IsFrame(marker) ? Frame(file, at, length) : null;
                if (previews > 0)
                    previewSize ??= found;
                else
                    size ??= found;
                if (marker == App1 && file.At(at + 2, 6).SequenceEqual("Exif\0\0"u8))
                    orientation ??= ExifOrientation.Read(file, at + 8, at + length);
                at += length;
            }
        }

        return ExifOrientation.Turn(size ?? previewSize, orientation);
    }

    /// <summary>The next marker from a position on, which moves behind it; null at the end of the file.</summary>
    private static int? NextMarker(FileWindow file, ref long at)
    {
        while ((at = file.IndexOf(0xFF, at)) >= 0)
        {
            // Any number of fill bytes may stand before a marker; 0 says that FF was data.
            if (file.TryByte(++at, out var marker) && marker is not (0 or 0xFF))
            {
                at++;
                return marker;
            }
        }

        return null;
    }

    /// <summary>C4, C8 and CC lie among the frame headers but are tables and an extension.</summary>
    private static bool IsFrame(int marker) => marker is >= 0xC0 and <= 0xCF and not (0xC4 or 0xC8 or 0xCC);

    /// <summary>The size in a frame header; null for bytes that only look like one.</summary>
    private static ImageSize? Frame(FileWindow file, long at, int length) =>
        file.TryByte(at + 7, out var components) && length == 8 + (3 * components)
        && file.TryUInt16(at + 3, out var height) && file.TryUInt16(at + 5, out var width)
            ? ImageSize.Of((uint)width, (uint)height)
            : null;
}
