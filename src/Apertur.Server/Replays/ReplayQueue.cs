using System.Collections.Concurrent;
using Apertur.Server.Deliveries;
using Apertur.Server.Queue;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Replays;

/// <summary>
/// Works off replays, the oldest of each project, a batch at a time: of so few deliveries that they take half of a destination's lanes, and what comes in
/// meanwhile finds the others free. Batches grow while each has ended soon, since a batch costs the database little more than one delivery. While photos
/// come to this node, one follows the other a second later: on SQLite they wait for the same writer.
/// </summary>
internal sealed partial class ReplayQueue(
    Database database, ImageIntake intake, Settings settings, TimeProvider clock, ILogger<ReplayQueue> log) : BackgroundService
{
    /// <summary>How far what a replay means is counted.</summary>
    public const int MostCounted = 100_000;

    private const int MostAtOnce = 32;

    // A destination that has not taken a batch in this time does not keep up.
    private static readonly TimeSpan _pace = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan _idle = TimeSpan.FromSeconds(1);

    private readonly int _fewest = Math.Max(1, settings.Delivery.LanesPerDestination / 2);

    // The last batch of each replay; 0 when it had not ended in time.
    private readonly ConcurrentDictionary<Guid, int> _batches = [];

    // Short while deliveries come and go, so that the lanes are used.
    private TimeSpan _wait = _idle;

    /// <returns>How many deliveries were queued.</returns>
    public async Task<int> RunOnceAsync(CancellationToken cancellationToken)
    {
        await using var db = database.Open();
        var running = await db.Replays.Where(replay => replay.State == ReplayState.Running).OrderBy(replay => replay.CreatedAt)
            .ToListAsync(cancellationToken);
        foreach (var over in _batches.Keys.Except(running.Select(replay => replay.Id)))
            _batches.TryRemove(over, out _);
        var queued = 0;
        foreach (var replay in running.DistinctBy(replay => replay.ProjectId))
            queued += replay.WebhookId is null ? await StepAsync(replay, cancellationToken) : await StepEventsAsync(replay, cancellationToken);
        return queued;
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => WorkerLoop.RunAsync(
        async cancellationToken =>
        {
            var hasQueued = await RunOnceAsync(cancellationToken) > 0;
            _wait = hasQueued ? _pace : _wait * 2 < _idle ? _wait * 2 : _idle;
            await Task.Delay(_wait, clock, cancellationToken);
            if (hasQueued && intake.IsBusy(_idle))
            {
                await LookAsync(cancellationToken);
                await Task.Delay(_idle - _pace, clock, cancellationToken);
            }
        },
        clock, _idle, LogFailure, stoppingToken);

    /// <summary>Notes which batches have not ended in time.</summary>
    private async Task LookAsync(CancellationToken cancellationToken)
    {
        await using var db = database.Open();
        foreach (var replay in _batches.Keys)
        {
            if (await OpenAsync(db.Deliveries.Where(row => row.ReplayId == replay), cancellationToken) > 0
                || await OpenAsync(db.EventDeliveries.Where(row => row.ReplayId == replay), cancellationToken) > 0)
                _batches[replay] = 0;
        }
    }

    private static Task<int> OpenAsync<T>(IQueryable<T> ofReplay, CancellationToken cancellationToken)
        where T : IQueueRow =>
        ofReplay.CountAsync(row => row.State != DeliveryState.Sent && row.State != DeliveryState.Failed, cancellationToken);

    /// <summary>How many deliveries of a replay may be in the queue now, where so many of its last batch are open still.</summary>
    private int BatchOf(Replay replay, int open)
    {
        var next = Math.Clamp(_batches.GetValueOrDefault(replay.Id) * 2, _fewest, Math.Max(_fewest, MostAtOnce));
        if (open > 0)
            next = _fewest;
        _batches[replay.Id] = open > 0 ? 0 : next;
        return next;
    }

    private async Task<int> StepAsync(Replay seen, CancellationToken cancellationToken)
    {
        await using var read = database.Open();
        var open = await OpenAsync(read.Deliveries.Where(row => row.ReplayId == seen.Id), cancellationToken);
        var free = BatchOf(seen, open) - open;
        if (free <= 0)
            return 0;
        if (await ProblemAsync(read, seen, cancellationToken) is { } problem)
            return await EndAsync(seen, ReplayState.Cancelled, problem, cancellationToken);

        var found = await ReplayMatches.Photos(read, seen).Where(upload => upload.CreatedAt >= seen.Place)
            .OrderBy(upload => upload.CreatedAt).Take(free)
            .Select(upload => new { upload.Id, upload.SessionId, upload.CreatedAt }).ToListAsync(cancellationToken);
        if (found.Count == 0)
            return open > 0 ? 0 : await EndAsync(seen, ReplayState.Completed, null, cancellationToken);

        return await database.WriteAsync(
            async db =>
            {
                // Locked first, so that the nodes take turns.
                var replay = await database.Locked(db.Replays, [seen.Id]).SingleOrDefaultAsync(cancellationToken);
                if (replay is not { State: ReplayState.Running } || replay.Place != seen.Place || replay.Queued != seen.Queued)
                    return 0;

                var ids = found.ConvertAll(upload => upload.Id);
                var sessions = await database.Locked(db.Sessions, found.Select(upload => upload.SessionId))
                    .ToDictionaryAsync(session => session.Id, cancellationToken);
                var uploads = await ReplayMatches.Photos(db, replay).Where(upload => ids.Contains(upload.Id)).ToListAsync(cancellationToken);
                var queued = replay.Status == ReplayStatus.NeverDispatched
                    ? await DispatchAsync(db, replay, uploads, sessions, cancellationToken)
                    : await RequeueAsync(db, replay, uploads, sessions, cancellationToken);
                replay.Queued += queued;
                replay.Place = found[^1].CreatedAt;
                replay.UpdatedAt = clock.GetUtcNow();
                return Math.Max(queued, 1);
            },
            cancellationToken);
    }

    private async Task<int> StepEventsAsync(Replay seen, CancellationToken cancellationToken)
    {
        await using var read = database.Open();
        var open = await OpenAsync(read.EventDeliveries.Where(row => row.ReplayId == seen.Id), cancellationToken);
        var free = BatchOf(seen, open) - open;
        if (free <= 0)
            return 0;
        if (!await read.EventWebhooks.AnyAsync(webhook => webhook.Id == seen.WebhookId, cancellationToken))
            return await EndAsync(seen, ReplayState.Cancelled, "The event webhook was deleted.", cancellationToken);

        var found = await ReplayMatches.Events(read, seen).Where(row => row.CreatedAt >= seen.Place)
            .OrderBy(row => row.CreatedAt).Take(free).Select(row => new { row.Id, row.CreatedAt }).ToListAsync(cancellationToken);
        if (found.Count == 0)
            return open > 0 ? 0 : await EndAsync(seen, ReplayState.Completed, null, cancellationToken);

        return await database.WriteAsync(
            async db =>
            {
                var replay = await database.Locked(db.Replays, [seen.Id]).SingleOrDefaultAsync(cancellationToken);
                if (replay is not { State: ReplayState.Running } || replay.Place != seen.Place || replay.Queued != seen.Queued)
                    return 0;

                var ids = found.ConvertAll(row => row.Id);
                await database.Locked(db.EventDeliveries, ids).ToListAsync(cancellationToken);
                var rows = await ReplayMatches.Events(db, replay).Where(row => ids.Contains(row.Id)).ToListAsync(cancellationToken);
                var now = clock.GetUtcNow();
                foreach (var row in rows)
                {
                    row.ReplayId = replay.Id;
                    row.State = DeliveryState.Retrying;
                    row.Attempts = 0;
                    row.UpdatedAt = now;
                    row.Due = DueOf(replay, now);
                }

                replay.Queued += rows.Count;
                replay.Place = found[^1].CreatedAt;
                replay.UpdatedAt = now;
                return Math.Max(rows.Count, 1);
            },
            cancellationToken);
    }

    /// <summary>Puts deliveries back that ended, with a schedule that begins anew, and takes back what was counted for their end.</summary>
    private async Task<int> RequeueAsync(
        AperturDb db, Replay replay, List<Upload> uploads, Dictionary<Guid, UploadSession> sessions, CancellationToken cancellationToken)
    {
        var ids = uploads.ConvertAll(upload => upload.Id);
        var touched = uploads.Select(upload => upload.SessionId).ToHashSet();
        var rows = (await ReplayMatches.Deliveries(db, replay).Where(row => touched.Contains(row.SessionId) && ids.Contains(row.UploadId))
            .ToListAsync(cancellationToken)).ToLookup(row => row.UploadId);
        var now = clock.GetUtcNow();
        foreach (var upload in uploads)
        {
            var session = sessions[upload.SessionId];
            var count = db.Counts.For(upload.ProjectId, upload.Env, upload.CreatedAt);
            session.Touch(now);
            foreach (var row in rows[upload.Id])
            {
                session.DeliveriesOpen++;
                if (row.State == DeliveryState.Failed)
                {
                    count.Failed--;
                    session.ImagesFailed -= --upload.DestinationsFailed == 0 ? 1 : 0;
                }
                else
                {
                    count.Sent--;
                    var isLast = --upload.DestinationsDelivered == 0;
                    session.ImagesDelivered -= isLast ? 1 : 0;
                    count.ImagesDelivered -= isLast ? 1 : 0;
                }

                row.ReplayId = replay.Id;
                row.State = DeliveryState.Retrying;
                row.Attempts = 0;
                row.EndedAt = null;
                row.UpdatedAt = now;
                row.Due = DueOf(replay, now);
            }
        }

        return rows.Sum(of => of.Count());
    }

    /// <summary>Makes deliveries to a destination that photos were never to go to.</summary>
    private async Task<int> DispatchAsync(
        AperturDb db, Replay replay, List<Upload> uploads, Dictionary<Guid, UploadSession> sessions, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var destination = await db.Destinations.AsNoTracking().SingleAsync(d => d.Id == replay.DestinationId, cancellationToken);
        foreach (var upload in uploads)
        {
            var session = sessions[upload.SessionId];
            session.Touch(now);
            session.DeliveriesOpen++;
            session.ImagesDispatched += upload.DestinationsTotal++ == 0 ? 1 : 0;
            upload.DestinationTypes = [.. upload.DestinationTypes.Append(destination.Type).Order(StringComparer.Ordinal)];
            db.Deliveries.Add(new DeliveryRow
            {
                Id = Guid.CreateVersion7(now),
                UploadId = upload.Id,
                SessionId = upload.SessionId,
                DestinationId = destination.Id,
                DestinationType = destination.Type,
                DestinationName = destination.Name,
                ReplayId = replay.Id,
                Due = DueOf(replay, now),
                ReceivedAt = upload.CreatedAt,
                CreatedAt = now,
                UpdatedAt = now,
            });
        }

        return uploads.Count;
    }

    private static Due DueOf(Replay replay, DateTimeOffset now) => Due.After(new DueEvent.Replayed(replay.CreatedBy), now)!.Value;

    private static async Task<string?> ProblemAsync(AperturDb db, Replay replay, CancellationToken cancellationToken) =>
        replay.DestinationId is { } id && !await db.Destinations.AnyAsync(d => d.Id == id && d.DeletedAt == null, cancellationToken)
            ? "The destination was deleted."
            : null;

    private async Task<int> EndAsync(Replay seen, ReplayState state, string? reason, CancellationToken cancellationToken)
    {
        await database.WriteAsync(
            async db =>
            {
                var replay = await database.Locked(db.Replays, [seen.Id]).SingleOrDefaultAsync(cancellationToken);
                if (replay is { State: ReplayState.Running } && replay.Queued == seen.Queued)
                    replay.End(state, clock.GetUtcNow(), reason);
            },
            cancellationToken);
        LogEnd(seen.Id, state, seen.Queued);
        return 0;
    }

    [LoggerMessage(EventName = "replay.ended", Level = LogLevel.Information, Message = "replay.ended {Replay} {State}: {Queued} deliveries")]
    private partial void LogEnd(Guid replay, ReplayState state, int queued);

    [LoggerMessage(EventName = "replay.failed", Level = LogLevel.Error, Message = "A replay could not go on; it is tried again")]
    private partial void LogFailure(Exception exception);
}
