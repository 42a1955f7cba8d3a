using System.Runtime.CompilerServices;
using Apertur.Server.Contract;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Sessions;

/// <summary>The event feed of a session: the one source for server-sent events and Socket.IO.</summary>
internal sealed class SessionFeed(Database database, SessionGate gate, SessionNotifier notifier, TimeProvider clock)
{
    // What no hint tells of: that a session is over for good, that its project was disabled.
    private static readonly TimeSpan _lookAgain = TimeSpan.FromMinutes(1);

    /// <summary>How far back a client that was away gets what it missed.</summary>
    public static readonly TimeSpan Replay = TimeSpan.FromMinutes(5);

    /// <summary>
    /// The events after a place, then each as it comes. It ends when the session is gone, or has been over for <see cref="Replay"/> and nothing of it
    /// is on its way any more.
    /// </summary>
    /// <param name="sessionId">The session.</param>
    /// <param name="after">Where to begin.</param>
    /// <param name="silence">The longest; after it comes null.</param>
    /// <param name="tellsChanges">Whether what is no event, such as another limit, is told as <c>session:changed</c>.</param>
    /// <param name="tellsVisitors">Whether <c>session:visitors</c> tells who is there, at first and whenever that changes.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async IAsyncEnumerable<SessionEvent?> FollowAsync(
        Guid sessionId, EventCursor after, TimeSpan silence, bool tellsChanges, bool tellsVisitors,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var watch = notifier.Watch(sessionId);
        var lastBeat = clock.GetTimestamp();
        int? visitors = null;
        while (true)
        {
            var looked = clock.GetTimestamp();
            if (await gate.FindAsync(sessionId, cancellationToken) is not { } session)
                yield break;
            var events = await SessionEvents.ReadAsync(database, session, after, clock.GetUtcNow(), cancellationToken);
            foreach (var each in events)
            {
                yield return each;
                after = each.Place;
            }

            if (IsOverForGood(session))
                yield break;

            if (tellsVisitors && await CountVisitorsAsync(sessionId, cancellationToken) is var there && there != visitors)
            {
                visitors = there;
                yield return new SessionEvent(after, "session:visitors", new SessionVisitorsData(sessionId, there));
            }

            var now = EventCursor.After(session.LastChanged);
            if (tellsChanges && events.Count == 0 && now.CompareTo(after) > 0)
            {
                yield return new SessionEvent(now, ProjectFeed.Changed, new SessionEventData(session.Id));
                after = now;
            }

            var changed = false;
            while (!changed && clock.GetElapsedTime(looked) < _lookAgain)
            {
                if (clock.GetElapsedTime(lastBeat) >= silence)
                {
                    yield return null;
                    lastBeat = clock.GetTimestamp();
                }

                changed = await watch.Changed.WaitAsync(silence - clock.GetElapsedTime(lastBeat), clock, cancellationToken);
                cancellationToken.ThrowIfCancellationRequested();
            }
        }
    }

    /// <summary>Whether nothing comes after that place, now or later.</summary>
    public async Task<bool> IsQuietForGoodAsync(Guid sessionId, EventCursor after, CancellationToken cancellationToken)
    {
        if (await gate.FindAsync(sessionId, cancellationToken) is not { } session)
            return true;
        return IsOverForGood(session) && (await SessionEvents.ReadAsync(database, session, after, clock.GetUtcNow(), cancellationToken)).Count == 0;
    }

    private async Task<int> CountVisitorsAsync(Guid sessionId, CancellationToken cancellationToken)
    {
        await using var db = database.Open();
        return await db.Visitors.CountAsync(visitor => visitor.SessionId == sessionId && visitor.Pages > 0, cancellationToken);
    }

    private bool IsOverForGood(UploadSession session) =>
        session.DeliveriesOpen == 0 && session.OverAt + Replay <= clock.GetUtcNow();
}
