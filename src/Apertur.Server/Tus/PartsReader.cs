using System.Buffers;
using System.Security.Cryptography;
using Apertur.Server.Uploads;

namespace Apertur.Server.Tus;

/// <summary>The parts of an upload as the one file that they are.</summary>
internal sealed class PartsReader(IPartStore store, PartialUpload upload) : IAsyncDisposable
{
    private readonly byte[] _buffer = ArrayPool<byte>.Shared.Rent(ImageIntake.ChunkBytes);
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private Stream? _part;
    private int _number = -1;
    private long _left;

    /// <summary>SHA-256 of what was read so far, 64 lower-case hex characters.</summary>
    public string Sha256 => Convert.ToHexStringLower(_hash.GetCurrentHash());

    /// <summary>Gives the next bytes, always as many as the buffer holds until the end.</summary>
    /// <exception cref="IOException">A part is gone, or shorter than it was.</exception>
    public async ValueTask<ReadOnlySequence<byte>> ReadAsync(CancellationToken cancellationToken)
    {
        var filled = 0;
        while (filled < _buffer.Length && await AdvanceAsync(cancellationToken))
        {
            var most = (int)Math.Min(_buffer.Length - filled, _left);
            var read = await _part!.ReadAsync(_buffer.AsMemory(filled, most), cancellationToken);
            if (read == 0)
                throw new EndOfStreamException("A part of the upload is shorter than it was.");
            filled += read;
            _left -= read;
        }

        _hash.AppendData(_buffer, 0, filled);
        return new(_buffer, 0, filled);
    }

    public async ValueTask DisposeAsync()
    {
        if (_part is not null)
            await _part.DisposeAsync();
        _hash.Dispose();
        ArrayPool<byte>.Shared.Return(_buffer);
    }

    /// <summary>Whether there is something left to read.</summary>
    private async ValueTask<bool> AdvanceAsync(CancellationToken cancellationToken)
    {
        while (_left == 0)
        {
            if (++_number >= upload.Parts.Length)
                return false;
            if (upload.Parts[_number] == 0)
                continue;
            if (_part is not null)
                await _part.DisposeAsync();
            _part = await store.OpenReadAsync(upload.Id, _number, cancellationToken);
            _left = upload.Parts[_number];
        }

        return true;
    }
}
