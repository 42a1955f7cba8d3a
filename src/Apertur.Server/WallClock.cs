namespace Apertur.Server;

/// <summary>
/// Detects that the time of day was set: between two readings it moved by another time than the monotonic clock. What stands in the database
/// as a time of day then means something else.
/// </summary>
internal sealed class WallClock(TimeProvider clock)
{
    /// <summary>
    /// The tolerance between two readings, or between the clocks of two nodes: less than what is left of a lease at its heartbeat.
    /// </summary>
    public static readonly TimeSpan Tolerance = TimeSpan.FromSeconds(30);

    private DateTimeOffset _time = clock.GetUtcNow();
    private long _timestamp = clock.GetTimestamp();

    /// <summary>How far it was set, forward or back; null when it was not. Reported until acknowledged.</summary>
    public ClockChange? Look()
    {
        var (time, timestamp) = (clock.GetUtcNow(), clock.GetTimestamp());
        var change = new ClockChange(time, time - _time - clock.GetElapsedTime(_timestamp, timestamp), timestamp);
        if (change.By.Duration() > Tolerance)
            return change;
        Follow(change);
        return null;
    }

    /// <summary>From now on the new time counts.</summary>
    public void Follow(ClockChange change) => (_time, _timestamp) = (change.Now, change.Timestamp);
}

/// <summary>The time of day was set.</summary>
/// <param name="Now">To which time.</param>
/// <param name="By">How far, negative for back.</param>
/// <param name="Timestamp">When it was noticed, by the monotonic clock.</param>
internal readonly record struct ClockChange(DateTimeOffset Now, TimeSpan By, long Timestamp);
