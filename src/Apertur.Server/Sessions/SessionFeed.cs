using System.Runtime.CompilerServices;
using Apertur.Server.Storage;

namespace Apertur.Server.Sessions;

/// <summary>The event feed of a session: the one source for server-sent events and Socket.IO.</summary>
internal sealed class SessionFeed(Database database, SessionNotifier notifier, TimeProvider clock)
{
    /// <summary>How far back a client that was away gets what it missed.</summary>
    public static readonly TimeSpan Replay = TimeSpan.FromMinutes(5);

    /// <summary>
    /// The events after a place, then each as it comes. It ends when the session is gone, or has been over for <see cref="Replay"/> and nothing of it
    /// is on its way any more.
    /// </summary>
    /// <param name="sessionId">The session.</param>
    /// <param name="after">Where to begin.</param>
    /// <param name="silence">The longest. After it comes null, and the rows are looked at again: a hint from another node may have been lost.</param>
    /// <param name="tellsChanges">Whether what is no event, such as another limit, is told as <c>session:changed</c>.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async IAsyncEnumerable<SessionEvent?> FollowAsync(
        Guid sessionId, EventCursor after, TimeSpan silence, bool tellsChanges, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var watch = notifier.Watch(sessionId);
        var lastBeat = clock.GetTimestamp();
        while (true)
        {
            var (session, events) = await SessionEvents.ReadAsync(database, sessionId, after, clock.GetUtcNow(), cancellationToken);
            foreach (var each in events)
            {
                yield return each;
                after = each.Place;
            }

            if (session is null || IsOverForGood(session))
                yield break;

            var now = EventCursor.After(session.LastChanged);
            if (tellsChanges && events.Count == 0 && now.CompareTo(after) > 0)
            {
                yield return new SessionEvent(now, ProjectFeed.Changed, new Contract.SessionEventData(session.Id));
                after = now;
            }

            var passed = clock.GetElapsedTime(lastBeat);
            if (passed >= silence)
            {
                yield return null;
                lastBeat = clock.GetTimestamp();
                passed = TimeSpan.Zero;
            }

            await watch.Changed.WaitAsync(silence - passed, clock, cancellationToken);
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    /// <summary>Whether nothing comes after that place, now or later.</summary>
    public async Task<bool> IsQuietForGoodAsync(Guid sessionId, EventCursor after, CancellationToken cancellationToken)
    {
        var (session, events) = await SessionEvents.ReadAsync(database, sessionId, after, clock.GetUtcNow(), cancellationToken);
        return events.Count == 0 && (session is null || IsOverForGood(session));
    }

    private bool IsOverForGood(UploadSession session) =>
        session.DeliveriesOpen == 0 && session.OverAt + Replay <= clock.GetUtcNow();
}
