using Apertur.Server.Projects;
using Apertur.Server.Queue;
using Apertur.Server.Renditions;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Retention;

/// <summary>
/// Removes photos when their project's time for them is up. In small steps, each in two transactions with the files between: the first takes
/// the photos out of reach, the second notes that their bytes are gone. A crash leaves photos between the two, which the next round finishes. Rows
/// that are not kept go after that.
/// </summary>
internal sealed partial class PhotoRetention(Database database, BlobStore blobs, RenditionStore renditions, TimeProvider clock, ILogger<PhotoRetention> log)
    : BackgroundService
{
    private static readonly TimeSpan _every = TimeSpan.FromSeconds(10);

    /// <returns>How many photos and rows were removed.</returns>
    public async Task<long> RunOnceAsync(CancellationToken cancellationToken)
    {
        var removed = await FinishAsync(cancellationToken);
        foreach (var (project, days, rows) in await ProjectsAsync(cancellationToken))
        {
            var round = new Round(project, clock.GetUtcNow() - TimeSpan.FromDays(days));
            removed += await SmallSteps.RunAsync(
                async most =>
                {
                    var begun = await BeginAsync(round, most, cancellationToken);
                    await FinishAsync(cancellationToken);
                    return begun;
                },
                cancellationToken);
            if (rows == RetentionRows.Remove)
                removed += await SmallSteps.RunAsync(most => RemoveRowsAsync(project, most, cancellationToken), cancellationToken);
        }

        if (removed == 0)
            return 0;
        LogRemoved(removed);
        // PostgreSQL's autovacuum does it by itself.
        if (database.IsSqlite)
            await SmallSteps.RunAsync(pages => database.WriteAsync(db => SqliteSpace.ReleaseAsync(db, pages), cancellationToken), cancellationToken);
        return removed;
    }

    /// <summary>
    /// Photos that came before an instant and of which everything is done since before then: each delivery sent or failed, and acknowledged
    /// where they wait to be fetched.
    /// </summary>
    public static IQueryable<Upload> Over(AperturDb db, DateTimeOffset before) =>
        from upload in db.Uploads
        where upload.IsStored && upload.RemovedAt == null && upload.CreatedAt <= before
            && (upload.AcknowledgedAt <= before
                || (upload.AcknowledgedAt == null && !db.Sessions.Any(session => session.Id == upload.SessionId && session.LongPolling)))
            && !db.Deliveries.Any(row => row.SessionId == upload.SessionId && row.UploadId == upload.Id
                && (row.UpdatedAt > before || (row.State != DeliveryState.Sent && row.State != DeliveryState.Failed)))
        select upload;

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        WorkerLoop.EveryAsync(_every, RunOnceAsync, clock, LogFailure, stoppingToken);

    private async Task<List<(Guid Id, int Days, RetentionRows Rows)>> ProjectsAsync(CancellationToken cancellationToken)
    {
        await using var db = database.Open();
        var projects = await db.Projects.Where(project => project.RetentionDays != null && project.DeletedAt == null)
            .Select(project => new { project.Id, Days = project.RetentionDays!.Value, project.RetentionRows }).ToListAsync(cancellationToken);
        return projects.ConvertAll(project => (project.Id, project.Days, project.RetentionRows));
    }

    /// <summary>Takes photos out of reach, with what their senders said of them.</summary>
    private async Task<int> BeginAsync(Round round, int most, CancellationToken cancellationToken)
    {
        await using var read = database.Open();
        var found = await Over(read, round.Before).Where(upload => upload.ProjectId == round.Project && upload.CreatedAt >= round.From)
            .OrderBy(upload => upload.CreatedAt).ThenBy(upload => upload.Id).Take(most)
            .Select(upload => new { upload.Id, upload.SessionId, upload.CreatedAt }).ToListAsync(cancellationToken);
        if (found.Count == 0)
            return 0;

        round.From = found[^1].CreatedAt;
        await database.WriteAsync(
            async db =>
            {
                var now = clock.GetUtcNow();
                var ids = found.ConvertAll(upload => upload.Id);
                var sessions = await database.Locked(db.Sessions, found.Select(upload => upload.SessionId)).ToListAsync(cancellationToken);
                await database.Locked(db.Uploads, ids).AsNoTracking().Select(upload => upload.Id).ToListAsync(cancellationToken);
                // Again, under the locks: somebody may have asked for another try.
                var over = await Over(db, round.Before).Where(upload => ids.Contains(upload.Id)).ToListAsync(cancellationToken);
                foreach (var upload in over)
                {
                    upload.Remove(now);
                    db.Counts.For(upload.ProjectId, upload.Env, upload.CreatedAt).Unstore(upload);
                }

                var gone = over.ConvertAll(upload => upload.Id);
                var touched = over.Select(upload => upload.SessionId).ToHashSet();
                // A reference tells the name that the photo has at the destination, which may be the sender's.
                await db.Deliveries.Where(row => touched.Contains(row.SessionId) && gone.Contains(row.UploadId)).ExecuteUpdateAsync(
                    row => row.SetProperty(r => r.Reference, (string?)null).SetProperty(r => r.Resume, (string?)null), cancellationToken);
                sessions.ForEach(session => session.Touch(now));
            },
            cancellationToken);
        return found.Count;
    }

    /// <summary>Deletes the files of photos that are out of reach.</summary>
    private Task<long> FinishAsync(CancellationToken cancellationToken) => SmallSteps.RunAsync(
        async most =>
        {
            await using var read = database.Open();
            var leaving = await read.Uploads.Where(upload => upload.IsStored && upload.RemovedAt != null).OrderBy(upload => upload.RemovedAt)
                .Take(most).Select(upload => upload.Id).ToListAsync(cancellationToken);
            await renditions.DeleteAsync(leaving, cancellationToken);
            foreach (var upload in leaving)
                await blobs.DeleteAsync(upload, cancellationToken);
            return leaving.Count == 0 ? 0 : await database.WriteAsync(
                async db =>
                {
                    await db.Uploads.Where(upload => leaving.Contains(upload.Id))
                        .ExecuteUpdateAsync(upload => upload.SetProperty(u => u.IsStored, false), cancellationToken);
                    return leaving.Count;
                },
                cancellationToken);
        },
        cancellationToken);

    /// <summary>Removes rows of photos that are gone. Those of a session that is neither closed nor expired stay until it is: they fill it.</summary>
    private async Task<int> RemoveRowsAsync(Guid project, int most, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        await using var read = database.Open();
        var found = await read.Uploads
            .Where(upload => upload.ProjectId == project && upload.RemovedAt != null && !upload.IsStored
                && read.Sessions.Any(session => session.Id == upload.SessionId && (session.CompletedAt != null || session.ExpiresAt <= now)))
            .OrderBy(upload => upload.RemovedAt).Take(most).Select(upload => new { upload.Id, upload.SessionId }).ToListAsync(cancellationToken);
        return found.Count == 0 ? 0 : await database.WriteAsync(
            async db =>
            {
                var sessions = await database.Locked(db.Sessions, found.Select(upload => upload.SessionId)).ToListAsync(cancellationToken);
                var uploads = (await database.Locked(db.Uploads, found.Select(upload => upload.Id)).ToListAsync(cancellationToken))
                    .ToLookup(upload => upload.SessionId);
                foreach (var session in sessions)
                {
                    await UploadDeletion.RemoveRowsAsync(db, session, [.. uploads[session.Id]], cancellationToken);
                    session.Touch(now);
                }

                return found.Count;
            },
            cancellationToken);
    }

    /// <summary>One project's photos, oldest first: those before <see cref="From"/> have been looked at.</summary>
    private sealed class Round(Guid project, DateTimeOffset before)
    {
        public Guid Project => project;

        public DateTimeOffset Before => before;

        public DateTimeOffset From { get; set; } = DateTimeOffset.UnixEpoch;
    }

    [LoggerMessage(EventName = "retention.removed", Level = LogLevel.Information, Message = "retention.removed {Photos} photos, or their rows, whose time was up")]
    private partial void LogRemoved(long photos);

    [LoggerMessage(EventName = "retention.failed", Level = LogLevel.Error, Message = "Photos whose time is up could not be removed; it is tried again")]
    private partial void LogFailure(Exception exception);
}
