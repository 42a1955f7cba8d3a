using System.Runtime.CompilerServices;
using Apertur.Server.Storage;

namespace Apertur.Server.Sessions;

/// <summary>The event feed of a session: the one source for server-sent events and Socket.IO.</summary>
internal sealed class SessionFeed(Database database, SessionNotifier notifier, TimeProvider clock)
{
    /// <summary>How far back a client that was away gets what it missed.</summary>
    public static readonly TimeSpan Replay = TimeSpan.FromMinutes(5);

    /// <summary>The longest silence. After it the rows are looked at again: a hint from another node may have been lost.</summary>
    public static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(15);

    /// <summary>
    /// The events after a place, then each as it comes, and null at least every <see cref="Heartbeat"/>. It ends when the session is gone, or has been over
    /// for <see cref="Replay"/> and nothing of it is on its way any more.
    /// </summary>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async IAsyncEnumerable<SessionEvent?> FollowAsync(
        Guid sessionId, EventCursor after, [EnumeratorCancellation] CancellationToken cancellationToken)
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

            var silence = clock.GetElapsedTime(lastBeat);
            if (silence >= Heartbeat)
            {
                yield return null;
                lastBeat = clock.GetTimestamp();
                silence = TimeSpan.Zero;
            }

            await watch.Changed.WaitAsync(Heartbeat - silence, clock, cancellationToken);
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
