using System.Collections.Concurrent;

namespace Apertur.Server.Storage;

/// <summary>
/// Threads that do nothing but wait for the disk. fsync has no asynchronous form; on the thread pool, which starts with one thread per
/// core, a slow disk would stop every request, not only uploads.
/// </summary>
internal sealed class SyncThreads : IDisposable
{
    // File systems commit concurrent fsyncs together: fewer threads than uploads in flight would make them wait for each other's commit.
    private const int Count = 32;

    private readonly BlockingCollection<(Action Work, TaskCompletionSource Done)> _queue = [];

    public SyncThreads()
    {
        for (var i = 0; i < Count; i++)
            new Thread(Run, 256 * 1024) { IsBackground = true, Name = "disk sync" }.Start();
    }

    /// <summary>Runs blocking work; the task fails as the work does.</summary>
    public Task RunAsync(Action work)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _queue.Add((work, done));
        return done.Task;
    }

    /// <summary>What is queued is still done; nothing more is taken.</summary>
    public void Dispose() => _queue.CompleteAdding();

    private void Run()
    {
        foreach (var (work, done) in _queue.GetConsumingEnumerable())
        {
            try
            {
                work();
                done.SetResult();
            }
            catch (Exception failure)
            {
                done.SetException(failure);
            }
        }
    }
}
