using Apertur.Server.Queue;

namespace Apertur.Tests.Queue;

/// <summary>When something is tried again, and what decided that.</summary>
public sealed class DueTests
{
    private static readonly DateTimeOffset _now = new(2026, 6, 12, 14, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Latest_of_schedule_wish_and_breaker_decides()
    {
        Assert.Equal(new Due(At(30), DueCause.Schedule), After(30));
        Assert.Equal(new Due(At(30), DueCause.Schedule), After(30, asked: 20, open: 25));
        Assert.Equal(new Due(At(40), DueCause.RetryAfter), After(30, asked: 40, open: 35));
        Assert.Equal(new Due(At(60), DueCause.BreakerOpen), After(30, asked: 40, open: 60));
        Assert.Equal(new Due(At(30), DueCause.Schedule), After(30, asked: -5, open: -100));
        Assert.Equal(new Due(At(24 * 3600), DueCause.RetryAfter), After(30, asked: 30 * 24 * 3600));
        Assert.Equal(new Due(At(30), DueCause.Schedule), Due.After(new DueEvent.Failed(TimeSpan.FromSeconds(30), TimeSpan.MinValue), _now));
    }

    [Fact]
    public void Schedule_that_is_used_up_ends_it_whatever_is_asked_for()
    {
        Assert.Null(Due.After(new DueEvent.Failed(null, TimeSpan.FromSeconds(1), At(5)), _now));
    }

    [Fact]
    public void Who_asked_for_it_is_told()
    {
        Assert.Equal(new Due(_now, DueCause.Replayed, "owner@example.com"), Due.After(new DueEvent.Replayed("owner@example.com"), _now));
    }

    [Fact]
    public void Whatever_else_happens_makes_it_due_at_once_and_is_the_cause()
    {
        (DueEvent What, DueCause Cause)[] all =
        [
            (new DueEvent.Received(), DueCause.Received), (new DueEvent.Parked(), DueCause.Parked), (new DueEvent.Resumed(), DueCause.Resumed),
            (new DueEvent.Abandoned(), DueCause.Abandoned), (new DueEvent.Stopped(), DueCause.Stopped), (new DueEvent.Deleted(), DueCause.Deleted),
            (new DueEvent.ClockChanged(), DueCause.ClockChanged),
        ];
        Assert.All(all, one => Assert.Equal(new Due(_now, one.Cause), Due.After(one.What, _now)));
    }

    [Fact]
    public void What_was_due_waited_on_for_its_destination_when_that_became_usable_later()
    {
        var due = new Due(At(-100), DueCause.Received);

        Assert.Equal(due, due.Held(resumedAt: At(-200), openUntil: null, claimed: _now));
        Assert.Equal(new Due(At(-50), DueCause.Resumed), due.Held(At(-50), At(-80), _now));
        Assert.Equal(new Due(At(-20), DueCause.BreakerOpen), due.Held(At(-50), At(-20), _now));
        Assert.Equal(new Due(_now, DueCause.Resumed), due.Held(_now, At(-20), _now));
        Assert.Equal(new Due(_now, DueCause.BreakerOpen), due.Held(At(-50), _now, _now));
        // What came after the claim decided nothing.
        Assert.Equal(due, due.Held(At(1), At(1), _now));
    }

    private static DateTimeOffset At(int seconds) => _now.AddSeconds(seconds);

    private static Due? After(int wait, int? asked = null, int? open = null) => Due.After(
        new DueEvent.Failed(
            TimeSpan.FromSeconds(wait), asked is { } seconds ? TimeSpan.FromSeconds(seconds) : null, open is { } until ? At(until) : null),
        _now);
}
