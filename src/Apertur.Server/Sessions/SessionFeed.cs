using System.Runtime.CompilerServices;
using Apertur.Server.Contract;
using Apertur.Server.Http;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Sessions;

/// <summary>The event feed of a session: the one source for server-sent events and Socket.IO.</summary>
internal sealed class SessionFeed(Database database, SessionGate gate, SessionNotifier notifier, SharedReads reads, TimeProvider clock)
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
    /// <param name="silence">The longest; after it, or up to a second sooner, comes null.</param>
    /// <param name="tellsChanges">Whether what is no event, such as another limit, is told as <c>session:changed</c>.</param>
    /// <param name="tellsVisitors">Whether <c>session:visitors</c> tells who is there, at first and whenever that changes.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async IAsyncEnumerable<SessionEvent?> FollowAsync(
        Guid sessionId, EventCursor after, TimeSpan silence, bool tellsChanges, bool tellsVisitors,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var watch = notifier.Watch(sessionId);
        var beat = Together(Now + silence);
        int? visitors = null;
        while (true)
        {
            var lookAgain = Together(Now + _lookAgain);
            // Everyone who follows a session looks at the same moment.
            if (await reads.ReadAsync((sessionId, typeof(SessionFeed)), () => gate.FindAsync(sessionId, CancellationToken.None), cancellationToken)
                is not { } session)
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
            while (!changed && Now < lookAgain)
            {
                if (Now >= beat)
                {
                    yield return null;
                    beat = Together(Now + silence);
                }

                // Timers count whole milliseconds: one that is cut short would be set again and again.
                var left = TimeSpan.FromMilliseconds(Math.Ceiling((beat - Now).TotalMilliseconds));
                changed = await watch.Changed.WaitAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero, clock, cancellationToken);
                cancellationToken.ThrowIfCancellationRequested();
            }
        }
    }

    private TimeSpan Now => clock.GetElapsedTime(0);

    /// <summary>On a whole second: threads that wake for thousands of streams at once cost a fraction of what it takes to wake for each by itself.</summary>
    private static TimeSpan Together(TimeSpan latest) => latest - TimeSpan.FromTicks(latest.Ticks % TimeSpan.TicksPerSecond);

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
