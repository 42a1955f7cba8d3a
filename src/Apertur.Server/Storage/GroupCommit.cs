using System.Threading.Channels;
using Apertur.Server.Telemetry;

namespace Apertur.Server.Storage;

/// <summary>
/// Lets many callers share one commit: whatever is waiting when a commit ends goes into the next one together. One synced commit costs
/// about as much for thirty rows as for one, so throughput grows with load while a lone caller waits for nobody.
/// </summary>
/// <remarks>
/// Nobody waits for somebody else's rows. When a group finds that another node holds one for longer than <see cref="PostgresSession.LockWait"/>,
/// the items that need it stand aside and the others go on at once; those aside are tried again with every group until their time is up.
/// </remarks>
/// <param name="database">Where to write.</param>
/// <param name="maxLockWait">How long an item waits for rows that somebody else holds.</param>
/// <param name="outlastsOutage">
/// Whether it waits as long for a database that is out of reach or cannot be written, and that may have committed it before: only for items that
/// are not written twice.
/// </param>
/// <param name="rows">The rows that the commit of an item locks.</param>
/// <param name="commit">Writes a group in the given transaction and gives one result for each item, in order.</param>
internal sealed class GroupCommit<TItem, TResult>(
    Database database,
    TimeSpan maxLockWait,
    bool outlastsOutage,
    Func<TItem, IEnumerable<RowKey>> rows,
    Func<AperturDb, IReadOnlyList<TItem>, CancellationToken, Task<IReadOnlyList<TResult>>> commit)
{
    private const int MaxGroup = 256;

    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan _outagePause = TimeSpan.FromMilliseconds(500);

    private readonly Channel<Entry> _waiting = Channel.CreateUnbounded<Entry>();

    // Items that could not be written yet. Only the one who commits touches these.
    private readonly List<Entry> _aside = [];
    private bool _isAway;
    private int _heldUp;
    private int _committing;

    /// <summary>
    /// Completes when the item is on disk. It is not cancellable: once handed over, an item is written, and the caller learns what came of it.
    /// </summary>
    /// <exception cref="RowHeldException">Somebody else held a row of it all the time; nothing was written.</exception>
    public Task<TResult> AddAsync(TItem item)
    {
        var entry = new Entry(item);
        _waiting.Writer.TryWrite(entry);
        if (Interlocked.CompareExchange(ref _committing, 1, 0) == 0)
            _ = Task.Run(CommitWaitingAsync);
        return entry.Done.Task;
    }

    private async Task CommitWaitingAsync()
    {
        var group = new List<Entry>(MaxGroup);
        do
        {
            while (await TakeAsync(group))
            {
                var wereAside = _aside.Count > 0;
                _aside.Clear();
                await CommitAsync(group, standAside: wereAside);
                CountHeldUp(_isAway ? 0 : _aside.Count);
            }

            // A full fence: the look at the queue must not be read ahead of this write, or an item that comes right now is seen by nobody.
            Interlocked.Exchange(ref _committing, 0);
        }
        // An item may have come between the last look and the release: whoever takes the flag back serves it.
        while (_waiting.Reader.TryPeek(out _) && Interlocked.CompareExchange(ref _committing, 1, 0) == 0);
    }

    /// <summary>Takes what stood aside and what has come since.</summary>
    private async ValueTask<bool> TakeAsync(List<Entry> group)
    {
        if (_isAway)
            await Task.Delay(_outagePause, TimeProvider.System);
        else if (_aside.Count > 0 && !_waiting.Reader.TryPeek(out _))
            await Task.Delay(_pause, TimeProvider.System);
        _isAway = false;
        group.Clear();
        group.AddRange(_aside);
        for (var more = 0; more < MaxGroup && _waiting.Reader.TryRead(out var entry); more++)
            group.Add(entry);
        return group.Count > 0;
    }

    /// <param name="group">What to write.</param>
    /// <param name="standAside">Whether to leave out, without waiting, what needs a row that somebody else holds.</param>
    /// <returns>Why nothing can be written now; null when something could, or failed for a reason of its own.</returns>
    private async Task<Exception?> CommitAsync(IReadOnlyList<Entry> group, bool standAside)
    {
        try
        {
            var (written, results) = await database.WriteWithinAsync(
                TimeSpan.Zero,
                async db =>
                {
                    var held = standAside && !database.IsSqlite ? await Database.LockAsync(db, group.SelectMany(entry => rows(entry.Item))) : [];
                    var free = group.Where(entry => !rows(entry.Item).Any(held.Contains)).ToList();
                    var items = free.ConvertAll(entry => entry.Item);
                    return (free, items.Count == 0 ? [] : await commit(db, items, CancellationToken.None));
                },
                CancellationToken.None);
            Instruments.GroupCommits.Record(written.Count);
            for (var i = 0; i < written.Count; i++)
                written[i].Done.SetResult(results[i]);
            foreach (var entry in group.Except(written))
                StandAside(entry, new RowHeldException());
        }
        catch (Exception exception) when (Database.IsOutOfReach(exception))
        {
            // Nobody's fault, and the same for each.
            foreach (var entry in group)
                WaitOrFail(entry, exception);
            return exception;
        }
        catch (Exception exception) when (Database.IsHeld(exception) && !standAside)
        {
            return await CommitAsync(group, standAside: true);
        }
        catch (Exception) when (group.Count > 1)
        {
            // One item must not take the others down with it: each gets a transaction of its own. Those that can wait do so when it turns out that
            // nothing can be written: a time-out for every item would keep the queue for minutes.
            Exception? away = null;
            foreach (var entry in group)
            {
                if (away is null || !outlastsOutage)
                    away = await CommitAsync([entry], standAside);
                else
                    WaitOrFail(entry, away);
            }

            return away;
        }
        catch (Exception exception) when (Database.IsHeld(exception))
        {
            // No row that it said it would lock: a key, say, that somebody else has just written and not committed.
            StandAside(group[0], new RowHeldException());
        }
        catch (Exception exception) when (StorageFault.IsOfAll(exception))
        {
            WaitOrFail(group[0], exception);
            return exception;
        }
        catch (Exception exception)
        {
            group[0].Done.SetException(exception);
        }

        return null;
    }

    private void WaitOrFail(Entry entry, Exception exception)
    {
        _isAway = outlastsOutage;
        if (outlastsOutage)
            StandAside(entry, exception);
        else
            entry.Done.SetException(exception);
    }

    private void StandAside(Entry entry, Exception unlessInTime)
    {
        if (entry.Age < maxLockWait)
            _aside.Add(entry);
        else
            entry.Done.SetException(unlessInTime);
    }

    private void CountHeldUp(int now)
    {
        database.CountHeldUp(now - _heldUp);
        _heldUp = now;
    }

    private sealed class Entry(TItem item)
    {
        private readonly long _came = TimeProvider.System.GetTimestamp();

        public TItem Item => item;

        public TaskCompletionSource<TResult> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        // Time as PostgreSQL's own limits see it, whatever clock the server goes by.
        public TimeSpan Age => TimeProvider.System.GetElapsedTime(_came);
    }
}

/// <summary>A row of a table that has an <c>id</c>.</summary>
internal readonly record struct RowKey(string Table, Guid Id);

/// <summary>Somebody else holds a row that had to be written, and did not let go of it for as long as this server waits.</summary>
internal sealed class RowHeldException() : Exception("Another node or program held a row for too long.");
