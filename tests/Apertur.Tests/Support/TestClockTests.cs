namespace Apertur.Tests.Support;

public sealed class TestClockTests
{
    private readonly TestClock _clock = new();

    [Fact]
    public void Clock_stands_still_until_moved()
    {
        var before = _clock.GetUtcNow();
        var started = _clock.GetTimestamp();

        _clock.Advance(TimeSpan.FromMinutes(90));

        Assert.Equal(TimeSpan.FromMinutes(90), _clock.GetUtcNow() - before);
        Assert.Equal(TimeSpan.FromMinutes(90), _clock.GetElapsedTime(started));
    }

    [Fact]
    public void Delay_ends_when_its_time_has_come_and_not_before()
    {
        var delay = Task.Delay(TimeSpan.FromSeconds(5), _clock, TestContext.Current.CancellationToken);

        _clock.Advance(TimeSpan.FromSeconds(4.9));
        var early = delay.IsCompleted;
        _clock.Advance(TimeSpan.FromSeconds(0.1));

        Assert.False(early);
        Assert.True(delay.IsCompletedSuccessfully);
    }

    [Fact]
    public void Clock_that_is_set_back_lets_no_time_pass()
    {
        var (before, started) = (_clock.GetUtcNow(), _clock.GetTimestamp());
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(5), _clock);

        _clock.Set(TimeSpan.FromDays(-1));
        var early = limit.IsCancellationRequested;
        _clock.Advance(TimeSpan.FromSeconds(5));

        Assert.Equal(before.AddDays(-1).AddSeconds(5), _clock.GetUtcNow());
        Assert.Equal(TimeSpan.FromSeconds(5), _clock.GetElapsedTime(started));
        Assert.False(early);
        Assert.True(limit.IsCancellationRequested);
    }

    [Fact]
    public void Timers_fire_in_order_each_at_its_instant()
    {
        var start = _clock.GetUtcNow();
        var seen = new List<(string Timer, double Seconds)>();
        void Note(object? name) => seen.Add(((string)name!, (_clock.GetUtcNow() - start).TotalSeconds));
        using var once = _clock.CreateTimer(Note, "once", TimeSpan.FromSeconds(3), Timeout.InfiniteTimeSpan);
        using var often = _clock.CreateTimer(Note, "often", TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(2));
        using var stopped = _clock.CreateTimer(Note, "stopped", TimeSpan.FromSeconds(1), Timeout.InfiniteTimeSpan);
        stopped.Dispose();

        _clock.Advance(TimeSpan.FromSeconds(5));

        Assert.Equal([("often", 2), ("once", 3), ("often", 4)], seen);
        Assert.Equal(1, _clock.WaitingTimers);
    }

    [Fact]
    public async Task Loop_that_sleeps_on_the_clock_runs_once_for_each_period()
    {
        var rounds = 0;
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(10), _clock);
        var loop = Loop();

        for (var round = 1; round <= 3; round++)
        {
            _clock.Advance(TimeSpan.FromSeconds(10));
            await Eventually.True(() => Volatile.Read(ref rounds) == round);
        }

        timer.Dispose();
        await Eventually.Arrives(loop);
        Assert.Equal(3, rounds);

        async Task Loop()
        {
            while (await timer.WaitForNextTickAsync(TestContext.Current.CancellationToken))
                Interlocked.Increment(ref rounds);
        }
    }

    [Fact]
    public void Token_with_a_time_limit_is_cancelled_by_the_clock()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(15), _clock);

        _clock.Advance(TimeSpan.FromSeconds(15));

        Assert.True(limit.IsCancellationRequested);
    }
}
