using System.Collections.Concurrent;
using Apertur.Server.Accounts;
using Apertur.Server.Blobs;
using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Backups;

/// <param name="Path">The backup's folder.</param>
/// <param name="MadeAt">When it was made.</param>
/// <param name="Photos">Photos that were put in place.</param>
/// <param name="AlreadyThere">Photos of it that were in place before.</param>
/// <param name="Damaged">Photos of it whose copies are missing or damaged.</param>
internal sealed record RestoreReport(string Path, DateTimeOffset MadeAt, long Photos, long AlreadyThere, IReadOnlyList<Guid> Damaged);

/// <summary>
/// Puts a backup in the place of an installation that is not there. The database comes last, and is marked until all is as it has to be: until then no
/// server can start on what is there, and a restore that was broken off is begun again.
/// </summary>
internal sealed class Restore(Database database, BlobStore blobs, ImagesOwner owner, Settings settings, TimeProvider clock)
{
    private const int AtOnce = 4;

    private readonly ConcurrentBag<Guid> _damaged = [];
    private long _copied;
    private long _alreadyThere;

    /// <param name="backup">What to put there.</param>
    /// <param name="intoExistingPhotos">Whether there may be photos already; they stay.</param>
    /// <param name="cancellationToken">Ends it between two photos.</param>
    /// <exception cref="InvalidOperationException">Something is there, or the backup is damaged or does not fit; nothing was changed.</exception>
    public async Task<RestoreReport> RunAsync(BackupContent backup, bool intoExistingPhotos, CancellationToken cancellationToken)
    {
        RequireFit(backup.About, intoExistingPhotos);
        var goesOn = await RequireNothingThereAsync(backup, intoExistingPhotos, cancellationToken);
        if (await backup.FindDamageAsync(file => !BackupContent.IsPhoto(file), cancellationToken) is { Count: > 0 } damaged)
            throw new InvalidOperationException($"The backup is damaged, and nothing was restored: {string.Join(", ", damaged)}");

        await Parallel.ForEachAsync(
            backup.Photos(), new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken },
            (photo, ct) => CopyAsync(backup, photo, ct));
        if (backup.About.HasKeys)
            DurableFile.CreateDirectory(settings.KeysFolder);
        foreach (var (name, content) in Keys(backup))
        {
            if (!File.Exists(Path.Combine(settings.KeysFolder, name)))
                DurableFile.Write(Path.Combine(settings.KeysFolder, name), content);
        }

        var copy = backup.PathOf(BackupContent.Database);
        if (!goesOn && database.IsSqlite)
            SqliteCopy.Load(settings, copy, backup.About);
        else if (!goesOn)
            await PostgresCopy.LoadAsync(database, copy, backup.About, cancellationToken);
        await Migrator.RunForRestoreAsync(database, cancellationToken);
        await database.WriteAsync(db => SettleAsync(db, backup.About, cancellationToken), cancellationToken);
        await owner.ClaimAsync(cancellationToken);
        return new RestoreReport(backup.Path, backup.About.MadeAt, _copied, _alreadyThere, [.. _damaged.Order()]);
    }

    private void RequireFit(BackupManifest about, bool intoExistingPhotos)
    {
        if (about.Database != settings.Database.Provider)
            throw new InvalidOperationException($"The backup is of a {about.Database} database, but Database:Provider is {settings.Database.Provider}.");
        if (!Migrator.Knows(about.SchemaScripts))
            throw new InvalidOperationException("The backup was made by a newer version of this program; nothing was restored.");
        if (about.KeysPlace == KeysPlace.Database && settings.Keys.Place != KeysPlace.Database)
            throw new InvalidOperationException("The keys are in the backup's database: Keys:Place has to be Database, with the wrapping key of then.");
        if (about.Photos is null && !intoExistingPhotos)
        {
            throw new InvalidOperationException(
                "The photos are not in this backup. Put them where the settings say, and restore with --existing-photos.");
        }
    }

    /// <returns>Whether the database is there, from a restore of this backup that was broken off.</returns>
    private async Task<bool> RequireNothingThereAsync(BackupContent backup, bool intoExistingPhotos, CancellationToken cancellationToken)
    {
        var isFree = database.IsSqlite ? SqliteCopy.IsFree(settings) : await PostgresCopy.IsFreeAsync(database, cancellationToken);
        if (!isFree && !await Migrator.IsMarkedAsync(database, backup.About.MadeAt, cancellationToken))
            throw new InvalidOperationException("There is a database already. Move it away, or name another place; nothing was restored.");

        foreach (var (name, content) in Keys(backup))
        {
            var path = Path.Combine(settings.KeysFolder, name);
            if (File.Exists(path) && !(await File.ReadAllBytesAsync(path, cancellationToken)).AsSpan().SequenceEqual(content))
                throw new InvalidOperationException($"{settings.KeysFolder} has the keys of another installation; nothing was restored.");
        }

        if (backup.About.KeysPlace == KeysPlace.Folder && !backup.About.HasKeys && !Directory.EnumerateFiles(settings.KeysFolder).Any())
            throw new InvalidOperationException($"The keys are not in this backup. Put them into {settings.KeysFolder} first; nothing was restored.");

        if (intoExistingPhotos)
            return !isFree;
        await foreach (var file in blobs.Blobs.ListAsync("", cancellationToken))
        {
            // Of this backup: a restore was broken off.
            if (BlobStore.IdOf(file.Key) is not { } id || !File.Exists(backup.PathOf(new Photo(id, ""))))
            {
                throw new InvalidOperationException(
                    $"{blobs.Root} is not empty: there is {file.Key}. Give it another place, or restore with --existing-photos, which leaves what is there.");
            }
        }

        return !isFree;
    }

    private async ValueTask CopyAsync(BackupContent backup, Photo photo, CancellationToken cancellationToken)
    {
        var key = BlobStore.KeyOf(photo.Id);
        var copy = new FileInfo(backup.PathOf(photo));
        var there = await blobs.Blobs.LengthOfAsync(key, cancellationToken);
        if (there is not null && (!copy.Exists || (there == copy.Length && await BlobCopy.HashAsync(blobs.Blobs, key, cancellationToken) == photo.Sha256)))
        {
            Interlocked.Increment(ref _alreadyThere);
            return;
        }

        // What is there is no photo of this name; it goes for one that is.
        if (copy.Exists && BackupFolder.HashFile(copy.FullName) == photo.Sha256)
        {
            await blobs.Blobs.DeleteAsync(key, cancellationToken);
            if (await BlobCopy.RunAsync(() => Task.FromResult<Stream>(copy.OpenRead()), blobs.Blobs.Create(photo.Id, key), photo.Sha256, cancellationToken))
            {
                Interlocked.Increment(ref _copied);
                return;
            }
        }

        _damaged.Add(photo.Id);
    }

    private static IEnumerable<(string Name, byte[] Content)> Keys(BackupContent backup) => !backup.About.HasKeys
        ? []
        : Directory.GetFiles(backup.PathOf(BackupContent.Keys)).Select(path => (Path.GetFileName(path), File.ReadAllBytes(path)));

    /// <summary>Takes out what was true of the old installation only.</summary>
    private async Task SettleAsync(AperturDb db, BackupManifest about, CancellationToken cancellationToken)
    {
        await db.Database.ExecuteSqlRawAsync(Migrator.RestoreEnd, cancellationToken);
        // Another database from now on: a server that still runs on the old one touches no photo of this.
        await db.ImagesOwnership.ExecuteDeleteAsync(cancellationToken);
        // They may have been followed since.
        await db.OneTimeLinks.Where(link => link.Kind == OneTimeLinkKind.SignIn).ExecuteDeleteAsync(cancellationToken);
        // Whoever was delivering is gone.
        await db.Deliveries.Where(row => row.State == DeliveryState.Sending)
            .ExecuteUpdateAsync(row => row.SetProperty(r => r.LeaseUntil, DateTimeOffset.UnixEpoch), cancellationToken);
        await db.EventDeliveries.Where(row => row.State == DeliveryState.Sending)
            .ExecuteUpdateAsync(row => row.SetProperty(r => r.LeaseUntil, DateTimeOffset.UnixEpoch), cancellationToken);
        var uploads = (await database.Locked(db.Uploads, about.Deleted).ToListAsync(cancellationToken)).ToLookup(upload => upload.SessionId);
        foreach (var session in await database.Locked(db.Sessions, uploads.Select(of => of.Key)).ToListAsync(cancellationToken))
        {
            await UploadDeletion.RemoveRowsAsync(db, session, [.. uploads[session.Id]], cancellationToken);
            session.Touch(clock.GetUtcNow());
        }
    }
}
