namespace Apertur.Server.Http;

/// <summary>
/// Lets many who want the same at the same moment have it by one read. Nobody gets the result of a read that began before they asked:
/// who asks while one is under way shares the next one.
/// </summary>
internal sealed class SharedReads
{
    private readonly Lock _lock = new();
    // What is being read, and who shares the read after it.
    private readonly Dictionary<object, IWaiting?> _next = [];

    /// <summary>The result of a read that begins now or later.</summary>
    /// <param name="key">What is read, for whom: equal keys share. Of a type with value equality.</param>
    /// <param name="read">Runs once for all who share it, whoever of them has gone meanwhile; what it throws goes to each of them.</param>
    /// <param name="cancellationToken">Ends this caller's wait, not the read.</param>
    public Task<T> ReadAsync<T>(object key, Func<Task<T>> read, CancellationToken cancellationToken)
    {
        IWaiting waiting;
        lock (_lock)
        {
            if (_next.TryGetValue(key, out var next))
            {
                _next[key] = waiting = next ?? new Waiting<T>(read);
            }
            else
            {
                _next[key] = null;
                waiting = new Waiting<T>(read);
                _ = RunAsync(key, waiting);
            }
        }

        return ((Waiting<T>)waiting).Result.WaitAsync(cancellationToken);
    }

    private async Task RunAsync(object key, IWaiting first)
    {
        // Not inside of the caller's lock.
        await Task.Yield();
        for (var now = first; now is not null;)
        {
            await now.RunAsync();
            lock (_lock)
            {
                now = _next[key];
                if (now is null)
                    _next.Remove(key);
                else
                    _next[key] = null;
            }
        }
    }

    private interface IWaiting
    {
        Task RunAsync();
    }

    private sealed class Waiting<T>(Func<Task<T>> read) : IWaiting
    {
        private readonly TaskCompletionSource<T> _result = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<T> Result => _result.Task;

        public async Task RunAsync()
        {
            try
            {
                _result.SetResult(await read());
            }
            catch (Exception exception)
            {
                _result.SetException(exception);
            }
        }
    }
}
