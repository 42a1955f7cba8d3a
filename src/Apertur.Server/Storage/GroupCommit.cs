using System.Threading.Channels;

namespace Apertur.Server.Storage;

/// <summary>
/// Lets many callers share one commit: whatever is waiting when a commit ends goes into the next one together. One synced commit costs
/// about as much for thirty rows as for one, so throughput grows with load while a lone caller waits for nobody.
/// </summary>
/// <param name="database">Where to write.</param>
/// <param name="commit">Writes a group in the given transaction and gives one result for each item, in order.</param>
internal sealed class GroupCommit<TItem, TResult>(
    Database database, Func<AperturDb, IReadOnlyList<TItem>, CancellationToken, Task<IReadOnlyList<TResult>>> commit)
{
    private const int MaxGroup = 64;

    private readonly Channel<Entry> _waiting = Channel.CreateUnbounded<Entry>();
    private int _committing;

    /// <summary>
    /// Completes when the item is on disk. It is not cancellable: once handed over, an item is written, and the caller learns what came of it.
    /// </summary>
    public Task<TResult> AddAsync(TItem item)
    {
        var entry = new Entry(item, new TaskCompletionSource<TResult>(TaskCreationOptions.RunContinuationsAsynchronously));
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
            while (Take(group))
                await CommitAsync(group);
            // A full fence: the look at the queue must not be read ahead of this write, or an item that comes right now is seen by nobody.
            Interlocked.Exchange(ref _committing, 0);
        }
        // An item may have come between the last look and the release: whoever takes the flag back serves it.
        while (_waiting.Reader.TryPeek(out _) && Interlocked.CompareExchange(ref _committing, 1, 0) == 0);
    }

    private bool Take(List<Entry> group)
    {
        group.Clear();
        while (group.Count < MaxGroup && _waiting.Reader.TryRead(out var entry))
            group.Add(entry);
        return group.Count > 0;
    }

    private async Task CommitAsync(IReadOnlyList<Entry> group)
    {
        try
        {
            var items = group.Select(entry => entry.Item).ToList();
            var results = await database.WriteAsync(db => commit(db, items, CancellationToken.None), CancellationToken.None);
            for (var i = 0; i < group.Count; i++)
                group[i].Done.SetResult(results[i]);
        }
        catch (Exception exception) when (Database.IsOutOfReach(exception))
        {
            // Nobody's fault, and the same for each: waiting for a time-out once more for every item would keep the queue for minutes.
            foreach (var entry in group)
                entry.Done.SetException(exception);
        }
        catch (Exception) when (group.Count > 1)
        {
            // One item must not take the others down with it: each gets a transaction of its own.
            foreach (var entry in group)
                await CommitAsync([entry]);
        }
        catch (Exception exception)
        {
            group[0].Done.SetException(exception);
        }
    }

    private sealed record Entry(TItem Item, TaskCompletionSource<TResult> Done);
}
