namespace Apertur.Server.Sessions;

/// <summary>
/// Wakes those who wait for changes of a session, after the commit. It carries no data itself: who is woken
/// looks at the rows. So waiting costs no query, a lost hint costs only time, and a superfluous one only a look.
/// </summary>
internal sealed class SessionNotifier
{
    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, HashSet<SessionWatch>> _watches = [];
    private readonly HashSet<AllSessionsWatch> _allWatches = [];

    /// <summary>Passes news on to other nodes; null where there are none. See <see cref="Storage.PostgresNotifications"/>.</summary>
    public Action<IReadOnlyCollection<Guid>, bool>? PublishToOthers { get; set; }

    /// <summary>How many wait or look, over all sessions.</summary>
    public int Watchers
    {
        get
        {
            lock (_lock)
                return _watches.Values.Sum(watches => watches.Count);
        }
    }

    /// <summary>Begins to watch. Watch first and look at the rows then: a change in between is kept for the next wait.</summary>
    public SessionWatch Watch(Guid sessionId)
    {
        var watch = new SessionWatch(this, sessionId);
        lock (_lock)
        {
            if (!_watches.TryGetValue(sessionId, out var watches))
                _watches[sessionId] = watches = [];
            watches.Add(watch);
        }

        return watch;
    }

    /// <summary>Begins to watch every session.</summary>
    public AllSessionsWatch WatchAll()
    {
        var watch = new AllSessionsWatch(this);
        lock (_lock)
            _allWatches.Add(watch);
        return watch;
    }

    /// <summary>Says, after the commit, that sessions have changed: to who waits here, and to the other nodes.</summary>
    /// <param name="sessionIds">Each once.</param>
    /// <param name="deliveriesDue">Whether there is also something to deliver now.</param>
    public void Publish(IReadOnlyCollection<Guid> sessionIds, bool deliveriesDue = false)
    {
        if (sessionIds.Count == 0 && !deliveriesDue)
            return;
        Wake(sessionIds);
        PublishToOthers?.Invoke(sessionIds, deliveriesDue);
    }

    /// <summary>Wakes who waits here for one of these.</summary>
    public void Wake(IEnumerable<Guid> sessionIds)
    {
        lock (_lock)
        {
            foreach (var id in sessionIds)
            {
                foreach (var watch in _allWatches)
                    watch.Note(id);
                if (_watches.TryGetValue(id, out var watches))
                    SetAll(watches);
            }
        }
    }

    /// <summary>Wakes all waiters of this node: hints may have been lost.</summary>
    public void WakeAll()
    {
        lock (_lock)
        {
            foreach (var watches in _watches.Values)
                SetAll(watches);
            foreach (var watch in _allWatches)
                watch.NoteAll();
        }
    }

    private static void SetAll(HashSet<SessionWatch> watches)
    {
        // Whoever waits goes on in a thread of its own, never inside this lock.
        foreach (var watch in watches)
            watch.Changed.Set();
    }

    internal void End(AllSessionsWatch watch)
    {
        lock (_lock)
            _allWatches.Remove(watch);
    }

    internal void End(SessionWatch watch)
    {
        lock (_lock)
        {
            if (_watches.TryGetValue(watch.SessionId, out var watches) && watches.Remove(watch) && watches.Count == 0)
                _watches.Remove(watch.SessionId);
        }
    }
}

/// <summary>One waiter's watch over one session, until disposed.</summary>
internal sealed class SessionWatch(SessionNotifier notifier, Guid sessionId) : IDisposable
{
    public Guid SessionId => sessionId;

    public AsyncAutoResetEvent Changed { get; } = new();

    public void Dispose() => notifier.End(this);
}

/// <summary>One waiter's watch over all sessions, until disposed: it keeps which of them have changed.</summary>
internal sealed class AllSessionsWatch(SessionNotifier notifier) : IDisposable
{
    // A waiter that falls behind further looks at everything that has changed lately.
    private const int MostKept = 10_000;

    private readonly Lock _lock = new();
    private readonly HashSet<Guid> _changed = [];
    private bool _all;

    public AsyncAutoResetEvent Changed { get; } = new();

    /// <summary>Takes out some of those that have changed, or says that any may have.</summary>
    public (IReadOnlyCollection<Guid> Ids, bool All) Take(int most)
    {
        lock (_lock)
        {
            if (_all)
            {
                _all = false;
                _changed.Clear();
                return ([], true);
            }

            Guid[] taken = [.. _changed.Take(most)];
            _changed.ExceptWith(taken);
            if (_changed.Count > 0)
                Changed.Set();
            return (taken, false);
        }
    }

    public void Note(Guid sessionId)
    {
        lock (_lock)
        {
            if (!_all && _changed.Add(sessionId) && _changed.Count > MostKept)
                _all = true;
        }

        Changed.Set();
    }

    public void NoteAll()
    {
        lock (_lock)
            _all = true;
        Changed.Set();
    }

    public void Dispose() => notifier.End(this);
}
