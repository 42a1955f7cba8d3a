using System.Text.Json.Nodes;
using Microsoft.Net.Http.Headers;

namespace Apertur.Server.Pages;

/// <summary>The description of the API: for programs, and for people.</summary>
internal static class ReferenceApi
{
    private static readonly Lazy<byte[]> _document = new(() =>
    {
        using var stream = typeof(ReferenceApi).Assembly.GetManifestResourceStream("openapi.json")!;
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    });

    private static readonly Lazy<Html> _page = new(() => ReferencePage.Render(JsonNode.Parse(_document.Value)!));

    /// <summary>GET /openapi/v1.json, as it stands in <c>docs/openapi.json</c>.</summary>
    public static IResult Document(HttpContext context)
    {
        context.Response.Headers[HeaderNames.CacheControl] = "no-cache";
        context.Response.Headers.XContentTypeOptions = "nosniff";
        return TypedResults.Bytes(_document.Value, "application/json");
    }

    /// <summary>GET /docs</summary>
    public static IResult Page(HttpRequest request) => PageShell.Result(
        PageShell.Document(PageLook.Of(request) with { Language = "en" }, "Apertur API", "src/docs/page.ts", _page.Value),
        StatusCodes.Status200OK);
}
