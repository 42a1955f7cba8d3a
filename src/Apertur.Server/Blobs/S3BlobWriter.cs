using System.Buffers;
using Apertur.Server.Uploads;

namespace Apertur.Server.Blobs;

/// <summary>
/// An image that is sent to a bucket: in one request when it is small, else in parts while it comes in. It is an object from
/// <see cref="SyncAsync"/> on, or earlier, when somebody wants to read again what was sent already.
/// </summary>
internal sealed class S3BlobWriter(Guid id, string key, S3Blobs blobs) : BlobWriter(id)
{
    private readonly PartBuffer _buffer = new(blobs.Buffers);

    // The beginning of an image in parts: most headers are in it.
    private byte[] _head = [];
    private S3Parts? _parts;
    private long _sent;
    private bool _mayExist;
    private bool _isStored;
    private Stream? _stored;
    private LoadedBytes? _loaded;

    public override async Task SyncAsync(CancellationToken cancellationToken)
    {
        if (_isStored)
            return;
        _mayExist = true;
        if (_parts is null)
        {
            await blobs.PutAsync(key, _buffer, ifAbsent: false, cancellationToken);
        }
        else
        {
            if (_buffer.Length > 0)
                await SendPartAsync(isLast: true, cancellationToken);
            await _parts.CompleteAsync(cancellationToken);
        }

        _isStored = true;
    }

    public override int Read(Span<byte> buffer, long position)
    {
        if (position >= Length)
            return 0;
        // What goes on behind the end of either has to be read in one with it.
        if (position >= _sent)
            return _buffer.CopyTo(buffer, (int)(position - _sent));
        if (position + FileWindow.MostAtOnce <= _head.Length)
        {
            var found = _head.AsSpan((int)position);
            found = found[..Math.Min(found.Length, buffer.Length)];
            found.CopyTo(buffer);
            return found.Length;
        }

        return _loaded?.Read(buffer, position) ?? -1;
    }

    public override async Task LoadAsync(long position, CancellationToken cancellationToken)
    {
        await SyncAsync(cancellationToken);
        _stored ??= await blobs.OpenReadAsync(key, position, cancellationToken);
        _loaded ??= new LoadedBytes(_stored);
        await _loaded.LoadAsync(position, cancellationToken);
    }

    public override async Task ReadAllAsync(Memory<byte> bytes, CancellationToken cancellationToken)
    {
        if (_parts is null)
        {
            _buffer.CopyTo(bytes.Span, 0);
            return;
        }

        await SyncAsync(cancellationToken);
        await using var stored = await blobs.OpenReadAsync(key, 0, cancellationToken);
        await stored.ReadExactlyAsync(bytes, cancellationToken);
    }

    protected override async ValueTask WriteAsync(ReadOnlySequence<byte> bytes, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_isStored, this);
        foreach (var segment in bytes)
        {
            for (var rest = segment; !rest.IsEmpty;)
            {
                // Only when more comes, so that the last part is never empty and what fits into one request goes in one.
                if (_buffer.Length == S3Blobs.PartBytes)
                    await SendPartAsync(isLast: false, cancellationToken);
                var fits = rest[..Math.Min(rest.Length, S3Blobs.PartBytes - _buffer.Length)];
                await _buffer.AddAsync(fits, cancellationToken);
                rest = rest[fits.Length..];
            }
        }
    }

    protected override async ValueTask CloseAsync()
    {
        _buffer.Dispose();
        if (_stored is not null)
            await _stored.DisposeAsync();
        if (!IsKept)
        {
            if (_parts is { } parts && !_isStored)
                await blobs.CleanUpAsync(parts.AbortAsync);
            if (_mayExist)
                await blobs.CleanUpAsync(cancellationToken => blobs.DeleteAsync(key, cancellationToken));
        }

        _parts?.Dispose();
    }

    private async Task SendPartAsync(bool isLast, CancellationToken cancellationToken)
    {
        _parts ??= await blobs.BeginPartsAsync(key, cancellationToken);
        await _parts.SendAsync(_buffer, isLast, cancellationToken);
        if (_sent == 0)
        {
            _head = new byte[PartBuffer.ChunkBytes];
            _buffer.CopyTo(_head, 0);
        }

        _sent += _buffer.Length;
        _buffer.Clear();
    }
}
