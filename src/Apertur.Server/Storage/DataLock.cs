namespace Apertur.Server.Storage;

/// <summary>
/// A lock file that keeps a second server from the same data folder: SQLite's queue is worked by one process. The operating system lets go of
/// the lock however the process ends.
/// </summary>
internal static class DataLock
{
    /// <summary>
    /// Makes the data folder when it is missing. One that exists stays as its owner wanted it; what is made in it is private in any case, see
    /// <see cref="PrivateFiles"/>.
    /// </summary>
    public static void Make(string dataFolder)
    {
        // The folder above belongs to somebody else, and is touched only when it has to be.
        if (!Directory.Exists(dataFolder))
            DurableFile.CreateDirectory(dataFolder);
    }

    /// <summary>Holds the lock until the result is disposed.</summary>
    /// <exception cref="InvalidOperationException">Another server uses this folder.</exception>
    public static IDisposable Take(string dataFolder)
    {
        Make(dataFolder);
        var path = Path.Combine(dataFolder, "server.lock");
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException) when (File.Exists(path))
        {
            throw new InvalidOperationException($"Another server is running on {dataFolder}. Stop it first, or name another folder with --data.");
        }
    }
}
