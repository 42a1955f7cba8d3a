using Apertur.Server.Events;
using Apertur.Server.Renditions;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Uploads;

/// <summary>
/// Deletes an upload, or a session with all of its own: rows, deliveries and everything that was counted for them in one transaction, files
/// after that. What a destination has received already stays there; an attempt under way ends without an effect here.
/// </summary>
internal sealed class UploadDeletion(Database database, BlobStore blobs, RenditionStore renditions, TimeProvider clock)
{
    /// <returns>False when the image is gone already.</returns>
    public async Task<bool> RunAsync(Upload seen, CancellationToken cancellationToken)
    {
        var withdrawn = await database.WriteAsync(
            async db =>
            {
                var now = clock.GetUtcNow();
                var session = await database.Locked(db.Sessions, [seen.SessionId]).SingleOrDefaultAsync(cancellationToken);
                var upload = await database.Locked(db.Uploads, [seen.Id]).SingleOrDefaultAsync(cancellationToken);
                if (upload is null)
                    return false;

                // A session goes with its uploads, never before them.
                await RemoveRowsAsync(db, session!, [upload], cancellationToken);
                session!.Touch(now);
                var events = new EventOutbox(now);
                SessionEnd.Note(session, now, events);
                await events.WriteAsync(db, cancellationToken);
                return true;
            },
            cancellationToken);
        if (!withdrawn)
            return false;

        await DeleteFilesAsync([seen.Id]);
        return true;
    }

    /// <returns>False when the session is gone already.</returns>
    public async Task<bool> RunAsync(UploadSession seen, CancellationToken cancellationToken)
    {
        var images = await database.WriteAsync(
            async db =>
            {
                if (await database.Locked(db.Sessions, [seen.Id]).SingleOrDefaultAsync(cancellationToken) is not { } session)
                    return null;

                // Not more than a session may hold, which is few enough for one transaction.
                var ids = await db.Uploads.Where(upload => upload.SessionId == session.Id).Select(upload => upload.Id).ToListAsync(cancellationToken);
                var uploads = await database.Locked(db.Uploads, ids).ToListAsync(cancellationToken);
                await RemoveRowsAsync(db, session, uploads, cancellationToken);
                await db.SaveChangesAsync(cancellationToken);
                db.Sessions.Remove(session);
                db.Counts.For(session.ProjectId, session.Env, session.CreatedAt).Sessions--;
                db.Write.ChangedSessions.Add(session.Id);
                return ids;
            },
            cancellationToken);
        await DeleteFilesAsync(images ?? []);
        return images is not null;
    }

    /// <summary>After a crash here they have no row any more, and the sweep removes them.</summary>
    private async Task DeleteFilesAsync(IReadOnlyCollection<Guid> images)
    {
        foreach (var image in images)
            await blobs.DeleteAsync(image, CancellationToken.None);
        await renditions.DeleteAsync(images, CancellationToken.None);
    }

    /// <summary>Removes rows of uploads with their deliveries, and takes back what was counted for them.</summary>
    /// <param name="db">The transaction.</param>
    /// <param name="session">Theirs, locked.</param>
    /// <param name="uploads">The rows, locked and tracked.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public static async Task RemoveRowsAsync(
        AperturDb db, UploadSession session, IReadOnlyCollection<Upload> uploads, CancellationToken cancellationToken)
    {
        var ids = uploads.Select(upload => upload.Id).ToList();
        var deliveries = await db.Deliveries.Where(row => row.SessionId == session.Id && ids.Contains(row.UploadId))
            .ExecuteDeleteAsync(cancellationToken);
        session.DeliveriesOpen -= deliveries - uploads.Sum(upload => upload.DestinationsDelivered + upload.DestinationsFailed);
        foreach (var upload in uploads)
        {
            db.Uploads.Remove(upload);
            session.ImagesCount--;
            session.ImagesDispatched -= upload.DestinationsTotal > 0 ? 1 : 0;
            session.ImagesDelivered -= upload.DestinationsDelivered > 0 ? 1 : 0;
            session.ImagesFailed -= upload.DestinationsFailed > 0 ? 1 : 0;

            var count = db.Counts.For(upload.ProjectId, upload.Env, upload.CreatedAt);
            count.Images--;
            count.ImagesDelivered -= upload.DestinationsDelivered > 0 ? 1 : 0;
            count.Sent -= upload.DestinationsDelivered;
            count.Failed -= upload.DestinationsFailed;
            if (upload.RemovedAt is null)
                count.Unstore(upload);
        }
    }
}
