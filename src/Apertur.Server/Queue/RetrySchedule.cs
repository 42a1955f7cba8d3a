using System.Globalization;

namespace Apertur.Server.Queue;

/// <summary>When a delivery that did not arrive is tried again. Pure: the same input and random number give the same answer.</summary>
internal sealed class RetrySchedule
{
    // A destination may ask for longer than our schedule, but not put a photo off for ever.
    private static readonly TimeSpan _longestAsked = TimeSpan.FromHours(24);

    private readonly TimeSpan[] _waits;

    /// <param name="seconds">The longest wait before each attempt after the first, separated by commas.</param>
    public RetrySchedule(string seconds) =>
        _waits = [.. seconds.Split(',').Select(text => TimeSpan.FromSeconds(int.Parse(text, CultureInfo.InvariantCulture)))];

    /// <summary>
    /// How long to wait after this many attempts; null when that was the last. Waits are drawn from zero to the schedule's figure ("full
    /// jitter"), so that what failed together does not come back together. A wait the destination asked for is the least.
    /// </summary>
    /// <param name="attempts">Attempts made so far, at least 1.</param>
    /// <param name="asked">What the destination asked for, null when it did not.</param>
    /// <param name="random">From 0 to 1.</param>
    public TimeSpan? After(int attempts, TimeSpan? asked, double random)
    {
        if (attempts > _waits.Length)
            return null;

        var wait = _waits[attempts - 1] * random;
        var least = asked is { } time ? TimeSpan.FromTicks(Math.Clamp(time.Ticks, 0, _longestAsked.Ticks)) : TimeSpan.Zero;
        return wait > least ? wait : least;
    }
}
