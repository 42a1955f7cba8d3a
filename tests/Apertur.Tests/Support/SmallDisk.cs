using System.Diagnostics;

namespace Apertur.Tests.Support;

/// <summary>A real file system (ext4 in a file), which can be filled and broken. Only root may mount one: for others the test is skipped.</summary>
internal sealed class SmallDisk : IDisposable
{
    private readonly TempFolder _folder = new();

    private SmallDisk()
    {
    }

    public string Path => _folder.File("disk");

    public static SmallDisk Mount(int megabytes)
    {
        var disk = new SmallDisk();
        var image = disk._folder.File("image");
        using (var file = File.Create(image))
            file.SetLength(megabytes * 1024L * 1024);
        Directory.CreateDirectory(disk.Path);
        if (Run("mkfs.ext4", "-q", "-m", "0", image) && Run("mount", "-o", "loop", image, disk.Path))
            return disk;
        disk._folder.Dispose();
        Assert.Skip("Nobody but root may mount a file system.");
        throw new InvalidOperationException();
    }

    /// <summary>As the system does when it finds the file system damaged: everything can be read, nothing written. For good.</summary>
    public void MakeReadOnly() => Assert.True(Run("mount", "-o", "remount,abort", Path));

    /// <summary>The same by an operator, who can take it back; no file may be open for writing.</summary>
    public void MakeReadOnly(bool isReadOnly) => Assert.True(Run("mount", "-o", isReadOnly ? "remount,ro" : "remount,rw", Path));

    /// <summary>Takes all room that is left; <see cref="Free"/> gives it back.</summary>
    public void Fill()
    {
        using var file = new FileStream(Filler, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        var block = new byte[4096];
        try
        {
            while (true)
                file.Write(block);
        }
        catch (IOException)
        {
        }
    }

    public void Free() => File.Delete(Filler);

    public void Dispose()
    {
        Run("umount", "-l", Path);
        _folder.Dispose();
    }

    private string Filler => System.IO.Path.Combine(Path, "filler");

    private static bool Run(string program, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            // There is no such program.
            return false;
        }
    }
}
