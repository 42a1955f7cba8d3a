using Amazon.S3.Model;
using Apertur.Server.Storage;

namespace Apertur.Server.Blobs;

/// <summary>An object's bytes, read while they arrive. Reading on elsewhere asks for the object again from there.</summary>
internal sealed class S3ReadStream(S3Blobs blobs, string key, long length, long position, GetObjectResponse response) : Stream
{
    private static readonly TimeSpan _longestSilence = TimeSpan.FromSeconds(30);

    private GetObjectResponse? _response = response;

    // What the response gives next.
    private long _next = position;

    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => false;

    public override long Length => length;

    public override long Position { get; set; } = position;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (Position >= length || buffer.IsEmpty)
            return 0;
        if (_response is null || _next != Position)
            await ReopenAsync(cancellationToken);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(_longestSilence);
        int count;
        try
        {
            count = await _response!.ResponseStream.ReadAsync(buffer, limit.Token);
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested && ObjectStoreException.Of(exception) is { } failure)
        {
            throw failure;
        }

        return Advance(count);
    }

    /// <summary>The same for libraries that read in the manner of old.</summary>
    public override int Read(Span<byte> buffer)
    {
        var bytes = new byte[buffer.Length];
        var count = ReadAsync(bytes).AsTask().GetAwaiter().GetResult();
        bytes.AsSpan(0, count).CopyTo(buffer);
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override long Seek(long offset, SeekOrigin origin) => Position = offset + origin switch
    {
        SeekOrigin.Current => Position,
        SeekOrigin.End => length,
        _ => 0,
    };

    public override void Flush()
    {
    }

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _response?.Dispose();
        _response = null;
        base.Dispose(disposing);
    }

    private async Task ReopenAsync(CancellationToken cancellationToken)
    {
        _response?.Dispose();
        _response = null;
        _response = await blobs.GetAsync(key, Position, cancellationToken);
        _next = Position;
    }

    private int Advance(int count)
    {
        // The store has the object, and its length: that it ended early says something of the connection only.
        if (count == 0)
            throw new ObjectStoreException(StorageFaultKind.Unavailable, "The answer of the object store broke off.");
        _next = Position += count;
        return count;
    }
}
