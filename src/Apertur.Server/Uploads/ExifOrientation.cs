namespace Apertur.Server.Uploads;

/// <summary>How a picture is to be turned before it is shown, from the EXIF data of any kind of file (CIPA DC-008, 4.6.4).</summary>
internal static class ExifOrientation
{
    private const int Tag = 0x0112;

    // Types of values (TIFF 6.0, section 2). The standard says SHORT; programs write the others too.
    private const int Byte = 1;
    private const int Long = 4;

    /// <summary>1 to 8; null when there is none or it cannot be read.</summary>
    /// <param name="file">The file.</param>
    /// <param name="tiff">Where the TIFF header of the EXIF data begins.</param>
    /// <param name="end">Where the EXIF data ends.</param>
    public static int? Read(FileWindow file, long tiff, long end)
    {
        if (!file.TryUInt16(tiff, out var order) || order is not (0x4949 or 0x4D4D))
            return null;
        var little = order == 0x4949;
        if (!file.TryUInt32(tiff + 4, out var offset, little) || !file.TryUInt16(tiff + offset, out var entries, little))
            return null;
        for (var entry = tiff + offset + 2; entries > 0 && entry + 12 <= end; entries--, entry += 12)
        {
            if (file.TryUInt16(entry, out var tag, little) && tag == Tag)
                return Value(file, entry, little) is { } value and >= 1 and <= 8 ? value : null;
        }

        return null;
    }

    /// <summary>The size as shown: orientations 5 to 8 lie on their side.</summary>
    public static ImageSize? Turn(ImageSize? size, int? orientation) => orientation >= 5 ? size?.Turned() : size;

    private static int? Value(FileWindow file, long entry, bool little)
    {
        file.TryUInt16(entry + 2, out var type, little);
        var at = entry + 8;
        return type switch
        {
            Byte => file.TryByte(at, out var value) ? value : null,
            Long => file.TryUInt32(at, out var value, little) ? (int)Math.Min(value, int.MaxValue) : null,
            _ => file.TryUInt16(at, out var value, little) ? value : null,
        };
    }
}
