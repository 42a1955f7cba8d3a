using System.Buffers;
using System.Security.Cryptography;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;

namespace Apertur.Server.Blobs;

/// <summary>
/// One image on its way into the store, hashed as it passes. It stays only if <see cref="Keep"/> was called before
/// <see cref="DisposeAsync"/>. Not safe for concurrent use.
/// </summary>
internal abstract class BlobWriter(Guid id) : IRandomBytes, IAsyncDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    public Guid Id => id;

    /// <summary>Bytes appended so far.</summary>
    public long Length { get; private set; }

    /// <summary>SHA-256 of what was appended so far, 64 lower-case hex characters.</summary>
    public string Sha256 => Convert.ToHexStringLower(_hash.GetCurrentHash());

    /// <summary>Whether it stays when the writer is disposed.</summary>
    protected bool IsKept { get; private set; }

    /// <summary>
    /// Adds bytes at the end. In a folder they go into the system's page cache: it blocks for a memory copy, not for the disk, unless the
    /// system throttles writers. To an object store it waits for a part to be sent now and then.
    /// </summary>
    /// <exception cref="IOException">The store failed, or has no room (<see cref="DiskFullException"/>); the writer can only be disposed now.</exception>
    public async ValueTask AppendAsync(ReadOnlySequence<byte> bytes, CancellationToken cancellationToken)
    {
        foreach (var segment in bytes)
            _hash.AppendData(segment.Span);
        await WriteAsync(bytes, cancellationToken);
        Length += bytes.Length;
    }

    /// <summary>Returns when the bytes are durable under their key. Nothing can be appended afterwards.</summary>
    /// <exception cref="IOException">The store failed, or has no room after all (<see cref="DiskFullException"/>).</exception>
    public abstract Task SyncAsync(CancellationToken cancellationToken);

    /// <inheritdoc/>
    public abstract int Read(Span<byte> buffer, long position);

    /// <inheritdoc/>
    public abstract Task LoadAsync(long position, CancellationToken cancellationToken);

    /// <summary>Reads back all that was appended.</summary>
    public abstract Task ReadAllAsync(Memory<byte> bytes, CancellationToken cancellationToken);

    /// <summary>
    /// From now on the image stays. Call it before the transaction that records the image is sent: when its outcome is unknown, an image
    /// without a row can be swept later, while a row without an image is a lost one.
    /// </summary>
    public void Keep() => IsKept = true;

    /// <summary>Takes <see cref="Keep"/> back, for a transaction that certainly failed.</summary>
    public void Discard() => IsKept = false;

    public async ValueTask DisposeAsync()
    {
        _hash.Dispose();
        await CloseAsync();
    }

    /// <summary>Writes at <see cref="Length"/>.</summary>
    protected abstract ValueTask WriteAsync(ReadOnlySequence<byte> bytes, CancellationToken cancellationToken);

    /// <summary>Frees what the writer holds, and removes the image unless it <see cref="IsKept"/>.</summary>
    protected abstract ValueTask CloseAsync();
}
