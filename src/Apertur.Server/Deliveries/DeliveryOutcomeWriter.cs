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

/// <summary>What became of one claimed delivery.</summary>
/// <param name="Row">The delivery as it was claimed.</param>
/// <param name="Result">What the destination said; null when the server stopped first, and the attempt does not count.</param>
/// <param name="DestinationContacted">False when the destination was not asked, so that the result says nothing of it.</param>
internal sealed record Attempt(DeliveryRow Row, DeliveryOutcome? Result, bool DestinationContacted = true);

/// <summary>
/// Writes outcomes: the delivery's next state and every count that follows from it, in one transaction. An outcome counts only while the
/// claim it belongs to still holds; a late one is dropped, because somebody else has the delivery by now.
/// </summary>
internal sealed class DeliveryOutcomeWriter
{
    private const int MaxErrorLength = 500;
    private const int MaxReferenceLength = 1024;

    private readonly Database _database;
    private readonly RetrySchedule _schedule;
    private readonly int _lanes;
    private readonly SessionNotifier _notifier;
    private readonly TimeProvider _clock;
    private readonly GroupCommit<Attempt, DeliveryState?> _commit;

    public DeliveryOutcomeWriter(Database database, Settings settings, SessionNotifier notifier, TimeProvider clock)
    {
        _database = database;
        _schedule = new RetrySchedule(settings.Delivery.RetrySeconds);
        _lanes = settings.Delivery.LanesPerDestination;
        _notifier = notifier;
        _clock = clock;
        _commit = new GroupCommit<Attempt, DeliveryState?>(database, WriteAsync);
    }

    /// <summary>Writes one outcome and gives the state the delivery has now; null when its claim was lost.</summary>
    public async Task<DeliveryState?> WriteAsync(Attempt attempt)
    {
        var state = await _commit.AddAsync(attempt);
        if (state is not null)
            _notifier.Publish([attempt.Row.SessionId]);
        return state;
    }

    private async Task<IReadOnlyList<DeliveryState?>> WriteAsync(
        AperturDb db, IReadOnlyList<Attempt> attempts, CancellationToken cancellationToken)
    {
        // Everybody takes locks in this order: sessions, destinations, uploads, deliveries, counts.
        var sessions = await LockAsync(db.Sessions, attempts.Select(a => a.Row.SessionId), s => s.Id, cancellationToken);
        var destinations = await LockAsync(db.Destinations, attempts.Select(a => a.Row.DestinationId), d => d.Id, cancellationToken);
        var uploads = await LockAsync(db.Uploads, attempts.Select(a => a.Row.UploadId), u => u.Id, cancellationToken);
        var rows = await LockAsync(db.Deliveries, attempts.Select(a => a.Row.Id), r => r.Id, cancellationToken);

        var counts = new DailyCountChanges();
        var events = new EventOutbox(_clock.GetUtcNow());
        var states = new List<DeliveryState?>(attempts.Count);
        foreach (var attempt in attempts)
        {
            var row = rows.GetValueOrDefault(attempt.Row.Id);
            if (row is null || row.State != DeliveryState.Sending || row.LeaseToken != attempt.Row.LeaseToken)
            {
                states.Add(null);
                continue;
            }

            Apply(attempt, row, destinations[row.DestinationId], events);
            Count(row, uploads[row.UploadId], sessions[row.SessionId], counts, events);
            states.Add(row.State);
        }

        await events.WriteAsync(db, cancellationToken);
        await counts.ApplyAsync(db, cancellationToken);
        return states;
    }

    /// <summary>The state machine: from <c>sending</c> to what follows.</summary>
    private void Apply(Attempt attempt, DeliveryRow row, Destination destination, EventOutbox events)
    {
        var result = attempt.Result;
        var now = _clock.GetUtcNow();
        // The row as it was claimed tells when. What an attempt found out before the owner acted says nothing about now.
        var isStale = attempt.Row.UpdatedAt < destination.ResumedAt;
        row.LeaseToken = null;
        row.LeaseUntil = null;
        row.UpdatedAt = now;
        row.LastError = result is null ? row.LastError : StorableText.Of(result.ReasonText, MaxErrorLength);
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
                var wait = _schedule.After(row.Attempts, again.After, Random.Shared.NextDouble());
                row.State = wait is null ? DeliveryState.Failed : DeliveryState.Retrying;
                row.DueAt = now + (isStale ? TimeSpan.Zero : wait ?? TimeSpan.Zero);
                break;

            case DeliveryOutcome.Broken broken:
                // Not the image's fault: it waits, without losing an attempt, until the owner has acted.
                row.State = DeliveryState.Retrying;
                row.Attempts--;
                row.DueAt = now;
                if (DestinationSuspension.Suspend(destination, StorableText.Of(broken.Reason, MaxErrorLength), attempt.Row.UpdatedAt))
                    events.DestinationDisabled(destination);
                break;

            case null:
                row.State = --row.Attempts == 0 ? DeliveryState.Pending : DeliveryState.Retrying;
                row.DueAt = now;
                break;
        }

        if (row.State is DeliveryState.Sent or DeliveryState.Failed)
            row.Resume = null;
        if (attempt.DestinationContacted && !isStale && result is (DeliveryOutcome.Accepted or DeliveryOutcome.TryAgain or DeliveryOutcome.GiveUp))
            Breaker.Count(destination, result is not DeliveryOutcome.TryAgain, _lanes, now);
    }

    private void Count(DeliveryRow row, Upload upload, UploadSession session, DailyCountChanges counts, EventOutbox events)
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

    private async Task<Dictionary<Guid, T>> LockAsync<T>(
        DbSet<T> set, IEnumerable<Guid> ids, Func<T, Guid> id, CancellationToken cancellationToken)
        where T : class =>
        (await _database.Locked(set, ids).ToListAsync(cancellationToken)).ToDictionary(id);
}
