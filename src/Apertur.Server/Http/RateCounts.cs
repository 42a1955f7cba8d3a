using System.Collections.Concurrent;
using System.Runtime.CompilerServices;

namespace Apertur.Server.Http;

/// <summary>How much of a limit is left.</summary>
/// <param name="Limit">Requests allowed in the minute.</param>
/// <param name="Used">Requests counted in it, refused ones included.</param>
/// <param name="ResetsAt">When the next minute begins, in unix seconds.</param>
/// <param name="RetryAfter">Seconds until then, at least 1.</param>
internal readonly record struct RateState(int Limit, int Used, long ResetsAt, int RetryAfter)
{
    public int Remaining => Math.Max(0, Limit - Used);

    public bool IsExceeded => Used > Limit;
}

/// <summary>
/// Counts requests by subject in clock minutes, in this process. All counts are thrown away when the minute is over, so memory is bounded by
/// what can come in one, and by <see cref="MaxSubjects"/>.
/// </summary>
internal sealed class RateCounts(TimeProvider clock)
{
    /// <summary>Subjects kept apart in one minute, about 20 MB; those that come after them share one count.</summary>
    public const int MaxSubjects = 100_000;

    private const int Seconds = 60;

    private Window _window = new(0);

    /// <summary>Counts one request.</summary>
    public RateState Count(string subject, int limit)
    {
        var now = clock.GetUtcNow().ToUnixTimeSeconds();
        return StateOf(limit, Interlocked.Increment(ref At(now).CountOf(subject).Value), now);
    }

    /// <summary>What is left, without counting.</summary>
    public RateState Look(string subject, int limit)
    {
        var now = clock.GetUtcNow().ToUnixTimeSeconds();
        return StateOf(limit, At(now).Counts.TryGetValue(subject, out var count) ? Volatile.Read(ref count.Value) : 0, now);
    }

    private static RateState StateOf(int limit, int used, long now)
    {
        var resetsAt = ((now / Seconds) + 1) * Seconds;
        return new(limit, used, resetsAt, (int)(resetsAt - now));
    }

    private Window At(long now)
    {
        var window = Volatile.Read(ref _window);
        if (window.Minute == now / Seconds)
            return window;
        var next = new Window(now / Seconds);
        var found = Interlocked.CompareExchange(ref _window, next, window);
        return found == window ? next : found;
    }

    private sealed class Window(long minute)
    {
        private int _subjects;

        public long Minute { get; } = minute;

        public ConcurrentDictionary<string, StrongBox<int>> Counts { get; } = new(StringComparer.Ordinal);

        public StrongBox<int> CountOf(string subject)
        {
            if (Counts.TryGetValue(subject, out var count))
                return count;
            return Counts.GetOrAdd(Interlocked.Increment(ref _subjects) > MaxSubjects ? "" : subject, _ => new StrongBox<int>());
        }
    }
}
