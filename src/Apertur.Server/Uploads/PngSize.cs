namespace Apertur.Server.Uploads;

/// <summary>
/// The size of a PNG: IHDR is always its first chunk (W3C PNG, 5.6 and 11.2.1). An eXIf chunk before the picture's data may turn it
/// (11.3.3.6); behind the data decoders do not look for one.
/// </summary>
internal static class PngSize
{
    private const int HeaderData = 16;

    public static ReadOnlySpan<byte> Signature => [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A];

    public static ImageSize? Read(FileWindow file)
    {
        if (!file.TryUInt32(8, out var length) || length != 13 || !file.At(12, 4).SequenceEqual("IHDR"u8)
            || !file.TryUInt32(HeaderData, out var width) || !file.TryUInt32(HeaderData + 4, out var height))
            return null;
        return ExifOrientation.Turn(ImageSize.Of(width, height), Orientation(file));
    }

    private static int? Orientation(FileWindow file)
    {
        // Length, name, data, checksum.
        for (long chunk = 8; file.TryUInt32(chunk, out var length) && !file.At(chunk + 4, 4).SequenceEqual("IDAT"u8); chunk += 12 + length)
        {
            if (file.At(chunk + 4, 4).SequenceEqual("eXIf"u8))
                return ExifOrientation.Read(file, chunk + 8, chunk + 8 + length);
        }

        return null;
    }
}
