using Apertur.Destinations;
using Apertur.Server.Http;
using Apertur.Server.Metadata;
using Apertur.Server.Pictures;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Thumbnails;

/// <summary>
/// Small JPEGs of images, made when somebody asks for one and kept beside the image. One that cannot be made is remembered with its
/// reason, and tried again by the next build of this program or after <c>thumbnails retry</c>.
/// </summary>
internal sealed partial class ThumbnailStore(
    Settings settings, Database database, BlobStore blobs, StoredImages images, PictureProcess process, SessionNotifier notifier,
    TimeProvider clock, IHostApplicationLifetime lifetime, ILogger<ThumbnailStore> log)
{
    private const int MaxReason = 300;

    // Without metadata, so that it never tells where a photo was taken. What is missing at the end of a picture stays grey, as in other viewers.
    private readonly PictureJob _job = new()
    {
        MaxSide = 256,
        Quality = 80,
        Strip = Strip.All,
        MemoryMb = settings.Thumbnails.MemoryMb,
        CpuSeconds = settings.Thumbnails.CpuSeconds,
        // It has 20 kB, of noise 100.
        MaxBytes = 1024 * 1024,
    };

    private readonly PictureLanes _lanes = new(settings.Thumbnails.AtOnce);

    /// <summary>Names this build: what it could not do, another one may.</summary>
    public static string Build { get; } = typeof(ThumbnailStore).Assembly.ManifestModule.ModuleVersionId.ToString("N")[..12];

    /// <summary>Whether an image has a thumbnail or gets one when somebody asks for it, as far as is known.</summary>
    public async ValueTask<bool> HasAsync(Upload upload, CancellationToken cancellationToken) =>
        settings.Thumbnails.AtOnce > 0 && upload.RemovedAt is null && !upload.IsEncrypted && (long?)upload.Width * upload.Height <= PictureProcess.MaxPixels
        && (upload.ThumbnailFailure is null || upload.ThumbnailFailedBy != Build)
        && await process.DecodesAsync(upload.MimeType, cancellationToken);

    /// <summary>The thumbnail's bytes, a JPEG; null when the image has none.</summary>
    /// <exception cref="ApiErrorException">None can be made at the moment.</exception>
    /// <exception cref="StoredImageException">The image is not what was received any more.</exception>
    public async Task<Stream?> OpenAsync(Upload upload, CancellationToken cancellationToken)
    {
        if (!await HasAsync(upload, cancellationToken))
            return null;
        if (await blobs.OpenThumbnailAsync(upload.Id, cancellationToken) is { } made)
            return made;
        using var lane = await _lanes.EnterAsync(upload.ProjectId, upload.Id, cancellationToken);
        // Whoever was in it for the same image has made it, or found that it cannot be.
        if (await blobs.OpenThumbnailAsync(upload.Id, cancellationToken) is { } madeMeanwhile)
            return madeMeanwhile;
        await using (var db = database.Open())
        {
            var now = await db.Uploads.AsNoTracking().SingleOrDefaultAsync(row => row.Id == upload.Id, cancellationToken);
            if (now is null || !await HasAsync(now, cancellationToken))
                return null;
        }

        await MakeAsync(upload);
        return await blobs.OpenThumbnailAsync(upload.Id, cancellationToken);
    }

    /// <summary>Goes on when the one who asked has gone, so that the next finds it done. Only the end of the server ends it.</summary>
    private async Task MakeAsync(Upload upload)
    {
        // What was damaged here says nothing about the picture.
        var image = await images.VerifyAsync(upload, lifetime.ApplicationStopping);
        await using var picture = image.OpenRead();
        using var jpeg = new MemoryStream();
        var result = await process.RunAsync(picture, upload.MimeType, _job, jpeg.WriteAsync, lifetime.ApplicationStopping);
        if (result.Failure is { } reason)
        {
            LogFailed(upload.Id, reason);
            await RememberAsync(upload, reason);
        }
        else if (result.Unavailable is { } unavailable)
        {
            LogUnavailable(upload.Id, unavailable);
            throw ApiErrors.Unavailable.ToException();
        }
        else
        {
            await blobs.WriteThumbnailAsync(upload.Id, jpeg.GetBuffer().AsMemory(0, (int)jpeg.Length), lifetime.ApplicationStopping);
        }
    }

    private async Task RememberAsync(Upload upload, string reason)
    {
        await database.WriteAsync(
            async db =>
            {
                if (await database.Locked(db.Sessions, [upload.SessionId]).SingleOrDefaultAsync() is not { } session
                    || await db.Uploads.SingleOrDefaultAsync(row => row.Id == upload.Id) is not { } row)
                    return;
                (row.ThumbnailFailure, row.ThumbnailFailedBy) = (StorableText.Of(reason, MaxReason), Build);
                // The delivery status says that there is none.
                session.Touch(clock.GetUtcNow());
            },
            CancellationToken.None);
        notifier.Publish([upload.SessionId]);
    }

    [LoggerMessage(EventName = "thumbnail.failed", Level = LogLevel.Information, Message = "thumbnail.failed {Image}: {Reason}")]
    private partial void LogFailed(Guid image, string reason);

    [LoggerMessage(EventName = "thumbnail.unavailable", Level = LogLevel.Error, Message = "thumbnail.unavailable {Image}: {Reason}")]
    private partial void LogUnavailable(Guid image, string reason);
}
