using System.Buffers;
using System.Globalization;
using Apertur.Server.Blobs;

namespace Apertur.Server.Tus;

/// <summary>
/// Parts in an object store, whose objects do not grow: each is a row of objects <c>partial/upload/number.segment</c>, written one after the other.
/// What a crash takes with it is what has come since the last of them.
/// </summary>
internal sealed class ObjectParts(S3Blobs blobs) : IPartStore
{
    private const string FolderName = "partial";

    // Small enough that little is sent again, large enough that a photo is some twenty requests.
    private const int SegmentBytes = 1024 * 1024;

    private const int DeletesAtOnce = 8;

    public IPartWriter Create(Guid upload, int number) => new Writer(blobs, upload, number);

    public async Task<long> CloseAsync(Guid upload, int number, CancellationToken cancellationToken)
    {
        var total = 0L;
        // Asked for one by one: lists may be older than what was written.
        for (var segment = 0; await blobs.LengthOfAsync(KeyOf(upload, number, segment), cancellationToken) is { } length; segment++)
            total += length;
        return total;
    }

    public async Task<Stream> OpenReadAsync(Guid upload, int number, CancellationToken cancellationToken) =>
        new Reader(blobs, upload, number, await blobs.OpenReadAsync(KeyOf(upload, number, 0), 0, cancellationToken));

    public Task DeleteAsync(Guid upload, int parts) => blobs.CleanUpAsync(async cancellationToken =>
    {
        var segments = await blobs.ListAsync($"{FolderName}/{upload}", cancellationToken).ToListAsync(cancellationToken);
        await Parallel.ForEachAsync(
            segments, new ParallelOptions { MaxDegreeOfParallelism = DeletesAtOnce, CancellationToken = cancellationToken },
            async (segment, stop) => await blobs.DeleteAsync(segment.Key, stop));
    });

    public IAsyncEnumerable<Guid> OlderThanAsync(DateTimeOffset time, CancellationToken cancellationToken) =>
        blobs.ListAsync(FolderName, cancellationToken).Where(file => file.WrittenAt < time)
            .Select(file => Ids.TryParse(file.Key.Split('/')[1], out var id) ? id : Guid.Empty);

    private static string KeyOf(Guid upload, int number, int segment) =>
        string.Create(CultureInfo.InvariantCulture, $"{FolderName}/{upload}/{number}.{segment}");

    private sealed class Writer(S3Blobs blobs, Guid upload, int number) : IPartWriter
    {
        private readonly PartBuffer _buffer = new(blobs.Buffers);
        private int _segments;

        public long Length { get; private set; }

        public async ValueTask AppendAsync(ReadOnlySequence<byte> bytes, CancellationToken cancellationToken)
        {
            foreach (var piece in bytes)
            {
                for (var rest = piece; !rest.IsEmpty;)
                {
                    var fits = rest[..Math.Min(rest.Length, SegmentBytes - _buffer.Length)];
                    await _buffer.AddAsync(fits, cancellationToken);
                    Length += fits.Length;
                    rest = rest[fits.Length..];
                    if (_buffer.Length == SegmentBytes)
                        await SyncAsync(cancellationToken);
                }
            }
        }

        public async Task SyncAsync(CancellationToken cancellationToken)
        {
            if (_buffer.Length == 0)
                return;
            await blobs.PutAsync(KeyOf(upload, number, _segments), _buffer, ifAbsent: false, cancellationToken);
            _segments++;
            _buffer.Clear();
        }

        public ValueTask DisposeAsync()
        {
            _buffer.Dispose();
            return ValueTask.CompletedTask;
        }
    }

    /// <summary>The segments of a part as one stream.</summary>
    private sealed class Reader(S3Blobs blobs, Guid upload, int number, Stream first) : Stream
    {
        private Stream _current = first;
        private int _segment;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            int count;
            while ((count = await _current.ReadAsync(buffer, cancellationToken)) == 0)
            {
                Stream next;
                try
                {
                    next = await blobs.OpenReadAsync(KeyOf(upload, number, _segment + 1), 0, cancellationToken);
                }
                catch (FileNotFoundException)
                {
                    return 0;
                }

                await _current.DisposeAsync();
                (_current, _segment) = (next, _segment + 1);
            }

            return count;
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void Flush()
        {
        }

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                _current.Dispose();
            base.Dispose(disposing);
        }
    }
}
