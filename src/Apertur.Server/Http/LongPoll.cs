using Apertur.Server.Work;

namespace Apertur.Server.Http;

/// <summary>Holds a request until there is news of a session. Between news it costs a little memory and no query.</summary>
internal sealed class LongPoll(SessionChanges changes, IHostApplicationLifetime lifetime, TimeProvider clock)
{
    /// <summary>
    /// Looks at once and again at each change; when the time is up, or the server stops, the last look is the answer.
    /// </summary>
    /// <param name="sessionId">Whose changes matter.</param>
    /// <param name="atMost">How long to hold; zero answers at once.</param>
    /// <param name="look">Reads the answer.</param>
    /// <param name="enough">Whether it is worth answering before the time is up.</param>
    /// <param name="cancellationToken">Cancelled when the client has gone.</param>
    public async Task<T> HoldAsync<T>(
        Guid sessionId, TimeSpan atMost, Func<CancellationToken, Task<T>> look, Func<T, bool> enough,
        CancellationToken cancellationToken)
    {
        var started = clock.GetTimestamp();
        using var watch = changes.Watch(sessionId);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lifetime.ApplicationStopping);
        while (true)
        {
            var seen = await look(cancellationToken);
            var left = atMost - clock.GetElapsedTime(started);
            if (enough(seen) || left <= TimeSpan.Zero || lifetime.ApplicationStopping.IsCancellationRequested)
                return seen;

            await watch.News.WaitAsync(left, clock, ended.Token);
            cancellationToken.ThrowIfCancellationRequested();
        }
    }
}
