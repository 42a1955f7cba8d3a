namespace Apertur.Server.Queue;

/// <summary>What a breaker keeps in the row of the endpoint that it guards.</summary>
internal interface IBreakerState
{
    /// <summary>Rows at once while recovering; null when healthy.</summary>
    int? LaneLimit { get; set; }

    /// <summary>Nothing is claimed before; null when the breaker is closed or probing.</summary>
    DateTimeOffset? OpenUntil { get; set; }

    /// <summary>Times opened in a row.</summary>
    int OpenedCount { get; set; }

    DateTimeOffset WindowStart { get; set; }

    int WindowAttempts { get; set; }

    int WindowFailures { get; set; }

    /// <summary>What failed attempts of the window took together.</summary>
    long WindowLaneMs { get; set; }

    /// <summary>Attempts in a row that got no answer in time.</summary>
    int Timeouts { get; set; }

    /// <summary>Whether it has ever answered.</summary>
    bool HasAnswered { get; set; }
}

/// <summary>What one attempt says of its endpoint.</summary>
/// <param name="Worked">False when the endpoint, not what it was sent, was the reason.</param>
/// <param name="Answered">Whether it answered at all.</param>
/// <param name="TimedOut">Whether its time was up before it did.</param>
/// <param name="Took">How long it held its lane.</param>
internal readonly record struct BreakerSample(bool Worked, bool Answered, bool TimedOut, TimeSpan Took);

/// <summary>
/// A circuit breaker: claims nothing for an endpoint that is down, for all nodes at once, as its state stands in the endpoint's row. Pure
/// functions on that row.
/// </summary>
/// <remarks>
/// Closed: full lanes. It opens when, within <see cref="Window"/>, <see cref="FailureShare"/> of at least <see cref="MinAttempts"/> attempts
/// failed, or that share of any number which burnt <see cref="MaxLaneTime"/>; and after <see cref="MaxTimeouts"/> attempts in a row without an
/// answer. Open: nothing is claimed and no attempt is burnt. After the pause one row probes; each success doubles the lanes until they are
/// full, a failure opens again for twice as long.
/// </remarks>
internal static class Breaker
{
    public const int MinAttempts = 10;
    public const double FailureShare = 0.7;
    public const int MaxTimeouts = 3;
    public static readonly TimeSpan Window = TimeSpan.FromMinutes(5);
    public static readonly TimeSpan MaxLaneTime = TimeSpan.FromSeconds(60);

    private const int MaxDoublings = 5;
    private static readonly TimeSpan _firstPause = TimeSpan.FromSeconds(15);

    /// <summary>The longest time that a breaker stays open at a stretch.</summary>
    public static TimeSpan LongestPause => _firstPause * (1 << MaxDoublings);

    /// <summary>Counts one attempt.</summary>
    /// <param name="endpoint">The row, locked.</param>
    /// <param name="sample">What it came to.</param>
    /// <param name="lanes">How many lanes a healthy endpoint has.</param>
    /// <param name="now">The time of the outcome.</param>
    public static void Count(IBreakerState endpoint, BreakerSample sample, int lanes, DateTimeOffset now)
    {
        endpoint.Timeouts = sample.TimedOut ? endpoint.Timeouts + 1 : 0;
        endpoint.HasAnswered |= sample.Answered;
        if (endpoint.LaneLimit is { } limit)
        {
            if (!sample.Worked)
                Open(endpoint, now);
            else if (!IsOpen(endpoint, now))
                Widen(endpoint, limit, lanes, now);
            return;
        }

        // A window that begins in the future is from before the clock was set back.
        if (now - endpoint.WindowStart > Window || endpoint.WindowStart > now)
            StartWindow(endpoint, now);
        endpoint.WindowAttempts++;
        if (sample.Worked)
            return;
        endpoint.WindowFailures++;
        endpoint.WindowLaneMs += (long)sample.Took.TotalMilliseconds;
        var isBad = endpoint.WindowFailures >= FailureShare * endpoint.WindowAttempts;
        var isEnough = endpoint.WindowAttempts >= MinAttempts || endpoint.WindowLaneMs >= MaxLaneTime.TotalMilliseconds;
        if ((isBad && isEnough) || endpoint.Timeouts >= MaxTimeouts)
            Open(endpoint, now);
    }

    /// <summary>Forgets all trouble: the owner has changed or tested the endpoint.</summary>
    public static void Reset(IBreakerState endpoint, DateTimeOffset now)
    {
        endpoint.LaneLimit = null;
        endpoint.OpenUntil = null;
        endpoint.OpenedCount = 0;
        endpoint.Timeouts = 0;
        StartWindow(endpoint, now);
    }

    // Longer than it can be is from before the clock was set back; claims do not believe it either.
    private static bool IsOpen(IBreakerState endpoint, DateTimeOffset now) =>
        endpoint.OpenUntil > now && endpoint.OpenUntil <= now + LongestPause;

    private static void Open(IBreakerState endpoint, DateTimeOffset now)
    {
        // Attempts that were under way when it opened say nothing new.
        if (IsOpen(endpoint, now))
            return;

        endpoint.LaneLimit = 1;
        endpoint.OpenUntil = now + (_firstPause * (1 << Math.Min(endpoint.OpenedCount, MaxDoublings)));
        endpoint.OpenedCount++;
        StartWindow(endpoint, now);
    }

    private static void Widen(IBreakerState endpoint, int limit, int lanes, DateTimeOffset now)
    {
        endpoint.OpenUntil = null;
        if (limit * 2 >= lanes)
            Reset(endpoint, now);
        else
            endpoint.LaneLimit = limit * 2;
    }

    private static void StartWindow(IBreakerState endpoint, DateTimeOffset now)
    {
        endpoint.WindowStart = now;
        endpoint.WindowAttempts = 0;
        endpoint.WindowFailures = 0;
        endpoint.WindowLaneMs = 0;
    }
}
