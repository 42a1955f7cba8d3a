using System.Collections.Concurrent;
using Apertur.Server;
using Apertur.Server.Queue;
using Apertur.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace Apertur.Tests.Queue;

/// <summary>What the pump promises whatever the queue.</summary>
public sealed class PumpTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Held up for longer than a lease, a node can get its own row again while its first attempt still runs.</summary>
    [Fact]
    public async Task Row_that_is_claimed_again_is_kept_alive_and_the_first_attempt_ended()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var (queue, idle, clock, signal) = (new OneRow(), new OneRow(), new TestClock(), new AsyncAutoResetEvent());
        using var pump = new Pump([idle, queue], signal, app.Services.GetRequiredService<Settings>(), clock, NullLogger<Pump>.Instance);
        var other = queue.Offer(Guid.NewGuid());
        await pump.RunOnceAsync(Cancellation);
        var first = queue.Offer();
        await pump.RunOnceAsync(Cancellation);
        var second = queue.Offer();
        await pump.RunOnceAsync(Cancellation);

        await Eventually.Arrives(first.Ended.Task);
        Assert.False(second.Ended.Task.IsCompleted);
        Assert.False(other.Ended.Task.IsCompleted);
        await pump.StartAsync(Cancellation);
        await Eventually.Becomes(
            () =>
            {
                clock.Advance(TimeSpan.FromSeconds(1));
                return Task.FromResult(queue.Extended);
            },
            extended => extended.Contains(second.Token), "the claim is extended");
        Assert.DoesNotContain(first.Token, queue.Extended);
        Assert.Empty(idle.Extended);
        var stopping = pump.StopAsync(Cancellation);
        Assert.False(stopping.IsCompleted);
        second.Done.SetResult();
        other.Done.SetResult();
        await Eventually.Arrives(stopping);
        Assert.True(pump.ExecuteTask!.IsCompleted);
    }

    /// <summary>Not a second later, when the pump looks by itself: the clock stands still. A success leaves its lane before it is written.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Lane_that_becomes_free_is_used_at_once(bool succeeds)
    {
        using var folder = new TempFolder();
        var (queue, clock, written) = (new OneRow(), new TestClock(), new TaskCompletionSource());
        using var pump = PumpOf(folder, clock, queue);
        var first = queue.Offer(new OneRow.Attempt(Guid.NewGuid()) { Succeeds = succeeds, Writes = succeeds ? written.Task : Task.CompletedTask });
        await pump.StartAsync(Cancellation);
        // It has looked again, found nothing, and sleeps; so does its heartbeat.
        await Eventually.True(() => pump.Rounds == 2 && clock.WaitingTimers == 2);

        var second = queue.Offer(Guid.NewGuid());
        second.Done.SetResult();
        first.Done.SetResult();

        await Eventually.Arrives(second.Ended.Task);
        written.SetResult();
        await pump.StopAsync(Cancellation);
    }

    [Fact]
    public async Task Clock_that_was_set_is_followed_once_and_before_anything_is_claimed()
    {
        using var folder = new TempFolder();
        var (followed, clock) = (new TaskCompletionSource(), new TestClock());
        var queue = new OneRow { Follows = followed.Task };
        using var pump = PumpOf(folder, clock, queue);
        clock.Set(TimeSpan.FromDays(1));

        var rounds = Task.WhenAll(pump.RunOnceAsync(Cancellation), pump.RunOnceAsync(Cancellation));
        followed.SetResult();

        await Eventually.Arrives(rounds);
        Assert.Equal(["rebase", "due", "due"], queue.Calls);
    }

    [Fact]
    public async Task Clock_that_could_not_be_followed_is_followed_by_the_next_round()
    {
        using var folder = new TempFolder();
        var (queue, clock) = (new OneRow { Follows = Task.FromException(new IOException("The database is away.")) }, new TestClock());
        using var pump = PumpOf(folder, clock, queue);
        clock.Set(TimeSpan.FromDays(1));
        await Assert.ThrowsAsync<IOException>(() => pump.RunOnceAsync(Cancellation));
        queue.Follows = Task.CompletedTask;

        Assert.Equal(0, await Eventually.Arrives(pump.RunOnceAsync(Cancellation)));
        Assert.Equal(["rebase", "rebase", "due"], queue.Calls);
    }

    /// <summary>While a round of claims waits for the database.</summary>
    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 2)]
    public async Task Clock_that_was_set_is_followed_before_claims_are_thought_abandoned_which_are_then_taken_at_once(int abandoned, int rounds)
    {
        using var folder = new TempFolder();
        var (found, clock) = (new TaskCompletionSource(), new TestClock());
        var queue = new OneRow { Finds = found.Task, Abandoned = abandoned };
        using var pump = PumpOf(folder, clock, queue);
        await pump.StartAsync(Cancellation);
        await Eventually.True(() => queue.Calls.Count == 1 && clock.WaitingTimers == 1);
        clock.Set(TimeSpan.FromDays(1));

        clock.Advance(Pump.Heartbeat);

        await Eventually.True(() => queue.Calls.Contains("release"));
        Assert.Equal(["due", "rebase", "release"], queue.Calls);
        found.SetResult();
        // The clock stands still: without a signal there is no other round.
        await Eventually.True(() => pump.Rounds == rounds && clock.WaitingTimers == 2);
        Assert.Equal(rounds, pump.Rounds);
        await pump.StopAsync(Cancellation);
    }

    [Fact]
    public async Task Queue_takes_no_lanes_from_another()
    {
        using var folder = new TempFolder();
        var (busy, other) = (new OneRow { Lanes = 1 }, new OneRow { Lanes = 1 });
        using var pump = PumpOf(folder, new TestClock(), busy, other);
        var attempts = new List<OneRow.Attempt>();
        for (var row = 0; row < 3; row++)
        {
            attempts.Add(busy.Offer(Guid.NewGuid()));
            Assert.Equal(1, await pump.RunOnceAsync(Cancellation));
        }

        attempts.Add(busy.Offer(Guid.NewGuid()));
        Assert.Equal(0, await pump.RunOnceAsync(Cancellation));
        attempts.Add(other.Offer());
        Assert.Equal(1, await pump.RunOnceAsync(Cancellation));

        // What is of no use any more for one endpoint is broken off, and nothing else.
        pump.End(new HashSet<Guid> { other.Endpoint });
        attempts.ForEach(attempt => attempt.Done.SetResult());
        await Eventually.Arrives(pump.DrainAsync());
        Assert.Equal(1, await pump.RunOnceAsync(Cancellation));
        await Eventually.Arrives(pump.DrainAsync());
        Assert.Equal([false, false, false, false, true], attempts.Select(attempt => attempt.IsBrokenOff));
    }

    [Fact]
    public async Task Attempt_that_ends_by_itself_while_it_is_to_be_broken_off_has_ended()
    {
        using var folder = new TempFolder();
        var queue = new OneRow();
        using var pump = PumpOf(folder, new TestClock(), queue);
        var attempt = queue.Offer();
        await pump.RunOnceAsync(Cancellation);
        var drained = pump.DrainAsync();
        var meanwhile = new Meanwhile(() =>
        {
            _ = Task.Run(attempt.Done.SetResult, Cancellation);
            Assert.True(SpinWait.SpinUntil(() => drained.IsCompleted, TimeSpan.FromSeconds(30)));
        });

        pump.End(new HashSet<Guid>(meanwhile) { queue.Endpoint });

        Assert.True(attempt.IsWritten);
        Assert.False(attempt.IsBrokenOff);
    }

    [Fact]
    public async Task Attempt_of_which_nothing_can_be_written_leaves_its_lane()
    {
        using var folder = new TempFolder();
        var queue = new OneRow { LanesPerEndpoint = 1 };
        using var pump = PumpOf(folder, new TestClock(), queue);
        var lost = queue.Offer(
            new OneRow.Attempt(Guid.NewGuid()) { Succeeds = false, Writes = Task.FromException(new IOException("The database is away.")) });
        Assert.Equal(1, await pump.RunOnceAsync(Cancellation));
        var drained = pump.DrainAsync();
        lost.Done.SetResult();

        await Eventually.Arrives(drained);
        queue.Offer(Guid.NewGuid()).Done.SetResult();
        Assert.Equal(1, await pump.RunOnceAsync(Cancellation));
        await Eventually.Arrives(pump.DrainAsync());
    }

    [Fact]
    public async Task Endpoint_that_keeps_up_may_have_one_more_under_way()
    {
        using var folder = new TempFolder();
        var (queue, clock) = (new OneRow { LanesPerEndpoint = 1 }, new TestClock());
        using var pump = PumpOf(folder, clock, queue);
        foreach (var took in new[] { TimeSpan.Zero, TimeSpan.Zero, LaneWindows.Fast + TimeSpan.FromMilliseconds(1), TimeSpan.Zero })
        {
            var attempt = queue.Offer();
            await pump.RunOnceAsync(Cancellation);
            await Eventually.Arrives(attempt.Begun.Task);
            clock.Advance(took);
            attempt.Done.SetResult();
            await Eventually.Arrives(pump.DrainAsync());
        }

        Assert.Equal([1, 2, 3, 1], queue.Wanted);
    }

    /// <summary>What it says of its endpoint must be known before the endpoint is asked again.</summary>
    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 0)]
    public async Task Lane_is_free_before_a_success_is_written_and_not_before_a_failure_is(bool succeeds, int more)
    {
        using var folder = new TempFolder();
        var (queue, written) = (new OneRow { LanesPerEndpoint = 1 }, new TaskCompletionSource());
        using var pump = PumpOf(folder, new TestClock(), queue);
        var first = queue.Offer(new OneRow.Attempt(Guid.NewGuid()) { Succeeds = succeeds, Writes = written.Task });
        first.Done.SetResult();
        Assert.Equal(1, await pump.RunOnceAsync(Cancellation));
        await Eventually.Arrives(first.Ended.Task);
        queue.Offer(Guid.NewGuid()).Done.SetResult();

        Assert.Equal(more, await pump.RunOnceAsync(Cancellation));

        written.SetResult();
        await Eventually.Arrives(pump.DrainAsync());
        Assert.Equal(1 - more, await pump.RunOnceAsync(Cancellation));
        await Eventually.Arrives(pump.DrainAsync());
    }

    /// <summary>Another node may have seen its failures.</summary>
    [Fact]
    public async Task Endpoint_that_is_tried_out_again_begins_with_few_lanes()
    {
        using var folder = new TempFolder();
        var queue = new OneRow { LanesPerEndpoint = 1 };
        using var pump = PumpOf(folder, new TestClock(), queue);
        foreach (var free in (int?[])[null, null, 1, null])
        {
            queue.Free = free;
            queue.Offer().Done.SetResult();
            await pump.RunOnceAsync(Cancellation);
            await Eventually.Arrives(pump.DrainAsync());
        }

        Assert.Equal([1, 2, 1, 2], queue.Wanted);
    }

    /// <summary>Four for each lane of the queue, and of an endpoint one for each of its own: somebody may hold its row, and others go on.</summary>
    [Theory]
    [InlineData(1, 8, 4)]
    [InlineData(16, 1, 1)]
    public async Task No_more_is_claimed_while_many_wait_to_be_written(int lanes, int lanesOfEndpoint, int most)
    {
        using var folder = new TempFolder();
        var queue = new OneRow { Lanes = lanes, LanesPerEndpoint = 1, MaxLanesPerEndpoint = lanesOfEndpoint };
        var written = new TaskCompletionSource();
        using var pump = PumpOf(folder, new TestClock(), queue);
        for (var row = 0; row < most; row++)
        {
            var attempt = queue.Offer(new OneRow.Attempt(Guid.NewGuid()) { Writes = written.Task });
            attempt.Done.SetResult();
            Assert.Equal(1, await pump.RunOnceAsync(Cancellation));
            await Eventually.Arrives(attempt.Ended.Task);
        }

        queue.Offer(Guid.NewGuid()).Done.SetResult();
        Assert.Equal(0, await pump.RunOnceAsync(Cancellation));

        written.SetResult();
        await Eventually.Arrives(pump.DrainAsync());
        Assert.Equal(1, await pump.RunOnceAsync(Cancellation));
        await Eventually.Arrives(pump.DrainAsync());
    }

    [Fact]
    public async Task What_runs_when_the_pump_stops_has_its_time_and_is_broken_off_then()
    {
        using var folder = new TempFolder();
        var (queue, clock) = (new OneRow(), new TestClock());
        using var pump = PumpOf(folder, clock, queue);
        var attempt = queue.Offer();
        await pump.RunOnceAsync(Cancellation);
        await pump.StartAsync(Cancellation);

        var stopping = pump.StopAsync(Cancellation);

        await Eventually.True(() => pump.ExecuteTask!.IsCompleted && clock.WaitingTimers == 1);
        Assert.False(attempt.Ended.Task.IsCompleted);
        clock.Advance(TimeSpan.FromSeconds(Settings.Load(folder.Path).Delivery.StopSeconds));
        await Eventually.Arrives(attempt.Ended.Task);
        await Eventually.Arrives(stopping);
        Assert.True(attempt.IsWritten);
    }

    [Fact]
    public async Task Outcome_that_cannot_be_written_keeps_the_pump_from_stopping_no_longer_than_it_may_take()
    {
        using var folder = new TempFolder();
        var (queue, clock, written) = (new OneRow(), new TestClock(), new TaskCompletionSource());
        using var pump = PumpOf(folder, clock, queue);
        var attempt = queue.Offer(new OneRow.Attempt(Guid.NewGuid()) { Writes = written.Task });
        await pump.RunOnceAsync(Cancellation);
        await pump.StartAsync(Cancellation);
        using var patience = new CancellationTokenSource();
        var stopping = pump.StopAsync(patience.Token);
        await Eventually.True(() => pump.ExecuteTask!.IsCompleted && clock.WaitingTimers == 1);
        clock.Advance(TimeSpan.FromSeconds(Settings.Load(folder.Path).Delivery.StopSeconds));
        await Eventually.Arrives(attempt.Ended.Task);
        Assert.False(stopping.IsCompleted);

        await patience.CancelAsync();

        await Eventually.Arrives(stopping);
        written.SetResult();
        await Eventually.Arrives(pump.DrainAsync());
    }

    [Fact]
    public async Task Lanes_that_are_set_aside_are_nobody_elses_until_they_are_given_back()
    {
        using var folder = new TempFolder();
        var queue = new OneRow { LanesPerEndpoint = 2, MaxLanesPerEndpoint = 2 };
        var clock = new TestClock();
        using var pump = PumpOf(folder, clock, queue);
        var endpoint = new DueEndpoint(queue.Endpoint, Guid.Empty) { Rows = 3 };
        Assert.Empty(pump.Reserve(queue, [endpoint]).Wanted);
        await pump.StartAsync(Cancellation);
        // It has looked, found nothing, and sleeps; so does its heartbeat.
        await Eventually.True(() => clock.WaitingTimers == 2);

        var lanes = pump.Reserve(queue, [endpoint with { Rows = 1 }]);
        using (var others = pump.Reserve(queue, [endpoint]))
        {
            Assert.Equal((1, 1), (lanes.Wanted[endpoint.Id], others.Wanted[endpoint.Id]));
            queue.Offer().Done.SetResult();
            Assert.Equal(0, await pump.RunOnceAsync(Cancellation));
        }

        Assert.Equal(1, await pump.RunOnceAsync(Cancellation));
        Assert.Equal([1], queue.Wanted);
        lanes.Dispose();
        await pump.StopAsync(Cancellation);
    }

    /// <summary>They are being claimed by a commit that is under way.</summary>
    [Fact]
    public async Task Pump_that_stops_sets_no_lanes_aside_and_waits_for_what_gets_those_it_has()
    {
        using var folder = new TempFolder();
        var queue = new OneRow();
        using var pump = PumpOf(folder, new TestClock(), queue);
        var endpoint = new DueEndpoint(queue.Endpoint, Guid.Empty) { Rows = 1 };
        await pump.StartAsync(Cancellation);
        var lanes = pump.Reserve(queue, [endpoint]);

        var stopping = pump.StopAsync(Cancellation);

        Assert.Empty(pump.Reserve(queue, [endpoint]).Wanted);
        var attempt = new OneRow.Attempt(Guid.NewGuid());
        lanes.Start([new Claimed(attempt.Row, endpoint.Id, attempt.Token, attempt.RunAsync)]);
        lanes.Dispose();
        await Eventually.Arrives(attempt.Begun.Task);
        Assert.False(stopping.IsCompleted);
        attempt.Done.SetResult();
        await Eventually.Arrives(stopping);
        Assert.True(attempt.IsWritten);
    }

    /// <summary>A destination that is deleted, say, by another request.</summary>
    [Fact]
    public async Task What_is_being_claimed_for_an_endpoint_that_ends_is_broken_off_as_it_begins()
    {
        using var folder = new TempFolder();
        var queue = new OneRow();
        using var pump = PumpOf(folder, new TestClock(), queue);
        await pump.StartAsync(Cancellation);
        using var lanes = pump.Reserve(queue, [new DueEndpoint(queue.Endpoint, Guid.Empty) { Rows = 1 }]);
        pump.End(new HashSet<Guid> { queue.Endpoint });
        var attempt = new OneRow.Attempt(Guid.NewGuid());

        lanes.Start([new Claimed(attempt.Row, queue.Endpoint, attempt.Token, attempt.RunAsync)]);

        await Eventually.Arrives(attempt.Ended.Task);
        Assert.True(attempt.IsBrokenOff);
        lanes.Dispose();
        await pump.StopAsync(Cancellation);
    }

    [Fact]
    public async Task Of_endpoints_that_wait_for_the_same_lanes_none_is_always_first()
    {
        using var folder = new TempFolder();
        var queue = new Crowd();
        using var pump = PumpOf(folder, new TestClock(), queue);

        for (var round = 0; round < 30; round++)
            Assert.Equal(0, await pump.RunOnceAsync(Cancellation));

        Assert.True(queue.Wanted.Distinct().Count() > 2, "Two lanes go to the same two of twenty each time.");
    }

    private static Pump PumpOf(TempFolder folder, TestClock clock, params IQueue[] queues) =>
        new(queues, new AsyncAutoResetEvent(), Settings.Load(folder.Path), clock, NullLogger<Pump>.Instance);

    /// <summary>More endpoints than lanes, of which nothing can be had.</summary>
    private sealed class Crowd : IQueue
    {
        private readonly DueEndpoint[] _endpoints = [.. Enumerable.Range(0, 20).Select(_ => new DueEndpoint(Guid.NewGuid(), Guid.Empty))];

        public int Lanes => 1;

        public int LanesPerEndpoint => 1;

        public int MaxLanesPerEndpoint => 1;

        public List<Guid> Wanted { get; } = [];

        public Task<IReadOnlyList<DueEndpoint>> DueAsync(CancellationToken cancellationToken) =>
            Task.FromResult<IReadOnlyList<DueEndpoint>>(_endpoints);

        public Task<IReadOnlyList<Claimed>> TakeAsync(IReadOnlyDictionary<Guid, int> wanted, CancellationToken cancellationToken)
        {
            Wanted.AddRange(wanted.Keys);
            return Task.FromResult<IReadOnlyList<Claimed>>([]);
        }

        public Task ExtendAsync(IReadOnlyCollection<Guid> leaseTokens, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task RebaseAsync(ClockChange? change, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task<int> ReleaseAbandonedAsync(bool all, CancellationToken cancellationToken) => Task.FromResult(0);
    }

    /// <summary>Has something happen each time that two are compared.</summary>
    private sealed class Meanwhile(Action happens) : IEqualityComparer<Guid>
    {
        public bool Equals(Guid x, Guid y)
        {
            happens();
            return x == y;
        }

        public int GetHashCode(Guid obj) => obj.GetHashCode();
    }

    /// <summary>A queue of one row that can be offered again and again.</summary>
    private sealed class OneRow : IQueue
    {
        private readonly Guid _row = Guid.NewGuid();
        private readonly ConcurrentQueue<Attempt> _offered = [];
        private readonly ConcurrentQueue<Guid> _extended = [];

        public int Lanes { get; init; } = 16;

        public int LanesPerEndpoint { get; init; } = 8;

        public int MaxLanesPerEndpoint { get; init; } = 8;

        /// <summary>How many its breaker leaves it.</summary>
        public int? Free { get; set; }

        public Guid Endpoint { get; } = Guid.NewGuid();

        /// <summary>How many claims nobody has extended, each time that is asked.</summary>
        public int Abandoned { get; init; }

        public IReadOnlyCollection<Guid> Extended => _extended;

        /// <summary>What it was asked, in that order.</summary>
        public ConcurrentQueue<string> Calls { get; } = [];

        /// <summary>How many were to be had of it, each time.</summary>
        public List<int> Wanted { get; } = [];

        /// <summary>What it waits for before it says what is due.</summary>
        public Task Finds { get; init; } = Task.CompletedTask;

        /// <summary>What it waits for before it has followed the clock.</summary>
        public Task Follows { get; set; } = Task.CompletedTask;

        /// <param name="another">Another row for the same endpoint.</param>
        public Attempt Offer(Guid? another = null) => Offer(new Attempt(another ?? _row));

        public Attempt Offer(Attempt attempt)
        {
            _offered.Enqueue(attempt);
            return attempt;
        }

        public async Task<IReadOnlyList<DueEndpoint>> DueAsync(CancellationToken cancellationToken)
        {
            Calls.Enqueue("due");
            await Finds;
            return _offered.IsEmpty ? [] : [new(Endpoint, Guid.Empty, Free: Free)];
        }

        public Task<IReadOnlyList<Claimed>> TakeAsync(IReadOnlyDictionary<Guid, int> wanted, CancellationToken cancellationToken)
        {
            Calls.Enqueue("take");
            Wanted.AddRange(wanted.Values);
            return Task.FromResult<IReadOnlyList<Claimed>>(
                _offered.TryDequeue(out var attempt) ? [new Claimed(attempt.Row, Endpoint, attempt.Token, attempt.RunAsync)] : []);
        }

        public Task ExtendAsync(IReadOnlyCollection<Guid> leaseTokens, CancellationToken cancellationToken)
        {
            Calls.Enqueue("extend");
            foreach (var token in leaseTokens)
                _extended.Enqueue(token);
            return Task.CompletedTask;
        }

        public Task RebaseAsync(ClockChange? change, CancellationToken cancellationToken)
        {
            Calls.Enqueue("rebase");
            return Follows;
        }

        public Task<int> ReleaseAbandonedAsync(bool all, CancellationToken cancellationToken)
        {
            Calls.Enqueue("release");
            return Task.FromResult(Abandoned);
        }

        public sealed class Attempt(Guid row)
        {
            public Guid Row => row;

            public Guid Token { get; } = Guid.NewGuid();

            public TaskCompletionSource Begun { get; } = new();

            public TaskCompletionSource Done { get; } = new();

            public TaskCompletionSource Ended { get; } = new();

            public bool IsBrokenOff { get; private set; }

            public bool Succeeds { get; init; } = true;

            /// <summary>What it waits for before it has written what came of it.</summary>
            public Task Writes { get; init; } = Task.CompletedTask;

            public bool IsWritten { get; private set; }

            public async Task RunAsync(Action<bool> attempted, CancellationToken stopping)
            {
                Begun.SetResult();
                await Done.Task.WaitAsync(stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                IsBrokenOff = stopping.IsCancellationRequested;
                attempted(Succeeds);
                Ended.SetResult();
                await Writes;
                // What came of it takes its time to be written.
                for (var turn = 0; turn < 1000; turn++)
                    await Task.Yield();
                IsWritten = true;
            }
        }
    }
}
