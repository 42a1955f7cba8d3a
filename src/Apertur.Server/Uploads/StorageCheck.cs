using Apertur.Destinations;
using Apertur.Server.Blobs;
using Apertur.Server.Storage;

namespace Apertur.Server.Uploads;

/// <summary>A photo whose file is missing or is not what was received.</summary>
internal sealed record DamagedPhoto(Upload Upload, ImageFault Fault);

/// <param name="Photos">Rows that were looked at.</param>
/// <param name="Damaged">Rows without the file that they stand for.</param>
/// <param name="Orphaned">Files without a row, in place or set aside.</param>
/// <param name="SetAside">How many of them were set aside by this.</param>
internal sealed record StorageReport(long Photos, IReadOnlyList<DamagedPhoto> Damaged, IReadOnlyList<OrphanedFile> Orphaned, int SetAside);

/// <summary>Compares the rows of photos with the stored bytes, in both directions. Servers may go on running.</summary>
internal sealed class StorageCheck(Database database, BlobStore blobs, Quarantine quarantine, StoredImages images)
{
    private const int BatchSize = 500;

    /// <param name="compareHashes">
    /// Reads every file, instead of looking at its length only, and notes what is damaged, or whole again, as a delivery would.
    /// </param>
    /// <param name="repair">Notes what is missing or of another length, too, and sets files aside that no row names and that nobody sends any more.</param>
    /// <param name="cancellationToken">Ends the comparison.</param>
    public async Task<StorageReport> RunAsync(bool compareHashes, bool repair, CancellationToken cancellationToken)
    {
        var quarantined = await quarantine.SettleAsync(cancellationToken);
        var photos = 0L;
        var damaged = new List<DamagedPhoto>();
        await foreach (var upload in StoredUploads.ReadAsync(database, cancellationToken))
        {
            photos++;
            var fault = compareHashes ? null : await LookAtAsync(upload, cancellationToken);
            if (compareHashes || (repair && (fault ?? upload.Damage) is not null))
                fault = await CompareAsync(upload, cancellationToken);
            if (fault is { } found)
                damaged.Add(new DamagedPhoto(upload, found));
        }

        var setAside = repair ? await quarantine.SetAsideAsync(cancellationToken) : 0;
        if (setAside > 0)
            quarantined = await quarantine.SettleAsync(cancellationToken);
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

        return new StorageReport(photos, damaged, orphaned, setAside);
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
