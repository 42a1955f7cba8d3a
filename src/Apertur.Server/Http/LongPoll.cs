using Apertur.Server.Auth;
using Apertur.Server.Sessions;
using Apertur.Server.Telemetry;

namespace Apertur.Server.Http;

/// <summary>
/// Holds a request until its session changes. While it waits it costs a little memory and no query, and all who wait for the same
/// session are woken by the same few queries.
/// </summary>
internal sealed class LongPoll(
    SessionGate gate, SessionNotifier notifier, SharedReads reads, IHostApplicationLifetime lifetime, TimeProvider clock)
{
    /// <summary>
    /// Looks at once and again at each change; when the time is up, or the server stops, the last look is the answer. A caller
    /// whose access ended while waiting gets a 401.
    /// </summary>
    /// <param name="session">Whose changes matter.</param>
    /// <param name="caller">Who waits, and was let in already.</param>
    /// <param name="atMost">How long to hold; zero answers at once.</param>
    /// <param name="look">Reads the answer; it may be shared with others who wait, so it depends on the session alone.</param>
    /// <param name="enough">Whether it is worth answering before the time is up.</param>
    /// <param name="cancellationToken">Cancelled when the client has gone.</param>
    /// <exception cref="ApiErrorException">401: the caller was shut out while waiting.</exception>
    public async Task<T> HoldAsync<T>(
        UploadSession session, Caller caller, TimeSpan atMost, Func<Task<T>> look, Func<T, bool> enough,
        CancellationToken cancellationToken)
    {
        var started = clock.GetTimestamp();
        using var held = Instruments.Hold("long_poll");
        using var watch = notifier.Watch(session.Id);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lifetime.ApplicationStopping);
        while (true)
        {
            var seen = await reads.ReadAsync((session.Id, typeof(T)), look, cancellationToken);
            var left = atMost - clock.GetElapsedTime(started);
            if (enough(seen) || left <= TimeSpan.Zero || lifetime.ApplicationStopping.IsCancellationRequested)
                return seen;

            await watch.Changed.WaitAsync(left, clock, ended.Token);
            cancellationToken.ThrowIfCancellationRequested();
            await gate.RequireStillAsync(caller, session, cancellationToken);
        }
    }
}
