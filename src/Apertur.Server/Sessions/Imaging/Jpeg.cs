using System.Runtime.Intrinsics;

namespace Apertur.Server.Sessions.Imaging;

/// <summary>
/// Writes baseline JPEG (ITU-T T.81) in a JFIF wrapper, without subsampling; a picture of greys alone has one component.
/// </summary>
internal static class Jpeg
{
    // Edges need high frequencies as much as low ones, so all are kept alike. At 8 the mean error is about 2 of 255, and a file
    // is half of what it is at 4; flat black and white stay exact.
    private const byte Quantum = 8;

    private static ReadOnlySpan<byte> ZigZag =>
    [
        0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
        35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30,
        37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
    ];

    public static byte[] Encode(IndexedPicture picture)
    {
        var planes = Planes(picture.Palette);
        using var file = new MemoryStream();
        WriteHeaders(file, picture.Side, planes.Length);

        var bits = new JpegBits(file);
        var before = new int[planes.Length];
        Span<byte> indexes = stackalloc byte[64];
        Span<float> samples = stackalloc float[64];
        Span<int> coefficients = stackalloc int[64];
        for (var y = 0; y < picture.Side; y += 8)
            for (var x = 0; x < picture.Side; x += 8)
            {
                Take(picture, x, y, indexes);
                var flat = !indexes.ContainsAnyExcept(indexes[0]);
                for (var plane = 0; plane < planes.Length; plane++)
                {
                    for (var i = 0; i < 64; i++)
                        samples[i] = planes[plane][indexes[i]];
                    if (flat)
                    {
                        coefficients.Clear();
                        coefficients[0] = (int)MathF.Round(samples[0] * 8 / Quantum);
                    }
                    else
                    {
                        Transform(samples, coefficients);
                    }

                    WriteBlock(bits, coefficients, ref before[plane], flat);
                }
            }

        bits.Finish();
        file.Write([0xff, 0xd9]);
        return file.ToArray();
    }

    /// <summary>The palette as Y, Cb, Cr around zero.</summary>
    private static float[][] Planes(Rgb[] palette)
    {
        float[] Plane(float r, float g, float b, float shift) =>
            [.. palette.Select(colour => (r * colour.R) + (g * colour.G) + (b * colour.B) - shift)];

        var luma = Plane(0.299f, 0.587f, 0.114f, 128);
        return palette.All(colour => colour.IsGrey)
            ? [luma]
            : [luma, Plane(-0.168736f, -0.331264f, 0.5f, 0), Plane(0.5f, -0.418688f, -0.081312f, 0)];
    }

    /// <summary>The block at a place; beyond the picture its last column and row repeat.</summary>
    private static void Take(IndexedPicture picture, int x, int y, Span<byte> block)
    {
        for (var i = 0; i < 64; i++)
        {
            var row = Math.Min(y + (i >> 3), picture.Side - 1);
            block[i] = picture.Pixels[(row * picture.Side) + Math.Min(x + (i & 7), picture.Side - 1)];
        }
    }

    /// <summary>The cosine transform C·X·Cᵀ, quantised.</summary>
    private static void Transform(ReadOnlySpan<float> samples, Span<int> coefficients)
    {
        for (var u = 0; u < 8; u++)
        {
            var columns = Vector256<float>.Zero;
            for (var k = 0; k < 8; k++)
                columns += Cosines.Rows[(u * 8) + k] * Vector256.Create(samples[(k * 8)..]);
            var row = Vector256<float>.Zero;
            for (var k = 0; k < 8; k++)
                row += columns[k] * Cosines.Columns[k];
            Vector256.ConvertToInt32(Vector256.Round(row / Quantum)).CopyTo(coefficients[(u * 8)..]);
        }
    }

    private static void WriteBlock(JpegBits bits, ReadOnlySpan<int> coefficients, ref int before, bool flat)
    {
        bits.Write(JpegHuffman.Dc, 0, coefficients[0] - before);
        before = coefficients[0];
        var zeros = 0;
        for (var i = 1; i < 64 && !flat; i++)
        {
            var value = coefficients[ZigZag[i]];
            if (value == 0)
            {
                zeros++;
                continue;
            }

            for (; zeros > 15; zeros -= 16)
                bits.Write(JpegHuffman.Ac, 15, 0);
            bits.Write(JpegHuffman.Ac, zeros, value);
            zeros = 0;
        }

        if (flat || zeros > 0)
            bits.Write(JpegHuffman.Ac, 0, 0);
    }

    private static void WriteHeaders(MemoryStream file, int side, int components)
    {
        var (high, low) = ((byte)(side >> 8), (byte)side);
        file.Write([0xff, 0xd8]);
        WriteSegment(file, 0xe0, [.. "JFIF\0"u8, 1, 1, 0, 0, 1, 0, 1, 0, 0]);
        WriteSegment(file, 0xdb, [0, .. Enumerable.Repeat(Quantum, 64)]);
        WriteSegment(file, 0xc0,
        [
            8, high, low, high, low, (byte)components,
            .. Enumerable.Range(1, components).SelectMany(id => (byte[])[(byte)id, 0x11, 0]),
        ]);
        WriteSegment(file, 0xc4, [0x00, .. JpegHuffman.Dc.Lengths, .. JpegHuffman.Dc.Symbols]);
        WriteSegment(file, 0xc4, [0x10, .. JpegHuffman.Ac.Lengths, .. JpegHuffman.Ac.Symbols]);
        WriteSegment(file, 0xda,
        [
            (byte)components, .. Enumerable.Range(1, components).SelectMany(id => (byte[])[(byte)id, 0]), 0, 63, 0,
        ]);
    }

    private static void WriteSegment(MemoryStream file, byte marker, ReadOnlySpan<byte> content)
    {
        var length = content.Length + 2;
        file.Write([0xff, marker, (byte)(length >> 8), (byte)length]);
        file.Write(content);
    }

    /// <summary>
    /// The 8-point cosine transform as a matrix C: each element alone over a vector, and the columns of C as vectors.
    /// </summary>
    private static class Cosines
    {
        public static readonly Vector256<float>[] Rows =
            [.. Enumerable.Range(0, 64).Select(i => Vector256.Create(At(i / 8, i % 8)))];

        public static readonly Vector256<float>[] Columns =
            [.. Enumerable.Range(0, 8).Select(k => Vector256.Create([.. Enumerable.Range(0, 8).Select(v => At(v, k))]))];

        private static float At(int frequency, int place) =>
            (float)((frequency == 0 ? Math.Sqrt(0.125) : 0.5) * Math.Cos(((2 * place) + 1) * frequency * Math.PI / 16));
    }
}
