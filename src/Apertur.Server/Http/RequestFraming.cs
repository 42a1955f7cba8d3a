namespace Apertur.Server.Http;

/// <summary>
/// Refuses requests whose length a proxy in front may understand differently than this server does: then one of them takes what follows for
/// another request (RFC 9112, 6.3 and 11.2).
/// </summary>
internal static class RequestFraming
{
    // Where Kestrel puts a Content-Length that came together with a Transfer-Encoding.
    private const string OverruledLength = "X-Content-Length";

    /// <exception cref="ApiErrorException">400: two lengths, or a transfer coding besides chunked, which nobody would undo.</exception>
    public static Task Check(HttpContext context, RequestDelegate next)
    {
        var coding = context.Request.Headers.TransferEncoding;
        if (coding.Count == 0)
            return next(context);

        if (context.Request.Headers.ContainsKey(OverruledLength))
            throw ApiErrors.BadRequest("Send Content-Length or Transfer-Encoding, not both.").ToException();
        if (!string.Equals(coding.ToString().Trim(), "chunked", StringComparison.OrdinalIgnoreCase))
            throw ApiErrors.BadRequest("The only Transfer-Encoding that this server reads is chunked.").ToException();
        return next(context);
    }
}
