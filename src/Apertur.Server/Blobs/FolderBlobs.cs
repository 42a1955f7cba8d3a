using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Apertur.Server.Storage;

namespace Apertur.Server.Blobs;

/// <summary>Blobs as files in folders of one folder.</summary>
internal sealed class FolderBlobs : IBlobs
{
    private readonly long _reserve;
    private readonly SyncThreads _threads = new();
    private readonly ConcurrentDictionary<string, Lazy<SyncedDirectory>> _folders = new();

    /// <param name="root">The folder, made when missing. No other program may write to it.</param>
    /// <param name="reserveBytes">Free space below which no new image is begun: room for the database to go on.</param>
    public FolderBlobs(string root, long reserveBytes = 64 * 1024 * 1024)
    {
        Root = Path.GetFullPath(root);
        _reserve = reserveBytes;
        DurableFile.CreateDirectory(Root);
    }

    public string Root { get; }

    public long? FreeBytes => new DriveInfo(Root).AvailableFreeSpace;

    public bool IsProven => _threads.SucceededAt is var at && at != long.MinValue && Environment.TickCount64 - at < 1000;

    public string PathOf(string key) => Path.Combine(Root, key);

    public BlobWriter Create(Guid id, string key)
    {
        RequireRoom();
        var path = PathOf(key);
        var folder = Path.GetDirectoryName(path)!;
        try
        {
            var directory = _folders.GetOrAdd(folder, Open).Value;
            var file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read);
            return new FolderBlobWriter(id, path, file, directory, _threads);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            // The folder could not be made, or somebody removed it: the next image tries to make it again.
            _folders.TryRemove(folder, out _);
            _threads.NoteFailure();
            if (failure is IOException io && DurableFile.IsDiskFull(io))
                throw new DiskFullException("No room on disk for another file.", failure);
            throw;
        }
    }

    /// <summary>Opens the file unbuffered.</summary>
    public Task<Stream> OpenReadAsync(string key, long position, CancellationToken cancellationToken) => Task.FromResult<Stream>(
        new FileStream(
            PathOf(key), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0,
            FileOptions.Asynchronous | FileOptions.SequentialScan)
        {
            Position = position,
        });

    public Task<long?> LengthOfAsync(string key, CancellationToken cancellationToken) =>
        Task.FromResult(new FileInfo(PathOf(key)) is { Exists: true } file ? file.Length : (long?)null);

    public Task<bool> WriteAsync(string key, ReadOnlyMemory<byte> content, bool overwrite, CancellationToken cancellationToken)
    {
        try
        {
            DurableFile.Write(PathOf(key), content.Span, overwrite);
            return Task.FromResult(true);
        }
        catch (IOException) when (!overwrite && File.Exists(PathOf(key)))
        {
            return Task.FromResult(false);
        }
    }

    public async IAsyncEnumerable<StoredFile> ListAsync(string folder, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Task.CompletedTask;
        foreach (var file in Files(new DirectoryInfo(PathOf(folder))))
        {
            cancellationToken.ThrowIfCancellationRequested();
            // It may have gone since its name was read.
            if (file.Exists)
                yield return new StoredFile(Path.GetRelativePath(Root, file.FullName).Replace('\\', '/'), file.Length, file.LastWriteTimeUtc);
        }
    }

    public Task<bool> MoveAsync(string key, string newKey, CancellationToken cancellationToken)
    {
        var (path, newPath) = (PathOf(key), PathOf(newKey));
        var folder = Path.GetDirectoryName(newPath)!;
        try
        {
            if (!Directory.Exists(folder))
                DurableFile.CreateDirectory(folder);
            DurableFile.Rename(path, newPath);
            return Task.FromResult(true);
        }
        // Another node, or another command, was faster.
        catch (IOException) when (!File.Exists(path) || File.Exists(newPath))
        {
            return Task.FromResult(false);
        }
    }

    public Task DeleteAsync(string key, CancellationToken cancellationToken)
    {
        var path = PathOf(key);
        try
        {
            File.Delete(path);
            // Folders of a day below the root stay: uploads may be going on there.
            if (key.Split('/') is [_, _, _, ..])
                Directory.Delete(Path.GetDirectoryName(path)!);
        }
        catch (IOException failure) when (failure is DirectoryNotFoundException || !File.Exists(path))
        {
            // Nothing was ever stored there, or others are in the folder, or another node removed it first.
        }

        return Task.CompletedTask;
    }

    public Task DeleteDraftsAsync(DateTimeOffset olderThan, CancellationToken cancellationToken)
    {
        foreach (var folder in Directory.EnumerateDirectories(Root))
            DurableFile.DeleteDrafts(folder, olderThan);
        return Task.CompletedTask;
    }

    public void RequireRoom()
    {
        if (FreeBytes < _reserve)
            throw new DiskFullException($"Less than {_reserve / (1024 * 1024)} MB are free on the disk that holds the images.");
    }

    public Task CheckAsync(CancellationToken cancellationToken) => _threads.RunAsync(Check).WaitAsync(cancellationToken);

    /// <summary>Runs another blocking call to the same disk, apart from the threads that serve requests.</summary>
    public Task RunAsync(Action work) => _threads.RunAsync(work);

    public void Dispose() => _threads.Dispose();

    private void Check()
    {
        RequireRoom();
        var path = Path.Combine(Root, $"probe-{Guid.NewGuid()}");
        using var probe = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, FileOptions.DeleteOnClose);
        RandomAccess.Write(probe, "probe"u8, 0);
        RandomAccess.FlushToDisk(probe);
        DurableFile.SyncDirectory(Root);
    }

    // A lazy value: uploads that arrive while the day's folder is being made wait until its own name is on disk.
    private static Lazy<SyncedDirectory> Open(string path) => new(() =>
    {
        DurableFile.CreateDirectory(path);
        return new SyncedDirectory(path);
    });

    private static IEnumerable<FileInfo> Files(DirectoryInfo folder) => !folder.Exists
        ? []
        : folder.EnumerateFiles().Concat(
            folder.EnumerateDirectories().OrderBy(below => below.Name, StringComparer.Ordinal).SelectMany(Files));
}
