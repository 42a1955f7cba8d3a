using System.Globalization;
using Apertur.Server.Blobs;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Storage;

/// <summary>A blob that was set aside.</summary>
/// <param name="Id">The image that it is, or was to become.</param>
/// <param name="File">Where it is now.</param>
/// <param name="Since">The UTC day it was set aside.</param>
internal sealed record QuarantinedFile(Guid Id, StoredFile File, DateOnly Since)
{
    public string Key => File.Key;
}

/// <summary>
/// The quarantine of blobs that no row names: <c>quarantine/yyyy-MM-dd/id</c>, by the day they were set aside. Most are the rest of an
/// upload that a crash interrupted, but after an older database was put back they are photos. They are moved there and back again, so
/// that nothing is ever in neither place.
/// </summary>
internal sealed class Quarantine(Database database, BlobStore blobs, TimeProvider clock)
{
    /// <summary>Longer than any upload may take, so that no file of one in progress is taken for an orphan.</summary>
    public static readonly TimeSpan SafeAge = TimeSpan.FromHours(24);

    private const int BatchSize = 500;
    private const string Folder = "quarantine";
    private const string DayFormat = "yyyy-MM-dd";

    /// <summary>Sets an image aside. Durable when it returns.</summary>
    /// <returns>False when there is no such image any more.</returns>
    public async Task<bool> AddAsync(Guid id, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await blobs.DeleteThumbnailAsync(id, cancellationToken);
        return await blobs.Blobs.MoveAsync(BlobStore.KeyOf(id), KeyOf(id, DateOnly.FromDateTime(now.UtcDateTime)), cancellationToken);
    }

    /// <summary>Sets aside every image that is old enough and that no row names.</summary>
    /// <returns>How many there were.</returns>
    public async Task<int> SetAsideAsync(CancellationToken cancellationToken)
    {
        var before = clock.GetUtcNow() - SafeAge;
        // A file that is older than the database is never touched: the database may be new, and the file the only copy of a photo.
        var since = await BeginningAsync(cancellationToken);
        var setAside = 0;
        var old = blobs.EnumerateAsync(cancellationToken).Where(blob => blob.WrittenAt < before && blob.WrittenAt > since);
        await foreach (var batch in old.Select(blob => blob.Id).Chunk(BatchSize).WithCancellation(cancellationToken))
        {
            var known = await KnownAsync(batch, cancellationToken);
            // A power cut can undo the removal of a file, not that of its row.
            foreach (var id in await RemovedAsync(known, cancellationToken))
                await blobs.DeleteAsync(id, cancellationToken);
            foreach (var id in batch.Where(id => !known.Contains(id)))
                setAside += await AddAsync(id, clock.GetUtcNow(), cancellationToken) ? 1 : 0;
        }

        return setAside;
    }

    /// <summary>Puts an image back in its place that was set aside on a known day. Durable when it returns.</summary>
    /// <returns>False when none was.</returns>
    public Task<bool> ReturnAsync(Guid id, DateOnly since, CancellationToken cancellationToken) =>
        blobs.Blobs.MoveAsync(KeyOf(id, since), BlobStore.KeyOf(id), cancellationToken);

    /// <summary>The same for one of which nobody knows the day: all that is set aside is looked through.</summary>
    /// <returns>False when none was set aside.</returns>
    public async Task<bool> ReturnAsync(Guid id, CancellationToken cancellationToken)
    {
        await foreach (var file in EnumerateAsync(cancellationToken))
        {
            if (file.Id == id)
                return await ReturnAsync(id, file.Since, cancellationToken);
        }

        return false;
    }

    /// <summary>
    /// Puts back what a row names, as after a newer database took the place of an older one, and gives the rest, what has been there longest
    /// first.
    /// </summary>
    public async Task<IReadOnlyList<QuarantinedFile>> SettleAsync(CancellationToken cancellationToken)
    {
        var rest = new List<QuarantinedFile>();
        await foreach (var batch in EnumerateAsync(cancellationToken).Chunk(BatchSize).WithCancellation(cancellationToken))
        {
            var known = await KnownAsync(batch.Select(file => file.Id), cancellationToken);
            foreach (var file in batch.Where(file => known.Contains(file.Id)))
                await ReturnAsync(file.Id, file.Since, cancellationToken);
            rest.AddRange(batch.Where(file => !known.Contains(file.Id)));
        }

        return rest;
    }

    /// <summary>The image of a key in quarantine; null when the key is of something else.</summary>
    public static Guid? IdOf(string key) => Read(key)?.Id;

    /// <summary>Those of some images that there are rows of.</summary>
    public async Task<HashSet<Guid>> KnownAsync(IEnumerable<Guid> images, CancellationToken cancellationToken)
    {
        var ids = images.ToList();
        await using var db = database.Open();
        return await db.Uploads.Where(upload => ids.Contains(upload.Id)).Select(upload => upload.Id).ToHashSetAsync(cancellationToken);
    }

    /// <summary>Those of some images whose rows say that their bytes are gone.</summary>
    public async Task<HashSet<Guid>> RemovedAsync(IEnumerable<Guid> images, CancellationToken cancellationToken)
    {
        var ids = images.ToList();
        await using var db = database.Open();
        return await db.Uploads.Where(upload => ids.Contains(upload.Id) && !upload.IsStored).Select(upload => upload.Id).ToHashSetAsync(cancellationToken);
    }

    private async Task<DateTimeOffset> BeginningAsync(CancellationToken cancellationToken)
    {
        await using var db = database.Open();
        var first = await db.Projects.OrderBy(project => project.CreatedAt).Select(project => (DateTimeOffset?)project.CreatedAt)
            .FirstOrDefaultAsync(cancellationToken);
        return first ?? DateTimeOffset.MaxValue;
    }

    private async IAsyncEnumerable<QuarantinedFile> EnumerateAsync(
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var file in blobs.Blobs.ListAsync(Folder, cancellationToken))
        {
            if (Read(file.Key) is { } found)
                yield return new QuarantinedFile(found.Id, file, found.Since);
        }
    }

    private static string KeyOf(Guid id, DateOnly since) => $"{Folder}/{since.ToString(DayFormat, CultureInfo.InvariantCulture)}/{id}";

    private static (Guid Id, DateOnly Since)? Read(string key) => key.Split('/') is [Folder, var day, var name]
        && DateOnly.TryParseExact(day, DayFormat, CultureInfo.InvariantCulture, DateTimeStyles.None, out var since)
        && Guid.TryParseExact(name, "D", out var id) && id.Version == 7
            ? (id, since)
            : null;
}
