namespace Apertur.Server.Storage;

/// <summary>
/// Keeps a second server from the same data folder: SQLite's queue is worked by one process. The operating system lets go of the lock
/// however the process ends.
/// </summary>
internal static class DataLock
{
    /// <summary>Holds the lock until the result is disposed.</summary>
    /// <exception cref="InvalidOperationException">Another server uses this folder.</exception>
    public static IDisposable Take(string dataFolder)
    {
        Directory.CreateDirectory(dataFolder);
        try
        {
            return new FileStream(Path.Combine(dataFolder, "server.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            throw new InvalidOperationException($"Another server is running on {dataFolder}. Stop it first, or name another folder with --data.");
        }
    }
}
