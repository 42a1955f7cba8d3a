using Apertur.Server.Tus;
using Apertur.Server.Uploads;
using Microsoft.AspNetCore.Cors.Infrastructure;

namespace Apertur.Server.Http;

/// <summary>
/// Cross-origin resource sharing (CORS). The API goes by what a request carries, never by cookies, so that a page
/// gets nothing from it but what it has the key or link for itself: any page may call it, as any other program may.
/// </summary>
internal static class CrossOrigin
{
    // Browsers keep it for two hours at most.
    private static readonly TimeSpan _remembered = TimeSpan.FromHours(2);

    public static void Allow(CorsPolicyBuilder policy) => policy
        .AllowAnyOrigin()
        .AllowAnyMethod()
        .AllowAnyHeader()
        .WithExposedHeaders([
            "Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Location", "Content-Disposition",
            "ETag", UploadArchive.LeftOutHeader, .. TusHeaders.Exposed])
        .SetPreflightMaxAge(_remembered);
}
