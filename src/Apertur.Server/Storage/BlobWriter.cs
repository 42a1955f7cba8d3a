using System.Buffers;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace Apertur.Server.Storage;

/// <summary>
/// One image on its way to disk, hashed as it passes. The file stays only if <see cref="Keep"/> was called before
/// <see cref="DisposeAsync"/>. Not safe for concurrent use.
/// </summary>
internal sealed class BlobWriter : IAsyncDisposable
{
    private readonly string _path;
    private readonly SyncedDirectory _directory;
    private readonly SyncThreads _threads;
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly List<ReadOnlyMemory<byte>> _segments = [];
    private bool _kept;

    internal BlobWriter(Guid id, string path, SafeFileHandle file, SyncedDirectory directory, SyncThreads threads)
    {
        (Id, _path, File, _directory, _threads) = (id, path, file, directory, threads);
    }

    public Guid Id { get; }

    /// <summary>The file itself, readable: for parsing the header of what was appended.</summary>
    public SafeFileHandle File { get; }

    /// <summary>Bytes appended so far.</summary>
    public long Length { get; private set; }

    /// <summary>SHA-256 of what was appended so far, 64 lower-case hex characters.</summary>
    public string Sha256 => Convert.ToHexStringLower(_hash.GetCurrentHash());

    /// <summary>
    /// Adds bytes at the end, into the system's page cache: it blocks for a memory copy, not for the disk, unless the system
    /// throttles writers.
    /// </summary>
    /// <exception cref="DiskFullException">No room; the writer can only be disposed now.</exception>
    public void Append(in ReadOnlySequence<byte> bytes)
    {
        foreach (var segment in bytes)
        {
            _hash.AppendData(segment.Span);
            _segments.Add(segment);
        }

        try
        {
            RandomAccess.Write(File, _segments, Length);
        }
        catch (IOException failure) when (DurableFile.IsDiskFull(failure))
        {
            throw new DiskFullException("No room on disk for the image.", failure);
        }
        finally
        {
            _segments.Clear();
        }

        Length += bytes.Length;
    }

    /// <summary>
    /// Returns when the bytes and the name are on disk and survive a power cut. Cancelling abandons the wait, not the sync.
    /// </summary>
    /// <exception cref="DiskFullException">The disk had no room after all (file systems that allocate at sync).</exception>
    public async Task SyncAsync(CancellationToken ct)
    {
        try
        {
            await _threads.RunAsync(Sync).WaitAsync(ct);
        }
        catch (IOException failure) when (DurableFile.IsDiskFull(failure))
        {
            throw new DiskFullException("No room on disk for the image.", failure);
        }
    }

    /// <summary>
    /// From now on the file stays. Call it before the transaction that records the image is sent: when its outcome is unknown, a file
    /// without a row can be swept later, while a row without a file is a lost image.
    /// </summary>
    public void Keep() => _kept = true;

    /// <summary>Takes <see cref="Keep"/> back, for a transaction that certainly failed.</summary>
    public void Discard() => _kept = false;

    public ValueTask DisposeAsync()
    {
        _hash.Dispose();
        File.Dispose();
        if (!_kept)
            System.IO.File.Delete(_path);
        return ValueTask.CompletedTask;
    }

    private void Sync()
    {
        RandomAccess.FlushToDisk(File);
        _directory.Sync();
    }
}
