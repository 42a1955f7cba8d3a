using System.Buffers;
using System.IO.Pipelines;

namespace Apertur.Server.Encryption;

/// <summary>A whole request body as the bytes of one file. Dispose it before answering.</summary>
internal sealed class BodyBytes(PipeReader body) : IDisposable
{
    private SequencePosition? _given;

    /// <inheritdoc cref="Uploads.ReadBytes"/>
    public async ValueTask<ReadOnlySequence<byte>> ReadAsync(int minimum, CancellationToken cancellationToken)
    {
        Dispose();
        var result = await body.ReadAtLeastAsync(minimum, cancellationToken);
        // Kestrel interrupts a read when the server is told to stop; the body goes on.
        while (result.IsCanceled)
        {
            body.AdvanceTo(result.Buffer.Start, result.Buffer.End);
            result = await body.ReadAtLeastAsync(minimum, cancellationToken);
        }

        _given = result.Buffer.End;
        return result.Buffer;
    }

    public void Dispose()
    {
        if (_given is { } position)
            body.AdvanceTo(position);
        _given = null;
    }
}
