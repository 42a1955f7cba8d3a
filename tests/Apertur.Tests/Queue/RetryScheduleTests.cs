using Apertur.Server.Queue;

namespace Apertur.Tests.Queue;

public sealed class RetryScheduleTests
{
    private readonly RetrySchedule _schedule = new("5,30");

    [Theory]
    [InlineData(1, 1.0, 5.0)]
    [InlineData(2, 1.0, 30.0)]
    [InlineData(2, 0.5, 15.0)]
    [InlineData(1, 0.0, 0.001)]
    public void Waits_are_drawn_from_a_millisecond_to_the_figure_of_the_attempt(int attempts, double random, double seconds) =>
        Assert.Equal(TimeSpan.FromSeconds(seconds), _schedule.WaitAfter(attempts, random));

    [Fact]
    public void Nothing_waits_when_the_schedule_is_used_up() => Assert.Null(_schedule.WaitAfter(3, 1));
}
