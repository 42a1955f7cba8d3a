using Apertur.Server.Contract;
using Apertur.Server.Http;
using Apertur.Server.Storage;
using Apertur.Server.Thumbnails;
using Apertur.Server.Uploads;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Sessions;

/// <summary>What <c>web/widget</c>, in a page of the session's owner, asks for.</summary>
internal static class WidgetApi
{
    /// <summary>The photos of a session in the order in which they came, for whoever holds its <c>widget_token</c>.</summary>
    public static async Task<Ok<SessionPhotos>> Images(
        string id, HttpRequest request, WidgetTokens tokens, Database database, ThumbnailStore thumbnails, TimeProvider clock,
        CancellationToken cancellationToken)
    {
        var session = await tokens.EnterAsync(id, request, cancellationToken);
        await using var db = database.Open();
        var images = new List<SessionPhoto>();
        foreach (var upload in await db.Uploads.AsNoTracking().Where(u => u.SessionId == session.Id).OrderBy(u => u.ImageIndex).ToListAsync(cancellationToken))
        {
            var hasThumbnail = await thumbnails.HasAsync(upload, cancellationToken);
            images.Add(new(upload.Id, upload.Filename, upload.SizeBytes, upload.MimeType, hasThumbnail, upload.CreatedAt));
        }

        return TypedResults.Ok(new SessionPhotos(session.Status(clock.GetUtcNow()), session.ExpiresAt, images));
    }

    /// <summary>A small JPEG of a photo, at most 256 pixels on its longer side, for whoever holds its session's <c>widget_token</c>.</summary>
    public static async Task<IResult> Thumbnail(
        string id, string imageId, HttpContext http, WidgetTokens tokens, Database database, ThumbnailStore thumbnails, CancellationToken cancellationToken)
    {
        var session = await tokens.EnterAsync(id, http.Request, cancellationToken);
        var image = Ids.Parse(imageId);
        await using var db = database.Open();
        var upload = await db.Uploads.AsNoTracking().SingleOrDefaultAsync(u => u.Id == image && u.SessionId == session.Id, cancellationToken);
        return await UploadApi.ThumbnailOfAsync(upload ?? throw ApiErrors.NotFound.ToException(), http, thumbnails, cancellationToken);
    }
}
