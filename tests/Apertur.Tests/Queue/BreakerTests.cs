using Apertur.Server.Queue;

namespace Apertur.Tests.Queue;

/// <summary>When a breaker opens, what it lets through afterwards, and when it forgets.</summary>
public sealed class BreakerTests
{
    private const int Lanes = 8;

    private readonly Breaker _breaker = new();
    private DateTimeOffset _now = new(2026, 1, 5, 12, 0, 0, TimeSpan.Zero);

    public BreakerTests() => _breaker.Reset(_now);

    [Fact]
    public void Opens_at_the_tenth_attempt_and_not_before()
    {
        Fail(9);
        Assert.Null(_breaker.OpenUntil);
        Fail();

        Assert.Equal(_now.AddSeconds(15), _breaker.OpenUntil);
        Assert.Equal(1, _breaker.LaneLimit);
    }

    [Theory]
    [InlineData(3, 7, true)]
    [InlineData(4, 6, false)]
    public void Opens_when_seven_of_ten_failed(int successes, int failures, bool opens)
    {
        Succeed(successes);
        Fail(failures);

        Assert.Equal(opens, _breaker.OpenUntil is not null);
    }

    [Fact]
    public void A_success_opens_nothing_however_many_have_failed()
    {
        Succeed(1);
        Fail(8);
        Succeed(1);

        Assert.Null(_breaker.OpenUntil);
    }

    [Fact]
    public void Opens_soon_however_many_went_well_before()
    {
        Succeed(10_000);
        Fail(83);
        Assert.Null(_breaker.OpenUntil);
        Fail();

        Assert.NotNull(_breaker.OpenUntil);
    }

    [Theory]
    [InlineData(29_999, false)]
    [InlineData(30_000, true)]
    public void Opens_when_few_failures_have_burnt_a_minute_of_lanes(int milliseconds, bool opens)
    {
        Fail(2, took: TimeSpan.FromMilliseconds(milliseconds));

        Assert.Equal(opens, _breaker.OpenUntil is not null);
    }

    [Fact]
    public void Time_that_successes_take_is_not_burnt()
    {
        Count(new BreakerSample(Worked: true, Answered: true, TimedOut: false, TimeSpan.FromMinutes(2)));
        Fail(4);

        Assert.Null(_breaker.OpenUntil);
    }

    [Fact]
    public void Opens_after_three_attempts_in_a_row_without_an_answer_in_time()
    {
        Succeed(5);
        TimeOut(2);
        Succeed(1);
        TimeOut(2);
        Assert.Null(_breaker.OpenUntil);
        TimeOut(1);

        Assert.NotNull(_breaker.OpenUntil);
    }

    [Theory]
    [InlineData(300, true)]
    [InlineData(301, false)]
    public void Attempts_count_together_for_five_minutes(int seconds, bool opens)
    {
        Fail(9);
        _now = _now.AddSeconds(seconds);
        Fail();

        Assert.Equal(opens, _breaker.OpenUntil is not null);
        Assert.Equal(opens ? 0 : 1, _breaker.WindowAttempts);
    }

    [Fact]
    public void A_window_from_before_the_clock_was_set_back_counts_no_more()
    {
        Fail(9);
        _now = _now.AddSeconds(-1);
        Fail();

        Assert.Null(_breaker.OpenUntil);
        Assert.Equal((1, 1, _now), (_breaker.WindowAttempts, _breaker.WindowFailures, _breaker.WindowStart));
    }

    [Theory]
    [InlineData(2, true, false)]
    [InlineData(3, true, true)]
    [InlineData(3, false, false)]
    public void Opens_when_three_in_a_row_did_not_work_and_the_last_was_persistent(int failures, bool isPersistent, bool opens)
    {
        Fail(2);
        Succeed(20);
        Fail(failures - 1);
        Count(new BreakerSample(Worked: false, Answered: true, TimedOut: false, TimeSpan.Zero, isPersistent));

        Assert.Equal((opens, opens), (_breaker.OpenUntil is not null, _breaker.IsFailing));
    }

    [Fact]
    public void Closes_when_nothing_failed_for_a_while_after_a_success()
    {
        Fail(10);
        Assert.False(_breaker.Settle(_now.AddHours(1)));
        _now = _breaker.OpenUntil!.Value;
        Succeed(1);

        Assert.False(_breaker.Settle(_now.AddSeconds(29)));
        Assert.True(_breaker.Settle(_now.AddSeconds(30)));
        Assert.Equal((null, false), (_breaker.LaneLimit, _breaker.IsFailing));
        Assert.False(_breaker.Settle(_now.AddHours(1)));
    }

    [Fact]
    public void Each_failed_probe_opens_for_twice_as_long_up_to_eight_minutes()
    {
        Fail(10);
        var pauses = new List<double>();
        for (var probe = 0; probe < 8; probe++)
        {
            pauses.Add((_breaker.OpenUntil!.Value - _now).TotalSeconds);
            _now = _breaker.OpenUntil.Value;
            Fail();
        }

        Assert.Equal([15, 30, 60, 120, 240, 480, 480, 480], pauses);
        Assert.Equal(TimeSpan.FromSeconds(480), Breaker.LongestPause);
    }

    [Fact]
    public void What_was_under_way_when_it_opened_changes_nothing()
    {
        Fail(10);
        var until = _breaker.OpenUntil;
        _now = _now.AddSeconds(1);
        Fail();
        Succeed(1);

        Assert.Equal(until, _breaker.OpenUntil);
        Assert.Equal((1, 1), (_breaker.LaneLimit, _breaker.OpenedCount));
    }

    [Fact]
    public void Each_success_doubles_the_lanes_until_they_are_full()
    {
        Fail(10);
        _now = _breaker.OpenUntil!.Value;
        var limits = new List<int?>();
        for (var success = 0; success < 3; success++)
        {
            Succeed(1);
            Assert.Null(_breaker.OpenUntil);
            limits.Add(_breaker.LaneLimit);
        }

        Assert.Equal([2, 4, null], limits);
        // What it took to recover is no part of what comes then.
        Assert.Equal((0, 0), (_breaker.OpenedCount, _breaker.WindowAttempts));
    }

    [Fact]
    public void A_failure_while_the_lanes_widen_opens_again()
    {
        Fail(10);
        _now = _breaker.OpenUntil!.Value;
        Succeed(1);
        Fail();

        Assert.Equal((1, _now.AddSeconds(30)), (_breaker.LaneLimit, _breaker.OpenUntil!.Value));
    }

    [Fact]
    public void A_pause_longer_than_there_is_one_is_not_believed()
    {
        Fail(10);
        _now = _now.AddDays(-1);
        Succeed(1);

        Assert.Equal((2, null), (_breaker.LaneLimit, _breaker.OpenUntil));
    }

    [Fact]
    public void Reset_forgets_all_trouble()
    {
        Fail(9, took: TimeSpan.FromSeconds(1));
        _breaker.Reset(_now);
        Assert.Equal((0, 0, 0L), (_breaker.WindowAttempts, _breaker.WindowFailures, _breaker.WindowLaneMs));

        Fail(10);
        TimeOut(2);
        _breaker.Reset(_now);
        Assert.Null(_breaker.LaneLimit);
        Assert.Null(_breaker.OpenUntil);
        Assert.Equal((0, 0, 0), (_breaker.OpenedCount, _breaker.Timeouts, _breaker.FailuresInRow));
    }

    [Fact]
    public void An_breaker_has_answered_once_it_did()
    {
        TimeOut(1);
        Assert.False(_breaker.HasAnswered);
        Fail();
        Assert.True(_breaker.HasAnswered);
        TimeOut(1);
        Assert.True(_breaker.HasAnswered);
    }

    private void Fail(int times = 1, TimeSpan took = default)
    {
        for (var i = 0; i < times; i++)
            Count(new BreakerSample(Worked: false, Answered: true, TimedOut: false, took));
    }

    private void Succeed(int times)
    {
        for (var i = 0; i < times; i++)
            Count(new BreakerSample(Worked: true, Answered: true, TimedOut: false, TimeSpan.Zero));
    }

    private void TimeOut(int times)
    {
        for (var i = 0; i < times; i++)
            Count(new BreakerSample(Worked: false, Answered: false, TimedOut: true, TimeSpan.Zero));
    }

    private void Count(BreakerSample sample) => _breaker.Count(sample, Lanes, _now);
}
