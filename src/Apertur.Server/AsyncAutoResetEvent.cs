namespace Apertur.Server;

/// <summary>An asynchronous auto-reset event. Set while nothing waits, it completes the next wait; several sets count as one.</summary>
internal sealed class AsyncAutoResetEvent
{
    private TaskCompletionSource _given = New();

    public void Set() => Volatile.Read(ref _given).TrySetResult();

    /// <summary>Returns when signalled, after <paramref name="atMost"/>, or on cancellation; it never throws.</summary>
    public async Task WaitAsync(TimeSpan atMost, TimeProvider clock, CancellationToken cancellationToken)
    {
        var waited = Volatile.Read(ref _given);
        await waited.Task.WaitAsync(atMost, clock, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (waited.Task.IsCompleted)
            Interlocked.CompareExchange(ref _given, New(), waited);
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
