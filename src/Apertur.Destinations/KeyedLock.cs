namespace Apertur.Destinations;

/// <summary>An asynchronous lock for each key. Keys that are neither held nor waited for take no memory.</summary>
internal sealed class KeyedLock
{
    private readonly Dictionary<string, Entry> _entries = [];

    /// <summary>Waits until nobody else has this key. Disposing gives it back.</summary>
    public async Task<IDisposable> TakeAsync(string key, CancellationToken cancellationToken)
    {
        Entry? entry;
        lock (_entries)
        {
            if (!_entries.TryGetValue(key, out entry))
                _entries[key] = entry = new Entry(this, key);
            entry.Users++;
        }

        try
        {
            await entry.Free.WaitAsync(cancellationToken);
            return entry;
        }
        catch
        {
            Leave(entry);
            throw;
        }
    }

    private void Leave(Entry entry)
    {
        lock (_entries)
        {
            if (--entry.Users > 0)
                return;
            _entries.Remove(entry.Key);
        }

        entry.Free.Dispose();
    }

    private sealed class Entry(KeyedLock all, string key) : IDisposable
    {
        public string Key => key;

        public SemaphoreSlim Free { get; } = new(1);

        /// <summary>Who holds it or waits for it.</summary>
        public int Users { get; set; }

        public void Dispose()
        {
            Free.Release();
            all.Leave(this);
        }
    }
}
