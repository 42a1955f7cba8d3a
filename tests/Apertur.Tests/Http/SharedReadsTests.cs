using Apertur.Server.Http;

namespace Apertur.Tests.Http;

public sealed class SharedReadsTests
{
    private readonly SharedReads _reads = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Everyone_who_asks_during_a_read_shares_the_next_one()
    {
        var first = new TaskCompletionSource<int>();
        var began = 0;
        Task<int> Read() => Interlocked.Increment(ref began) == 1 ? first.Task : Task.FromResult(2);

        var early = _reads.ReadAsync("rows", Read, Cancellation);
        var late = Enumerable.Range(0, 1000).Select(_ => _reads.ReadAsync("rows", Read, Cancellation)).ToList();
        Assert.All(late, each => Assert.False(each.IsCompleted));
        first.SetResult(1);

        Assert.Equal(1, await early);
        Assert.All(await Task.WhenAll(late), result => Assert.Equal(2, result));
        Assert.Equal(2, began);
    }

    [Fact]
    public async Task Nothing_is_kept_after_a_read()
    {
        Assert.Equal(1, await _reads.ReadAsync("rows", () => Task.FromResult(1), Cancellation));
        Assert.Equal(2, await _reads.ReadAsync("rows", () => Task.FromResult(2), Cancellation));
    }

    [Fact]
    public async Task Other_keys_do_not_wait()
    {
        var stuck = _reads.ReadAsync(("rows", 1), () => new TaskCompletionSource<int>().Task, Cancellation);
        Assert.Equal(2, await _reads.ReadAsync(("rows", 2), () => Task.FromResult(2), Cancellation));
        Assert.False(stuck.IsCompleted);
    }

    [Fact]
    public async Task Failed_read_fails_for_all_who_share_it_and_for_nobody_after()
    {
        var first = new TaskCompletionSource<int>();
        var early = _reads.ReadAsync("rows", () => first.Task, Cancellation);
        var shared = Enumerable.Range(0, 3)
            .Select(_ => _reads.ReadAsync<int>("rows", () => throw new InvalidOperationException("broken"), Cancellation)).ToList();
        first.SetResult(1);

        Assert.Equal(1, await early);
        foreach (var each in shared)
            await Assert.ThrowsAsync<InvalidOperationException>(() => each);
        Assert.Equal(3, await _reads.ReadAsync("rows", () => Task.FromResult(3), Cancellation));
    }

    [Fact]
    public async Task Who_leaves_takes_nothing_from_the_others()
    {
        var first = new TaskCompletionSource<int>();
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var left = _reads.ReadAsync("rows", () => first.Task, leaving.Token);
        var other = _reads.ReadAsync("rows", () => Task.FromResult(2), Cancellation);
        await leaving.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => left);
        first.SetResult(1);
        Assert.Equal(2, await other);
    }
}
