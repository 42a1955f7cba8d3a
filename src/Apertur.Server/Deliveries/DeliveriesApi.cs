using Apertur.Server.Auth;
using Apertur.Server.Contract;
using Apertur.Server.ProjectData;
using Apertur.Server.Queue;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Deliveries;

/// <summary>Giving deliveries that failed or wait another try.</summary>
internal static class DeliveriesApi
{
    /// <summary>
    /// Gives every delivery of an upload that failed, or waits for its next attempt, another try: at once and on the path of
    /// every other attempt. Attempts go on counting; when the schedule was used up, this one is the last unless it is asked for
    /// again.
    /// </summary>
    public static async Task<Ok<MessageResponse>> Retry(
        string id, Caller caller, AperturDb db, Database database, AsyncAutoResetEvent deliver, SessionNotifier notifier, TimeProvider clock, CancellationToken cancellationToken)
    {
        var upload = await caller.FindAsync(db.Uploads.AsNoTracking(), id, cancellationToken);
        var again = await database.WriteAsync(write => RetryAsync(write, database, upload, clock, cancellationToken), cancellationToken);
        deliver.Set();
        notifier.Publish([upload.SessionId], deliveriesDue: true);
        return TypedResults.Ok(new MessageResponse(again == 0
            ? "No delivery of this upload has failed."
            : $"{again} {(again == 1 ? "delivery is" : "deliveries are")} being tried again."));
    }

    private static async Task<int> RetryAsync(
        AperturDb db, Database database, Upload seen, TimeProvider clock, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        // A destination that was deleted takes nothing any more, so its deliveries stay as they ended.
        var deliveries = db.Deliveries.Where(delivery => delivery.SessionId == seen.SessionId && delivery.UploadId == seen.Id
            && db.Destinations.Any(destination => destination.Id == delivery.DestinationId && destination.DeletedAt == null));
        // Before the session is locked, in the order of a claim: the other way round the two could wait for each other.
        var waiting = await deliveries.Where(delivery => delivery.State == DeliveryState.Retrying && delivery.DueAt > now)
            .ExecuteUpdateAsync(
                delivery => delivery.SetProperty(d => d.DueAt, now).SetProperty(d => d.UpdatedAt, now), cancellationToken);

        var session = await database.Locked(db.Sessions, [seen.SessionId]).SingleAsync(cancellationToken);
        var upload = await database.Locked(db.Uploads, [seen.Id]).SingleOrDefaultAsync(cancellationToken);
        if (upload is null)
            return 0;

        var failed = await deliveries.Where(delivery => delivery.State == DeliveryState.Failed).ToListAsync(cancellationToken);
        foreach (var delivery in failed)
        {
            delivery.State = DeliveryState.Retrying;
            delivery.DueAt = now;
            delivery.EndedAt = null;
            delivery.UpdatedAt = now;
        }

        if (failed.Count == 0)
            return waiting;

        session.Touch(now);
        session.DeliveriesOpen += failed.Count;
        upload.DestinationsFailed -= failed.Count;
        if (upload.DestinationsFailed == 0)
            session.ImagesFailed--;
        var counts = new DailyCountChanges();
        counts.For(upload.ProjectId, upload.Env, upload.CreatedAt).Failed -= failed.Count;
        await counts.ApplyAsync(db, cancellationToken);
        return failed.Count + waiting;
    }
}
