using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;

namespace Apertur.Server.Blobs;

/// <summary>What is sent to an object store in one request, in chunks: a small image takes little memory, and one that comes slowly takes it slowly.</summary>
internal sealed class PartBuffer(BufferBudget budget) : IDisposable
{
    public const int ChunkBytes = 256 * 1024;

    private readonly List<byte[]> _chunks = [];

    public int Length { get; private set; }

    /// <exception cref="ObjectStoreException">Other images hold all the memory that there is for them.</exception>
    public async ValueTask AddAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        while (!bytes.IsEmpty)
        {
            var (chunk, within) = Math.DivRem(Length, ChunkBytes);
            if (chunk == _chunks.Count)
                _chunks.Add(await budget.RentAsync(cancellationToken));
            var fits = bytes[..Math.Min(bytes.Length, ChunkBytes - within)];
            fits.CopyTo(_chunks[chunk].AsMemory(within));
            Length += fits.Length;
            bytes = bytes[fits.Length..];
        }
    }

    /// <summary>Makes room for the next part.</summary>
    public void Clear() => Length = 0;

    /// <summary>Copies what fits from a position on.</summary>
    /// <returns>How many bytes.</returns>
    public int CopyTo(Span<byte> buffer, int position)
    {
        var total = Math.Min(buffer.Length, Length - position);
        for (var copied = 0; copied < total;)
        {
            var (chunk, within) = Math.DivRem(position + copied, ChunkBytes);
            var count = Math.Min(total - copied, ChunkBytes - within);
            _chunks[chunk].AsSpan(within, count).CopyTo(buffer[copied..]);
            copied += count;
        }

        return total;
    }

    /// <summary>
    /// Sent as <c>Content-MD5</c>, and looked for in entity tags: unlike the newer checksums every service knows it.
    /// </summary>
    [SuppressMessage("Security", "CA5351", Justification = "The protocol's. What is signed is the SHA-256.")]
    public byte[] Md5()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.MD5);
        for (var at = 0; at < Length; at += ChunkBytes)
            hash.AppendData(_chunks[at / ChunkBytes], 0, Math.Min(ChunkBytes, Length - at));
        return hash.GetHashAndReset();
    }

    /// <summary>The bytes from the start, seekable, for as long as nothing is added or cleared.</summary>
    public Stream OpenRead() => new Reader(this);

    public void Dispose()
    {
        _chunks.ForEach(budget.Return);
        _chunks.Clear();
        Length = 0;
    }

    private sealed class Reader(PartBuffer buffer) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => true;

        public override bool CanWrite => false;

        public override long Length => buffer.Length;

        public override long Position { get; set; }

        public override int Read(Span<byte> into)
        {
            var count = buffer.CopyTo(into, (int)Math.Min(Position, Length));
            Position += count;
            return count;
        }

        public override int Read(byte[] into, int offset, int count) => Read(into.AsSpan(offset, count));

        public override ValueTask<int> ReadAsync(Memory<byte> into, CancellationToken cancellationToken = default) => ValueTask.FromResult(Read(into.Span));

        public override Task<int> ReadAsync(byte[] into, int offset, int count, CancellationToken cancellationToken) =>
            Task.FromResult(Read(into.AsSpan(offset, count)));

        public override long Seek(long offset, SeekOrigin origin) => Position = offset + origin switch
        {
            SeekOrigin.Current => Position,
            SeekOrigin.End => Length,
            _ => 0,
        };

        public override void Flush()
        {
        }

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] from, int offset, int count) => throw new NotSupportedException();
    }
}
