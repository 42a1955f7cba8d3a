using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Blobs;

/// <param name="Copied">Photos that this run has brought over.</param>
/// <param name="CopiedBytes">Their bytes.</param>
/// <param name="AlreadyThere">Photos that an earlier run has.</param>
/// <param name="Removed">Photos that were removed from the old place, as asked.</param>
/// <param name="Damaged">Photos that cannot be read or are not what was received, and stay where they are.</param>
internal sealed record BlobMoveReport(long Copied, long CopiedBytes, long AlreadyThere, long Removed, IReadOnlyList<Guid> Damaged);

/// <summary>
/// Brings every image from one place to another, those in quarantine too; thumbnails and renditions are made again when somebody asks. Servers may go on running.
/// An image is brought over by a run whole or not at all, and left alone by later ones, so it is taken up again wherever it stopped.
/// </summary>
internal sealed class BlobMove(Database database, IBlobs from, IBlobs to, TimeProvider clock)
{
    private const int BatchSize = 200;
    private const int AtOnce = 4;

    // A file that no row names may be of an upload that is still coming in; a later run finds it with a row, or old enough.
    private static readonly TimeSpan _safeAge = TimeSpan.FromHours(24);

    private readonly List<Guid> _damaged = [];
    private readonly Lock _lock = new();
    private long _copied;
    private long _bytes;
    private long _alreadyThere;
    private long _removed;

    public BlobMoveReport Report
    {
        get
        {
            lock (_lock)
                return new(_copied, _bytes, _alreadyThere, _removed, [.. _damaged]);
        }
    }

    /// <param name="remove">Whether what is in the new place for certain is removed from the old one.</param>
    /// <param name="progress">Is told after each batch.</param>
    /// <param name="cancellationToken">Ends it between two images.</param>
    public async Task<BlobMoveReport> RunAsync(bool remove, Action<BlobMoveReport> progress, CancellationToken cancellationToken)
    {
        var images = from.ListAsync("", cancellationToken).Where(file => IdOf(file.Key) is not null);
        await foreach (var batch in images.Chunk(BatchSize).WithCancellation(cancellationToken))
        {
            var hashes = await HashesAsync([.. batch.Select(file => IdOf(file.Key)!.Value)], cancellationToken);
            var settled = clock.GetUtcNow() - _safeAge;
            await Parallel.ForEachAsync(
                batch.Where(file => hashes.ContainsKey(IdOf(file.Key)!.Value) || file.WrittenAt < settled),
                new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken },
                (file, ct) => MoveAsync(file, hashes.GetValueOrDefault(IdOf(file.Key)!.Value), remove, ct));
            progress(Report);
        }

        // They are made again in the new place.
        if (remove)
        {
            await foreach (var rendition in from.ListAsync(BlobStore.RenditionFolder, cancellationToken))
                await from.DeleteAsync(rendition.Key, cancellationToken);
        }

        return Report;
    }

    private async ValueTask MoveAsync(StoredFile file, string? sha256, bool remove, CancellationToken cancellationToken)
    {
        var id = IdOf(file.Key)!.Value;
        if (await IsThereAsync(file.Key, sha256, cancellationToken))
        {
            Interlocked.Increment(ref _alreadyThere);
        }
        else if (await CopyAsync(file.Key, id, sha256, cancellationToken))
        {
            Interlocked.Increment(ref _copied);
            Interlocked.Add(ref _bytes, file.Length);
        }
        else
        {
            // Unless somebody deleted it meanwhile.
            if (await from.LengthOfAsync(file.Key, cancellationToken) is not null)
            {
                lock (_lock)
                    _damaged.Add(id);
            }

            return;
        }

        if (sha256 is not null && (await HashesAsync([id], cancellationToken)).Count == 0)
        {
            await to.DeleteAsync(file.Key, cancellationToken);
            return;
        }

        if (!remove)
            return;
        await from.DeleteAsync(file.Key + ".jpg", cancellationToken);
        await from.DeleteAsync(file.Key, cancellationToken);
        Interlocked.Increment(ref _removed);
    }

    /// <summary>Whether the new place has it. What is right there counts, whatever the old place has: it may be the only good one.</summary>
    private async Task<bool> IsThereAsync(string key, string? sha256, CancellationToken cancellationToken) =>
        await to.LengthOfAsync(key, cancellationToken) is not null
        && await BlobCopy.HashAsync(to, key, cancellationToken) is { } there
        && there == (sha256 ?? await BlobCopy.HashAsync(from, key, cancellationToken));

    /// <returns>False when it cannot be read or is not what was received; then the new place is as it was.</returns>
    private async Task<bool> CopyAsync(string key, Guid id, string? sha256, CancellationToken cancellationToken)
    {
        if (await to.LengthOfAsync(key, cancellationToken) is not null)
        {
            // What a run left by half, or what is damaged: it goes for what is known to be right.
            if (await BlobCopy.HashAsync(from, key, cancellationToken) is not { } found || found != (sha256 ?? found))
                return false;
            await to.DeleteAsync(key, cancellationToken);
        }

        return await BlobCopy.RunAsync(() => from.OpenReadAsync(key, 0, cancellationToken), to.Create(id, key), sha256, cancellationToken);
    }

    /// <summary>What the rows of some images say of them; those without a row are left out.</summary>
    private async Task<Dictionary<Guid, string>> HashesAsync(IReadOnlyList<Guid> ids, CancellationToken cancellationToken)
    {
        await using var db = database.Open();
        return await db.Uploads.Where(upload => ids.Contains(upload.Id)).ToDictionaryAsync(upload => upload.Id, upload => upload.Sha256, cancellationToken);
    }

    private static Guid? IdOf(string key) => BlobStore.IdOf(key) ?? Quarantine.IdOf(key);
}
