using System.Collections.Concurrent;
using Apertur.Server.Contract;
using Apertur.Server.Http;
using Apertur.Server.Storage;
using Apertur.Server.Telemetry;

namespace Apertur.Server.Sessions;

/// <summary>
/// A session's events as they happen, to whoever holds its link. A stream stays open until the client leaves; when the session
/// has been over for <see cref="SessionFeed.Replay"/> and nothing of it is on its way any more, the server ends it, and tells a client that
/// comes back by 204 that there will be nothing else, which browsers obey.
/// </summary>
internal sealed class SessionStream(
    Database database, SessionGate gate, SessionFeed feed, Visitors visitors, WidgetTokens widgets, IHostApplicationLifetime lifetime, TimeProvider clock)
{
    public const int MostPerSession = 20;

    /// <summary>Pages of visitors, which come on top. Those over it look at the session from time to time instead.</summary>
    private const int MostPages = 100;

    private static readonly TimeSpan _heartbeat = TimeSpan.FromSeconds(15);

    private readonly ConcurrentDictionary<(Guid Session, bool IsPage), int> _open = [];

    /// <summary>The events of a session as they happen, as server-sent events.</summary>
    public static Task<IResult> Open(string id, HttpContext http, SessionStream streams, CancellationToken cancellationToken) =>
        streams.OpenAsync(id, http, cancellationToken);

    private async Task<IResult> OpenAsync(string id, HttpContext http, CancellationToken cancellationToken)
    {
        var isWidget = http.Request.Query.ContainsKey(WidgetTokens.Parameter);
        var session = isWidget ? await widgets.EnterAsync(id, http.Request, cancellationToken)
            : http.Request.Query["ticket"].ToString() is { Length: > 0 } ticket ? await EnterAsync(id, ticket, cancellationToken)
            : await gate.EnterAsync(id, http.Request, cancellationToken);
        var visitor = Visitors.Of(http.Request);
        var seen = EventCursor.Parse(http.Request.Headers["Last-Event-ID"].ToString());
        var oldest = EventCursor.After(clock.GetUtcNow() - SessionFeed.Replay);
        var after = seen is not { } place ? EventCursor.After(session.LastChanged) : place.CompareTo(oldest) > 0 ? place : oldest;
        var kind = (session.Id, IsPage: visitor is not null);
        var most = kind.IsPage ? MostPages : MostPerSession;
        if (_open.AddOrUpdate(kind, 1, (_, open) => open + 1) > most)
        {
            Leave(kind);
            throw ApiErrors.TooManyStreams(most).ToException();
        }

        try
        {
            if (visitor is { } opened)
                await visitors.CountPagesAsync(session.Id, opened, 1, cancellationToken);
            using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lifetime.ApplicationStopping);
            if (seen is not null && await feed.IsQuietForGoodAsync(session.Id, after, ended.Token))
                return TypedResults.NoContent();

            using var held = Instruments.Hold("event_stream");
            var stream = new EventStream(http.Response);
            await stream.BeginAsync(ended.Token);
            await stream.SendAsync(after.ToString(), "connected", new SessionEventData(session.Id), ended.Token);
            var happens = feed.FollowAsync(
                session.Id, after, _heartbeat, tellsChanges: isWidget || visitor is not null, tellsVisitors: isWidget, ended.Token);
            await foreach (var each in happens)
            {
                await (each is null
                    ? stream.HeartbeatAsync(ended.Token)
                    : stream.SendAsync(each.Place.ToString(), each.Name, each.Data, ended.Token));
            }
        }
        catch (OperationCanceledException) when (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            // The client comes back to the next server with the last id it has seen.
        }
        finally
        {
            Leave(kind);
            if (visitor is { } left)
                await NoteLeftAsync(session.Id, left);
        }

        return TypedResults.Empty;
    }

    private async Task<UploadSession> EnterAsync(string id, string ticket, CancellationToken cancellationToken)
    {
        var session = await gate.FindAsync(id, cancellationToken);
        return await EventTicket.RedeemAsync(ticket, session.Id, database, clock.GetUtcNow(), cancellationToken)
            ? session
            : throw ApiErrors.Unauthenticated("This ticket was used already, or its minute is over. Ask for another.").ToException();
    }

    /// <summary>The database may be away just now; then the visitor counts as there, which harms nobody.</summary>
    private async Task NoteLeftAsync(Guid sessionId, Guid visitor)
    {
        try
        {
            await visitors.CountPagesAsync(sessionId, visitor, -1, CancellationToken.None);
        }
        catch (Exception exception) when (StorageFault.Of(exception) != StorageFaultKind.None)
        {
        }
    }

    private void Leave((Guid Session, bool IsPage) kind)
    {
        // A count of nought is taken out only while it is nought: somebody may be coming in.
        if (_open.AddOrUpdate(kind, 0, (_, open) => open - 1) == 0)
            _open.TryRemove(new(kind, 0));
    }
}
