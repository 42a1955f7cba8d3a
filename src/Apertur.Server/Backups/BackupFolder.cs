using System.Globalization;
using System.Security.Cryptography;
using Apertur.Server.Blobs;
using Apertur.Server.Storage;

namespace Apertur.Server.Backups;

/// <summary>A photo as a row names it.</summary>
/// <param name="SizeBytes">Null in a backup, which does not say.</param>
internal readonly record struct Photo(Guid Id, string Sha256, long? SizeBytes = null);

/// <summary>A file of a backup, by its path from the backup's folder.</summary>
internal readonly record struct SummedFile(string Sha256, string Path);

/// <summary>
/// A folder of backups. Each is a folder named after its time, whole or not there; photos, which never change, are beside them once for all, by
/// the names that they have in the store.
/// </summary>
internal sealed class BackupFolder : IDisposable
{
    public const string Photos = "photos";
    public const string DraftSuffix = ".partial";
    public const string ListSuffix = DraftSuffix + ".list";
    private const string Incoming = "incoming";

    private readonly FileStream _lock;

    private BackupFolder(string root, FileStream held)
    {
        (Root, _lock) = (root, held);
        Pool = new FolderBlobs(Path.Combine(root, Photos));
    }

    public string Root { get; }

    /// <summary>The photos of all backups.</summary>
    public FolderBlobs Pool { get; }

    /// <summary>Opens a folder to write to, made when missing, and keeps others from doing so until it is disposed.</summary>
    /// <exception cref="InvalidOperationException">Somebody else does.</exception>
    public static BackupFolder Open(string path)
    {
        var root = Path.GetFullPath(path);
        if (!Directory.Exists(root))
            DurableFile.CreateDirectory(root);
        var lockFile = Path.Combine(root, "backup.lock");
        FileStream held;
        try
        {
            held = new FileStream(lockFile, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException) when (File.Exists(lockFile))
        {
            throw new InvalidOperationException($"Another backup to {root} is under way.");
        }

        var folder = new BackupFolder(root, held);
        folder.DeleteDrafts();
        return folder;
    }

    /// <summary>Begins a backup.</summary>
    /// <returns>Its folder, empty.</returns>
    public string Begin(DateTimeOffset at)
    {
        var draft = Path.Combine(Root, at.UtcDateTime.ToString("yyyy-MM-dd'T'HHmmss.fff'Z'", CultureInfo.InvariantCulture) + DraftSuffix);
        DurableFile.CreateDirectory(draft);
        return draft;
    }

    /// <summary>Gives a backup that is complete its name.</summary>
    public static BackupContent Publish(string draft)
    {
        var path = draft[..^DraftSuffix.Length];
        DurableFile.RenameFolder(draft, path);
        return BackupContent.Open(path);
    }

    /// <summary>Whether a photo is here, as far as its length tells; <see cref="BackupContent.SetAside"/> deals with the rest.</summary>
    public async Task<bool> HasAsync(Photo photo, CancellationToken cancellationToken) =>
        await Pool.LengthOfAsync(BlobStore.KeyOf(photo.Id), cancellationToken) is { } length && length == photo.SizeBytes;

    /// <summary>Takes a photo in, whole or not at all. One that is here already, and so is damaged, goes for it.</summary>
    /// <returns>Its length; null when it is missing, cannot be read, or is not what it has to be.</returns>
    public async Task<long?> AddAsync(Photo photo, Func<Task<Stream>> open, CancellationToken cancellationToken)
    {
        var draft = $"{Incoming}/{photo.Id}";
        if (!await BlobCopy.RunAsync(open, Pool.Create(photo.Id, draft), photo.Sha256, cancellationToken))
            return null;
        var length = await Pool.LengthOfAsync(draft, cancellationToken);
        await Pool.DeleteAsync(BlobStore.KeyOf(photo.Id), cancellationToken);
        await Pool.MoveAsync(draft, BlobStore.KeyOf(photo.Id), cancellationToken);
        return length;
    }

    /// <summary>Backups whose names are later than the newest one's, as when a clock was wrong: they are taken for the newest.</summary>
    public IReadOnlyList<string> After(string made) =>
        [.. BackupContent.AllIn(Root).Select(backup => backup.Path).Where(path => string.CompareOrdinal(path, made) > 0)];

    /// <summary>Removes all but the newest backups, and photos that none of those has.</summary>
    /// <param name="keep">How many stay.</param>
    /// <param name="made">The one that was made just now: it is the newest, whatever the names of others say.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>How many backups were removed.</returns>
    public async Task<int> RemoveOldAsync(int keep, string made, CancellationToken cancellationToken)
    {
        var all = BackupContent.AllIn(Root).OrderBy(backup => backup.Path == made).ToList();
        var old = all.SkipLast(keep).ToList();
        if (old.Count == 0)
            return 0;
        foreach (var backup in old)
            Directory.Delete(backup.Path, recursive: true);
        DurableFile.SyncDirectory(Root);

        var kept = all.TakeLast(keep).SelectMany(backup => backup.Photos()).Select(photo => photo.Id).ToHashSet();
        await foreach (var file in Pool.ListAsync("", cancellationToken))
        {
            if (BlobStore.IdOf(file.Key) is { } id && !kept.Contains(id))
                await Pool.DeleteAsync(file.Key, cancellationToken);
        }

        return old.Count;
    }

    /// <summary>SHA-256 of a file; null when there is none, or it cannot be read.</summary>
    public static string? HashFile(string path)
    {
        try
        {
            using var file = File.OpenRead(path);
            return Convert.ToHexStringLower(SHA256.HashData(file));
        }
        catch (Exception failure) when (BlobCopy.IsOfOneFile(failure))
        {
            return null;
        }
    }

    public void Dispose()
    {
        Pool.Dispose();
        _lock.Dispose();
    }

    /// <summary>Removes what a run left that was broken off.</summary>
    private void DeleteDrafts()
    {
        string[] left = [.. Directory.GetDirectories(Root, "*" + DraftSuffix), .. Directory.GetDirectories(Pool.Root, Incoming)];
        foreach (var draft in left)
            Directory.Delete(draft, recursive: true);
        foreach (var list in Directory.GetFiles(Root, "*" + ListSuffix))
            File.Delete(list);
    }
}
