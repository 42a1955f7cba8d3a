using Microsoft.Net.Http.Headers;
using Scalar.AspNetCore;

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

    /// <summary>GET /openapi/v1.json, as it stands in <c>docs/openapi.json</c>.</summary>
    public static IResult Document(HttpContext context)
    {
        context.Response.Headers[HeaderNames.CacheControl] = "no-cache";
        context.Response.Headers.XContentTypeOptions = "nosniff";
        return TypedResults.Bytes(_document.Value, "application/json");
    }

    /// <summary>
    /// The page that shows that document: every call by method and path, with a form to try it. Its scripts are in the package and come from
    /// this server; whatever the package could load from elsewhere is switched off here, and refused by the page's policy.
    /// </summary>
    public static void MapPage(RouteGroupBuilder routes, string path, IEnumerable<string> methods) => routes.MapGroup("")
        .AddEndpointFilter(async (invocation, next) =>
        {
            var result = await next(invocation);
            SetHeaders(invocation.HttpContext);
            return result;
        })
        .WithMetadata(new HttpMethodMetadata(methods))
        .MapScalarApiReference(path, options =>
        {
            options.WithTitle("Apertur API")
                .WithOpenApiRoutePattern("/openapi/v1.json")
                .WithNonce()
                .ExpandAllTags()
                .AddPreferredSecuritySchemes(["key"])
                .DisableDefaultFonts()
                .DisableTelemetry()
                .DisableAgent()
                .DisableMcp()
                .HideDeveloperTools()
                .HideClientButton();
            options.OperationTitleSource = OperationTitleSource.Path;
        });

    private static void SetHeaders(HttpContext context)
    {
        var headers = context.Response.Headers;
        headers.XContentTypeOptions = "nosniff";
        if (context.Items[ScalarOptions.NonceHttpContextItemKey] is not string nonce)
            return;
        // Its styles are made by its script, which no nonce reaches.
        headers.ContentSecurityPolicy = $"default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'unsafe-inline'; "
            + "img-src 'self' blob: data:; font-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
        headers["Referrer-Policy"] = "no-referrer";
    }
}
