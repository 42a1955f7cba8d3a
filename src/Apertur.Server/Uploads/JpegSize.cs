namespace Apertur.Server.Uploads;

/// <summary>The size of a JPEG (ITU-T T.81, annex B), turned as its EXIF orientation says (CIPA DC-008, 4.6.4).</summary>
internal static class JpegSize
{
    private const int Orientation = 0x0112;

    public static ReadOnlySpan<byte> Signature => [0xFF, 0xD8, 0xFF];

    public static ImageSize? Read(FileWindow file)
    {
        var turned = false;
        long at = 2;
        while (file.TryByte(at, out var lead) && lead == 0xFF && file.TryByte(at + 1, out var marker))
        {
            if (marker == 0xFF)
            {
                // Any number of fill bytes may stand before a marker.
                at++;
                continue;
            }

            if (marker is 0x01 or >= 0xD0 and <= 0xD7)
            {
                at += 2;
                continue;
            }

            if (!file.TryUInt16(at + 2, out var length) || length < 2)
                return null;
            // C4, C8 and CC lie among the frame headers but are tables and an extension.
            if (marker is >= 0xC0 and <= 0xCF and not (0xC4 or 0xC8 or 0xCC))
            {
                if (!file.TryUInt16(at + 5, out var height) || !file.TryUInt16(at + 7, out var width))
                    return null;
                var size = ImageSize.Of((uint)width, (uint)height);
                return turned ? size?.Turned() : size;
            }

            // Scan data or the end before any frame header.
            if (marker is 0xDA or 0xD9)
                return null;
            if (marker == 0xE1 && !turned)
                turned = SwapsSides(file, at + 4, length - 2);
            at += 2 + length;
        }

        return null;
    }

    /// <summary>Whether an APP1 segment holds EXIF with one of the orientations 5 to 8, which turn it by 90 or 270 degrees.</summary>
    private static bool SwapsSides(FileWindow file, long segment, int length)
    {
        if (!file.At(segment, 6).SequenceEqual("Exif\0\0"u8))
            return false;
        var tiff = segment + 6;
        var end = segment + length;
        if (!file.TryUInt16(tiff, out var order) || order is not (0x4949 or 0x4D4D))
            return false;
        var little = order == 0x4949;
        if (!file.TryUInt32(tiff + 4, out var offset, little) || !file.TryUInt16(tiff + offset, out var entries, little))
            return false;
        for (var entry = tiff + offset + 2; entries-- > 0 && entry + 12 <= end; entry += 12)
        {
            if (!file.TryUInt16(entry, out var tag, little))
                return false;
            if (tag == Orientation)
                return file.TryUInt16(entry + 8, out var value, little) && value is >= 5 and <= 8;
        }

        return false;
    }
}
