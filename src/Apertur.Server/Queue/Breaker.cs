namespace Apertur.Server.Queue;

/// <summary>What one attempt says of its endpoint.</summary>
/// <param name="Worked">False when the endpoint, not what it was sent, was the reason.</param>
/// <param name="Answered">Whether it answered at all.</param>
/// <param name="TimedOut">Whether its time was up before it did.</param>
/// <param name="Took">How long it held its lane.</param>
/// <param name="IsPersistent">Whether it was the third attempt at the same thing, or a later one: no trouble of a moment.</param>
internal readonly record struct BreakerSample(bool Worked, bool Answered, bool TimedOut, TimeSpan Took, bool IsPersistent = false);

/// <summary>
/// A circuit breaker: nothing is claimed for an endpoint that is down. It is a part of the endpoint's row, so all nodes share it, and is
/// changed only while that row is locked.
/// </summary>
/// <remarks>
/// Closed: full lanes. It opens when, within <see cref="Window"/>, <see cref="FailureShare"/> of at least <see cref="MinAttempts"/> attempts
/// failed, or that share of any number which burnt <see cref="MaxLaneTime"/>; after <see cref="MaxTimeouts"/> attempts in a row without an
/// answer; and when <see cref="MaxFailures"/> in a row did not work, the last of them a persistent one: so that few photos show it too.
/// Open: nothing is claimed and no attempt is burnt. After the pause one row probes; each success doubles the lanes until they are full, a
/// failure opens again for twice as long. It closes with full lanes, or when a success was followed by nothing for <see cref="Calm"/>.
/// </remarks>
internal sealed class Breaker
{
    public const int MinAttempts = 10;
    public const double FailureShare = 0.7;

    /// <summary>At so many attempts a window forgets half of them: a great many that went well do not hide what is new.</summary>
    public const int MaxAttempts = 100;

    public const int MaxTimeouts = 3;
    public const int MaxFailures = 3;
    public static readonly TimeSpan Window = TimeSpan.FromMinutes(5);
    public static readonly TimeSpan MaxLaneTime = TimeSpan.FromSeconds(60);

    /// <summary>How long no failure follows a success until the breaker closes, although too little came to widen its lanes.</summary>
    public static readonly TimeSpan Calm = TimeSpan.FromSeconds(30);

    private const int MaxDoublings = 5;
    private static readonly TimeSpan _firstPause = TimeSpan.FromSeconds(15);

    /// <summary>The longest time that a breaker stays open at a stretch.</summary>
    public static TimeSpan LongestPause => _firstPause * (1 << MaxDoublings);

    /// <summary>Rows at once while recovering; null when healthy.</summary>
    public int? LaneLimit { get; set; }

    /// <summary>Nothing is claimed before; null when the breaker is closed or probing.</summary>
    public DateTimeOffset? OpenUntil { get; set; }

    /// <summary>Times opened in a row.</summary>
    public int OpenedCount { get; set; }

    /// <summary>Whether it has opened and not closed since.</summary>
    public bool IsFailing => OpenedCount > 0;

    /// <summary>Attempts in a row that did not work.</summary>
    public int FailuresInRow { get; set; }

    public DateTimeOffset WindowStart { get; set; }

    public int WindowAttempts { get; set; }

    public int WindowFailures { get; set; }

    /// <summary>Milliseconds that the failed attempts of the window took together.</summary>
    public long WindowLaneMs { get; set; }

    /// <summary>Attempts in a row that got no answer in time.</summary>
    public int Timeouts { get; set; }

    /// <summary>Whether it has ever answered.</summary>
    public bool HasAnswered { get; set; }

    /// <summary>Counts one attempt.</summary>
    /// <param name="sample">What it came to.</param>
    /// <param name="lanes">How many lanes a healthy endpoint has.</param>
    /// <param name="now">The time of the outcome.</param>
    public void Count(BreakerSample sample, int lanes, DateTimeOffset now)
    {
        Timeouts = sample.TimedOut ? Timeouts + 1 : 0;
        HasAnswered |= sample.Answered;
        FailuresInRow = sample.Worked ? 0 : FailuresInRow + 1;
        if (LaneLimit is { } limit)
        {
            if (!sample.Worked)
                Open(now);
            else if (!IsOpen(now))
                Widen(limit, lanes, now);
            return;
        }

        // A window that begins in the future is from before the clock was set back.
        if (now - WindowStart > Window || WindowStart > now)
            StartWindow(now);
        if (WindowAttempts >= MaxAttempts)
        {
            WindowAttempts /= 2;
            WindowFailures /= 2;
        }

        WindowAttempts++;
        if (sample.Worked)
            return;
        WindowFailures++;
        WindowLaneMs += (long)sample.Took.TotalMilliseconds;
        var isBad = WindowFailures >= FailureShare * WindowAttempts;
        var isEnough = WindowAttempts >= MinAttempts || WindowLaneMs >= MaxLaneTime.TotalMilliseconds;
        var isPersistent = sample.IsPersistent && FailuresInRow >= MaxFailures;
        if ((isBad && isEnough) || Timeouts >= MaxTimeouts || isPersistent)
            Open(now);
    }

    /// <summary>Closes the breaker and forgets its history: the owner has changed or tested the endpoint.</summary>
    public void Reset(DateTimeOffset now)
    {
        LaneLimit = null;
        OpenUntil = null;
        OpenedCount = 0;
        Timeouts = 0;
        FailuresInRow = 0;
        StartWindow(now);
    }

    /// <summary>Closes the breaker when its endpoint works again and nothing has come since to show it more often.</summary>
    /// <returns>Whether it did.</returns>
    public bool Settle(DateTimeOffset now)
    {
        if (LaneLimit is null || OpenUntil is not null || now - WindowStart < Calm)
            return false;
        Reset(now);
        return true;
    }

    // Longer than it can be is from before the clock was set back; claims do not believe it either.
    private bool IsOpen(DateTimeOffset now) =>
        OpenUntil > now && OpenUntil <= now + LongestPause;

    private void Open(DateTimeOffset now)
    {
        // Attempts that were under way when it opened say nothing new.
        if (IsOpen(now))
            return;

        LaneLimit = 1;
        OpenUntil = now + (_firstPause * (1 << Math.Min(OpenedCount, MaxDoublings)));
        OpenedCount++;
        StartWindow(now);
    }

    private void Widen(int limit, int lanes, DateTimeOffset now)
    {
        OpenUntil = null;
        if (limit * 2 >= lanes)
            Reset(now);
        else
            LaneLimit = limit * 2;
        StartWindow(now);
    }

    private void StartWindow(DateTimeOffset now)
    {
        WindowStart = now;
        WindowAttempts = 0;
        WindowFailures = 0;
        WindowLaneMs = 0;
    }
}
