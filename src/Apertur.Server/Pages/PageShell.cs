using System.IO.Compression;
using System.Text;
using Apertur.Server.Fetching;
using Microsoft.Net.Http.Headers;

namespace Apertur.Server.Pages;

/// <summary>The document around every page, and its security headers.</summary>
internal static class PageShell
{
    // Drawn here so that no second request is made for it.
    private const string Icon = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
        + "%3Ccircle cx='8' cy='8' r='8' fill='%230b6b5a'/%3E%3Ccircle cx='8' cy='8' r='3.5' fill='none' stroke='%23fff' "
        + "stroke-width='2'/%3E%3C/svg%3E";

    // A millisecond for a third of the bytes; the best would take fourteen for a tenth less.
    private const int Quality = 5;
    private const int WindowBits = 16;

    /// <param name="look">Its language and colours.</param>
    /// <param name="title">Of the window.</param>
    /// <param name="entry">Source of its script and styles.</param>
    /// <param name="body">What it shows.</param>
    /// <param name="accent">Six hex digits of a colour that is to stand in place of the pages' own.</param>
    public static Html Document(PageLook look, string title, string entry, Html body, string? accent = null)
    {
        var scheme = look.ColorScheme is null ? Html.Empty : (Html)$" data-scheme=\"{look.ColorScheme}\"";
        var direction = Html.If(look.IsRightToLeft, Html.Raw(" dir=\"rtl\""));
        return $"""
            <!doctype html>
            <html lang="{look.Language}"{direction}{scheme}>
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>{title}</title>
            <link rel="icon" href="{Html.Raw(Icon)}">
            {WebAssets.Tags(entry)}{(accent is null ? null : (Html)$"<link rel=\"stylesheet\" href=\"{Accent.Path(accent)}\">")}
            </head>
            <body>
            {body}
            </body>
            </html>

            """;
    }

    /// <summary>
    /// Sends a page. The address of an upload page is a credential: it is neither stored nor passed on as a referrer, and nothing
    /// but this server's own files runs in it.
    /// </summary>
    /// <param name="document">The whole page.</param>
    /// <param name="status">Of the answer.</param>
    /// <param name="mayBeFramed">
    /// Any site may show an upload page in its own. Where people act under their name nobody is to be tricked into pressing a button, and no text
    /// becomes markup or script.
    /// </param>
    public static IResult Result(Html document, int status, bool mayBeFramed = true) =>
        new PageResult(document.ToString(), status, mayBeFramed, provider: null);

    /// <summary>
    /// Sends a page that runs what a provider has made, in a window that the upload page has opened. Of its address that provider learns the origin,
    /// by which it knows who asks.
    /// </summary>
    public static IResult Result(Html document, ProviderPolicy provider) => new PageResult(document.ToString(), 200, mayBeFramed: false, provider);

    private sealed class PageResult(string document, int status, bool mayBeFramed, ProviderPolicy? provider) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            var response = httpContext.Response;
            response.StatusCode = status;
            response.ContentType = "text/html; charset=utf-8";
            response.Headers.CacheControl = "no-store";
            response.Headers.ContentSecurityPolicy = provider is null
                ? "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; form-action 'self'; base-uri 'none'"
                    + (mayBeFramed ? "" : "; frame-src 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'")
                : PolicyWith(provider);
            if (!mayBeFramed)
                response.Headers.XFrameOptions = "DENY";
            // With any other the window would lose the page that opened it, which has none, and which a site with one of its own may frame.
            if (provider is not null)
                response.Headers["Cross-Origin-Opener-Policy"] = "unsafe-none";
            response.Headers["Referrer-Policy"] = provider is null ? "no-referrer" : "strict-origin";
            response.Headers.XContentTypeOptions = "nosniff";
            if (HttpMethods.IsHead(httpContext.Request.Method))
                return Task.CompletedTask;
            var bytes = Encoding.UTF8.GetBytes(document);
            if (mayBeFramed)
                bytes = Compress(bytes, httpContext);
            response.ContentLength = bytes.Length;
            return response.Body.WriteAsync(bytes, httpContext.RequestAborted).AsTask();
        }

        // What a provider has made runs as a page of this server's. This makes it no stranger there: a page that it opens or was opened by is not bound
        // by it.
        private static string PolicyWith(ProviderPolicy provider) =>
            $"default-src 'none'; script-src 'self' {List(provider.Scripts)}; style-src 'self' {List(provider.Styles)}; img-src 'self' blob: data: {List(provider.Images)}; "
            + $"connect-src {List(provider.Calls)}; frame-src {List(provider.Frames)}; font-src {List(provider.Fonts)}; form-action {List(provider.Forms)}; "
            + "base-uri 'none'; frame-ancestors 'none'";

        private static string List(IReadOnlyList<string> sources) => string.Join(' ', sources);

        // Not where people act under their name: what is said beside a secret would show in the length (https://www.breachattack.com). All that is
        // secret of an upload page is its address, and who does not know that cannot have it loaded.
        private static byte[] Compress(byte[] bytes, HttpContext context)
        {
            context.Response.Headers.Vary = HeaderNames.AcceptEncoding;
            var compressed = new byte[BrotliEncoder.GetMaxCompressedLength(bytes.Length)];
            if (!WebAssets.TakesBrotli(context.Request) || !BrotliEncoder.TryCompress(bytes, compressed, out var length, Quality, WindowBits))
                return bytes;
            context.Response.Headers.ContentEncoding = "br";
            return compressed[..length];
        }
    }
}
