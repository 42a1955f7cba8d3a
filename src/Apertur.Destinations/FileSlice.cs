using System.Buffers;
using System.Net;
using System.Net.Http.Headers;

namespace Apertur.Destinations;

/// <summary>A stretch of an image as a request body, read from the stored file while it is sent.</summary>
internal sealed class FileSlice : HttpContent
{
    private const int BufferSize = 128 * 1024;

    private readonly Func<Stream> _open;
    private readonly long _offset;
    private readonly long _length;
    private readonly TransferDeadline _deadline;

    public FileSlice(Func<Stream> open, long offset, long length, string mediaType, TransferDeadline deadline)
    {
        (_open, _offset, _length, _deadline) = (open, offset, length, deadline);
        Headers.ContentType = new MediaTypeHeaderValue(mediaType);
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(
        Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        await using var file = _open();
        file.Position = _offset;
        var buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
        try
        {
            for (var left = _length; left > 0;)
            {
                var read = await file.ReadAsync(buffer.AsMemory(0, (int)Math.Min(left, buffer.Length)), cancellationToken);
                if (read == 0)
                    throw new EndOfStreamException("The stored image is shorter than its record says.");
                await stream.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
                left -= read;
                _deadline.Progress();
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    protected override bool TryComputeLength(out long length)
    {
        length = _length;
        return true;
    }
}
