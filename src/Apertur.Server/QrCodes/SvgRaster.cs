using NetVips;

namespace Apertur.Server.QrCodes;

/// <summary>
/// Draws an SVG of our own in pixels, with the libvips that comes with the program. Never one that somebody else made: this is the server's
/// own process.
/// </summary>
internal static class SvgRaster
{
    // Where a module has few pixels, its edges are drawn finer than they will be shown: not all codes scan otherwise.
    private const int SmallPicture = 256;
    private const int Finer = 4;

    static SvgRaster()
    {
        // No threads and no memory beyond the picture that is being drawn.
        global::NetVips.NetVips.Concurrency = 1;
        Cache.Max = 0;
    }

    /// <param name="svg">The drawing. It covers all of its area: what it left free would be black in a JPEG.</param>
    /// <param name="size">Its side in pixels.</param>
    /// <param name="format">Suffix and options of a file, as libvips reads them.</param>
    public static byte[] Draw(byte[] svg, int size, string format)
    {
        var finer = size <= SmallPicture ? Finer : 1;
        using var drawing = Image.SvgloadBuffer(svg, scale: finer, access: Enums.Access.Sequential);
        using var opaque = drawing.ExtractBand(0, 3);
        using var picture = opaque.Shrink(finer, finer);
        return picture.WriteToBuffer(format);
    }
}
