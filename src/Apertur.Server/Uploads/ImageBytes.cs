using Apertur.Destinations;
using Apertur.Server.Http;
using Microsoft.Net.Http.Headers;

namespace Apertur.Server.Uploads;

/// <summary>
/// Streams an image as an attachment, with ranges, under its own type and never as a page. One that is not what was received any more is an
/// error, and one that becomes so on the way breaks off.
/// </summary>
internal sealed class ImageBytes(Upload upload, StoredImages images) : IResult
{
    public async Task ExecuteAsync(HttpContext httpContext)
    {
        if (upload.RemovedAt is not null)
            throw ApiErrors.ImageRemoved.ToException();
        var image = await images.VerifyAsync(upload, httpContext.RequestAborted);
        httpContext.Response.Headers.XContentTypeOptions = "nosniff";
        httpContext.Response.Headers.CacheControl = "private, no-store";
        httpContext.Response.Headers.ContentSecurityPolicy = "default-src 'none'; sandbox";
        try
        {
            await TypedResults.Stream(
                    image.OpenRead(), upload.MimeType, upload.Filename, upload.CreatedAt,
                    new EntityTagHeaderValue($"\"{upload.Sha256}\""), enableRangeProcessing: true)
                .ExecuteAsync(httpContext);
        }
        catch (StoredImageException exception)
        {
            await images.TellAsync(upload, exception.Fault, CancellationToken.None);
            throw;
        }
    }
}
