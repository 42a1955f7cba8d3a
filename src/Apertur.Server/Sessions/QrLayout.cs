using QRCoder;

namespace Apertur.Server.Sessions;

/// <summary>Where a code lies in its picture. Lengths are modules.</summary>
/// <param name="Border">Width of the frame in the colour of the border, the outermost.</param>
/// <param name="Quiet">Width of the frame in the background's colour, between border and code.</param>
internal sealed record QrLayout(QrModules Modules, int Border, int Quiet)
{
    public static double MinScale = double.Parse(Environment.GetEnvironmentVariable("MINSCALE") ?? "1");
    public static int QuietZone = int.Parse(Environment.GetEnvironmentVariable("QUIET") ?? "4");

    /// <summary>The picture's side.</summary>
    public int Side => Modules.Side + (2 * Margin);

    /// <summary>From the picture's edge to the code.</summary>
    public int Margin => Border + Quiet;

    /// <summary>Whether a row or column, counted from the picture's edge, belongs to the border.</summary>
    public bool IsBorder(int index) => index < Border || index >= Side - Border;

    public static QrLayout Of(string content, QrStyle style)
    {
        var layout = new QrLayout(QrModules.Of(content, Environment.GetEnvironmentVariable("ECC") == "L" ? QRCodeGenerator.ECCLevel.L : QRCodeGenerator.ECCLevel.M), style.BorderSize,
            style.BorderSize > 0 && !QrStyle.Contrasts(style.Foreground, style.BorderColour) ? QuietZone : 0);
        return layout;
    }
}
