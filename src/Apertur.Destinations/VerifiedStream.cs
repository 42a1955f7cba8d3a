namespace Apertur.Destinations;

/// <summary>
/// The bytes of a file, block by block, each compared with its checksum before any of it is handed out. CRC-32C is enough for that: the
/// SHA-256 of the whole was compared a moment ago, and what has changed since was changed by a fault and by nobody's intent.
/// </summary>
internal sealed class VerifiedStream(VerifiedImage image, OpenBytes open) : Stream
{
    public const int BlockBytes = 64 * 1024;

    // Not from a pool: an SDK may dispose the stream while a read of its own is still under way, and that would write into another's bytes.
    private readonly byte[] _block = new byte[Math.Min(BlockBytes, image.Length)];

    // Opened by the first read, and there: an object store sends from one position on.
    private Stream? _file;

    // The number of the block that _block holds.
    private long _held = -1;
    private long _position;
    private bool _isClosed;

    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => false;

    public override long Length => image.Length;

    public override long Position
    {
        get => _position;
        set => _position = value >= 0 ? value : throw new ArgumentOutOfRangeException(nameof(value));
    }

    private long Number => _position / BlockBytes;

    private long Start => Number * BlockBytes;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_position < image.Length && _held != Number)
        {
            try
            {
                var place = Place();
                var file = _file ?? Hold(await open(Start, cancellationToken).ConfigureAwait(false));
                file.Position = Start;
                await file.ReadExactlyAsync(place, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception exception) when (VerifiedImage.FaultIn(exception) is { } fault)
            {
                throw image.Fail(fault, exception);
            }

            Compare();
        }

        return Copy(buffer.Span);
    }

    /// <summary>The same for libraries that read in the manner of old.</summary>
    public override int Read(Span<byte> buffer)
    {
        if (_position < image.Length && _held != Number)
        {
            try
            {
                var place = Place();
                var file = _file ?? Hold(open(Start, CancellationToken.None).GetAwaiter().GetResult());
                file.Position = Start;
                file.ReadExactly(place.Span);
            }
            catch (Exception exception) when (VerifiedImage.FaultIn(exception) is { } fault)
            {
                throw image.Fail(fault, exception);
            }

            Compare();
        }

        return Copy(buffer);
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override long Seek(long offset, SeekOrigin origin) => Position = offset + origin switch
    {
        SeekOrigin.Current => _position,
        SeekOrigin.End => image.Length,
        _ => 0,
    };

    public override void Flush()
    {
    }

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing && !_isClosed)
        {
            _isClosed = true;
            _file?.Dispose();
        }

        base.Dispose(disposing);
    }

    private Stream Hold(Stream file)
    {
        _file = file;
        // Disposed while it was being opened: nobody else would close it.
        if (_isClosed)
            file.Dispose();
        return file;
    }

    /// <summary>Where the block at the position goes.</summary>
    private Memory<byte> Place()
    {
        ObjectDisposedException.ThrowIf(_isClosed, this);
        _held = -1;
        return _block.AsMemory(0, (int)Math.Min(BlockBytes, image.Length - Start));
    }

    private void Compare()
    {
        var size = (int)Math.Min(BlockBytes, image.Length - (Number * BlockBytes));
        if (!image.IsRight(Number, _block.AsSpan(0, size)))
            throw image.Fail(ImageFault.Altered);
        _held = Number;
    }

    private int Copy(Span<byte> buffer)
    {
        ObjectDisposedException.ThrowIf(_isClosed, this);
        var within = (int)(_position % BlockBytes);
        var count = (int)Math.Min(buffer.Length, Math.Min(BlockBytes - within, Math.Max(0, image.Length - _position)));
        _block.AsSpan(within, count).CopyTo(buffer);
        _position += count;
        return count;
    }
}
