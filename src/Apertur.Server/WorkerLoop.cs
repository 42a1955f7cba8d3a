namespace Apertur.Server;

/// <summary>The loop of every background worker: runs rounds until the server stops. An exception ends its round only.</summary>
internal static class WorkerLoop
{
    /// <param name="round">One round, with the wait that paces it. Its token is cancelled when the server stops.</param>
    /// <param name="clock">The server's.</param>
    /// <param name="afterFailure">The wait before the next round when one failed, for rounds that do not begin with a wait.</param>
    /// <param name="failed">Is told what a round threw.</param>
    /// <param name="stopping">Cancelled when the server stops.</param>
    public static async Task RunAsync(
        Func<CancellationToken, Task> round, TimeProvider clock, TimeSpan afterFailure, Action<Exception> failed, CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await round(stopping);
            }
            catch (Exception exception) when (!stopping.IsCancellationRequested)
            {
                failed(exception);
                await Task.Delay(afterFailure, clock, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    /// <summary>The same for work that is done again and again at one pace: a wait, then the work.</summary>
    /// <inheritdoc cref="RunAsync"/>
    public static Task EveryAsync(
        TimeSpan pace, Func<CancellationToken, Task> work, TimeProvider clock, Action<Exception> failed, CancellationToken stopping) =>
        RunAsync(
            async cancellationToken =>
            {
                await Task.Delay(pace, clock, cancellationToken);
                await work(cancellationToken);
            },
            clock, TimeSpan.Zero, failed, stopping);
}
