using Apertur.Destinations;
using Apertur.Server.Events;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Uploads;

/// <summary>
/// Reads stored images, for destinations and downloads, and never gives other bytes than were received. An image that is no longer
/// what it was is told once, by an event and in the log, and remembered in its row until it is right again.
/// </summary>
internal sealed partial class StoredImages(
    Database database, BlobStore blobs, Quarantine quarantine, ImagesOwner owner, TimeProvider clock, ILogger<StoredImages> log)
{
    /// <summary>The image, compared with its row.</summary>
    /// <exception cref="StoredImageException">It is not what was received, which has been told, or cannot be read now.</exception>
    public async Task<VerifiedImage> VerifyAsync(Upload upload, CancellationToken cancellationToken)
    {
        try
        {
            var image = await ReadAsync(upload, cancellationToken);
            if (upload.Damage is not null)
                await NoteAsync(upload, null, cancellationToken);
            return image;
        }
        catch (StoredImageException exception)
        {
            await TellAsync(upload, exception.Fault, cancellationToken);
            throw;
        }
    }

    /// <summary>Tells of an image that turned out to be damaged while it was given out.</summary>
    public Task TellAsync(Upload upload, ImageFault fault, CancellationToken cancellationToken) =>
        fault == ImageFault.Unreadable || fault == upload.Damage ? Task.CompletedTask : NoteAsync(upload, fault, cancellationToken);

    private async Task<VerifiedImage> ReadAsync(Upload upload, CancellationToken cancellationToken)
    {
        try
        {
            return await CompareAsync();
        }
        catch (StoredImageException exception) when (exception.Fault == ImageFault.Missing)
        {
            if (await quarantine.ReturnAsync(upload.Id, cancellationToken))
                return await CompareAsync();
            // A folder that is not mounted, or another one in its place, says nothing of any image.
            if (!await owner.HoldsAsync(cancellationToken))
                throw new StoredImageException(ImageFault.Unreadable, exception);
            throw;
        }

        Task<VerifiedImage> CompareAsync() =>
            VerifiedImage.VerifyAsync((position, ct) => blobs.OpenReadAsync(upload.Id, position, ct), upload.SizeBytes, upload.Sha256, cancellationToken);
    }

    private async Task NoteAsync(Upload seen, ImageFault? fault, CancellationToken cancellationToken)
    {
        var changed = await database.WriteAsync(
            async db =>
            {
                var upload = await database.Locked(db.Uploads, [seen.Id]).SingleOrDefaultAsync(cancellationToken);
                if (upload is not { RemovedAt: null } || upload.Damage == fault)
                    return false;

                var isNews = upload.Damage is null || fault is null;
                upload.DamagedAt = fault is null ? null : upload.DamagedAt ?? clock.GetUtcNow();
                upload.Damage = fault;
                if (isNews && fault is not null)
                {
                    var session = await db.Sessions.AsNoTracking().SingleAsync(s => s.Id == upload.SessionId, cancellationToken);
                    var events = new EventOutbox(clock.GetUtcNow());
                    events.UploadDamaged(upload, session);
                    await events.WriteAsync(db, cancellationToken);
                }

                return isNews;
            },
            cancellationToken);
        if (changed && fault is { } found)
            LogDamaged(seen.Id, seen.ProjectId, new StoredImageException(found).Message);
        else if (changed)
            LogRecovered(seen.Id, seen.ProjectId);
    }

    [LoggerMessage(EventName = "image.damaged", Level = LogLevel.Error, Message = "image.damaged {Image} of project {Project}: {Reason}")]
    private partial void LogDamaged(Guid image, Guid project, string reason);

    [LoggerMessage(EventName = "image.recovered", Level = LogLevel.Information,
        Message = "image.recovered {Image} of project {Project} is again what was received")]
    private partial void LogRecovered(Guid image, Guid project);
}
