namespace Apertur.Server.Uploads;

/// <summary>The size of a WebP by its first chunk: extended, lossless or lossy (RFC 9649, 2.5 to 2.7; RFC 6386, 9.1).</summary>
internal static class WebPSize
{
    public static ImageSize? Read(FileWindow file)
    {
        const long data = 20;
        var chunk = file.At(12, 4);
        if (chunk.SequenceEqual("VP8X"u8))
        {
            var canvas = file.At(data + 4, 6);
            return canvas.IsEmpty ? null : ImageSize.Of(UInt24(canvas) + 1, UInt24(canvas[3..]) + 1);
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

    private static uint UInt24(ReadOnlySpan<byte> bytes) => (uint)(bytes[0] | (bytes[1] << 8) | (bytes[2] << 16));
}
