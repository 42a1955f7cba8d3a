namespace Apertur.Bench;

/// <summary>
/// Makes a valid baseline JPEG of noise, about as long as asked and as incompressible as a photo: grey 8×8 blocks in which every AC coefficient
/// is eight random bits behind a one-bit Huffman code.
/// </summary>
internal static class NoiseJpeg
{
    private const int MaxBlocksPerRow = 128;
    private const int BitsPerBlock = 1 + (63 * 9);

    public static byte[] OfAbout(int bytes)
    {
        var blocks = (int)(bytes * 8L / BitsPerBlock);
        var width = Math.Min(blocks, MaxBlocksPerRow);
        var rows = blocks / width;
        var jpeg = new List<byte>(bytes + (bytes / 100));
        jpeg.AddRange([0xFF, 0xD8]);
        Segment(jpeg, 0xDB, [0, .. Enumerable.Repeat((byte)1, 64)]);
        Segment(jpeg, 0xC0, [8, (byte)(rows * 8 >> 8), (byte)(rows * 8), (byte)(width * 8 >> 8), (byte)(width * 8), 1, 1, 0x11, 0]);
        // One code of one bit per table: DC "no change", AC "no zeros before, eight bits follow".
        Segment(jpeg, 0xC4, [0x00, 1, .. new byte[15], 0x00]);
        Segment(jpeg, 0xC4, [0x10, 1, .. new byte[15], 0x08]);
        Segment(jpeg, 0xDA, [1, 1, 0x00, 0, 63, 0]);

        // The same noise in every run, so that runs can be compared.
        ulong noise = 0x9E3779B97F4A7C15;
        uint bits = 0;
        var count = 0;
        for (var i = 0; i < rows * width * 64; i++)
        {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            var (value, length) = i % 64 == 0 ? (0u, 1) : ((uint)(noise >> 56), 9);
            bits = (bits << length) | value;
            for (count += length; count >= 8; count -= 8)
                Scan(jpeg, (byte)(bits >> (count - 8)));
        }

        if (count > 0)
            Scan(jpeg, (byte)((bits << (8 - count)) | (0xFFu >> count)));
        jpeg.AddRange([0xFF, 0xD9]);
        return [.. jpeg];
    }

    private static void Segment(List<byte> jpeg, byte marker, byte[] content)
    {
        var length = content.Length + 2;
        jpeg.AddRange([0xFF, marker, (byte)(length >> 8), (byte)length, .. content]);
    }

    private static void Scan(List<byte> jpeg, byte value)
    {
        jpeg.Add(value);
        if (value == 0xFF)
            jpeg.Add(0);
    }
}
