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
        var (queue, clock, signal) = (new OneRow(), new TestClock(), new AsyncAutoResetEvent());
        using var pump = new Pump([queue], signal, app.Services.GetRequiredService<Settings>(), clock, NullLogger<Pump>.Instance);
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
        var stopping = pump.StopAsync(Cancellation);
        Assert.False(stopping.IsCompleted);
        second.Done.SetResult();
        other.Done.SetResult();
        await Eventually.Arrives(stopping);
        Assert.True(pump.ExecuteTask!.IsCompleted);
    }

    /// <summary>Not a second later, when the pump looks by itself: the clock stands still.</summary>
    [Fact]
    public async Task Lane_that_becomes_free_is_used_at_once()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var (queue, clock) = (new OneRow(), new TestClock());
        using var pump = new Pump(
            [queue], new AsyncAutoResetEvent(), app.Services.GetRequiredService<Settings>(), clock, NullLogger<Pump>.Instance);
        var first = queue.Offer();
        await pump.StartAsync(Cancellation);
        // It has looked again, found nothing, and sleeps; so does its heartbeat.
        await Eventually.True(() => pump.Rounds == 2 && clock.WaitingTimers == 2);

        var second = queue.Offer();
        second.Done.SetResult();
        first.Done.SetResult();

        await Eventually.Arrives(second.Ended.Task);
        await pump.StopAsync(Cancellation);
    }

    [Fact]
    public async Task Of_endpoints_that_wait_for_the_same_lanes_none_is_always_first()
    {
        using var folder = new TempFolder();
        var queue = new Crowd();
        using var pump = new Pump([queue], new AsyncAutoResetEvent(), Settings.Load(folder.Path), new TestClock(), NullLogger<Pump>.Instance);

        for (var round = 0; round < 30; round++)
            Assert.Equal(0, await pump.RunOnceAsync(Cancellation));

        Assert.True(queue.Wanted.Distinct().Count() > 2, "Two lanes go to the same two of twenty each time.");
    }

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

    /// <summary>A queue of one row that can be offered again and again.</summary>
    private sealed class OneRow : IQueue
    {
        private readonly Guid _row = Guid.NewGuid();
        private readonly Guid _endpoint = Guid.NewGuid();
        private readonly ConcurrentQueue<Attempt> _offered = [];
        private readonly ConcurrentQueue<Guid> _extended = [];

        public int Lanes => 16;

        public int LanesPerEndpoint => 8;

        public int MaxLanesPerEndpoint => 8;

        public IReadOnlyCollection<Guid> Extended => _extended;

        /// <param name="another">Another row for the same endpoint.</param>
        public Attempt Offer(Guid? another = null)
        {
            var attempt = new Attempt(another ?? _row);
            _offered.Enqueue(attempt);
            return attempt;
        }

        public Task<IReadOnlyList<DueEndpoint>> DueAsync(CancellationToken cancellationToken) =>
            Task.FromResult<IReadOnlyList<DueEndpoint>>(_offered.IsEmpty ? [] : [new(_endpoint, Guid.Empty)]);

        public Task<IReadOnlyList<Claimed>> TakeAsync(IReadOnlyDictionary<Guid, int> wanted, CancellationToken cancellationToken) =>
            Task.FromResult<IReadOnlyList<Claimed>>(
                _offered.TryDequeue(out var attempt) ? [new Claimed(attempt.Row, _endpoint, attempt.Token, attempt.RunAsync)] : []);

        public Task ExtendAsync(IReadOnlyCollection<Guid> leaseTokens, CancellationToken cancellationToken)
        {
            foreach (var token in leaseTokens)
                _extended.Enqueue(token);
            return Task.CompletedTask;
        }

        public Task RebaseAsync(ClockChange? change, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task<int> ReleaseAbandonedAsync(bool all, CancellationToken cancellationToken) => Task.FromResult(0);

        public sealed class Attempt(Guid row)
        {
            public Guid Row => row;

            public Guid Token { get; } = Guid.NewGuid();

            public TaskCompletionSource Done { get; } = new();

            public TaskCompletionSource Ended { get; } = new();

            public async Task<bool> RunAsync(CancellationToken stopping)
            {
                await Done.Task.WaitAsync(stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                Ended.SetResult();
                return true;
            }
        }
    }
}
