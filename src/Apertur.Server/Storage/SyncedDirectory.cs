namespace Apertur.Server.Storage;

/// <summary>A directory whose concurrent syncs share one fsync: each caller is covered by a sync that began after it asked.</summary>
internal sealed class SyncedDirectory(string path)
{
    private readonly Lock _syncing = new();
    private long _asked;
    private long _covered;

    public string Path => path;

    /// <summary>Blocks until every name that was in the directory before the call is on disk.</summary>
    public void Sync()
    {
        var mine = Interlocked.Increment(ref _asked);
        lock (_syncing)
        {
            if (_covered >= mine)
                return;
            var covers = Interlocked.Read(ref _asked);
            DurableFile.SyncDirectory(path);
            _covered = covers;
        }
    }
}
