using System.Buffers;
using Apertur.Server.Storage;
using Microsoft.Win32.SafeHandles;

namespace Apertur.Server.Blobs;

/// <summary>An image that is written to a file, under its final name: until a row names it, nothing looks there.</summary>
internal sealed class FolderBlobWriter(Guid id, string path, SafeFileHandle file, SyncedDirectory directory, SyncThreads threads) : BlobWriter(id)
{
    private readonly List<ReadOnlyMemory<byte>> _segments = [];

    /// <summary>Returns when the bytes and the name are on disk and survive a power cut. Cancelling abandons the wait, not the sync.</summary>
    public override async Task SyncAsync(CancellationToken cancellationToken)
    {
        try
        {
            await threads.RunAsync(Sync).WaitAsync(cancellationToken);
        }
        catch (IOException failure) when (DurableFile.IsDiskFull(failure))
        {
            throw new DiskFullException("No room on disk for the image.", failure);
        }
    }

    public override int Read(Span<byte> buffer, long position) => RandomAccess.Read(file, buffer, position);

    public override Task LoadAsync(long position, CancellationToken cancellationToken) => Task.CompletedTask;

    public override Task ReadAllAsync(Memory<byte> bytes, CancellationToken cancellationToken)
    {
        for (var at = 0; at < Length;)
        {
            var count = Read(bytes.Span[at..], at);
            at += count > 0 ? count : throw new EndOfStreamException("The file on disk is shorter than what was written.");
        }

        return Task.CompletedTask;
    }

    protected override ValueTask WriteAsync(ReadOnlySequence<byte> bytes, CancellationToken cancellationToken)
    {
        foreach (var segment in bytes)
            _segments.Add(segment);
        try
        {
            RandomAccess.Write(file, _segments, Length);
            return ValueTask.CompletedTask;
        }
        catch (IOException failure) when (DurableFile.IsDiskFull(failure))
        {
            throw new DiskFullException("No room on disk for the image.", failure);
        }
        finally
        {
            _segments.Clear();
        }
    }

    protected override ValueTask CloseAsync()
    {
        file.Dispose();
        if (!IsKept)
            File.Delete(path);
        return ValueTask.CompletedTask;
    }

    private void Sync()
    {
        RandomAccess.FlushToDisk(file);
        directory.Sync();
    }
}
