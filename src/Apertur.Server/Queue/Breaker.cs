using Apertur.Server.Destinations;

namespace Apertur.Server.Queue;

/// <summary>
/// Stops knocking at a destination that is down, for all nodes at once: its state stands in the destination's row. Pure functions on that row.
/// </summary>
/// <remarks>
/// Closed: full lanes. At least <see cref="MinAttempts"/> attempts within <see cref="Window"/>, <see cref="FailureShare"/> of them failed:
/// open, nothing is claimed and no attempt is burnt. After the pause one delivery probes; each success doubles the lanes until they are
/// full, a failure opens again for twice as long.
/// </remarks>
internal static class Breaker
{
    public const int MinAttempts = 10;
    public const double FailureShare = 0.7;
    public static readonly TimeSpan Window = TimeSpan.FromMinutes(5);

    private const int MaxDoublings = 5;
    private static readonly TimeSpan _firstPause = TimeSpan.FromSeconds(15);

    /// <summary>Counts one attempt.</summary>
    /// <param name="destination">The row, locked.</param>
    /// <param name="worked">False when the destination, not the image, was the reason.</param>
    /// <param name="lanes">How many lanes a healthy destination has.</param>
    /// <param name="now">The time of the outcome.</param>
    public static void Count(Destination destination, bool worked, int lanes, DateTimeOffset now)
    {
        if (destination.LaneLimit is { } limit)
        {
            if (!worked)
                Open(destination, now);
            else if (destination.OpenUntil is null || destination.OpenUntil <= now)
                Widen(destination, limit, lanes, now);
            return;
        }

        if (now - destination.WindowStart > Window)
            StartWindow(destination, now);
        destination.WindowAttempts++;
        if (!worked)
            destination.WindowFailures++;
        if (destination.WindowAttempts >= MinAttempts && destination.WindowFailures >= FailureShare * destination.WindowAttempts)
            Open(destination, now);
    }

    /// <summary>Forgets all trouble: the owner has changed or tested the destination.</summary>
    public static void Reset(Destination destination, DateTimeOffset now)
    {
        destination.LaneLimit = null;
        destination.OpenUntil = null;
        destination.OpenedCount = 0;
        StartWindow(destination, now);
    }

    private static void Open(Destination destination, DateTimeOffset now)
    {
        // Attempts that were under way when it opened say nothing new.
        if (destination.OpenUntil > now)
            return;

        destination.LaneLimit = 1;
        destination.OpenUntil = now + (_firstPause * (1 << Math.Min(destination.OpenedCount, MaxDoublings)));
        destination.OpenedCount++;
        StartWindow(destination, now);
    }

    private static void Widen(Destination destination, int limit, int lanes, DateTimeOffset now)
    {
        destination.OpenUntil = null;
        if (limit * 2 >= lanes)
            Reset(destination, now);
        else
            destination.LaneLimit = limit * 2;
    }

    private static void StartWindow(Destination destination, DateTimeOffset now)
    {
        destination.WindowStart = now;
        destination.WindowAttempts = 0;
        destination.WindowFailures = 0;
    }
}
