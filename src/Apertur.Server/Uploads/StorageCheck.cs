using Apertur.Destinations;
using Apertur.Server.Blobs;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Uploads;

/// <summary>A photo whose file is missing or is not what was received.</summary>
internal sealed record DamagedPhoto(Upload Upload, ImageFault Fault);

/// <param name="Photos">Rows that were looked at.</param>
/// <param name="Damaged">Rows without the file that they stand for.</param>
/// <param name="Orphaned">Files without a row, in place or set aside.</param>
internal sealed record StorageReport(long Photos, IReadOnlyList<DamagedPhoto> Damaged, IReadOnlyList<OrphanedFile> Orphaned);

/// <summary>Compares the rows of photos with the stored bytes, in both directions. Servers may go on running.</summary>
internal sealed class StorageCheck(Database database, BlobStore blobs, Quarantine quarantine, StoredImages images)
{
    private const int BatchSize = 500;

    /// <param name="compareHashes">
    /// Reads every file, instead of looking at its length only, and notes what is damaged, or whole again, as a delivery would.
    /// </param>
    /// <param name="cancellationToken">Ends the comparison.</param>
    public async Task<StorageReport> RunAsync(bool compareHashes, CancellationToken cancellationToken)
    {
        var quarantined = await quarantine.SettleAsync(cancellationToken);
        var photos = 0L;
        var damaged = new List<DamagedPhoto>();
        await foreach (var upload in UploadsAsync(cancellationToken))
        {
            photos++;
            if ((compareHashes ? await CompareAsync(upload, cancellationToken) : await LookAtAsync(upload, cancellationToken)) is { } fault)
                damaged.Add(new DamagedPhoto(upload, fault));
        }

        var orphaned = new List<OrphanedFile>();
        foreach (var file in quarantined)
        {
            if (await OrphanedFile.ReadAsync(blobs.Blobs, file.Id, file.File, file.Since, cancellationToken) is { } read)
                orphaned.Add(read);
        }

        await foreach (var batch in blobs.EnumerateAsync(cancellationToken).Chunk(BatchSize).WithCancellation(cancellationToken))
        {
            var known = await quarantine.KnownAsync(batch.Select(blob => blob.Id), cancellationToken);
            foreach (var blob in batch.Where(blob => !known.Contains(blob.Id)))
            {
                var file = new StoredFile(BlobStore.KeyOf(blob.Id), blob.Length, blob.WrittenAt);
                if (await OrphanedFile.ReadAsync(blobs.Blobs, blob.Id, file, quarantinedOn: null, cancellationToken) is { } read)
                    orphaned.Add(read);
            }
        }

        return new StorageReport(photos, damaged, orphaned);
    }

    private async IAsyncEnumerable<Upload> UploadsAsync(
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var last = ""; ;)
        {
            await using var db = database.Open();
            var page = await db.Uploads.FromSql($"SELECT * FROM uploads WHERE id > {last} AND is_stored AND removed_at IS NULL ORDER BY id LIMIT {BatchSize}")
                .AsNoTracking().ToListAsync(cancellationToken);
            foreach (var upload in page)
                yield return upload;
            if (page.Count < BatchSize)
                yield break;
            last = page[^1].Id.ToString();
        }
    }

    private async Task<ImageFault?> CompareAsync(Upload upload, CancellationToken cancellationToken)
    {
        try
        {
            await images.VerifyAsync(upload, cancellationToken);
            return null;
        }
        catch (StoredImageException exception)
        {
            return exception.Fault;
        }
    }

    /// <summary>By the length alone; what was found altered before counts until the bytes are compared again.</summary>
    private async Task<ImageFault?> LookAtAsync(Upload upload, CancellationToken cancellationToken) => await blobs.LengthOfAsync(upload.Id, cancellationToken) switch
    {
        null => ImageFault.Missing,
        { } length when length < upload.SizeBytes => ImageFault.Truncated,
        { } length when length > upload.SizeBytes => ImageFault.Extended,
        _ => upload.Damage == ImageFault.Altered ? ImageFault.Altered : null,
    };
}
