using System.Buffers;
using System.IO.Pipelines;

namespace Apertur.Tests.Uploads;

/// <summary>Feeds bytes to a reader the way a network does: cut anywhere, each piece in a pipe segment of its own.</summary>
internal static class Chunks
{
    public static PipeReader Whole(byte[] bytes) => PipeReader.Create(new ReadOnlySequence<byte>(bytes));

    public static PipeReader Of(byte[] bytes, Func<int> next) => PipeReader.Create(
        new Cut(bytes, next),
        // A buffer as small as the piece makes every piece a segment.
        new StreamPipeReaderOptions(new OneSegmentPerRead(), bufferSize: 1, minimumReadSize: 1));

    /// <summary>The three ways every test of a reader should pass.</summary>
    public static IEnumerable<PipeReader> Every(byte[] bytes)
    {
        yield return Whole(bytes);
        yield return Of(bytes, () => 1);
        for (var seed = 0; seed < 20; seed++)
        {
            var random = new Random(seed);
            yield return Of(bytes, () => random.Next(1, 120));
        }
    }

    private sealed class Cut(byte[] bytes, Func<int> next) : MemoryStream(bytes, writable: false)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            ValueTask.FromResult(Read(buffer.Span[..Math.Min(buffer.Length, Math.Max(1, next()))]));
    }

    private sealed class OneSegmentPerRead : MemoryPool<byte>
    {
        public override int MaxBufferSize => 128;

        public override IMemoryOwner<byte> Rent(int minBufferSize = -1) => new Owner(new byte[128]);

        protected override void Dispose(bool disposing)
        {
        }

        private sealed class Owner(byte[] bytes) : IMemoryOwner<byte>
        {
            public Memory<byte> Memory => bytes;

            public void Dispose()
            {
            }
        }
    }
}
