using System.Collections.Concurrent;

namespace Apertur.Server.Queue;

/// <summary>
/// The worker of the queues: claims what is due, one round of claims at a time, and runs it in bounded lanes. A signal starts the next round at
/// once; without one it looks every second, because the tables are the truth and signals are only hints.
/// </summary>
/// <remarks>
/// A lane is free again as soon as an attempt has succeeded: the endpoint is asked for more while that is being written. One that failed keeps its
/// lane until it is written, so that what the failure says of the endpoint is known before the next row is claimed for it.
/// </remarks>
internal sealed partial class Pump(
    IEnumerable<IQueue> queues, AsyncAutoResetEvent signal, Settings settings, TimeProvider clock, ILogger<Pump> log) : BackgroundService
{
    /// <summary>
    /// How long a claim holds without a heartbeat. Another node takes over after that: within a minute of the end of one that died right after a
    /// heartbeat, where clocks differ by no more than a few seconds. A database that refuses for half a minute takes no claim from anybody; one
    /// that falls silent may, and what is under way is then sent twice, under one id.
    /// </summary>
    public static readonly TimeSpan Lease = TimeSpan.FromSeconds(45);

    /// <summary>How often claims are extended, and those looked for that nobody extended.</summary>
    public static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How long the outcome of an attempt waits for rows that somebody else holds, and for a database that is out of reach: its claim is extended
    /// meanwhile where it can be, and an outcome that is not written makes the attempt happen again.
    /// </summary>
    public static readonly TimeSpan OutcomeWait = TimeSpan.FromMinutes(5);

    /// <summary>
    /// For each lane of a queue so many attempts may be waiting to be written, and one for each of an endpoint. A database that cannot keep up is given
    /// no more.
    /// </summary>
    private const int UnwrittenPerLane = 4;

    private static readonly TimeSpan _idle = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan _afterFailure = TimeSpan.FromSeconds(5);

    private readonly Dictionary<IQueue, LaneWindows> _windows =
        queues.ToDictionary(queue => queue, queue => new LaneWindows(queue.LanesPerEndpoint, queue.MaxLanesPerEndpoint));

    private readonly ConcurrentDictionary<Running, bool> _running = [];
    private readonly HashSet<LaneReservation> _reserved = [];
    private readonly Lock _lanes = new();
    private readonly CancellationTokenSource _stopDeadline = new();
    private readonly WallClock _wallClock = new(clock);
    private readonly SemaphoreSlim _following = new(1);
    private bool _isAtWork;
    private long _rounds;

    /// <summary>Rounds begun; a pump that works begins one every second, whatever comes of it.</summary>
    public long Rounds => Volatile.Read(ref _rounds);

    /// <summary>Claims what is due and free lanes allow, and starts it.</summary>
    /// <returns>How many rows were started.</returns>
    public async Task<int> RunOnceAsync(CancellationToken cancellationToken)
    {
        await FollowClockAsync(cancellationToken);
        var started = 0;
        foreach (var queue in queues)
            started += await RunOnceAsync(queue, cancellationToken);
        return started;
    }

    /// <summary>Breaks off what runs here for these endpoints. The attempts do not count.</summary>
    public void End(IReadOnlySet<Guid> endpoints)
    {
        // What is being claimed first: it is among what runs by then, or broken off as it begins.
        lock (_lanes)
        {
            foreach (var lanes in _reserved)
                lanes.End(endpoints);
        }

        foreach (var running in _running.Keys.Where(running => endpoints.Contains(running.Row.Endpoint)))
            running.End();
    }

    /// <summary>
    /// Sets lanes aside for rows that are claimed by the transaction that inserts them, so that the pump need not look for them. Fair as all lanes are:
    /// where none is free, or the pump is not at work here, there is none, and the rows wait in the table.
    /// </summary>
    /// <param name="queue">Whose lanes.</param>
    /// <param name="endpoints">For which endpoints, each with the number of its rows.</param>
    /// <returns>The lanes; to be disposed of, whether anything was started in them or not.</returns>
    public LaneReservation Reserve(IQueue queue, IEnumerable<DueEndpoint> endpoints)
    {
        lock (_lanes)
            return ReserveLocked(queue, _isAtWork ? [.. endpoints] : []);
    }

    /// <summary>Waits until nothing that was started, or had lanes set aside, is still running.</summary>
    public async Task DrainAsync()
    {
        Task[] reserved;
        lock (_lanes)
            reserved = [.. _reserved.Select(lanes => lanes.Ended)];
        await Task.WhenAll(reserved);
        await Task.WhenAll(_running.Keys.Select(running => running.Task));
    }

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        lock (_lanes)
            _isAtWork = true;
        return base.StartAsync(cancellationToken);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        lock (_lanes)
            _isAtWork = false;
        await base.StopAsync(cancellationToken);
        var drained = DrainAsync();
        await drained.WaitAsync(TimeSpan.FromSeconds(settings.Delivery.StopSeconds), clock, cancellationToken)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _stopDeadline.CancelAsync();
        // An outcome that the database does not take keeps nobody from stopping: its claim runs out.
        await drained.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public override void Dispose()
    {
        _stopDeadline.Dispose();
        _following.Dispose();
        base.Dispose();
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken)
    {
        LogNode(Node.Name);
        return Task.WhenAll(
            ClaimAsync(stoppingToken),
            WorkerLoop.EveryAsync(Heartbeat, KeepLeasesAsync, clock, LogFailure, stoppingToken));
    }

    private async Task<int> RunOnceAsync(IQueue queue, CancellationToken cancellationToken)
    {
        var found = await queue.DueAsync(cancellationToken);
        LaneReservation lanes;
        lock (_lanes)
            lanes = ReserveLocked(queue, [.. found]);
        using (lanes)
        {
            if (lanes.Wanted.Count == 0)
                return 0;
            var taken = await queue.TakeAsync(lanes.Wanted, cancellationToken);
            var earlier = _running.Keys.ToLookup(running => running.Row.Id);
            // Claimed again while an earlier attempt still runs, whose lease ran out meanwhile: nobody waits for that one's outcome.
            foreach (var attempt in taken.SelectMany(row => earlier[row.Id]))
                attempt.End();
            lanes.Start(taken);
            return taken.Count;
        }
    }

    private LaneReservation ReserveLocked(IQueue queue, DueEndpoint[] due)
    {
        var windows = _windows[queue];
        var running = _running.Keys.Where(running => running.Queue == queue).ToLookup(running => running.HasLane);
        var unwritten = running[false].CountBy(running => running.Row.Endpoint).ToDictionary();
        if (unwritten.Values.Sum() >= UnwrittenPerLane * queue.Lanes)
            due = [];
        // Somebody may hold the row of an endpoint, so that nothing of it can be written: it leaves the others theirs.
        due = [.. due.Select(endpoint => endpoint with { Lanes = windows.Of(endpoint) })
            .Where(endpoint => unwritten.GetValueOrDefault(endpoint.Id) < endpoint.Lanes)];
        Random.Shared.Shuffle(due);
        var reserved = _reserved.Where(lanes => lanes.Queue == queue).SelectMany(lanes => lanes.Endpoints);
        var wanted = new LaneShares(queue.Lanes, queue.LanesPerEndpoint).Divide(due, [.. running[true].Select(running => running.Endpoint), .. reserved]);
        var lanes = new LaneReservation(this, queue, due.Where(endpoint => wanted.ContainsKey(endpoint.Id)).ToDictionary(endpoint => endpoint.Id), wanted);
        if (wanted.Count > 0)
            _reserved.Add(lanes);
        return lanes;
    }

    private Task ClaimAsync(CancellationToken stoppingToken) => WorkerLoop.RunAsync(
        async cancellationToken =>
        {
            Interlocked.Increment(ref _rounds);
            if (await RunOnceAsync(cancellationToken) == 0)
                await signal.WaitAsync(_idle, clock, cancellationToken);
        },
        clock, _afterFailure, LogFailure, stoppingToken);

    private async Task KeepLeasesAsync(CancellationToken cancellationToken)
    {
        // First, or claims would look abandoned that are not.
        await FollowClockAsync(cancellationToken);
        foreach (var queue in queues)
        {
            var held = _running.Keys.Where(running => running.Queue == queue)
                .Select(running => running.Row.LeaseToken).Distinct().ToList();
            if (held.Count > 0)
                await queue.ExtendAsync(held, cancellationToken);
            if (await queue.ReleaseAbandonedAsync(all: false, cancellationToken) > 0)
                signal.Set();
        }
    }

    private async Task FollowClockAsync(CancellationToken cancellationToken)
    {
        await _following.WaitAsync(cancellationToken);
        try
        {
            if (_wallClock.Look() is not { } change)
                return;
            LogClock(change.By.TotalSeconds);
            foreach (var queue in queues)
                await queue.RebaseAsync(change, cancellationToken);
            _wallClock.Follow(change);
        }
        finally
        {
            _following.Release();
        }
    }

    private Running Start(IQueue queue, Claimed row, DueEndpoint endpoint)
    {
        var running = new Running(queue, row, endpoint, _stopDeadline.Token);
        _running[running] = true;
        // Not in the context of a request that has led to it: what that one told of itself is nobody else's.
        using var none = ExecutionContext.SuppressFlow();
        running.Task = Task.Run(async () =>
        {
            try
            {
                var started = clock.GetTimestamp();
                await row.RunAsync(succeeded => Count(running, succeeded, clock.GetElapsedTime(started)), running.Ended);
            }
            catch (Exception exception)
            {
                // The outcome could not be written: the claim runs out and the row is taken again.
                LogFailure(exception);
            }
            finally
            {
                _running.TryRemove(running, out _);
                running.Dispose();
                signal.Set();
            }
        });
        return running;
    }

    private void Count(Running running, bool succeeded, TimeSpan took)
    {
        _windows[running.Queue].Count(running.Row.Endpoint, succeeded, took);
        if (!succeeded)
            return;
        running.LeaveLane();
        signal.Set();
    }

    /// <summary>Lanes that are set aside until it is known what was claimed.</summary>
    public sealed class LaneReservation(Pump pump, IQueue queue, IReadOnlyDictionary<Guid, DueEndpoint> endpoints, IReadOnlyDictionary<Guid, int> wanted) : IDisposable
    {
        private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly HashSet<Guid> _endedEndpoints = [];

        public IQueue Queue => queue;

        /// <summary>How many for which endpoint.</summary>
        public IReadOnlyDictionary<Guid, int> Wanted => wanted;

        public IEnumerable<DueEndpoint> Endpoints => wanted.SelectMany(pair => Enumerable.Repeat(endpoints[pair.Key], pair.Value));

        public Task Ended => _ended.Task;

        /// <summary>Begins the attempts of rows that were claimed.</summary>
        public void Start(IEnumerable<Claimed> rows)
        {
            foreach (var row in rows)
            {
                var running = pump.Start(queue, row, endpoints[row.Endpoint]);
                lock (pump._lanes)
                {
                    if (_endedEndpoints.Contains(row.Endpoint))
                        running.End();
                }
            }
        }

        /// <summary>Breaks off what will be started for these, as it starts.</summary>
        public void End(IEnumerable<Guid> those) => _endedEndpoints.UnionWith(those);

        public void Dispose()
        {
            lock (pump._lanes)
                pump._reserved.Remove(this);
            _ended.TrySetResult();
        }
    }

    private sealed class Running(IQueue queue, Claimed row, DueEndpoint endpoint, CancellationToken stopping) : IDisposable
    {
        private readonly CancellationTokenSource _end = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        private volatile bool _hasLane = true;

        public IQueue Queue => queue;

        public Claimed Row => row;

        public DueEndpoint Endpoint => endpoint;

        public Task Task { get; set; } = Task.CompletedTask;

        public CancellationToken Ended => _end.Token;

        /// <summary>Whether it counts among what its endpoint is sent at once.</summary>
        public bool HasLane => _hasLane;

        public void LeaveLane() => _hasLane = false;

        // Not on this thread: what is broken off goes on to write its outcome. That one has ended by itself meanwhile is told to nobody.
        public void End() => _ = _end.CancelAsync();

        public void Dispose() => _end.Dispose();
    }

    [LoggerMessage(EventName = "pump.started", Level = LogLevel.Information, Message = "pump.started as node {Node}")]
    private partial void LogNode(string node);

    [LoggerMessage(EventName = "clock.changed", Level = LogLevel.Warning,
        Message = "clock.changed by {Seconds:F0} s: what waits is due as much later or earlier")]
    private partial void LogClock(double seconds);

    [LoggerMessage(EventName = "pump.failed", Level = LogLevel.Error, Message = "The pump could not reach the database; it goes on")]
    private partial void LogFailure(Exception exception);
}
