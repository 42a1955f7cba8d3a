using Apertur.Server.Events;
using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Destinations;

/// <summary>
/// Suspends (parks) a destination that only its owner can repair, and resumes it: its deliveries wait meanwhile without using attempts.
/// </summary>
internal static class DestinationSuspension
{
    /// <param name="destination">The row, locked. One that is parked already keeps its first reason.</param>
    /// <param name="reason">What is wrong and what the owner can do about it.</param>
    /// <returns>Whether it was parked by this call.</returns>
    public static bool Suspend(Destination destination, string reason)
    {
        if (destination.ParkedReason is not null)
            return false;

        destination.ParkedReason = reason;
        return true;
    }

    /// <summary>Resumes a destination after its owner has acted: what waits becomes due at once, and the breaker is reset.</summary>
    /// <param name="db">The transaction.</param>
    /// <param name="destination">The row, locked: else what a delivery writes meanwhile would stay.</param>
    /// <param name="now">When.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public static async Task ResumeAsync(AperturDb db, Destination destination, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var wasFailing = destination.Breaker.IsFailing;
        destination.ParkedReason = null;
        // Another instant than before, by which attempts know whether the owner has acted since they were claimed.
        destination.ResumedAt = now.ToUnixTimeMilliseconds() == destination.ResumedAt.ToUnixTimeMilliseconds() ? now.AddMilliseconds(1) : now;
        destination.Breaker.Reset(now);
        destination.Recent.FailingSince = null;
        var events = new EventOutbox(now);
        events.DestinationChanged(destination, wasFailing);
        await events.WriteAsync(db, cancellationToken);
        await db.Deliveries
            .Where(row => row.DestinationId == destination.Id && row.State == DeliveryState.Retrying && row.DueAt > now)
            .ExecuteUpdateAsync(row => row.SetDue(Due.After(new DueEvent.Resumed(), now)!.Value, now), cancellationToken);
    }
}
