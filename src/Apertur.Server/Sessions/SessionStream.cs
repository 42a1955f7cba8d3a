using System.Collections.Concurrent;
using Apertur.Server.Contract;
using Apertur.Server.Http;
using Apertur.Server.Storage;

namespace Apertur.Server.Sessions;

/// <summary>
/// A session's events as they happen, to whoever holds its link. A stream stays open until the client leaves; when the session
/// has been over for <see cref="Replay"/> and nothing of it is on its way any more, the server ends it, and tells a client that
/// comes back by 204 that there will be nothing else, which browsers obey.
/// </summary>
internal sealed class SessionStream(
    Database database, SessionGate gate, SessionNotifier notifier, IHostApplicationLifetime lifetime, TimeProvider clock)
{
    /// <summary>How far back a client that was away gets what it missed.</summary>
    public static readonly TimeSpan Replay = TimeSpan.FromMinutes(5);

    public static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(15);
    public const int MostPerSession = 20;

    private readonly ConcurrentDictionary<Guid, int> _open = [];

    /// <summary>The events of a session as they happen, as server-sent events.</summary>
    public static Task<IResult> Open(string id, HttpContext http, SessionStream streams, CancellationToken cancellationToken) =>
        streams.OpenAsync(id, http, cancellationToken);

    private async Task<IResult> OpenAsync(string id, HttpContext http, CancellationToken cancellationToken)
    {
        var session = await gate.EnterAsync(id, http.Request, cancellationToken);
        var seen = EventCursor.Parse(http.Request.Headers["Last-Event-ID"].ToString());
        var oldest = EventCursor.After(clock.GetUtcNow() - Replay);
        var after = seen is not { } place ? EventCursor.After(session.LastChanged) : place.CompareTo(oldest) > 0 ? place : oldest;
        if (_open.AddOrUpdate(session.Id, 1, (_, open) => open + 1) > MostPerSession)
        {
            Leave(session.Id);
            return ApiErrors.TooManyStreams(MostPerSession);
        }

        try
        {
            using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lifetime.ApplicationStopping);
            using var watch = notifier.Watch(session.Id);
            if (seen is not null && await IsQuietForGoodAsync(session.Id, after, ended.Token))
                return TypedResults.NoContent();

            var stream = new EventStream(http.Response);
            await stream.BeginAsync(ended.Token);
            await stream.SendAsync(after.ToString(), "connected", new SessionEventData(session.Id), ended.Token);
            await PassOnAsync(stream, watch, after, ended.Token);
        }
        catch (OperationCanceledException) when (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            // The client comes back to the next server with the last id it has seen.
        }
        finally
        {
            Leave(session.Id);
        }

        return TypedResults.Empty;
    }

    private async Task PassOnAsync(EventStream stream, SessionWatch watch, EventCursor after, CancellationToken cancellationToken)
    {
        var lastBeat = clock.GetTimestamp();
        while (true)
        {
            var (session, events) = await SessionEvents.ReadAsync(database, watch.SessionId, after, clock.GetUtcNow(),
                cancellationToken);
            foreach (var each in events)
            {
                await stream.SendAsync(each.Place.ToString(), each.Name, each.Data, cancellationToken);
                after = each.Place;
            }

            if (session is null || IsOverForGood(session))
                return;

            var silence = clock.GetElapsedTime(lastBeat);
            if (silence >= Heartbeat)
            {
                await stream.HeartbeatAsync(cancellationToken);
                lastBeat = clock.GetTimestamp();
                silence = TimeSpan.Zero;
            }

            // After each heartbeat it looks again: a hint from another node may have been lost.
            await watch.Changed.WaitAsync(Heartbeat - silence, clock, cancellationToken);
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    private async Task<bool> IsQuietForGoodAsync(Guid sessionId, EventCursor after, CancellationToken cancellationToken)
    {
        var (session, events) = await SessionEvents.ReadAsync(database, sessionId, after, clock.GetUtcNow(), cancellationToken);
        return events.Count == 0 && (session is null || IsOverForGood(session));
    }

    private bool IsOverForGood(UploadSession session) =>
        session.DeliveriesOpen == 0 && session.OverAt + Replay <= clock.GetUtcNow();

    private void Leave(Guid sessionId)
    {
        // A count of nought is taken out only while it is nought: somebody may be coming in.
        if (_open.AddOrUpdate(sessionId, 0, (_, open) => open - 1) == 0)
            _open.TryRemove(new(sessionId, 0));
    }
}
