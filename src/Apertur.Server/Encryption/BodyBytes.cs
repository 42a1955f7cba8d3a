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
        _given = result.Buffer.End;
        return result.IsCanceled ? throw new OperationCanceledException(cancellationToken) : result.Buffer;
    }

    public void Dispose()
    {
        if (_given is { } position)
            body.AdvanceTo(position);
        _given = null;
    }
}
