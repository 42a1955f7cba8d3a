namespace Apertur.Server.Sessions;

/// <summary>
/// Wakes those who wait for changes of a session, after the commit. It carries no data itself: who is woken
/// looks at the rows. So waiting costs no query, a lost hint costs only time, and a superfluous one only a look.
/// </summary>
internal sealed class SessionNotifier
{
    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, HashSet<SessionWatch>> _watches = [];

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
        }
    }

    private static void SetAll(HashSet<SessionWatch> watches)
    {
        // Whoever waits goes on in a thread of its own, never inside this lock.
        foreach (var watch in watches)
            watch.Changed.Set();
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
