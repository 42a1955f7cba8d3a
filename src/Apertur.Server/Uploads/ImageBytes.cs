using Apertur.Server.Storage;
using Microsoft.Net.Http.Headers;

namespace Apertur.Server.Uploads;

/// <summary>Streams an image as an attachment, with ranges, under its own type and never as a page.</summary>
internal sealed class ImageBytes(Upload upload, BlobStore blobs) : IResult
{
    public Task ExecuteAsync(HttpContext httpContext)
    {
        httpContext.Response.Headers.XContentTypeOptions = "nosniff";
        httpContext.Response.Headers.CacheControl = "private, no-store";
        httpContext.Response.Headers.ContentSecurityPolicy = "default-src 'none'; sandbox";
        return TypedResults.Stream(
                blobs.OpenRead(upload.Id), upload.MimeType, upload.Filename, upload.CreatedAt,
                new EntityTagHeaderValue($"\"{upload.Sha256}\""), enableRangeProcessing: true)
            .ExecuteAsync(httpContext);
    }
}
