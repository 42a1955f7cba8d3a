using Apertur.Server.Events;
using Apertur.Server.ProjectData;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Uploads;

/// <summary>
/// Takes an image back out: its row, its deliveries and everything that was counted for it in one transaction, its file after
/// that. What a destination has received already stays there; an attempt under way ends without an effect here.
/// </summary>
internal sealed class UploadDeletion(Database database, BlobStore blobs, SessionNotifier notifier, TimeProvider clock)
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

                var counts = new DailyCountChanges();
                var count = counts.For(upload.ProjectId, upload.Env, upload.CreatedAt);
                count.Images--;
                count.ImagesDelivered -= upload.DestinationsDelivered > 0 ? 1 : 0;
                count.Sent -= upload.DestinationsDelivered;
                count.Failed -= upload.DestinationsFailed;
                await counts.ApplyAsync(db, cancellationToken);
                return true;
            },
            cancellationToken);
        if (!withdrawn)
            return false;

        // After a crash right here the file has no row, and the sweep removes it.
        blobs.Delete(seen.Id);
        notifier.Publish([seen.SessionId]);
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
