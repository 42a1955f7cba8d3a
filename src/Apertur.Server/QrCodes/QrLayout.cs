using QRCoder;

namespace Apertur.Server.QrCodes;

/// <summary>Where a code lies in its picture. Lengths are modules.</summary>
/// <param name="Modules">The code.</param>
/// <param name="Side">The picture's side.</param>
/// <param name="Border">Width of the outermost frame, in the border's colour.</param>
/// <param name="Margin">From the picture's left and upper edge to the code; what of it is not border is background.</param>
internal sealed record QrLayout(QrModules Modules, double Side, double Border, double Margin)
{
    /// <summary>Width of the light frame that the standard demands.</summary>
    public const int QuietZone = 4;

    // Pixels per module. Of hundreds of codes drawn at 1.9 or more in a border of 4, a scanner read all; at 1.8 and less, some
    // not. Between 2 and 2.5, where every edge is a blur of its own, it missed one of a hundred.
    private const int LeastScale = 2;
    private const double BlurredScale = 2.5;

    /// <summary>
    /// The layout that the style asks for. In a picture that is too small for it, error correction goes down from 15 % to 7 %,
    /// which
    /// makes the code smaller, and the border gives way: a code is there to be scanned first.
    /// </summary>
    public static QrLayout Of(string content, QrStyle style)
    {
        var layout = WithWholeBorder(QrModules.Of(content, QRCodeGenerator.ECCLevel.M), style);
        if (style.Size < layout.Side * LeastScale)
            layout = WithWholeBorder(QrModules.Of(content, QRCodeGenerator.ECCLevel.L), style);
        return style.Size < layout.Side * LeastScale ? Squeezed(layout.Modules, style)
            : style.Size < layout.Side * BlurredScale ? WithWholePixels(layout, style)
            : layout;
    }

    /// <summary>Modules of two whole pixels, with what is left between border and code.</summary>
    private static QrLayout WithWholePixels(QrLayout layout, QrStyle style)
    {
        var left = style.Size - (int)(layout.Side * LeastScale);
        return layout with { Side = style.Size / (double)LeastScale, Margin = layout.Margin + (left / 2 / (double)LeastScale) };
    }

    /// <summary>
    /// A light border is the code's quiet zone; a dark one would run into the code, so it stands around a quiet zone.
    /// </summary>
    private static QrLayout WithWholeBorder(QrModules modules, QrStyle style)
    {
        var border = style.BorderSize;
        var margin = border == 0 || IsLight(style) ? border : border + QuietZone;
        return new(modules, modules.Side + (2 * margin), border, margin);
    }

    /// <summary>
    /// Modules of two whole pixels, with what is left around them; or as large as they can be, with nothing around them.
    /// </summary>
    private static QrLayout Squeezed(QrModules modules, QrStyle style)
    {
        var left = style.Size - (modules.Side * LeastScale);
        if (left < 0)
            return new(modules, modules.Side, 0, 0);
        var margin = left / 2 / (double)LeastScale;
        return new(modules, style.Size / (double)LeastScale, IsLight(style) ? margin : 0, margin);
    }

    private static bool IsLight(QrStyle style) => QrStyle.Contrasts(style.Foreground, style.BorderColour);
}
