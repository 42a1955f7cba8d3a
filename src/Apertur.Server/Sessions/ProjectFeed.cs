using System.Runtime.CompilerServices;
using Apertur.Server.Auth;
using Apertur.Server.Http;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Sessions;

/// <summary>Something that happened to a session that a caller may see.</summary>
internal sealed record ProjectEvent(UploadSession Session, SessionEvent Event);

/// <summary>
/// What happens to all sessions that a caller may see, as it happens: read session by session from the same rows as <see cref="SessionFeed"/>, for
/// those that a commit, here or on another node, has told of.
/// </summary>
internal sealed class ProjectFeed(Database database, SessionNotifier notifier, SessionGate gate, TimeProvider clock)
{
    /// <summary>What happened to a session that has no event of its own, such as an attempt that did not arrive.</summary>
    public const string Changed = "session:changed";

    // A proxy that closes what is silent for half a minute stays content.
    private static readonly TimeSpan _heartbeat = TimeSpan.FromSeconds(15);

    // Sessions that are read before the connection is looked at again.
    private const int MostAtOnce = 100;

    // A session lives for a week, and its deliveries for another: nothing older changes.
    private static readonly TimeSpan _oldest = TimeSpan.FromDays(16);

    /// <summary>
    /// The events after an instant, then each as it comes, and null at least every 15 seconds. Events of one session are in
    /// order; those of several are not, among each other.
    /// </summary>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="ApiErrorException">401: the caller was shut out.</exception>
    public async IAsyncEnumerable<ProjectEvent?> FollowAsync(
        Caller caller, DateTimeOffset since, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var watch = notifier.WatchAll();
        var places = new Dictionary<Guid, EventCursor>();
        var changed = await ChangedAsync(caller, since, cancellationToken);
        var lastBeat = clock.GetTimestamp();
        while (true)
        {
            foreach (var session in changed)
            {
                await gate.RequireStillAsync(caller, session, cancellationToken);
                foreach (var each in await ReadAsync(session, places.GetValueOrDefault(session.Id, EventCursor.After(since)), cancellationToken))
                {
                    yield return new(session, each);
                    places[session.Id] = each.Place;
                }
            }

            var silence = clock.GetElapsedTime(lastBeat);
            if (silence >= _heartbeat)
            {
                yield return null;
                lastBeat = clock.GetTimestamp();
                silence = TimeSpan.Zero;
                since = Forget(places, since);
            }

            await watch.Changed.WaitAsync(_heartbeat - silence, clock, cancellationToken);
            cancellationToken.ThrowIfCancellationRequested();
            var (ids, all) = watch.Take(MostAtOnce);
            // With other nodes a hint may have been lost.
            all |= notifier.PublishToOthers is not null && clock.GetElapsedTime(lastBeat) >= _heartbeat;
            changed = all ? await ChangedAsync(caller, since, cancellationToken) : await FindAsync(caller, ids, cancellationToken);
        }
    }

    private async Task<IReadOnlyList<SessionEvent>> ReadAsync(UploadSession session, EventCursor after, CancellationToken cancellationToken)
    {
        if (await gate.FindAsync(session.Id, cancellationToken) is not { } now)
            return [];
        var events = await SessionEvents.ReadAsync(database, now, after, clock.GetUtcNow(), cancellationToken);
        if (events.Count > 0 || EventCursor.After(now.LastChanged).CompareTo(after) <= 0)
            return events;
        return [new(EventCursor.After(now.LastChanged), Changed, new Contract.SessionEventData(session.Id))];
    }

    private async Task<List<UploadSession>> FindAsync(Caller caller, IReadOnlyCollection<Guid> ids, CancellationToken cancellationToken)
    {
        if (ids.Count == 0)
            return [];
        await using var db = database.Open();
        return await caller.See(db.Sessions).AsNoTracking().Where(s => ids.Contains(s.Id)).ToListAsync(cancellationToken);
    }

    private async Task<List<UploadSession>> ChangedAsync(Caller caller, DateTimeOffset since, CancellationToken cancellationToken)
    {
        var oldest = clock.GetUtcNow() - _oldest;
        await using var db = database.Open();
        return await caller.See(db.Sessions).AsNoTracking().Where(s => s.CreatedAt >= oldest && s.LastChanged > since)
            .OrderBy(s => s.LastChanged).ToListAsync(cancellationToken);
    }

    /// <summary>Places of sessions that have been quiet for longer than anything is replayed; there is nothing before the new beginning.</summary>
    private DateTimeOffset Forget(Dictionary<Guid, EventCursor> places, DateTimeOffset since)
    {
        var begin = clock.GetUtcNow() - SessionFeed.Replay;
        if (begin <= since)
            return since;
        foreach (var (id, place) in places)
        {
            if (place.CompareTo(EventCursor.After(begin)) <= 0)
                places.Remove(id);
        }

        return begin;
    }
}
