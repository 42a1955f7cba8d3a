using System.Collections.Frozen;
using System.Text.Json;
using Microsoft.Net.Http.Headers;

namespace Apertur.Server.Pages;

/// <summary>
/// Scripts and styles made from <c>web/</c>, in <c>wwwroot</c> beside the program. Their names hold a hash of their content, so
/// browsers may keep them for ever; each also lies there compressed with Brotli.
/// </summary>
internal static class WebAssets
{
    /// <summary>Where pages elsewhere load the widget from. It changes with what they can rely on, and only then.</summary>
    public const string WidgetPath = "/widget/v1.js";

    private static readonly string _root = Path.Combine(AppContext.BaseDirectory, "wwwroot");

    private static readonly Lazy<FrozenDictionary<string, Chunk>> _manifest = new(ReadManifest);

    // Only names found here at start are ever opened: a request cannot reach another file.
    private static readonly Lazy<FrozenDictionary<string, string>> _files = new(() =>
        Directory.GetFiles(Path.Combine(_root, "assets")).Where(path => !path.EndsWith(".br", StringComparison.Ordinal))
            .ToFrozenDictionary(path => Path.GetFileName(path)));

    /// <summary>
    /// The elements that load an entry's script and styles. What the script imports is named too: a browser that first learns of it from the
    /// script asks for it one round trip later, which on a phone's line is half a second.
    /// </summary>
    /// <param name="entry">Its source, as Vite's manifest names it: <c>src/upload/page.ts</c>.</param>
    public static Html Tags(string entry)
    {
        var chunk = _manifest.Value[entry];
        var styles = StylesOf(chunk).Distinct().Select(file => (Html)$"<link rel=\"stylesheet\" href=\"/{file}\">");
        var scripts = ImportsOf(chunk).Append(chunk).Select(each => each.File).Distinct()
            .Select(file => (Html)$"<script type=\"module\" src=\"/{file}\"></script>");
        return $"{styles}{scripts}";
    }

    /// <summary>GET /assets/{name}</summary>
    public static IResult Get(string name, HttpContext context)
    {
        if (!_files.Value.TryGetValue(name, out var path)) return Results.NotFound();
        return Send(path, "public, max-age=31536000, immutable", context);
    }

    /// <summary>GET /widget/v1.js: the script of <c>web/widget</c>, for pages anywhere. Its name stays, so browsers look for a newer one every hour.</summary>
    public static IResult Widget(HttpContext context) => Send(Path.Combine(_root, "widget", "v1.js"), "public, max-age=3600", context);

    public static bool TakesBrotli(HttpRequest request) =>
        request.GetTypedHeaders().AcceptEncoding.Any(coding => coding.Value == "br" && coding.Quality is null or > 0);

    private static IResult Send(string path, string cacheControl, HttpContext context)
    {
        var headers = context.Response.Headers;
        headers.CacheControl = cacheControl;
        headers.Vary = HeaderNames.AcceptEncoding;
        headers.XContentTypeOptions = "nosniff";
        var type = Path.GetExtension(path);
        if (TakesBrotli(context.Request) && File.Exists(path + ".br"))
        {
            headers.ContentEncoding = "br";
            path += ".br";
        }

        return Results.File(path, type switch
        {
            ".js" => "text/javascript; charset=utf-8",
            ".css" => "text/css; charset=utf-8",
            ".svg" => "image/svg+xml",
            ".json" => "application/json",
            _ => "application/octet-stream",
        });
    }

    private static IEnumerable<string> StylesOf(Chunk chunk) => ImportsOf(chunk).Append(chunk).SelectMany(each => each.Css);

    private static IEnumerable<Chunk> ImportsOf(Chunk chunk) =>
        chunk.Imports.Select(import => _manifest.Value[import]).SelectMany(import => ImportsOf(import).Append(import));

    private static FrozenDictionary<string, Chunk> ReadManifest()
    {
        using var stream = File.OpenRead(Path.Combine(_root, "manifest.json"));
        return JsonSerializer.Deserialize<Dictionary<string, Chunk>>(stream, JsonSerializerOptions.Web)!.ToFrozenDictionary();
    }

    /// <summary>What Vite's manifest says of one source: https://vite.dev/guide/backend-integration</summary>
    private sealed record Chunk(string File, string[]? Css, string[]? Imports)
    {
        public string[] Css { get; } = Css ?? [];

        public string[] Imports { get; } = Imports ?? [];
    }
}
