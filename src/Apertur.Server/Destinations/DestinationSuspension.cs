using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Destinations;

/// <summary>
/// A destination that only its owner can repair is parked: its deliveries wait without losing attempts. It happens here and nowhere else.
/// </summary>
internal static class DestinationSuspension
{
    /// <param name="destination">The row, locked. One that is parked already keeps its first reason.</param>
    /// <param name="reason">What is wrong and what the owner can do about it.</param>
    /// <param name="learnt">When the attempt began that found out. One from before the owner acted says nothing about now.</param>
    /// <returns>Whether it was parked by this call.</returns>
    public static bool Suspend(Destination destination, string reason, DateTimeOffset learnt)
    {
        if (destination.ParkedReason is not null || learnt < destination.ResumedAt)
            return false;

        destination.ParkedReason = reason;
        return true;
    }

    /// <summary>The owner has acted: what waits goes on at once, whenever it was due, and all trouble is forgotten.</summary>
    /// <param name="db">The transaction.</param>
    /// <param name="destination">The row, locked: else what a delivery writes meanwhile would stay.</param>
    /// <param name="now">When.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public static Task ResumeAsync(AperturDb db, Destination destination, DateTimeOffset now, CancellationToken cancellationToken)
    {
        destination.ParkedReason = null;
        destination.ResumedAt = now;
        Breaker.Reset(destination, now);
        return db.Deliveries
            .Where(row => row.DestinationId == destination.Id && row.State == DeliveryState.Retrying && row.DueAt > now)
            .ExecuteUpdateAsync(row => row.SetProperty(r => r.DueAt, now), cancellationToken);
    }
}
