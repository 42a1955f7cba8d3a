using Apertur.Server.Uploads;

namespace Apertur.Tests.Uploads;

public sealed class ReceiveBufferPoolTests
{
    [Fact]
    public void Returned_block_is_used_again()
    {
        using var pool = new ReceiveBufferPool().Create();
        var first = pool.Rent();
        Assert.Equal(ReceiveBufferPool.BlockBytes, first.Memory.Length);
        first.Dispose();
        using var second = pool.Rent(1000);
        Assert.Same(first, second);
    }

    [Fact]
    public void Block_returned_twice_is_given_to_one_only()
    {
        using var pool = new ReceiveBufferPool().Create();
        var block = pool.Rent();
        block.Dispose();
        block.Dispose();
        using var one = pool.Rent();
        using var other = pool.Rent();
        Assert.NotSame(one, other);
    }

    [Fact]
    public void More_than_a_block_is_refused()
    {
        using var pool = new ReceiveBufferPool().Create();
        Assert.Throws<ArgumentOutOfRangeException>(() => pool.Rent(ReceiveBufferPool.BlockBytes + 1));
    }
}
