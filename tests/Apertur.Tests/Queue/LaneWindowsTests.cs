using Apertur.Server.Queue;

namespace Apertur.Tests.Queue;

public sealed class LaneWindowsTests
{
    private static readonly Guid _endpoint = Guid.NewGuid();

    private readonly LaneWindows _windows = new(start: 8, most: 12);

    [Fact]
    public void Endpoint_gets_a_lane_more_with_each_fast_success_up_to_the_most()
    {
        Assert.Equal(8, _windows.Of(new DueEndpoint(_endpoint, Guid.Empty)));
        Assert.Equal([9, 10, 11, 12, 12], Enumerable.Range(0, 5).Select(_ => Counted(succeeded: true, LaneWindows.Fast)));
        Assert.Equal(8, _windows.Of(new DueEndpoint(Guid.NewGuid(), Guid.Empty)));
        var full = new LaneWindows(start: 8, most: 8);
        full.Count(_endpoint, succeeded: true, TimeSpan.Zero);
        Assert.Equal(8, full.Of(new DueEndpoint(_endpoint, Guid.Empty)));
    }

    [Theory]
    [InlineData(false, 10)]
    [InlineData(true, 501)]
    public void Endpoint_in_trouble_goes_back_to_the_start(bool succeeded, int milliseconds)
    {
        Counted(succeeded: true, TimeSpan.Zero);
        Counted(succeeded: true, TimeSpan.Zero);
        Assert.Equal(8, Counted(succeeded, TimeSpan.FromMilliseconds(milliseconds)));
        Assert.Equal(9, Counted(succeeded: true, TimeSpan.Zero));
    }

    /// <summary>Also on a node that has seen none of its failures.</summary>
    [Fact]
    public void Endpoint_that_is_tried_out_again_begins_anew()
    {
        Counted(succeeded: true, TimeSpan.Zero);
        Counted(succeeded: true, TimeSpan.Zero);

        Assert.Equal(8, _windows.Of(new DueEndpoint(_endpoint, Guid.Empty, Free: 1)));
        Assert.Equal(8, _windows.Of(new DueEndpoint(_endpoint, Guid.Empty)));
        Assert.Equal(9, Counted(succeeded: true, TimeSpan.Zero));
    }

    private int Counted(bool succeeded, TimeSpan took)
    {
        _windows.Count(_endpoint, succeeded, took);
        return _windows.Of(new DueEndpoint(_endpoint, Guid.Empty));
    }
}
