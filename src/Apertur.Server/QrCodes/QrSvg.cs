using System.Globalization;
using System.Text;

namespace Apertur.Server.QrCodes;

/// <summary>
/// Draws a code as SVG: the border, the background, and all dark modules as one path, in which each run of a row is a subpath.
/// </summary>
internal static class QrSvg
{
    public static string Draw(QrLayout layout, QrStyle style)
    {
        var svg = new StringBuilder();
        var inner = layout.Side - (2 * layout.Border);
        svg.Append(CultureInfo.InvariantCulture,
            $"""
            <svg xmlns="http://www.w3.org/2000/svg"
              width="{style.Size}" height="{style.Size}" viewBox="0 0 {layout.Side} {layout.Side}">
            <path fill="#{style.BorderColour.Hex}" d="M0 0h{layout.Side}v{layout.Side}H0z"/>
            <path fill="#{style.Background.Hex}" d="M{layout.Border} {layout.Border}h{inner}v{inner}h-{inner}z"/>
            <path fill="#{style.Foreground.Hex}" transform="translate({layout.Margin} {layout.Margin})" d="
            """);
        var modules = layout.Modules;
        for (var y = 0; y < modules.Side; y++)
            for (var x = 0; x < modules.Side; x++)
            {
                if (!modules[x, y])
                    continue;
                var first = x;
                while (modules[x + 1, y])
                    x++;
                AppendRun(svg, modules, first, x, y, style.Rounded);
            }

        return svg.Append("\"/></svg>").ToString();
    }

    /// <summary>
    /// One run of dark modules, clockwise from its upper left corner; only the corners of its ends can be round.
    /// </summary>
    private static void AppendRun(StringBuilder path, QrModules modules, int first, int last, int y, bool rounded)
    {
        decimal Radius(int x, int right, int down) => rounded && modules.IsFreeCorner(x, y, right, down) ? 0.5m : 0;

        var (upperLeft, lowerLeft) = (Radius(first, -1, -1), Radius(first, -1, 1));
        var (upperRight, lowerRight) = (Radius(last, 1, -1), Radius(last, 1, 1));
        var width = last - first + 1;
        path.Append(CultureInfo.InvariantCulture, $"M{first + upperLeft:0.#} {y}");
        path.Append(CultureInfo.InvariantCulture, $"h{width - upperLeft - upperRight:0.#}{Turn(upperRight, ".5 .5")}");
        path.Append(CultureInfo.InvariantCulture, $"v{1 - upperRight - lowerRight:0.#}{Turn(lowerRight, "-.5 .5")}");
        path.Append(CultureInfo.InvariantCulture, $"h{lowerLeft + lowerRight - width:0.#}{Turn(lowerLeft, "-.5-.5")}");
        path.Append(CultureInfo.InvariantCulture, $"v{upperLeft + lowerLeft - 1:0.#}{Turn(upperLeft, ".5-.5")}z");
    }

    private static string Turn(decimal radius, string to) => radius == 0 ? "" : "a.5.5 0 0 1 " + to;
}
