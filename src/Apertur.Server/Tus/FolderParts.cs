using System.Buffers;
using System.Globalization;
using Apertur.Server.Blobs;
using Apertur.Server.Storage;
using Microsoft.Win32.SafeHandles;

namespace Apertur.Server.Tus;

/// <summary>Parts as files <c>images/partial/upload.number</c>, in the folder that nodes share where photos are in one.</summary>
internal sealed class FolderParts(FolderBlobs blobs) : IPartStore
{
    private const string FolderName = "partial";

    private readonly Lazy<SyncedDirectory> _folder = new(() =>
    {
        var path = Path.Combine(blobs.Root, FolderName);
        DurableFile.CreateDirectory(path);
        return new SyncedDirectory(path);
    });

    public IPartWriter Create(Guid upload, int number)
    {
        blobs.RequireRoom();
        return new PartFile(
            this, File.OpenHandle(PathOf(upload, number), FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete));
    }

    public async Task<long> CloseAsync(Guid upload, int number, CancellationToken cancellationToken)
    {
        var length = 0L;
        await blobs.RunAsync(() => length = Close(PathOf(upload, number))).WaitAsync(cancellationToken);
        return length;
    }

    public Task<Stream> OpenReadAsync(Guid upload, int number, CancellationToken cancellationToken) => Task.FromResult<Stream>(new FileStream(
        PathOf(upload, number), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0,
        FileOptions.Asynchronous | FileOptions.SequentialScan));

    public Task DeleteAsync(Guid upload, int parts)
    {
        for (var number = 0; number < parts; number++)
            File.Delete(PathOf(upload, number));
        return Task.CompletedTask;
    }

    public IAsyncEnumerable<Guid> OlderThanAsync(DateTimeOffset time, CancellationToken cancellationToken) =>
        new DirectoryInfo(_folder.Value.Path).EnumerateFiles().Where(file => file.LastWriteTimeUtc < time)
            .Select(file => Ids.TryParse(Path.GetFileNameWithoutExtension(file.Name), out var id) ? id : Guid.Empty).ToAsyncEnumerable();

    private long Close(string path)
    {
        if (!File.Exists(path))
            return 0;
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        // First the length: what is added between the two is synced too, but not counted.
        var length = RandomAccess.GetLength(file);
        Sync(file);
        return length;
    }

    private void Sync(SafeFileHandle file)
    {
        RandomAccess.FlushToDisk(file);
        _folder.Value.Sync();
    }

    private Task SyncAsync(SafeFileHandle file) => blobs.RunAsync(() => Sync(file));

    private string PathOf(Guid upload, int number) =>
        Path.Combine(_folder.Value.Path, string.Create(CultureInfo.InvariantCulture, $"{upload}.{number}"));

    private sealed class PartFile(FolderParts parts, SafeFileHandle file) : IPartWriter
    {
        private readonly List<ReadOnlyMemory<byte>> _segments = [];

        public long Length { get; private set; }

        public ValueTask AppendAsync(ReadOnlySequence<byte> bytes, CancellationToken cancellationToken)
        {
            _segments.Clear();
            foreach (var segment in bytes)
                _segments.Add(segment);
            try
            {
                RandomAccess.Write(file, _segments, Length);
            }
            catch (IOException failure) when (DurableFile.IsDiskFull(failure))
            {
                throw new DiskFullException("No room on disk for the image.", failure);
            }

            Length += bytes.Length;
            return ValueTask.CompletedTask;
        }

        public Task SyncAsync(CancellationToken cancellationToken) => parts.SyncAsync(file).WaitAsync(cancellationToken);

        public ValueTask DisposeAsync()
        {
            file.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
