using System.Diagnostics;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Apertur.Tests.Support;

/// <summary>
/// A file system of its own, in a file that is mounted by a loop device, whose power can be cut: whatever the kernel had not written to
/// its disk by then is lost, data and journal alike. What it cannot lose is the cache of a disk that confirms a flush too early.
/// </summary>
internal sealed partial class LoopDisk : IAsyncDisposable
{
    /// <summary>XFS takes no less than 300 MB. The file is sparse: only what is written takes room.</summary>
    private const long Size = 512 * 1024 * 1024;

    // _IOR('X', 125, __u32): EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN are one call, and "do not flush the log" is 2 for both.
    private const nuint ShutDown = 0x8004587D;
    private const uint WithoutLogFlush = 2;

    private readonly TempFolder _folder = new();
    private SafeFileHandle? _switch;

    /// <summary>Those that can be made here.</summary>
    public static string[] FileSystems => [.. new[] { "ext4", "xfs" }.Where(name => Components.Find($"mkfs.{name}") is not null)];

    private LoopDisk(string fileSystem) => FileSystem = fileSystem;

    /// <summary>Such as <c>ext4</c>.</summary>
    public string FileSystem { get; }

    /// <summary>Where it is mounted.</summary>
    public string Path => _folder.File("mounted");

    private string Image => _folder.File("image");

    /// <param name="fileSystem"><c>ext4</c> or <c>xfs</c>.</param>
    public static async Task<LoopDisk> MakeAsync(string fileSystem)
    {
        Components.RequireMounting();
        var make = Components.Program($"mkfs.{fileSystem}");
        var disk = new LoopDisk(fileSystem);
        try
        {
            using (var image = File.Create(disk.Image))
                image.SetLength(Size);
            Directory.CreateDirectory(disk.Path);
            // PostgreSQL does not run as root.
            Expect(await RunAsync("chmod", "711", disk._folder.Path));
            Expect(await RunAsync(make, "-q", disk.Image));
            await disk.MountAsync();
            return disk;
        }
        catch
        {
            await disk.DisposeAsync();
            throw;
        }
    }

    /// <summary>Writes everything to it that is to be there before.</summary>
    public async Task SyncAsync() => Expect(await RunAsync("sync", "--file-system", Path));

    /// <summary>From here on everything fails with EIO, as it does for a process on a machine whose disk is gone.</summary>
    public void Cut()
    {
        var flags = WithoutLogFlush;
        if (Ioctl(_switch!, ShutDown, ref flags) != 0)
            throw new IOException($"{FileSystem} does not shut down: error {Marshal.GetLastPInvokeError()}.");
    }

    /// <summary>Power is back: what the disk has is mounted, and the file system's log replayed. No process may have files open.</summary>
    public async Task RestoreAsync()
    {
        _switch!.Dispose();
        // A child of a process that was killed may take a moment longer.
        await Eventually.Becomes(() => RunAsync("umount", Path), done => done.ExitCode == 0, "nobody uses the file system");
        await MountAsync();
    }

    public async ValueTask DisposeAsync()
    {
        _switch?.Dispose();
        await RunAsync("umount", "--lazy", Path);
        _folder.Dispose();
    }

    private async Task MountAsync()
    {
        Expect(await RunAsync("mount", "-o", "loop", Image, Path));
        _switch = File.OpenHandle(System.IO.Path.Combine(Path, "switch"), FileMode.OpenOrCreate);
    }

    private static async Task<(int ExitCode, string Errors)> RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        var errors = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, errors);
    }

    private static void Expect((int ExitCode, string Errors) done) => Assert.True(done.ExitCode == 0, done.Errors);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int Ioctl(SafeFileHandle file, nuint request, ref uint flags);
}
