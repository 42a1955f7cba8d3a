namespace Apertur.Server.Destinations;

/// <summary>
/// How attempts at a destination ended lately. It is a part of the destination's row, and the one source of what is shown of its health.
/// </summary>
internal sealed class RecentAttempts
{
    private const int Fields = 3;

    private static readonly long _slot = (long)TimeSpan.FromMinutes(5).TotalMilliseconds;
    private static readonly long _hour = (long)TimeSpan.FromHours(1).TotalMilliseconds;

    /// <summary>The first failure since something worked there; null while it works.</summary>
    public DateTimeOffset? FailingSince { get; set; }

    /// <summary>Why the last attempt that did not arrive did not; null when all did.</summary>
    public string? LastError { get; set; }

    public DateTimeOffset? LastErrorAt { get; set; }

    /// <summary>For each five minutes with attempts, oldest first: their start in unix milliseconds, attempts, failures.</summary>
    public long[] LastHour { get; set; } = [];

    /// <summary>Counts one attempt.</summary>
    /// <param name="arrived">Whether the photo is there.</param>
    /// <param name="worked">Whether the destination worked: one that refuses a photo does.</param>
    /// <param name="reason">Why it did not arrive.</param>
    /// <param name="now">The time of the outcome.</param>
    public void Count(bool arrived, bool worked, string? reason, DateTimeOffset now)
    {
        FailingSince = worked ? null : FailingSince ?? now;
        if (!arrived)
            (LastError, LastErrorAt) = (reason, now);

        var start = now.ToUnixTimeMilliseconds() / _slot * _slot;
        var slots = Slots(now).ToList();
        var slot = slots.Count > 0 && slots[^1].Start == start ? slots[^1] : (Start: start, Attempts: 0, Failures: 0);
        slots.Remove(slot);
        slots.Add((start, slot.Attempts + 1, slot.Failures + (arrived ? 0 : 1)));
        LastHour = [.. slots.SelectMany(each => new[] { each.Start, each.Attempts, each.Failures })];
    }

    /// <summary>Attempts of the last hour, to five minutes, and those of them that did not arrive.</summary>
    public (long Attempts, long Failures) Sum(DateTimeOffset now) =>
        Slots(now).Aggregate((0L, 0L), (sum, slot) => (sum.Item1 + slot.Attempts, sum.Item2 + slot.Failures));

    // Slots of the future are from before the clock was set back.
    private IEnumerable<(long Start, long Attempts, long Failures)> Slots(DateTimeOffset now) => LastHour.Chunk(Fields)
        .Select(slot => (Start: slot[0], Attempts: slot[1], Failures: slot[2]))
        .Where(slot => slot.Start > now.ToUnixTimeMilliseconds() - _hour && slot.Start <= now.ToUnixTimeMilliseconds());
}
