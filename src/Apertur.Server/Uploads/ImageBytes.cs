using Apertur.Destinations;
using Apertur.Server.Http;
using Apertur.Server.Renditions;
using Microsoft.Net.Http.Headers;

namespace Apertur.Server.Uploads;

/// <summary>
/// Streams an image, or a rendition of it, as an attachment, with ranges, under its own type and never as a page. One that is not what was
/// received any more is an error, and one that becomes so on the way breaks off.
/// </summary>
internal sealed class ImageBytes(Upload upload, RenditionStore renditions, Rendition? rendition = null) : IResult
{
    public async Task ExecuteAsync(HttpContext httpContext)
    {
        if (upload.RemovedAt is not null)
            throw ApiErrors.ImageRemoved.ToException();
        var image = await ReadAsync(httpContext.RequestAborted);
        httpContext.Response.Headers.XContentTypeOptions = "nosniff";
        httpContext.Response.Headers.CacheControl = "private, no-store";
        httpContext.Response.Headers.ContentSecurityPolicy = "default-src 'none'; sandbox";
        try
        {
            await TypedResults.Stream(
                    image.Bytes.OpenRead(), image.MimeType, image.Filename, upload.CreatedAt,
                    new EntityTagHeaderValue($"\"{image.Sha256}\""), enableRangeProcessing: true)
                .ExecuteAsync(httpContext);
        }
        catch (StoredImageException exception)
        {
            await renditions.TellAsync(upload, image, exception.Fault);
            throw;
        }
    }

    private async Task<SentImage> ReadAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await renditions.ReadAsync(upload, rendition, cancellationToken);
        }
        catch (RenditionException exception)
        {
            throw (exception.IsFinal ? ApiErrors.NoRendition(exception.Message) : ApiErrors.Unavailable).ToException();
        }
    }
}
