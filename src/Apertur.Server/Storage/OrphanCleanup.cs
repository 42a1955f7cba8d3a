using Apertur.Server.Accounts;
using Apertur.Server.Http;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Storage;

/// <summary>
/// Tidies up in the background: files of uploads that were interrupted and so have no row, answers kept for repeats that no longer count, and
/// sign-ins, links and guesses that are over.
/// </summary>
internal sealed partial class OrphanCleanup(Database database, BlobStore blobs, TimeProvider clock, ILogger<OrphanCleanup> log) : BackgroundService
{
    // Longer than any upload may take, so that no file of one in progress is taken for a leftover.
    private static readonly TimeSpan _safeAge = TimeSpan.FromHours(24);
    private static readonly TimeSpan _every = TimeSpan.FromHours(1);
    private const int BatchSize = 500;

    /// <returns>How many leftover files were removed.</returns>
    public async Task<int> RunOnceAsync(CancellationToken cancellationToken)
    {
        await Idempotency.RemoveExpiredAsync(database, clock.GetUtcNow(), cancellationToken);
        await SignIns.RemoveExpiredAsync(database, clock.GetUtcNow(), cancellationToken);
        var before = clock.GetUtcNow() - _safeAge;
        var removed = 0;
        // A file older than the database is no leftover of this one's: somebody has named a new database, and these photos are all he has.
        var since = await BeginningAsync(cancellationToken);
        foreach (var batch in blobs.Enumerate().Where(blob => blob.WrittenAt < before && blob.WrittenAt > since).Chunk(BatchSize))
        {
            var ids = batch.Select(blob => blob.Id).ToList();
            await using var db = database.Open();
            var known = await db.Uploads.Where(upload => ids.Contains(upload.Id)).Select(upload => upload.Id).ToListAsync(cancellationToken);
            foreach (var id in ids.Except(known))
            {
                blobs.Delete(id);
                removed++;
            }
        }

        if (removed > 0)
            LogRemoved(removed);
        return removed;
    }

    private async Task<DateTimeOffset> BeginningAsync(CancellationToken cancellationToken)
    {
        await using var db = database.Open();
        var first = await db.Projects.OrderBy(project => project.CreatedAt).Select(project => (DateTimeOffset?)project.CreatedAt)
            .FirstOrDefaultAsync(cancellationToken);
        return first ?? DateTimeOffset.MaxValue;
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        WorkerLoop.EveryAsync(_every, RunOnceAsync, clock, LogFailure, stoppingToken);

    [LoggerMessage(EventName = "sweep.removed", Level = LogLevel.Information, Message = "sweep.removed {Files} files of interrupted uploads")]
    private partial void LogRemoved(int files);

    [LoggerMessage(EventName = "sweep.failed", Level = LogLevel.Error, Message = "The sweep failed; it is tried again in an hour")]
    private partial void LogFailure(Exception exception);
}
