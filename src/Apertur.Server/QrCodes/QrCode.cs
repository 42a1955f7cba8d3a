using System.Text;
using QRCoder;

namespace Apertur.Server.QrCodes;

/// <summary>A text, usually a session's link, as a QR code (ISO/IEC 18004).</summary>
internal static class QrCode
{
    private const int QuietZone = QrLayout.QuietZone;

    // A picture of 2,000 pixels takes 80 ms of a core and 20 MB, one of 300 a twentieth. Whoever asks for more of them at once waits.
    private static readonly SemaphoreSlim _rendering = new(Math.Max(1, Environment.ProcessorCount / 2));

    /// <summary>The picture as an answer to a request.</summary>
    public static async Task<IResult> DrawAsync(string content, QrStyle style, CancellationToken cancellationToken)
    {
        await _rendering.WaitAsync(cancellationToken);
        try
        {
            return new Picture(Render(content, style), ContentType(style.Format));
        }
        finally
        {
            _rendering.Release();
        }
    }

    /// <summary>The picture as a file of the style's format: the SVG, or what it looks like.</summary>
    public static byte[] Render(string content, QrStyle style)
    {
        var svg = Encoding.UTF8.GetBytes(QrSvg.Draw(QrLayout.Of(content, style), style));
        return style.Format switch
        {
            "svg" => svg,
            "jpeg" => SvgRaster.Draw(svg, style.Size, ".jpg[Q=90,strip]"),
            _ => SvgRaster.Draw(svg, style.Size, ".png[strip]"),
        };
    }

    /// <summary>The code in block characters, two modules in one, with its quiet zone. Lines end with a line feed.</summary>
    /// <param name="content">The text.</param>
    /// <param name="ansi">
    /// Whether to set black on white by escape sequences, so that the terminal's own colours do not matter. Without, as for a
    /// file, light
    /// modules are the blocks, which is right wherever text is light on dark.
    /// </param>
    public static string ForTerminal(string content, bool ansi = false)
    {
        // Nothing wears off on a screen, so the smallest code is the best one: it has to fit into 24 lines.
        var modules = QrModules.Of(content, QRCodeGenerator.ECCLevel.L);
        var text = new StringBuilder();
        for (var y = -QuietZone; y < modules.Side + QuietZone; y += 2)
        {
            // From the 256-colour cube, because themes change the first 16 colours.
            text.Append(ansi ? "\e[38;5;16;48;5;231m" : "");
            for (var x = -QuietZone; x < modules.Side + QuietZone; x++)
                text.Append((modules[x, y] == ansi, modules[x, y + 1] == ansi) switch
                {
                    (true, true) => '█',
                    (true, false) => '▀',
                    (false, true) => '▄',
                    _ => ' ',
                });
            text.Append(ansi ? "\e[0m\n" : "\n");
        }

        return text.ToString();
    }

    private static string ContentType(string format) => format switch
    {
        "svg" => "image/svg+xml",
        "jpeg" => "image/jpeg",
        _ => "image/png",
    };

    private sealed class Picture(byte[] file, string contentType) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            var response = httpContext.Response;
            response.ContentType = contentType;
            response.ContentLength = file.Length;

            // Whoever has the picture has the link, and the link is a credential.
            response.Headers.CacheControl = "no-store";
            response.Headers.XContentTypeOptions = "nosniff";
            return response.Body.WriteAsync(file, httpContext.RequestAborted).AsTask();
        }
    }
}
