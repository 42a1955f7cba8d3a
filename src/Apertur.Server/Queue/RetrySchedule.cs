using System.Globalization;

namespace Apertur.Server.Queue;

/// <summary>How long a delivery that did not arrive waits before each attempt. Pure; see <see cref="Due"/> for what else decides.</summary>
internal sealed class RetrySchedule
{
    private readonly TimeSpan[] _waits;

    /// <param name="seconds">The longest wait before each attempt after the first, separated by commas.</param>
    public RetrySchedule(string seconds) =>
        _waits = [.. seconds.Split(',').Select(text => TimeSpan.FromSeconds(int.Parse(text, CultureInfo.InvariantCulture)))];

    /// <summary>
    /// How long to wait after this many attempts; null when that was the last. Waits are drawn from a millisecond to the schedule's figure ("full
    /// jitter"), so that what failed together does not come back together, and nothing at once: rows keep milliseconds.
    /// </summary>
    /// <param name="attempts">Attempts made so far, at least 1.</param>
    /// <param name="random">From 0 to 1.</param>
    public TimeSpan? WaitAfter(int attempts, double random) => attempts > _waits.Length
        ? null
        : TimeSpan.FromMilliseconds(Math.Max(1, _waits[attempts - 1].TotalMilliseconds * random));
}
