namespace Apertur.Server.Storage;

/// <summary>Keys as files in a folder. Unlike the framework's own repository it gives out no key that a power cut could take back.</summary>
internal sealed class KeyFolder : IKeyStore
{
    // A draft is renamed within moments; one that is older was left by a crash.
    private static readonly TimeSpan _longestDraft = TimeSpan.FromHours(1);

    private readonly string _folder;

    /// <param name="folder">Exists, and is readable by this program only.</param>
    public KeyFolder(string folder)
    {
        _folder = folder;
        DurableFile.DeleteDrafts(folder, TimeProvider.System.GetUtcNow() - _longestDraft);
    }

    public IReadOnlyList<(string Name, byte[] Content)> Read()
    {
        (string, byte[])[] keys =
        [
            .. Directory.EnumerateFiles(_folder)
                .Select(path => (Name: Path.GetFileName(path), Path: path))
                .Where(file => file.Name == DerivedKeys.SecretName || file.Name.EndsWith(KeyRing.Suffix, StringComparison.Ordinal))
                .Select(file => (file.Name, File.ReadAllBytes(file.Path))),
        ];
        // Another process may have named a key a moment ago, and not have synced its name yet.
        DurableFile.SyncDirectory(_folder);
        return keys;
    }

    public bool Add(string name, ReadOnlySpan<byte> content)
    {
        try
        {
            DurableFile.Write(PathOf(name), content, overwrite: false);
            return true;
        }
        catch (IOException) when (File.Exists(PathOf(name)))
        {
            return false;
        }
    }

    public string PathOf(string name) => Path.Combine(_folder, name);
}
