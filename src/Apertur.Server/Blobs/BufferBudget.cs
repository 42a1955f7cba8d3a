using System.Collections.Concurrent;
using Apertur.Server.Storage;

namespace Apertur.Server.Blobs;

/// <summary>
/// The memory of all images that are on their way to an object store: when it is used up, those that need more wait for those that end, which holds
/// their senders up, and are refused when that takes too long.
/// </summary>
internal sealed class BufferBudget(int megabytes) : IDisposable
{
    private static readonly TimeSpan _longest = TimeSpan.FromSeconds(10);

    // 16 MB. Chunks beyond it are left to the garbage collector.
    private const int MaxIdle = 64;

    private readonly SemaphoreSlim _free = new(megabytes * (1024 * 1024 / PartBuffer.ChunkBytes));
    private readonly ConcurrentBag<byte[]> _idle = [];

    /// <summary>A chunk of <see cref="PartBuffer.ChunkBytes"/>, with whatever is in it.</summary>
    /// <exception cref="ObjectStoreException">There was none for too long.</exception>
    public async ValueTask<byte[]> RentAsync(CancellationToken cancellationToken)
    {
        if (!await _free.WaitAsync(_longest, cancellationToken))
        {
            throw new ObjectStoreException(
                StorageFaultKind.Unavailable, "More photos come in than the object store takes: Storage:S3:BufferMb is used up.");
        }

        return _idle.TryTake(out var chunk) ? chunk : GC.AllocateUninitializedArray<byte>(PartBuffer.ChunkBytes);
    }

    public void Return(byte[] chunk)
    {
        if (_idle.Count < MaxIdle)
            _idle.Add(chunk);
        _free.Release();
    }

    public void Dispose() => _free.Dispose();
}
