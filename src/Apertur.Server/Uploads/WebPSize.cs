namespace Apertur.Server.Uploads;

/// <summary>
/// The size of a WebP by its first chunk: extended, lossless or lossy (RFC 9649, 2.5 to 2.7; RFC 6386, 9.1). Of an extended one, an EXIF
/// chunk may turn it.
/// </summary>
internal static class WebPSize
{
    private const long FirstChunk = 12;
    private const int ChunkHead = 8;
    private const int HasExif = 0x08;

    public static ImageSize? Read(FileWindow file)
    {
        const long data = FirstChunk + ChunkHead;
        var chunk = file.At(FirstChunk, 4);
        if (chunk.SequenceEqual("VP8X"u8))
        {
            var header = file.At(data, 10);
            if (header.IsEmpty)
                return null;
            var hasExif = (header[0] & HasExif) != 0;
            var canvas = ImageSize.Of(UInt24(header[4..]) + 1, UInt24(header[7..]) + 1);
            return ExifOrientation.Turn(canvas, hasExif ? Orientation(file) : null);
        }

        if (chunk.SequenceEqual("VP8L"u8))
        {
            return file.TryByte(data, out var signature) && signature == 0x2F && file.TryUInt32(data + 1, out var bits, littleEndian: true)
                ? ImageSize.Of((bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1)
                : null;
        }

        // The upper two bits of each side are a scaling hint.
        return chunk.SequenceEqual("VP8 "u8)
            && file.At(data + 3, 3).SequenceEqual<byte>([0x9D, 0x01, 0x2A])
            && file.TryUInt16(data + 6, out var width, littleEndian: true)
            && file.TryUInt16(data + 8, out var height, littleEndian: true)
                ? ImageSize.Of((uint)width & 0x3FFF, (uint)height & 0x3FFF)
                : null;
    }

    private static int? Orientation(FileWindow file)
    {
        // Chunks are padded to an even length.
        for (var chunk = FirstChunk; file.TryUInt32(chunk + 4, out var length, littleEndian: true); chunk += ChunkHead + length + (length & 1))
        {
            if (!file.At(chunk, 4).SequenceEqual("EXIF"u8))
                continue;
            // Some programs put the head of a JPEG's segment before it.
            var exif = chunk + ChunkHead;
            return ExifOrientation.Read(file, file.At(exif, 6).SequenceEqual("Exif\0\0"u8) ? exif + 6 : exif, exif + length);
        }

        return null;
    }

    private static uint UInt24(ReadOnlySpan<byte> bytes) => (uint)(bytes[0] | (bytes[1] << 8) | (bytes[2] << 16));
}
