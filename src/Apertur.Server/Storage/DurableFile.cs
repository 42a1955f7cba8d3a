using System.ComponentModel;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Apertur.Server.Storage;

/// <summary>
/// The disk operations that .NET lacks. A file's bytes are on disk when the file is synced; its name is when the directory that holds
/// it is synced too (fsync(2)). What others come to depend on is written whole beside its place, synced, renamed, and synced by name.
/// </summary>
internal static partial class DurableFile
{
    // O_RDONLY | O_CLOEXEC as Linux defines them on x64 and arm64.
    private const int OpenFlags = 0x80000;
    private const string DraftSuffix = ".tmp";
    private const int NoSpace = 28;
    private const int QuotaExceeded = 122;
    private const int AlreadyThere = 17;
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

    /// <summary>Makes a directory, missing parents included, and blocks until their names are on disk.</summary>
    public static void CreateDirectory(string path)
    {
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is not { } parent)
            return;
        if (!Directory.Exists(parent))
            CreateDirectory(parent);
        Directory.CreateDirectory(path);
        SyncDirectory(parent);
    }

    /// <summary>
    /// Writes a small file: under its name there is at any moment, after a power cut too, all of it, or what was there before. Blocks until it is
    /// on disk.
    /// </summary>
    /// <exception cref="IOException">The name is taken and may not be overwritten, or the disk failed.</exception>
    public static void Write(string path, ReadOnlySpan<byte> content, bool overwrite = true)
    {
        var draft = $"{path}.{Guid.NewGuid():N}{DraftSuffix}";
        try
        {
            using (var file = File.OpenHandle(draft, FileMode.CreateNew, FileAccess.Write))
                RandomAccess.Write(file, content, 0);
            Publish(draft, path, overwrite);
        }
        catch
        {
            File.Delete(draft);
            throw;
        }
    }

    /// <summary>
    /// Gives a finished file its final name, in the same folder: syncs its bytes first, whoever wrote them, and blocks until the name is on disk.
    /// </summary>
    /// <inheritdoc cref="Write" path="/exception"/>
    public static void Publish(string draft, string path, bool overwrite = false)
    {
        using (var file = File.OpenHandle(draft, FileMode.Open, FileAccess.ReadWrite))
            RandomAccess.FlushToDisk(file);
        Rename(draft, path, overwrite);
    }

    /// <summary>Gives a synced file its final name, and blocks until that name is on disk.</summary>
    /// <inheritdoc cref="Write" path="/exception"/>
    [SuppressMessage("ApiDesign", "RS0030", Justification = "This is the rename that the rule points to.")]
    public static void Rename(string path, string newPath, bool overwrite = false)
    {
        File.Move(path, newPath, overwrite);
        SyncDirectory(Path.GetDirectoryName(Path.GetFullPath(newPath))!);
    }

    /// <summary>Gives a folder, whose files are on disk, its final name with all that is in it, and blocks until that name is on disk.</summary>
    /// <exception cref="IOException">The name is taken, or the disk failed.</exception>
    public static void RenameFolder(string path, string newPath)
    {
        foreach (var folder in Directory.EnumerateDirectories(path, "*", SearchOption.AllDirectories).Append(path))
            SyncDirectory(folder);
        Directory.Move(path, newPath);
        SyncDirectory(Path.GetDirectoryName(Path.GetFullPath(newPath))!);
    }

    /// <summary>Removes what a crash left of <see cref="Write"/> in a folder. Drafts that are younger may still be somebody's.</summary>
    public static void DeleteDrafts(string folder, DateTimeOffset olderThan)
    {
        foreach (var draft in new DirectoryInfo(folder).EnumerateFiles("*" + DraftSuffix).Where(draft => draft.LastWriteTimeUtc < olderThan))
            draft.Delete();
    }

    /// <summary>Whether a failure means that the disk, or the user's share of it, is used up.</summary>
    public static bool IsDiskFull(IOException failure) =>
        failure.HResult is NoSpace or QuotaExceeded or WindowsDiskFull;

    /// <summary>Whether a failure is the disk's or the system's rather than a mistake: the error of a system call, not one of the framework's own.</summary>
    public static bool IsDiskFault(IOException failure) => failure is not (FileNotFoundException or DirectoryNotFoundException)
        // .NET leaves errno as it is where it has no exception of its own; EEXIST is the name of something that is there already.
        && failure.HResult is > 0 and < 256 and not AlreadyThere;

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
