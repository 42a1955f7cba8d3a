using Apertur.Server.Pictures;
using Apertur.Tests.Support;

namespace Apertur.Tests.Thumbnails;

public sealed class PictureLanesTests
{
    private static readonly Guid _greedy = Guid.NewGuid();
    private static readonly Guid _other = Guid.NewGuid();

    private readonly CancellationToken _test = TestContext.Current.CancellationToken;

    [Fact]
    public async Task One_project_never_takes_all_lanes()
    {
        var lanes = new PictureLanes(3);
        var greedy = Enumerable.Range(0, 5).Select(_ => lanes.EnterAsync(_greedy, Guid.NewGuid(), _test)).ToList();

        using var other = await Eventually.Arrives(lanes.EnterAsync(_other, Guid.NewGuid(), _test));

        Assert.Equal([true, true, false, false, false], greedy.Select(waiting => waiting.IsCompleted));
        (await greedy[0]).Dispose();
        await Eventually.Arrives(greedy[2]);
        Assert.False(greedy[3].IsCompleted);
    }

    [Fact]
    public async Task Only_lane_there_is_serves_every_project_in_turn()
    {
        var lanes = new PictureLanes(1);
        var first = await lanes.EnterAsync(_greedy, Guid.NewGuid(), _test);
        var second = lanes.EnterAsync(_other, Guid.NewGuid(), _test);

        Assert.False(second.IsCompleted);
        first.Dispose();
        (await Eventually.Arrives(second)).Dispose();
    }

    [Fact]
    public async Task Who_goes_away_while_waiting_takes_no_lane()
    {
        var lanes = new PictureLanes(1);
        var first = await lanes.EnterAsync(_greedy, Guid.NewGuid(), _test);
        using var gone = new CancellationTokenSource();
        var second = lanes.EnterAsync(_other, Guid.NewGuid(), gone.Token);
        var third = lanes.EnterAsync(_other, Guid.NewGuid(), _test);

        await gone.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        first.Dispose();
        (await Eventually.Arrives(third)).Dispose();
    }

    [Fact]
    public async Task One_image_takes_one_lane()
    {
        var lanes = new PictureLanes(4);
        var image = Guid.NewGuid();
        var first = await lanes.EnterAsync(_greedy, image, _test);
        var second = lanes.EnterAsync(_greedy, image, _test);

        using var another = await Eventually.Arrives(lanes.EnterAsync(_greedy, Guid.NewGuid(), _test));

        Assert.False(second.IsCompleted);
        first.Dispose();
        (await Eventually.Arrives(second)).Dispose();
    }
}
