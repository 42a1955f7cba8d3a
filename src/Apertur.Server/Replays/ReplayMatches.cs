using Apertur.Server.Deliveries;
using Apertur.Server.Events;
using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Microsoft.EntityFrameworkCore;

// The database compares, and knows no StringComparison.
#pragma warning disable CA1862

namespace Apertur.Server.Replays;

/// <summary>What a replay means, and has not taken up yet.</summary>
internal static class ReplayMatches
{
    /// <summary>Photos of which it takes up something.</summary>
    public static IQueryable<Upload> Photos(AperturDb db, Replay replay)
    {
        var photos = db.Uploads.Where(upload => upload.ProjectId == replay.ProjectId && upload.IsStored && upload.RemovedAt == null
            && upload.CreatedAt >= replay.Since && upload.CreatedAt < replay.Until);
        if (replay.Env is { } env)
            photos = photos.Where(upload => upload.Env == env);
        if (replay.SessionId is { } session)
            photos = photos.Where(upload => upload.SessionId == session);
        if (replay.UploadIds?.ToList() is { } ids)
            photos = photos.Where(upload => ids.Contains(upload.Id));
        if (replay.Status == ReplayStatus.NeverDispatched)
        {
            return photos.Where(upload => !db.Deliveries.Any(
                row => row.SessionId == upload.SessionId && row.UploadId == upload.Id && row.DestinationId == replay.DestinationId));
        }

        var deliveries = Deliveries(db, replay);
        photos = replay.Status == ReplayStatus.Failed
            ? photos.Where(upload => upload.DestinationsFailed > 0)
            : photos.Where(upload => upload.DestinationsDelivered > 0);
        return photos.Where(upload => deliveries.Any(row => row.SessionId == upload.SessionId && row.UploadId == upload.Id));
    }

    /// <summary>Deliveries that it puts back into the queue. Those to a destination that is gone stay as they ended.</summary>
    public static IQueryable<DeliveryRow> Deliveries(AperturDb db, Replay replay)
    {
        var state = StateOf(replay);
        var rows = db.Deliveries.Where(row => row.State == state && row.ReplayId != replay.Id
            && db.Destinations.Any(destination => destination.Id == row.DestinationId && destination.DeletedAt == null));
        if (replay.DestinationId is { } destination)
            rows = rows.Where(row => row.DestinationId == destination);
        return replay.ErrorContains is { } words ? rows.Where(row => row.LastError!.ToLower().Contains(words)) : rows;
    }

    /// <summary>Events that it puts back into the queue.</summary>
    public static IQueryable<EventDelivery> Events(AperturDb db, Replay replay)
    {
        var state = StateOf(replay);
        var rows = db.EventDeliveries.Where(row => row.WebhookId == replay.WebhookId && row.State == state
            && row.CreatedAt >= replay.Since && row.CreatedAt < replay.Until && row.ReplayId != replay.Id);
        return replay.ErrorContains is { } words ? rows.Where(row => row.LastError!.ToLower().Contains(words)) : rows;
    }

    /// <summary>How many photos or events, up to a limit.</summary>
    public static Task<int> CountAsync(AperturDb db, Replay replay, int most, CancellationToken cancellationToken) => replay.WebhookId is null
        ? Photos(db, replay).Take(most).CountAsync(cancellationToken)
        : Events(db, replay).Take(most).CountAsync(cancellationToken);

    private static DeliveryState StateOf(Replay replay) => replay.Status == ReplayStatus.Sent ? DeliveryState.Sent : DeliveryState.Failed;
}
