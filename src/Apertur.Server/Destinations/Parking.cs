using Apertur.Server.Work;

namespace Apertur.Server.Destinations;

/// <summary>
/// A destination that only its owner can repair is parked: its deliveries wait without losing attempts. It happens here and nowhere else.
/// </summary>
internal static class Parking
{
    /// <param name="destination">The row, locked. One that is parked already keeps its first reason.</param>
    /// <param name="reason">What is wrong and what the owner can do about it.</param>
    /// <param name="learnt">When the attempt began that found out. One from before the owner acted says nothing about now.</param>
    /// <returns>Whether it was parked by this call.</returns>
    public static bool Park(Destination destination, string reason, DateTimeOffset learnt)
    {
        if (destination.ParkedReason is not null || learnt < destination.ResumedAt)
            return false;

        destination.ParkedReason = reason;
        return true;
    }

    /// <summary>The owner has acted: what waited goes on, and all trouble is forgotten.</summary>
    public static void Resume(Destination destination, DateTimeOffset now)
    {
        destination.ParkedReason = null;
        destination.ResumedAt = now;
        Breaker.Reset(destination, now);
    }
}
