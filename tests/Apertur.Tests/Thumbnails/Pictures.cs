using System.Buffers.Binary;
using NetVips;

namespace Apertur.Tests.Thumbnails;

/// <summary>Pictures to make thumbnails of, good ones and such that want to break something.</summary>
internal static class Pictures
{
    /// <summary>640 × 400 pixels of one colour, to be turned by a quarter before they are shown.</summary>
    /// <param name="suffix">What libvips calls the format: <c>.jpg</c>, <c>.png</c>, <c>.webp</c>.</param>
    public static byte[] OnItsSide(string suffix)
    {
        using var plain = Plain(640, 400, 3);
        using var turned = plain.Mutate(image => image.Set(GValue.GIntType, "orientation", 6));
        return turned.WriteToBuffer(suffix);
    }

    /// <summary>A PNG of nothing but transparency.</summary>
    public static byte[] Transparent()
    {
        using var plain = Plain(300, 200, 4);
        return plain.WriteToBuffer(".png");
    }

    /// <summary>A JPEG for print, of one mixture of inks.</summary>
    public static byte[] Cmyk(params double[] inks)
    {
        using var plain = Image.Black(120, 80, bands: 4);
        using var inked = plain.Linear([1], inks, uchar: true);
        using var print = inked.Copy(interpretation: Enums.Interpretation.Cmyk);
        return print.WriteToBuffer(".jpg[Q=95]");
    }

    /// <summary>A PNG of 16 bits for each of red, green and blue, and nothing transparent.</summary>
    public static byte[] Deep()
    {
        using var black = Image.Black(120, 80, bands: 4);
        using var deep = black.Linear([1], [32_896, 0, 65_535, 65_535]);
        using var image = deep.Cast(Enums.BandFormat.Ushort);
        using var picture = image.Copy(interpretation: Enums.Interpretation.Rgb16);
        return picture.WriteToBuffer(".png");
    }

    /// <summary>A PNG that has to be in memory as a whole to be decoded: 150 MB of it, from 150 kB.</summary>
    public static byte[] MemoryBomb()
    {
        using var plain = Plain(8000, 6250, 3);
        return plain.WriteToBuffer(".png[interlace]");
    }

    /// <summary>A small PNG that says it is of 60,000 × 60,000 pixels.</summary>
    public static byte[] Huge()
    {
        using var plain = Plain(8, 8, 1);
        var png = plain.WriteToBuffer(".png");
        BinaryPrimitives.WriteInt32BigEndian(png.AsSpan(16), 60_000);
        BinaryPrimitives.WriteInt32BigEndian(png.AsSpan(20), 60_000);
        return png;
    }

    /// <summary>
    /// A valid progressive JPEG of 4000 × 4000 pixels with 20,000 scans more than it needs: each takes 50 bytes and a walk through all blocks
    /// of the picture, which makes minutes.
    /// </summary>
    public static byte[] ScanBomb()
    {
        using var plain = Plain(4000, 4000, 1);
        var jpeg = plain.WriteToBuffer(".jpg[interlace]");
        // The second scan, with the Huffman table before it: the first coefficients of the blocks, all of them zero.
        var tables = IndexesOf(jpeg, 0xC4);
        var scan = jpeg[tables[1]..tables[2]];
        var header = scan.AsSpan().IndexOf<byte>([0xFF, 0xDA]);
        // Not to be refined (T.81, B.2.3: Ah and Al are 0), or it could come only once.
        scan[header + 9] = 0;
        return [.. jpeg[..^2], .. Enumerable.Repeat(scan, 20_000).SelectMany(bytes => bytes), .. jpeg[^2..]];
    }

    private static List<int> IndexesOf(byte[] jpeg, byte marker) =>
        [.. Enumerable.Range(0, jpeg.Length - 1).Where(index => jpeg[index] == 0xFF && jpeg[index + 1] == marker)];

    public static (int Width, int Height) SizeOf(byte[] picture)
    {
        using var image = Image.NewFromBuffer(picture);
        return (image.Width, image.Height);
    }

    /// <summary>Red, green and blue near its upper left corner.</summary>
    public static double[] ColourOf(byte[] picture)
    {
        using var image = Image.NewFromBuffer(picture);
        return image.Getpoint(8, 8);
    }

    private static Image Plain(int width, int height, int bands)
    {
        using var black = Image.Black(width, height, bands: bands);
        return black.Copy(interpretation: bands == 1 ? Enums.Interpretation.Bw : Enums.Interpretation.Srgb);
    }
}
