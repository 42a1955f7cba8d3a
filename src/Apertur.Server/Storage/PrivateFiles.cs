using System.Runtime.InteropServices;

namespace Apertur.Server.Storage;

/// <summary>
/// The file mode creation mask: files and folders of this process and its children are for its user alone: database, photos, keys. A data
/// folder that was there before may be open to everybody, and SQLite and libvips take no mode.
/// </summary>
internal static partial class PrivateFiles
{
    private const uint GroupAndOthers = 0b111_111;

    /// <summary>From now on, for the whole process. Windows has no such modes: there a file inherits from its folder.</summary>
    public static void SetUmask()
    {
        if (!OperatingSystem.IsWindows())
            _ = Umask(GroupAndOthers);
    }

    [LibraryImport("libc", EntryPoint = "umask")]
    private static partial uint Umask(uint mask);
}
