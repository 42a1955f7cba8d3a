using Apertur.Destinations;
using Apertur.Server.Destinations;
using Apertur.Server.Events;
using Apertur.Server.ProjectData;
using Apertur.Server.Queue;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Deliveries;

/// <summary>The outcome of one claimed delivery.</summary>
/// <param name="Row">The delivery as it was claimed.</param>
/// <param name="Result">What the destination said; null when the server stopped first, and the attempt does not count.</param>
/// <param name="Took">How long it held its lane.</param>
/// <param name="DestinationContacted">False when the destination was not asked, so that the result says nothing of it.</param>
/// <param name="ResumedAt">When the owner of the destination that was used had last acted.</param>
internal sealed record Attempt(
    DeliveryRow Row, DeliveryOutcome? Result, TimeSpan Took, bool DestinationContacted, DateTimeOffset ResumedAt);

/// <summary>
/// Writes outcomes: the delivery's next state and every count that follows from it, in one transaction. An outcome counts only while the
/// claim it belongs to still holds; a late one is dropped, because somebody else has the delivery by now.
/// </summary>
internal sealed class DeliveryOutcomeWriter
{
    private const int MaxErrorLength = 500;
    private const int MaxReferenceLength = 1024;
    private const string AttemptColumns =
        "delivery_id, number, node, due_at, due_cause, due_by, started_at, duration_ms, outcome, status, reason, next_at, next_cause";

    private static readonly JsonTable _rows = new(
        "id", "state", "attempts#", "attempts_made#", "due_at#", "due_cause", "due_by", "last_error", "reference", "ended_at#", "updated_at#");

    private static readonly JsonTable _made = new(
        "delivery_id", "number#", "node", "due_at#", "due_cause", "due_by", "started_at#", "duration_ms#", "outcome", "status#", "reason", "next_at#",
        "next_cause");

    private static readonly JsonTable _uploads = new("id", "delivered#", "failed#");
    private static readonly JsonTable _sessions = new("id", "changed#", "delivered#", "failed#", "open#");

    private readonly Database _database;
    private readonly RetrySchedule _schedule;
    private readonly int _lanes;
    private readonly TimeProvider _clock;
    private readonly GroupCommit<Attempt, DeliveryState?> _commit;

    public DeliveryOutcomeWriter(Database database, Settings settings, TimeProvider clock)
    {
        _database = database;
        _schedule = new RetrySchedule(settings.Delivery.RetrySeconds);
        _lanes = settings.Delivery.LanesPerDestination;
        _clock = clock;
        _commit = new GroupCommit<Attempt, DeliveryState?>(database, Pump.OutcomeWait, outlastsOutage: true, RowsOf, WriteAsync);
    }

    /// <summary>Writes one outcome and gives the state the delivery has now; null when its claim was lost.</summary>
    public Task<DeliveryState?> WriteAsync(Attempt attempt) => _commit.AddAsync(attempt);

    private static RowKey[] RowsOf(Attempt attempt) =>
    [
        new("sessions", attempt.Row.SessionId), new("destinations", attempt.Row.DestinationId),
        new("uploads", attempt.Row.UploadId), new("deliveries", attempt.Row.Id),
    ];

    private async Task<IReadOnlyList<DeliveryState?>> WriteAsync(
        AperturDb db, IReadOnlyList<Attempt> attempts, CancellationToken cancellationToken)
    {
        // Everybody takes locks in this order: sessions, destinations, uploads, deliveries, counts.
        var sessions = await _database.Locked(db.Sessions, attempts.Select(a => a.Row.SessionId)).AsNoTracking()
            .ToDictionaryAsync(session => session.Id, cancellationToken);
        // Few, and what an outcome changes of them is much: the only ones that are tracked.
        var destinations = await _database.Locked(db.Destinations, attempts.Select(a => a.Row.DestinationId))
            .ToDictionaryAsync(destination => destination.Id, cancellationToken);
        var uploads = await _database.Locked(db.Uploads, attempts.Select(a => a.Row.UploadId)).AsNoTracking()
            .ToDictionaryAsync(upload => upload.Id, cancellationToken);
        // While a claim holds, nobody else writes its row: what was claimed is what is there.
        var held = (await _database.Locked(db.Deliveries, attempts.Select(a => a.Row.Id))
            .Select(row => new { row.Id, row.LeaseToken }).ToListAsync(cancellationToken)).ToDictionary(row => row.Id, row => row.LeaseToken);

        var events = new EventOutbox(_clock.GetUtcNow());
        var states = new List<DeliveryState?>(attempts.Count);
        var rows = new List<DeliveryRow>(attempts.Count);
        var made = new List<DeliveryAttempt>(attempts.Count);
        var judged = new List<(Guid DestinationId, bool Arrived)>(attempts.Count);
        foreach (var attempt in attempts)
        {
            if (held.GetValueOrDefault(attempt.Row.Id) != attempt.Row.LeaseToken)
            {
                states.Add(null);
                continue;
            }

            // A copy: this transaction may be run again.
            var row = attempt.Row.Copy();
            made.Add(Apply(attempt, row, destinations[row.DestinationId], events, judged));
            Count(row, uploads[row.UploadId], sessions[row.SessionId], db.Counts, events);
            rows.Add(row);
            states.Add(row.State);
        }

        await SaveAsync(db, rows, made, uploads, sessions, cancellationToken);
        await DestinationHour.AddAsync(db, _database, judged, _clock.GetUtcNow(), cancellationToken);
        await events.WriteAsync(db, cancellationToken);
        await ForgetAsync(db, rows, cancellationToken);
        return states;
    }

    /// <summary>Writes the rows of a group in one statement for each table, which costs a fraction of what tracking them does.</summary>
    private async Task SaveAsync(
        AperturDb db,
        List<DeliveryRow> rows,
        List<DeliveryAttempt> made,
        Dictionary<Guid, Upload> uploads,
        Dictionary<Guid, UploadSession> sessions,
        CancellationToken cancellationToken)
    {
        await WriteAsync(
            _rows,
            """
            UPDATE deliveries SET state = v.state, attempts = v.attempts, attempts_made = v.attempts_made, lease_token = NULL, lease_until = NULL,
              due_at = v.due_at, due_cause = v.due_cause, due_by = v.due_by, last_error = v.last_error, reference = v.reference,
              ended_at = v.ended_at, updated_at = v.updated_at, resume = CASE WHEN v.ended_at IS NULL THEN deliveries.resume END
            FROM v WHERE deliveries.id = v.id
            """,
            rows.Select(row => new object?[]
            {
                row.Id, row.State.WireName(), row.Attempts, row.AttemptsMade, Milliseconds(row.DueAt), row.DueCause.WireName(), row.DueBy, row.LastError,
                row.Reference, Milliseconds(row.EndedAt), Milliseconds(row.UpdatedAt),
            }));
        await WriteAsync(
            _made,
            $"INSERT INTO delivery_attempts ({AttemptColumns}) SELECT {AttemptColumns} FROM v",
            made.Select(attempt => new object?[]
            {
                attempt.DeliveryId, attempt.Number, attempt.Node, Milliseconds(attempt.DueAt), attempt.DueCause.WireName(), attempt.DueBy,
                Milliseconds(attempt.StartedAt), attempt.DurationMs, attempt.Outcome.WireName(), attempt.Status, attempt.Reason,
                Milliseconds(attempt.NextAt), attempt.NextCause?.WireName(),
            }));
        if (rows.Exists(row => row.EndedAt is not null))
        {
            await WriteAsync(
                _uploads,
                "UPDATE uploads SET destinations_delivered = v.delivered, destinations_failed = v.failed FROM v WHERE uploads.id = v.id",
                uploads.Values.Select(upload => new object?[] { upload.Id, upload.DestinationsDelivered, upload.DestinationsFailed }));
        }

        await WriteAsync(
            _sessions,
            """
            UPDATE sessions SET last_changed = v.changed, images_delivered = v.delivered, images_failed = v.failed, deliveries_open = v.open
            FROM v WHERE sessions.id = v.id
            """,
            sessions.Values.Select(session => new object?[]
            {
                session.Id, Milliseconds(session.LastChanged), session.ImagesDelivered, session.ImagesFailed, session.DeliveriesOpen,
            }));
        db.Write.ChangedSessions.UnionWith(rows.Select(row => row.SessionId));

        Task<int> WriteAsync(JsonTable table, string statement, IEnumerable<object?[]> values) =>
            table.WriteAsync(db, _database, statement, values, cancellationToken);

        static long? Milliseconds(DateTimeOffset? instant) => instant?.ToUnixTimeMilliseconds();
    }

    /// <summary>The state machine: from <c>sending</c> to what follows. The attempt is written down with what was decided.</summary>
    private DeliveryAttempt Apply(
        Attempt attempt, DeliveryRow row, Destination destination, EventOutbox events, List<(Guid DestinationId, bool Arrived)> judged)
    {
        var result = attempt.Result;
        var now = _clock.GetUtcNow();
        // What an attempt found out before the owner acted says nothing about now.
        var isStale = attempt.ResumedAt != destination.ResumedAt;
        // The row as it was claimed tells when.
        var claimed = attempt.Row.UpdatedAt;
        var held = attempt.Row.Due.Held(destination.ResumedAt, destination.Breaker.OpenUntil, claimed);
        row.UpdatedAt = now;
        row.LastError = result is null ? row.LastError : StorableText.Of(result.ReasonText, MaxErrorLength);
        if (result is not null && attempt.DestinationContacted && !isStale && destination.DeletedAt is null)
        {
            judged.Add((destination.Id, result is DeliveryOutcome.Accepted));
            Judge(attempt, result, row, destination, events, now);
        }

        Due? next = null;
        switch (result)
        {
            case DeliveryOutcome.Accepted accepted:
                row.State = DeliveryState.Sent;
                row.Reference = StorableText.Of(accepted.Reference, MaxReferenceLength);
                break;

            case DeliveryOutcome.GiveUp:
                row.State = DeliveryState.Failed;
                break;

            case DeliveryOutcome.TryAgain again:
                var wait = _schedule.WaitAfter(row.Attempts, Random.Shared.NextDouble());
                next = Due.After(
                    isStale && wait is not null ? new DueEvent.Resumed() : new DueEvent.Failed(wait, again.After, destination.Breaker.OpenUntil), now);
                row.State = next is null ? DeliveryState.Failed : DeliveryState.Retrying;
                break;

            case DeliveryOutcome.Broken broken:
                // Not the image's fault: it waits, without losing an attempt, until the owner has acted.
                row.State = DeliveryState.Retrying;
                row.Attempts--;
                next = Due.After(isStale ? new DueEvent.Resumed() : new DueEvent.Parked(), now);
                if (!isStale && DestinationSuspension.Suspend(destination, StorableText.Of(broken.Reason, MaxErrorLength)))
                    events.DestinationDisabled(destination);
                break;

            case null:
                row.State = --row.Attempts == 0 ? DeliveryState.Pending : DeliveryState.Retrying;
                next = Due.After(new DueEvent.Stopped(), now);
                break;
        }

        row.Due = next ?? row.Due;
        return new DeliveryAttempt
        {
            DeliveryId = row.Id,
            Number = ++row.AttemptsMade,
            Node = Node.Name,
            DueAt = held.At,
            DueCause = held.Cause,
            DueBy = held.By,
            StartedAt = claimed,
            DurationMs = (long)attempt.Took.TotalMilliseconds,
            Outcome = Word(result),
            Status = result?.Status,
            Reason = result is null ? null : row.LastError,
            NextAt = next?.At,
            NextCause = next?.Cause,
        };
    }

    /// <summary>What the attempt says of its destination.</summary>
    private void Judge(
        Attempt attempt, DeliveryOutcome result, DeliveryRow row, Destination destination, EventOutbox events, DateTimeOffset now)
    {
        var failure = result as DeliveryOutcome.TryAgain;
        destination.Recent.Count(result is DeliveryOutcome.Accepted, worked: failure is null, row.LastError, now);
        if (result is DeliveryOutcome.Broken)
            return;

        var wasFailing = destination.Breaker.IsFailing;
        var sample = new BreakerSample(
            failure is null, Answered: failure is not { Status: null }, failure is { TimedOut: true }, attempt.Took,
            IsPersistent: row.Attempts >= Breaker.MaxFailures);
        destination.Breaker.Count(sample, _lanes, now);
        events.DestinationChanged(destination, wasFailing);
    }

    private static AttemptOutcome Word(DeliveryOutcome? result) => result switch
    {
        DeliveryOutcome.Accepted => AttemptOutcome.Accepted,
        DeliveryOutcome.TryAgain => AttemptOutcome.TryAgain,
        DeliveryOutcome.GiveUp => AttemptOutcome.GiveUp,
        DeliveryOutcome.Broken => AttemptOutcome.Broken,
        _ => AttemptOutcome.Stopped,
    };

    /// <summary>Forgets the oldest attempts of deliveries that were tried very often.</summary>
    private static async Task ForgetAsync(AperturDb db, IEnumerable<DeliveryRow> rows, CancellationToken cancellationToken)
    {
        foreach (var row in rows.Where(row => row.AttemptsMade > DeliveryAttempt.Kept))
        {
            var last = row.AttemptsMade - DeliveryAttempt.Kept;
            await db.DeliveryAttempts.Where(attempt => attempt.DeliveryId == row.Id && attempt.Number <= last).ExecuteDeleteAsync(cancellationToken);
        }
    }

    private void Count(DeliveryRow row, Upload upload, UploadSession session, CountChanges counts, EventOutbox events)
    {
        session.Touch(_clock.GetUtcNow());
        row.EndedAt = row.State is DeliveryState.Sent or DeliveryState.Failed ? session.LastChanged : null;
        if (row.State == DeliveryState.Sent)
        {
            counts.For(upload.ProjectId, upload.Env, upload.CreatedAt).Sent++;
            session.DeliveriesOpen--;
            if (upload.DestinationsDelivered++ == 0)
            {
                session.ImagesDelivered++;
                counts.For(upload.ProjectId, upload.Env, upload.CreatedAt).ImagesDelivered++;
            }

            if (upload.DestinationsDelivered == upload.DestinationsTotal)
                events.UploadCompleted(upload, session);
        }
        else if (row.State == DeliveryState.Failed)
        {
            counts.For(upload.ProjectId, upload.Env, upload.CreatedAt).Failed++;
            session.DeliveriesOpen--;
            if (upload.DestinationsFailed++ == 0)
                session.ImagesFailed++;
            events.UploadFailed(upload, session, row);
        }
    }
}
