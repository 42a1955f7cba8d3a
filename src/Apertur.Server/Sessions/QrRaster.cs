using Apertur.Server.Sessions.Imaging;

namespace Apertur.Server.Sessions;

/// <summary>
/// Draws a code in pixels. Modules seldom are a whole number of pixels wide, so each pixel is looked at in 4 × 4 places and
/// gets the
/// mixture of what is seen there: edges are smooth, and no module is wider than its neighbour.
/// </summary>
internal sealed class QrRaster
{
    private const int Samples = 4;
    private const int SamplesPerPixel = Samples * Samples;
    private const byte Ground = 0;
    private const byte Frame = 1;
    private const byte Ink = 2;

    private const int FrameLine = 0;
    private const int GroundLine = 1;
    private const int FirstModuleLine = 2;

    // Upper left, upper right, lower left, lower right.
    private static readonly byte[] _roundCorners = [4, 8, 16, 32];

    private readonly int _side;

    // What can be at the crossing of a row and a column: frame, ground, or ink with those of its corners that are round.
    private readonly byte[,] _looks;

    // For every place along one side of the picture: the row or column of looks it is in, and where in that module (-0.5 to 0.5).
    private readonly int[] _line;
    private readonly float[] _offset;

    private QrRaster(QrLayout layout, QrStyle style)
    {
        _side = style.Size;
        _looks = Looks(layout.Modules, style.Rounded);
        _line = new int[_side * Samples];
        _offset = new float[_side * Samples];
        for (var i = 0; i < _line.Length; i++)
        {
            var fromEdge = (i + 0.5) / _line.Length * layout.Side;
            var module = Math.Floor(fromEdge - layout.Margin);
            _offset[i] = (float)(fromEdge - layout.Margin - module - 0.5);
            _line[i] = fromEdge < layout.Border || fromEdge > layout.Side - layout.Border ? FrameLine
                : module < 0 || module >= layout.Modules.Side ? GroundLine
                : FirstModuleLine + (int)module;
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

    private static byte[,] Looks(QrModules modules, bool rounded)
    {
        var looks = new byte[FirstModuleLine + modules.Side, FirstModuleLine + modules.Side];
        for (var i = 0; i < looks.GetLength(0); i++)
            looks[FrameLine, i] = looks[i, FrameLine] = Frame;
        for (var y = 0; y < modules.Side; y++)
            for (var x = 0; x < modules.Side; x++)
            {
                var look = modules[x, y] ? Ink : Ground;
                for (var corner = 0; rounded && look >= Ink && corner < 4; corner++)
                {
                    var (right, down) = (corner % 2 == 0 ? -1 : 1, corner < 2 ? -1 : 1);
                    look |= modules.IsFreeCorner(x, y, right, down) ? _roundCorners[corner] : Ground;
                }
                looks[FirstModuleLine + y, FirstModuleLine + x] = look;
            }

        return looks;
    }

    private byte[] Pixels()
    {
        var pixels = new byte[_side * _side];
        for (var y = 0; y < _side; y++)
            for (var x = 0; x < _side; x++)
                pixels[(y * _side) + x] = Pixel(x * Samples, y * Samples);
        return pixels;
    }

    private byte Pixel(int x, int y)
    {
        const int last = Samples - 1;
        if (_line[x] == _line[x + last] && _line[y] == _line[y + last])
        {
            var look = _looks[_line[y], _line[x]];
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
        var look = _looks[_line[y], _line[x]];
        if (look <= Ink)
            return look;

        // A round corner is a quarter of the circle that fills the module.
        var (right, down) = (_offset[x], _offset[y]);
        var corner = _roundCorners[(right < 0 ? 0 : 1) + (down < 0 ? 0 : 2)];
        return (look & corner) != 0 && (right * right) + (down * down) > 0.25f ? Ground : Ink;
    }
}
