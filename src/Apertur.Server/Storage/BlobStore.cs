using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Globalization;

namespace Apertur.Server.Storage;

/// <summary>A stored image's bytes as the file system sees them.</summary>
internal readonly record struct StoredBlob(Guid Id, long Length, DateTimeOffset WrittenAt);

/// <summary>
/// The bytes of images, one file each in a folder per day: <c>yyyy-MM-dd/id</c>, the UTC day of the id's own timestamp, so the id alone says
/// where an image is. The database row is the truth: a file without one is set aside (<see cref="Quarantine"/>).
/// </summary>
internal sealed class BlobStore : IDisposable
{
    private static readonly long _lastInstant = DateTimeOffset.MaxValue.ToUnixTimeMilliseconds();

    private readonly long _reserve;
    private readonly SyncThreads _threads = new();
    private readonly ConcurrentDictionary<string, Lazy<SyncedDirectory>> _days = new();

    /// <param name="root">The folder, made when missing. No other program may write to it.</param>
    /// <param name="reserveBytes">Free space below which no new image is begun: room for the database to go on.</param>
    public BlobStore(string root, long reserveBytes = 64 * 1024 * 1024)
    {
        Root = Path.GetFullPath(root);
        _reserve = reserveBytes;
        DurableFile.CreateDirectory(Root);
    }

    /// <summary>The folder that all is in.</summary>
    public string Root { get; }

    /// <summary>Begins an image, under its final name: until a row names it, nothing looks there.</summary>
    /// <param name="id">A version 7 UUID that has no file yet.</param>
    /// <exception cref="DiskFullException">Less than the reserve is free.</exception>
    public BlobWriter Create(Guid id)
    {
        RequireRoom();
        var day = DayOf(id);
        try
        {
            var directory = _days.GetOrAdd(day, Open).Value;
            var path = Path.Combine(directory.Path, id.ToString());
            var file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read);
            return new BlobWriter(id, path, file, directory, _threads);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            // The folder could not be made, or somebody removed it: the next image tries to make it again.
            _days.TryRemove(day, out _);
            _threads.NoteFailure();
            if (failure is IOException io && DurableFile.IsDiskFull(io))
                throw new DiskFullException("No room on disk for another file.", failure);
            throw;
        }
    }

    /// <summary>Opens an image's bytes: seekable, asynchronous, unbuffered. The caller disposes it.</summary>
    /// <exception cref="IOException">There is no such file (<see cref="FileNotFoundException"/> or
    /// <see cref="DirectoryNotFoundException"/>), or the disk failed.</exception>
    public FileStream OpenRead(Guid id) =>
        new(PathOf(id), FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0,
            FileOptions.Asynchronous | FileOptions.SequentialScan);

    public bool Exists(Guid id) => File.Exists(PathOf(id));

    /// <summary>Bytes of an image's file; null when there is none.</summary>
    public long? LengthOf(Guid id) => new FileInfo(PathOf(id)) is { Exists: true } file ? file.Length : null;

    /// <summary>Where an image's file is, or would be.</summary>
    public string PathOf(Guid id) => Path.Combine(Root, DayOf(id), id.ToString());

    /// <summary>When an image began to come in, which its id tells.</summary>
    public static DateTimeOffset TimeOf(Guid id)
    {
        if (id.Version != 7)
            throw new ArgumentException("Only version 7 ids carry the time that places them.", nameof(id));
        Span<byte> bytes = stackalloc byte[16];
        id.TryWriteBytes(bytes, bigEndian: true, out _);
        // The first 48 bits are unix milliseconds (RFC 9562, 5.7).
        var milliseconds = BinaryPrimitives.ReadInt64BigEndian(bytes) >>> 16;
        return DateTimeOffset.FromUnixTimeMilliseconds(Math.Min(milliseconds, _lastInstant));
    }

    /// <summary>Where an image's thumbnail is, if it has been made: beside it, and gone with it.</summary>
    public string ThumbnailPath(Guid id) => PathOf(id) + ".jpg";

    /// <summary>Opens an image's thumbnail; null when none has been made. The caller disposes it.</summary>
    public FileStream? OpenThumbnail(Guid id)
    {
        try
        {
            var thumbnail = new FileStream(
                ThumbnailPath(id), FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0, FileOptions.Asynchronous);
            // Earlier versions kept an empty file for a failure, and could leave one behind a power cut.
            if (thumbnail.Length > 0)
                return thumbnail;
            thumbnail.Dispose();
        }
        catch (IOException failure) when (failure is FileNotFoundException or DirectoryNotFoundException)
        {
        }

        return null;
    }

    /// <summary>Keeps an image's thumbnail beside it, whole or not at all. Nothing happens when the image is gone.</summary>
    public void WriteThumbnail(Guid id, ReadOnlySpan<byte> jpeg)
    {
        if (!Exists(id))
            return;
        DurableFile.Write(ThumbnailPath(id), jpeg);
        // It went meanwhile.
        if (!Exists(id))
            Delete(id);
    }

    /// <summary>Removes an image's bytes; streams that are open on them read on. Nothing happens when they are gone already.</summary>
    public void Delete(Guid id)
    {
        try
        {
            // The image last: as long as it is there, a sweep finds both.
            File.Delete(ThumbnailPath(id));
            File.Delete(PathOf(id));
        }
        catch (DirectoryNotFoundException)
        {
            // No image of that day was ever stored here.
        }
    }

    /// <summary>Every stored image, oldest day first, files of uploads in progress included: compare <see cref="StoredBlob.WrittenAt"/>.</summary>
    public IEnumerable<StoredBlob> Enumerate()
    {
        foreach (var day in new DirectoryInfo(Root).EnumerateDirectories().OrderBy(day => day.Name, StringComparer.Ordinal))
        {
            foreach (var file in day.EnumerateFiles())
            {
                if (Guid.TryParseExact(file.Name, "D", out var id) && id.Version == 7 && DayOf(id) == day.Name && file.Exists)
                    yield return new StoredBlob(id, file.Length, file.LastWriteTimeUtc);
            }
        }
    }

    /// <summary>Removes what crashes left of thumbnails that were being written.</summary>
    public void DeleteDrafts(DateTimeOffset olderThan)
    {
        foreach (var day in Directory.EnumerateDirectories(Root))
            DurableFile.DeleteDrafts(day, olderThan);
    }

    /// <summary>Bytes that may still be written to the disk that holds the images.</summary>
    public long FreeBytes => new DriveInfo(Root).AvailableFreeSpace;

    /// <summary>Whether something was synced within the last second, and nothing has failed since.</summary>
    public bool IsProven => _threads.SucceededAt is var at && at != long.MinValue && Environment.TickCount64 - at < 1000;

    /// <exception cref="DiskFullException">Less than the reserve is free.</exception>
    public void RequireRoom()
    {
        if (FreeBytes < _reserve)
            throw new DiskFullException($"Less than {_reserve / (1024 * 1024)} MB are free on the disk that holds the images.");
    }

    /// <summary>Writes, syncs and removes a small file, as an upload would.</summary>
    /// <exception cref="IOException">The store cannot take images now; <see cref="DiskFullException"/> when it lacks room.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder may not be written.</exception>
    public Task CheckAsync(CancellationToken ct) => _threads.RunAsync(Check).WaitAsync(ct);

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
    private Lazy<SyncedDirectory> Open(string day) => new(() =>
    {
        var path = Path.Combine(Root, day);
        DurableFile.CreateDirectory(path);
        return new SyncedDirectory(path);
    });

    private static string DayOf(Guid id) => TimeOf(id).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
}
