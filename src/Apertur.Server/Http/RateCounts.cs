using System.Collections.Concurrent;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

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
/// Counts authenticated requests: of keys, people, and sessions that exist, each by its id, in clock minutes. There are no more counts than
/// there are such rows; strangers have <see cref="StrangerCounts"/>.
/// </summary>
/// <remarks>
/// Nodes that share a PostgreSQL hold a limit together: each puts aside a portion of it in the database before it uses it, a thirty-second part
/// at a time. The first portion of a minute is used without asking, so that a caller who asks for little costs no statement, and so
/// the limit can be passed by that portion for each node that no more came to; what a node has put aside and does not use is lost to the
/// others. A database that does not answer stops nobody: the node then counts for itself.
/// </remarks>
internal sealed class RateCounts(Database database, TimeProvider clock)
{
    private const int Portions = 32;

    private Window _window = new(0);

    /// <summary>Counts one request.</summary>
    public async ValueTask<RateState> CountAsync(RateKind kind, Guid id, int limit, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var window = At(now);
        var count = window.Counts.GetOrAdd((kind, id), static (_, portion) => new Count(portion), database.IsSqlite ? 0 : Math.Max(1, limit / Portions));
        while (true)
        {
            Task asked;
            lock (count)
            {
                if (count.TryUse(limit) is { } used)
                    return RateState.Of(limit, used, now);
                asked = count.Asking ??= AskAsync(count, kind, id, limit, window.Minute);
            }

            await asked.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Whether something was counted in this minute.</summary>
    public bool Knows(RateKind kind, Guid id) => At(clock.GetUtcNow()).Counts.ContainsKey((kind, id));

    private async Task AskAsync(Count count, RateKind kind, Guid id, int limit, long minute)
    {
        // Not inside of the caller's lock.
        await Task.Yield();
        var portion = count.ToAskFor;
        int? taken = null;
        try
        {
            taken = await database.WriteWithinAsync(TimeSpan.Zero, db => TakeAsync(db, kind, id, minute, portion), CancellationToken.None);
        }
        catch (Exception exception) when (Database.FailureIn(exception) is not null || StorageFault.Of(exception) != StorageFaultKind.None)
        {
            // It counts for itself.
        }
        finally
        {
            lock (count)
            {
                count.Answered(portion, taken, limit);
                count.Asking = null;
            }
        }
    }

    /// <returns>What all nodes have put aside in that minute; null when it is over for another node already.</returns>
    private static async Task<int?> TakeAsync(AperturDb db, RateKind kind, Guid id, long minute, int portion)
    {
        var taken = await db.Database.SqlQuery<int>(
            $"""
            INSERT INTO rate_counts (kind, subject, minute, taken) VALUES ({kind.WireName()}, {id.ToString()}, {minute}, {portion})
            ON CONFLICT (subject, kind) DO UPDATE
              SET taken = excluded.taken + CASE WHEN rate_counts.minute = excluded.minute THEN rate_counts.taken ELSE 0 END, minute = excluded.minute
              WHERE rate_counts.minute <= excluded.minute
            RETURNING taken AS "Value"
            """).ToListAsync();
        return taken.Count == 0 ? null : taken[0];
    }

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

        public ConcurrentDictionary<(RateKind, Guid), Count> Counts { get; } = new();
    }

    /// <summary>What this node knows of one caller's minute.</summary>
    /// <param name="portion">How much is put aside at a time; 0 for a node that is alone.</param>
    private sealed class Count(int portion)
    {
        private int _used;
        private int _mine = portion == 0 ? int.MaxValue : portion;
        private int _askedFor;
        private int _others;
        private bool _isUsedUp;

        public Task? Asking { get; set; }

        /// <summary>With the portion that was used without asking.</summary>
        public int ToAskFor => _askedFor == 0 ? 2 * portion : portion;

        /// <returns>How many were counted with this one; null when a portion must be asked for first.</returns>
        public int? TryUse(int limit)
        {
            if (_used < _mine)
                return ++_used + _others;
            return _isUsedUp ? limit + 1 : null;
        }

        public void Answered(int asked, int? taken, int limit)
        {
            if (taken is not { } all)
            {
                _mine += portion;
                return;
            }

            _askedFor += asked;
            _others = all - _askedFor;
            var over = Math.Max(0, all - limit);
            _mine += portion - over;
            _isUsedUp = over > 0;
        }
    }
}
