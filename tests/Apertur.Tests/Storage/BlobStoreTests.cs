using System.Buffers;
using System.Diagnostics;
using System.Security.Cryptography;
using Apertur.Server.Storage;

namespace Apertur.Tests.Storage;

public sealed class BlobStoreTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("apertur-blobs-").FullName;
    private readonly BlobStore _store;

    public BlobStoreTests() => _store = new BlobStore(_folder);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _store.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task<Guid> StoreAsync(byte[] bytes)
    {
        var id = Guid.CreateVersion7();
        await using var writer = _store.Create(id);
        writer.Append(new ReadOnlySequence<byte>(bytes));
        await writer.SyncAsync(Ct);
        writer.Keep();
        return id;
    }

    private string[] Files() => Directory.GetFiles(_folder, "*", SearchOption.AllDirectories);

    [Fact]
    public async Task Bytes_come_back_with_their_length_and_hash()
    {
        var bytes = new byte[100_000];
        new Random(3).NextBytes(bytes);
        var id = Guid.CreateVersion7();
        await using (var writer = _store.Create(id))
        {
            for (var at = 0; at < bytes.Length; at += 30_000)
                writer.Append(Segments(bytes[at..Math.Min(bytes.Length, at + 30_000)]));
            await writer.SyncAsync(Ct);
            Assert.Equal(bytes.Length, writer.Length);
            Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(bytes)), writer.Sha256);
            writer.Keep();
        }

        await using var stream = _store.OpenRead(id);
        Assert.True(stream.CanSeek);
        using var read = new MemoryStream();
        await stream.CopyToAsync(read, Ct);
        Assert.Equal(bytes, read.ToArray());
    }

    [Fact]
    public async Task Place_follows_from_the_id_alone()
    {
        var id = Guid.CreateVersion7(new DateTimeOffset(2026, 2, 28, 23, 59, 59, TimeSpan.Zero));
        await using var writer = _store.Create(id);
        Assert.Equal([Path.Combine(_folder, "2026-02-28", id.ToString())], Files());
    }

    [Fact]
    public async Task Image_that_is_not_kept_leaves_nothing_behind()
    {
        await using (var writer = _store.Create(Guid.CreateVersion7()))
        {
            writer.Append(new ReadOnlySequence<byte>([1, 2, 3]));
            await writer.SyncAsync(Ct);
        }

        await using (var writer = _store.Create(Guid.CreateVersion7()))
        {
            writer.Keep();
            writer.Discard();
        }

        Assert.Empty(Files());
    }

    [Fact]
    public async Task Id_that_is_stored_already_is_not_overwritten()
    {
        var id = await StoreAsync([1, 2, 3]);
        Assert.ThrowsAny<IOException>(() => _store.Create(id));
        Assert.Equal(3, new FileInfo(Assert.Single(Files())).Length);
    }

    [Fact]
    public async Task Deleted_image_is_gone_for_new_readers_but_not_for_open_ones()
    {
        var id = await StoreAsync([1, 2, 3]);
        Assert.True(_store.Exists(id));
        await using var open = _store.OpenRead(id);
        _store.Delete(id);
        _store.Delete(id);
        Assert.False(_store.Exists(id));
        Assert.Throws<FileNotFoundException>(() => _store.OpenRead(id));
        Assert.Equal(3, await open.ReadAsync(new byte[10], Ct));
    }

    [Fact]
    public void Ids_of_days_without_images_are_absent()
    {
        var id = Guid.CreateVersion7(new DateTimeOffset(2001, 1, 1, 0, 0, 0, TimeSpan.Zero));
        _store.Delete(id);
        Assert.False(_store.Exists(id));
        Assert.Throws<DirectoryNotFoundException>(() => _store.OpenRead(id));
        Assert.False(_store.Exists(new Guid("ffffffff-ffff-7fff-bfff-ffffffffffff")));
        Assert.Throws<ArgumentException>(() => _store.Exists(Guid.NewGuid()));
    }

    [Fact]
    public async Task Enumeration_names_every_image_and_nothing_else()
    {
        var first = await StoreAsync([1]);
        var second = await StoreAsync([1, 2]);
        var day = Path.GetDirectoryName(Files()[0])!;
        await File.WriteAllTextAsync(Path.Combine(day, "notes.txt"), "", Ct);
        await File.WriteAllTextAsync(Path.Combine(day, Guid.NewGuid().ToString()), "", Ct);
        var found = _store.Enumerate().ToDictionary(blob => blob.Id, blob => blob.Length);
        Assert.Equal(new Dictionary<Guid, long> { [first] = 1, [second] = 2 }, found);
    }

    [Fact]
    public async Task Store_goes_on_when_a_days_folder_was_removed()
    {
        _store.Delete(await StoreAsync([1]));
        Directory.Delete(Assert.Single(Directory.GetDirectories(_folder)));
        Assert.ThrowsAny<IOException>(() => _store.Create(Guid.CreateVersion7()));
        Assert.True(_store.Exists(await StoreAsync([1])));
    }

    [Fact]
    public async Task Many_uploads_at_once_are_all_stored()
    {
        var ids = await Task.WhenAll(Enumerable.Range(0, 200).Select(i => Task.Run(() => StoreAsync([(byte)i]))));
        Assert.Equal(ids.Order(), _store.Enumerate().Select(blob => blob.Id).Order());
    }

    [Fact]
    public async Task Health_check_passes_and_leaves_nothing_behind()
    {
        await _store.CheckAsync(Ct);
        Assert.Empty(Files());
    }

    [Fact]
    public async Task Less_room_than_the_reserve_refuses_before_anything_is_written()
    {
        using var store = new BlobStore(_folder, reserveBytes: long.MaxValue);
        Assert.Throws<DiskFullException>(() => store.Create(Guid.CreateVersion7()));
        await Assert.ThrowsAsync<DiskFullException>(() => store.CheckAsync(Ct));
        Assert.Empty(Files());
    }

    [Fact]
    public async Task Full_disk_is_told_as_such_and_leaves_nothing_behind()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess, "Mounting a small file system needs root on Linux.");
        var disk = Path.Combine(_folder, "disk");
        Directory.CreateDirectory(disk);
        Assert.SkipUnless(Run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk) == 0, "This machine does not let us mount a file system.");
        try
        {
            using var store = new BlobStore(disk, reserveBytes: 0);
            var id = Guid.CreateVersion7();
            await using (var writer = store.Create(id))
            {
                var bytes = new ReadOnlySequence<byte>(new byte[600_000]);
                writer.Append(bytes);
                Assert.Throws<DiskFullException>(() => writer.Append(bytes));
            }

            Assert.False(store.Exists(id));
            Assert.True(store.FreeBytes > 900_000);
        }
        finally
        {
            Run("umount", disk);
        }
    }

    [Theory]
    [InlineData(28, true)]
    [InlineData(122, true)]
    [InlineData(5, false)]
    [InlineData(2, false)]
    public void Only_lack_of_room_counts_as_a_full_disk(int error, bool full) =>
        Assert.Equal(full, DurableFile.IsDiskFull(new IOException("", error)));

    [Fact]
    public void Sync_of_a_missing_directory_fails() =>
        Assert.Throws<IOException>(() => DurableFile.SyncDirectory(Path.Combine(_folder, "missing")));

    private static int Run(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        process.WaitForExit();
        return process.ExitCode;
    }

    /// <summary>The same bytes in pieces of 4 kB, as a pipe hands them out.</summary>
    private static ReadOnlySequence<byte> Segments(byte[] bytes)
    {
        var first = new Piece(bytes.AsMemory(0, Math.Min(4096, bytes.Length)), 0);
        var last = first;
        for (var at = 4096; at < bytes.Length; at += 4096)
            last = last.Then(bytes.AsMemory(at, Math.Min(4096, bytes.Length - at)));
        return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
    }

    private sealed class Piece : ReadOnlySequenceSegment<byte>
    {
        public Piece(ReadOnlyMemory<byte> memory, long index) => (Memory, RunningIndex) = (memory, index);

        public Piece Then(ReadOnlyMemory<byte> memory)
        {
            var next = new Piece(memory, RunningIndex + Memory.Length);
            Next = next;
            return next;
        }
    }
}
