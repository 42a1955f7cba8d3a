using System.ComponentModel;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Apertur.Server.Storage;

/// <summary>
/// The disk operations that .NET lacks. A file's bytes are on disk when the file is synced; its name is when the directory that holds
/// it is synced too (fsync(2)).
/// </summary>
internal static partial class DurableFile
{
    // O_RDONLY | O_CLOEXEC as Linux defines them on x64 and arm64.
    private const int OpenFlags = 0x80000;
    private const int NoSpace = 28;
    private const int QuotaExceeded = 122;
    private const int WindowsDiskFull = unchecked((int)0x80070070);

    /// <summary>Blocks until every name in a directory is on disk.</summary>
    /// <exception cref="IOException">The directory is missing or its disk failed.</exception>
    public static void SyncDirectory(string path)
    {
        // Elsewhere the file system's journal has to do: there is no call for it on Windows.
        if (!OperatingSystem.IsLinux())
            return;
        using var directory = Open(path, OpenFlags);
        if (directory.IsInvalid)
            throw Failure("open", path);
        if (Fsync(directory) != 0)
            throw Failure("fsync", path);
    }

    /// <summary>Makes a directory, parents included, and blocks until its name is on disk.</summary>
    public static void CreateDirectory(string path)
    {
        Directory.CreateDirectory(path);
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } parent)
            SyncDirectory(parent);
    }

    /// <summary>Gives a synced file its final name, and blocks until that name is on disk. Nothing is overwritten.</summary>
    /// <exception cref="IOException">The name is taken, or the disk failed.</exception>
    [SuppressMessage("ApiDesign", "RS0030", Justification = "This is the rename that the rule points to.")]
    public static void Rename(string path, string newPath)
    {
        File.Move(path, newPath);
        SyncDirectory(Path.GetDirectoryName(Path.GetFullPath(newPath))!);
    }

    /// <summary>Whether a failure means that the disk, or the user's share of it, is used up.</summary>
    public static bool IsDiskFull(IOException failure) =>
        failure.HResult is NoSpace or QuotaExceeded or WindowsDiskFull;

    private static IOException Failure(string call, string path)
    {
        var errno = Marshal.GetLastPInvokeError();
        return new IOException($"{call} of {path} failed: {new Win32Exception(errno).Message}", errno);
    }

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial SafeFileHandle Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Fsync(SafeFileHandle file);
}
