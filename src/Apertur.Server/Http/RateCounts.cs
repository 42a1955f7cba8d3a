using System.Collections.Concurrent;
using System.Runtime.CompilerServices;

namespace Apertur.Server.Http;

/// <summary>The rate-limit classes, each counted apart for one caller.</summary>
internal enum RateKind
{
    SessionCreations,
    Lists,
    OtherCalls,
    Codes,
    Link,
}

/// <summary>
/// Counts authenticated requests: of keys, people, and sessions that exist, each by its id, in clock minutes and in this process. There
/// are no more counts than there are such rows; strangers have <see cref="StrangerCounts"/>.
/// </summary>
internal sealed class RateCounts(TimeProvider clock)
{
    private Window _window = new(0);

    /// <summary>Counts one request.</summary>
    public RateState Count(RateKind kind, Guid id, int limit)
    {
        var now = clock.GetUtcNow();
        var count = At(now).Counts.GetOrAdd((kind, id), _ => new StrongBox<int>());
        return RateState.Of(limit, Interlocked.Increment(ref count.Value), now);
    }

    /// <summary>Whether something was counted in this minute.</summary>
    public bool Knows(RateKind kind, Guid id) => At(clock.GetUtcNow()).Counts.ContainsKey((kind, id));

    private Window At(DateTimeOffset now)
    {
        var minute = RateState.MinuteOf(now);
        var window = Volatile.Read(ref _window);
        if (window.Minute == minute)
            return window;
        var next = new Window(minute);
        var found = Interlocked.CompareExchange(ref _window, next, window);
        return found == window ? next : found;
    }

    private sealed class Window(long minute)
    {
        public long Minute { get; } = minute;

        public ConcurrentDictionary<(RateKind, Guid), StrongBox<int>> Counts { get; } = new();
    }
}
