using System.Buffers;
using System.Diagnostics;
using Apertur.Server.Blobs;
using Apertur.Server.Storage;

namespace Apertur.Tests.Blobs;

/// <summary>Blobs in a folder, and what only a folder does.</summary>
public sealed class FolderBlobsTests : BlobsConformance, IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("apertur-blobs-").FullName;
    private readonly FolderBlobs _blobs;

    public FolderBlobsTests() => _blobs = new FolderBlobs(_folder);

    private protected override IBlobs Blobs => _blobs;

    public void Dispose()
    {
        _blobs.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private string[] Files() => Directory.GetFiles(_folder, "*", SearchOption.AllDirectories);

    [Fact]
    public async Task Id_that_is_stored_already_is_not_overwritten()
    {
        var id = await StoreAsync([1, 2, 3]);
        Assert.ThrowsAny<IOException>(() => Store.Create(id));
        Assert.Equal(3, new FileInfo(Assert.Single(Files())).Length);
    }

    [Fact]
    public async Task Deleted_image_is_not_gone_for_open_readers()
    {
        var id = await StoreAsync([1, 2, 3]);
        await using var open = await Store.OpenReadAsync(id, 0, Cancellation);
        await Store.DeleteAsync(id, Cancellation);
        Assert.Equal(3, await open.ReadAsync(new byte[10], Cancellation));
    }

    [Fact]
    public async Task Store_goes_on_when_a_days_folder_was_removed()
    {
        await Store.DeleteAsync(await StoreAsync([1]), Cancellation);
        Directory.Delete(Assert.Single(Directory.GetDirectories(_folder)));
        Assert.ThrowsAny<IOException>(() => Store.Create(Guid.CreateVersion7()));
        Assert.True(await Store.ExistsAsync(await StoreAsync([1]), Cancellation));
    }

    [Fact]
    public async Task Day_of_the_quarantine_goes_with_its_last_file()
    {
        var (one, two) = ($"quarantine/2026-02-28/{Guid.NewGuid()}", $"quarantine/2026-02-28/{Guid.NewGuid()}");
        Assert.True(await _blobs.MoveAsync(BlobStore.KeyOf(await StoreAsync([1])), one, Cancellation));
        Assert.True(await _blobs.MoveAsync(BlobStore.KeyOf(await StoreAsync([1])), two, Cancellation));

        await _blobs.DeleteAsync(one, Cancellation);
        Assert.Equal(two, Assert.Single(await ListAsync("quarantine")).Key);
        await _blobs.DeleteAsync(two, Cancellation);
        Assert.Empty(Directory.GetDirectories(Path.Combine(_folder, "quarantine")));
    }

    [Fact]
    public async Task Less_room_than_the_reserve_refuses_before_anything_is_written()
    {
        using var blobs = new FolderBlobs(_folder, reserveBytes: long.MaxValue);
        Assert.Throws<DiskFullException>(() => new BlobStore(blobs).Create(Guid.CreateVersion7()));
        await Assert.ThrowsAsync<DiskFullException>(() => blobs.CheckAsync(Cancellation));
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
            using var blobs = new FolderBlobs(disk, reserveBytes: 0);
            var id = Guid.CreateVersion7();
            await using (var writer = new BlobStore(blobs).Create(id))
            {
                var bytes = new ReadOnlySequence<byte>(new byte[600_000]);
                await writer.AppendAsync(bytes, Cancellation);
                await Assert.ThrowsAsync<DiskFullException>(async () => await writer.AppendAsync(bytes, Cancellation));
            }

            Assert.False(await new BlobStore(blobs).ExistsAsync(id, Cancellation));
            Assert.True(blobs.FreeBytes > 900_000);
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
}
