using Apertur.Server.Sessions.Imaging;

namespace Apertur.Server.Sessions;

/// <summary>
/// Draws a code in pixels. Modules seldom are a whole number of pixels wide, so each pixel is looked at in 4 × 4 places and gets the
/// mixture of what is seen there: edges are smooth, and no module is wider than its neighbour.
/// </summary>
internal sealed class QrRaster
{
    private const int Samples = 4;
    private const int SamplesPerPixel = Samples * Samples;
    private const byte Ground = 0;
    private const byte Frame = 1;
    private const byte Ink = 2;

    // Upper left, upper right, lower left, lower right.
    private static readonly byte[] RoundCorners = [4, 8, 16, 32];

    private readonly int side;

    // What each module of the whole picture is, row by row: ground, frame, or ink with those of its corners that are round.
    private readonly byte[] modules;
    private readonly int modulesSide;

    // For every place along one side of the picture: the module it is in (from the picture's edge), and where in it (-0.5 to 0.5).
    private readonly int[] module;
    private readonly float[] offset;

    private QrRaster(QrLayout layout, QrStyle style)
    {
        side = style.Size;
        modulesSide = layout.Side;
        modules = new byte[modulesSide * modulesSide];
        for (var i = 0; i < modules.Length; i++)
            modules[i] = Look(layout, i % modulesSide, i / modulesSide, style.Rounded);

        module = new int[side * Samples];
        offset = new float[side * Samples];
        for (var i = 0; i < module.Length; i++)
        {
            var position = (i + 0.5) / module.Length * modulesSide;
            module[i] = (int)position;
            offset[i] = (float)(position - module[i] - 0.5);
        }
    }

    public static IndexedPicture Draw(QrLayout layout, QrStyle style) =>
        new(style.Size, new QrRaster(layout, style).Pixels(), Palette(style));

    /// <summary>All mixtures of the three colours in sixteenths: 153, so that a byte can name each.</summary>
    private static Rgb[] Palette(QrStyle style)
    {
        var palette = new List<Rgb>();
        for (var frame = 0; frame <= SamplesPerPixel; frame++)
            for (var ink = 0; ink <= SamplesPerPixel - frame; ink++)
            {
                byte Mix(Func<Rgb, byte> part) => (byte)(
                    ((part(style.Foreground) * ink) + (part(style.BorderColour) * frame)
                        + (part(style.Background) * (SamplesPerPixel - ink - frame)) + (SamplesPerPixel / 2)) / SamplesPerPixel);
                palette.Add(new Rgb(Mix(colour => colour.R), Mix(colour => colour.G), Mix(colour => colour.B)));
            }

        return [.. palette];
    }

    private static byte IndexOf(int ink, int frame) => (byte)((frame * (SamplesPerPixel + 1)) - (frame * (frame - 1) / 2) + ink);

    private static byte Look(QrLayout layout, int x, int y, bool rounded)
    {
        if (layout.IsBorder(x) || layout.IsBorder(y))
            return Frame;
        var (column, row) = (x - layout.Margin, y - layout.Margin);
        if (!layout.Modules[column, row])
            return Ground;
        var look = Ink;
        for (var corner = 0; rounded && corner < 4; corner++)
        {
            if (layout.Modules.IsFreeCorner(column, row, corner % 2 == 0 ? -1 : 1, corner < 2 ? -1 : 1))
                look |= RoundCorners[corner];
        }

        return look;
    }

    private byte[] Pixels()
    {
        var pixels = new byte[side * side];
        for (var y = 0; y < side; y++)
            for (var x = 0; x < side; x++)
                pixels[(y * side) + x] = Pixel(x * Samples, y * Samples);
        return pixels;
    }

    private byte Pixel(int x, int y)
    {
        const int last = Samples - 1;
        if (module[x] == module[x + last] && module[y] == module[y + last])
        {
            var look = modules[(module[y] * modulesSide) + module[x]];
            if (look <= Ink)
                return IndexOf(look == Ink ? SamplesPerPixel : 0, look == Frame ? SamplesPerPixel : 0);

            // A rounded module is convex: with all corners of the pixel, all of the pixel is in it.
            if (See(x, y) == Ink && See(x + last, y) == Ink && See(x, y + last) == Ink && See(x + last, y + last) == Ink)
                return IndexOf(SamplesPerPixel, 0);
        }

        var ink = 0;
        var frame = 0;
        for (var down = 0; down < Samples; down++)
            for (var right = 0; right < Samples; right++)
            {
                var seen = See(x + right, y + down);
                ink += seen == Ink ? 1 : 0;
                frame += seen == Frame ? 1 : 0;
            }

        return IndexOf(ink, frame);
    }

    /// <summary>What is at one place: ground, frame or ink.</summary>
    private byte See(int x, int y)
    {
        var look = modules[(module[y] * modulesSide) + module[x]];
        if (look <= Ink)
            return look;

        // A round corner is a quarter of the circle that fills the module.
        var (right, down) = (offset[x], offset[y]);
        var corner = RoundCorners[(right < 0 ? 0 : 1) + (down < 0 ? 0 : 2)];
        return (look & corner) != 0 && (right * right) + (down * down) > 0.25f ? Ground : Ink;
    }
}
