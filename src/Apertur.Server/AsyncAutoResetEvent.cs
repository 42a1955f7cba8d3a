namespace Apertur.Server;

/// <summary>An asynchronous auto-reset event. Set while nothing waits, it completes the next wait; several sets count as one.</summary>
internal sealed class AsyncAutoResetEvent
{
    private TaskCompletionSource _given = New();

    public void Set() => Volatile.Read(ref _given).TrySetResult();

    /// <summary>Returns when signalled, after <paramref name="atMost"/>, or on cancellation; it never throws.</summary>
    /// <returns>Whether it was signalled.</returns>
    public async Task<bool> WaitAsync(TimeSpan atMost, TimeProvider clock, CancellationToken cancellationToken)
    {
        var waited = Volatile.Read(ref _given);
        await waited.Task.WaitAsync(atMost, clock, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!waited.Task.IsCompleted)
            return false;
        Interlocked.CompareExchange(ref _given, New(), waited);
        return true;
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
