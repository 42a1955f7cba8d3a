using System.Collections.Concurrent;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Backups;

/// <param name="Path">The backup's folder.</param>
/// <param name="Photos">Photos in it; null when they were left out.</param>
/// <param name="Copied">Those that no backup there had before.</param>
/// <param name="CopiedBytes">Their bytes.</param>
/// <param name="Deleted">Photos that were deleted while it was made.</param>
/// <param name="Damaged">Photos that are missing, cannot be read or are not what was received, and so not in it.</param>
/// <param name="HasKeys">Whether the keys are in it.</param>
internal sealed record BackupReport(
    string Path, long? Photos, long Copied, long CopiedBytes, int Deleted, IReadOnlyList<Guid> Damaged, bool HasKeys);

/// <summary>
/// Makes backups while servers run. A photo is stored before its row, so whatever a copy of the database names is there to be copied after
/// it, unless it was deleted in between. What takes long, the photos there are already, is therefore copied before the database, and what came or went
/// meanwhile after it; keys last, since each is there before what it encrypts.
/// </summary>
internal sealed class Backup(
    Database database, BlobStore blobs, Quarantine quarantine, ImagesOwner owner, IKeyStore keys, Settings settings, TimeProvider clock)
{
    private const int AtOnce = 4;

    private readonly ConcurrentBag<Guid> _deleted = [];
    private readonly ConcurrentBag<Guid> _damaged = [];
    private long _copied;
    private long _bytes;

    /// <exception cref="InvalidOperationException">The photos are another database's, or away; nothing was made.</exception>
    public async Task<BackupReport> RunAsync(BackupFolder folder, bool withPhotos, bool withKeys, CancellationToken cancellationToken)
    {
        withKeys &= settings.Keys.Place == KeysPlace.Folder;
        // A database that is not that of the photos may be a new one, in the place of one that was lost: no backup is to go for one of it.
        if (!await owner.HoldsAsync(cancellationToken))
            throw new InvalidOperationException($"{blobs.Root} does not belong to this database, or is away: see 'images claim'. No backup was made.");
        if (withPhotos)
        {
            await quarantine.SettleAsync(cancellationToken);
            // Those that come from now on are left to the second pass: this one would run after them for as long as they come.
            var began = clock.GetUtcNow();
            var before = StoredUploads.ReadAsync(database, cancellationToken).TakeWhile(upload => BlobStore.TimeOf(upload.Id) <= began);
            await CopyAsync(folder, before.Select(upload => new Photo(upload.Id, upload.Sha256, upload.SizeBytes)), cancellationToken);
            _deleted.Clear();
            _damaged.Clear();
        }

        var at = clock.GetUtcNow();
        var draft = folder.Begin(at);
        var list = Path.ChangeExtension(draft, BackupFolder.ListSuffix);
        try
        {
            var copy = Path.Combine(draft, BackupContent.Database);
            Directory.CreateDirectory(copy);
            var scripts = database.IsSqlite
                ? SqliteCopy.Write(settings, copy, list)
                : await PostgresCopy.WriteAsync(database, copy, list, cancellationToken);
            if (withPhotos)
                await CopyAsync(folder, PhotoList.Read(list).ToAsyncEnumerable(), cancellationToken);
            CopySecrets(draft, withKeys);

            var left = _deleted.Concat(_damaged).ToHashSet();
            var photos = withPhotos ? PhotoList.Read(list).Where(photo => !left.Contains(photo.Id)) : [];
            var about = new BackupManifest
            {
                Format = BackupManifest.CurrentFormat,
                MadeAt = at,
                Database = settings.Database.Provider,
                SchemaScripts = scripts,
                KeysPlace = settings.Keys.Place,
                HasKeys = withKeys,
                Photos = withPhotos ? photos.LongCount() : null,
                Deleted = [.. _deleted],
                Damaged = [.. _damaged.Order()],
            };
            DurableFile.Write(Path.Combine(draft, BackupContent.Manifest), about.ToJson());
            BackupContent.WriteSums(draft, photos);
            var made = BackupFolder.Publish(draft);
            return new BackupReport(made.Path, about.Photos, _copied, _bytes, _deleted.Count, about.Damaged, withKeys);
        }
        finally
        {
            File.Delete(list);
            if (Directory.Exists(draft))
                Directory.Delete(draft, recursive: true);
        }
    }

    private Task CopyAsync(BackupFolder folder, IAsyncEnumerable<Photo> photos, CancellationToken cancellationToken) => Parallel.ForEachAsync(
        photos,
        new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken },
        async (photo, ct) =>
        {
            if (await folder.HasAsync(photo, ct))
                return;
            if (await folder.AddAsync(photo, () => blobs.OpenReadAsync(photo.Id, 0, ct), ct) is { } length)
            {
                Interlocked.Increment(ref _copied);
                Interlocked.Add(ref _bytes, length);
            }
            else
            {
                (await IsWantedAsync(photo.Id, ct) ? _damaged : _deleted).Add(photo.Id);
            }
        });

    private async Task<bool> IsWantedAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var db = database.Open();
        return await db.Uploads.AnyAsync(
            upload => upload.Id == id && upload.IsStored && upload.RemovedAt == null
                && db.Projects.Any(project => project.Id == upload.ProjectId && project.DeletedAt == null),
            cancellationToken);
    }

    /// <summary>Keys, and settings, which hold passwords. Where keys are wrapped in the database, settings may hold what they are wrapped with.</summary>
    private void CopySecrets(string draft, bool withKeys)
    {
        if (!withKeys)
            return;
        var folder = Path.Combine(draft, BackupContent.Keys);
        Directory.CreateDirectory(folder);
        foreach (var (name, content) in keys.Read())
            DurableFile.Write(Path.Combine(folder, name), content);
        if (Path.Combine(settings.DataFolder, BackupContent.Settings) is var given && File.Exists(given))
            DurableFile.Write(Path.Combine(draft, BackupContent.Settings), File.ReadAllBytes(given));
    }
}
