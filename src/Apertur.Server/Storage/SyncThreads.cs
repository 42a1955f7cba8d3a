using System.Diagnostics;
using Apertur.Server.Telemetry;

namespace Apertur.Server.Storage;

/// <summary>
/// Threads for blocking calls to the disk. fsync has no asynchronous form; on the thread pool, which starts with one thread per
/// core, a slow disk would stop every request, not only uploads.
/// </summary>
internal sealed class SyncThreads : IDisposable
{
    // File systems commit concurrent fsyncs together: fewer threads than uploads in flight would make them wait for each other's commit.
    private const int Count = 32;

    // Not a BlockingCollection: its takers spin before they sleep, which cost a tenth of all processor time under load.
    private readonly Queue<(Action Work, TaskCompletionSource Done)> _queue = [];
    private bool _closed;
    private long _succeededAt = long.MinValue;

    /// <summary>When work went well last, by the system's monotonic clock in milliseconds; <see cref="long.MinValue"/> after a failure.</summary>
    public long SucceededAt => Interlocked.Read(ref _succeededAt);

    /// <summary>Tells of a failure of the same disk elsewhere.</summary>
    public void NoteFailure() => Interlocked.Exchange(ref _succeededAt, long.MinValue);

    public SyncThreads()
    {
        for (var i = 0; i < Count; i++)
            new Thread(Run, 256 * 1024) { IsBackground = true, Name = "disk sync" }.Start();
    }

    /// <summary>Runs blocking work; the task fails as the work does.</summary>
    public Task RunAsync(Action work)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_queue)
        {
            ObjectDisposedException.ThrowIf(_closed, this);
            _queue.Enqueue((work, done));
            Monitor.Pulse(_queue);
        }

        return done.Task;
    }

    /// <summary>Finishes what is queued and accepts nothing more.</summary>
    public void Dispose()
    {
        lock (_queue)
        {
            _closed = true;
            Monitor.PulseAll(_queue);
        }
    }

    private void Run()
    {
        while (Next() is var (work, done))
        {
            try
            {
                var started = Stopwatch.GetTimestamp();
                work();
                Instruments.Syncs.Record(Stopwatch.GetElapsedTime(started).TotalSeconds);
                Interlocked.Exchange(ref _succeededAt, Environment.TickCount64);
                done.SetResult();
            }
            catch (Exception failure)
            {
                NoteFailure();
                done.SetException(failure);
            }
        }
    }

    private (Action Work, TaskCompletionSource Done)? Next()
    {
        lock (_queue)
        {
            while (_queue.Count == 0)
            {
                if (_closed)
                    return null;
                Monitor.Wait(_queue);
            }

            return _queue.Dequeue();
        }
    }
}
