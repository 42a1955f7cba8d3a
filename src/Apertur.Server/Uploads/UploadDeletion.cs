using Apertur.Server.Events;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Uploads;

/// <summary>
/// Deletes an upload: its row, its deliveries and everything that was counted for it in one transaction, its file after
/// that. What a destination has received already stays there; an attempt under way ends without an effect here.
/// </summary>
internal sealed class UploadDeletion(Database database, BlobStore blobs, TimeProvider clock)
{
    /// <returns>False when the image is gone already.</returns>
    public async Task<bool> RunAsync(Upload seen, CancellationToken cancellationToken)
    {
        var withdrawn = await database.WriteAsync(
            async db =>
            {
                var session = await database.Locked(db.Sessions, [seen.SessionId]).SingleAsync(cancellationToken);
                var upload = await database.Locked(db.Uploads, [seen.Id]).SingleOrDefaultAsync(cancellationToken);
                if (upload is null)
                    return false;

                var removed = await db.Deliveries.Where(row => row.UploadId == upload.Id)
                    .ExecuteDeleteAsync(cancellationToken);
                db.Uploads.Remove(upload);
                TakeBack(session, upload, removed);
                session.Touch(clock.GetUtcNow());
                var events = new EventOutbox(clock.GetUtcNow());
                SessionEnd.Note(session, clock.GetUtcNow(), events);
                await events.WriteAsync(db, cancellationToken);
                await db.SaveChangesAsync(cancellationToken);

                var count = db.Counts.For(upload.ProjectId, upload.Env, upload.CreatedAt);
                count.Images--;
                count.ImagesDelivered -= upload.DestinationsDelivered > 0 ? 1 : 0;
                count.Sent -= upload.DestinationsDelivered;
                count.Failed -= upload.DestinationsFailed;
                return true;
            },
            cancellationToken);
        if (!withdrawn)
            return false;

        // After a crash right here the file has no row, and the sweep removes it.
        await blobs.DeleteAsync(seen.Id, CancellationToken.None);
        return true;
    }

    private static void TakeBack(UploadSession session, Upload upload, int deliveries)
    {
        session.ImagesCount--;
        session.ImagesDispatched -= upload.DestinationsTotal > 0 ? 1 : 0;
        session.ImagesDelivered -= upload.DestinationsDelivered > 0 ? 1 : 0;
        session.ImagesFailed -= upload.DestinationsFailed > 0 ? 1 : 0;
        session.DeliveriesOpen -= deliveries - upload.DestinationsDelivered - upload.DestinationsFailed;
    }
}
