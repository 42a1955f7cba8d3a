using Apertur.Server.Auth;
using Apertur.Server.Contract;
using Apertur.Server.Destinations;
using Apertur.Server.Http;
using Apertur.Server.ProjectData;
using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Deliveries;

/// <summary>How an upload is on its way to its destinations, attempt by attempt, and giving deliveries that failed or wait another try.</summary>
internal static class DeliveriesApi
{
    /// <summary>Where an upload is on its way to each of its destinations, and what has to happen before the next attempt.</summary>
    public static async Task<Ok<List<DeliveryResponse>>> List(
        string id, Caller caller, AperturDb db, TimeProvider clock, CancellationToken cancellationToken)
    {
        var upload = await caller.FindAsync(db.Uploads.AsNoTracking(), id, cancellationToken);
        var now = clock.GetUtcNow();
        var rows = await (
            from row in Of(db, upload)
            join destination in db.Destinations on row.DestinationId equals destination.Id
            orderby row.Id
            select new { row, destination }).AsNoTracking().ToListAsync(cancellationToken);
        return TypedResults.Ok(rows.ConvertAll(pair => Describe(pair.row, pair.destination, now)));
    }

    /// <summary>
    /// Deliveries of a project that did not arrive, those that changed last first: <c>status</c> is <c>failed</c> (the default; the dead
    /// letters), <c>retrying</c>, <c>sending</c> or <c>pending</c>. <c>total</c> is counted up to 10,000.
    /// </summary>
    public static async Task<Ok<Page<ProjectDelivery>>> ListOfProject(
        string projectId, HttpRequest request, Caller caller, AperturDb db, CancellationToken cancellationToken)
    {
        var project = Ids.Parse(projectId);
        caller.RoleIn(project);
        var (page, pageSize) = Paging.Page(request);
        var status = request.Query["status"] is [{ Length: > 0 } word] ? word : DeliveryState.Failed.WireName();
        if (EnumNames.Parse<DeliveryState>(status) is not { } state || state == DeliveryState.Sent)
            throw ApiErrors.Validation("status", "status must be failed, retrying, sending or pending.").ToException();

        var destinations = db.Destinations.Where(destination => destination.ProjectId == project);
        if (request.Query["destinationId"] is [{ Length: > 0 } chosen])
        {
            var id = Ids.Parse(chosen);
            destinations = destinations.Where(destination => destination.Id == id);
        }

        // Destination by destination, or no index has them in their order.
        var skip = (int)Math.Min((page - 1L) * pageSize, ListFilters.MostCounted);
        var (total, newest) = (0, new List<Place>());
        foreach (var destination in await destinations.Select(destination => destination.Id).ToListAsync(cancellationToken))
        {
            var rows = In(state, db, destination)
                .Where(row => caller.Env == null || db.Uploads.Any(upload => upload.Id == row.UploadId && upload.Env == caller.Env));
            var found = await NewestFirst(rows).Take(skip + pageSize).ToListAsync(cancellationToken);
            // Where that is all of them, nothing is left to count.
            total += found.Count < skip + pageSize
                ? Math.Min(found.Count, ListFilters.MostCounted - total)
                : await rows.Take(ListFilters.MostCounted - total).CountAsync(cancellationToken);
            newest.AddRange(found);
            // No more than can be shown are kept of all together.
            newest = [.. newest.OrderByDescending(place => place.At).ThenByDescending(place => place.UploadId).ThenBy(place => place.DestinationId)
                .Take(skip + pageSize)];
        }

        var shown = newest.Skip(skip).ToList();
        var uploadIds = shown.ConvertAll(place => place.UploadId);
        var described = await (
            from row in db.Deliveries
            where uploadIds.Contains(row.UploadId)
            join upload in db.Uploads on row.UploadId equals upload.Id
            select new { row, upload.Filename })
            .AsNoTracking().ToDictionaryAsync(
                pair => (pair.row.UploadId, pair.row.DestinationId), pair => DescribeOfProject(pair.row, pair.Filename), cancellationToken);
        return TypedResults.Ok(new Page<ProjectDelivery>
        {
            // One that has gone on meanwhile is no more what was asked for.
            Data = [.. shown.Select(place => described.GetValueOrDefault((place.UploadId, place.DestinationId))).OfType<ProjectDelivery>()
                .Where(delivery => delivery.Status == status)],
            Total = total,
            Number = page,
            PageSize = pageSize,
            TotalPages = (total + pageSize - 1) / pageSize,
        });
    }

    /// <summary>
    /// Every attempt to bring an upload to one of its destinations, newest first: when and why it was made, what came of it, and what was
    /// decided then. The last 50 are kept.
    /// </summary>
    public static async Task<Ok<DeliveryAttemptsResponse>> Attempts(
        string id, string destinationId, Caller caller, AperturDb db, CancellationToken cancellationToken)
    {
        var upload = await caller.FindAsync(db.Uploads.AsNoTracking(), id, cancellationToken);
        var destination = Ids.Parse(destinationId);
        // Told apart here: SQLite would read all deliveries of the destination.
        var delivery = (await Of(db, upload).AsNoTracking().ToListAsync(cancellationToken)).SingleOrDefault(row => row.DestinationId == destination)
            ?? throw ApiErrors.NotFound.ToException();
        var attempts = await db.DeliveryAttempts.AsNoTracking().Where(attempt => attempt.DeliveryId == delivery.Id)
            .OrderByDescending(attempt => attempt.Number).Take(DeliveryAttempt.Kept).ToListAsync(cancellationToken);
        return TypedResults.Ok(new DeliveryAttemptsResponse
        {
            DeliveryId = delivery.Id,
            Total = delivery.AttemptsMade,
            Attempts = attempts.ConvertAll(Describe),
        });
    }

    /// <summary>
    /// Gives every delivery of an upload that failed, or waits for its next attempt, another try: at once and on the path of
    /// every other attempt. Attempts go on counting; when the schedule was used up, this one is the last unless it is asked for
    /// again.
    /// </summary>
    public static async Task<Ok<MessageResponse>> Retry(
        string id, Caller caller, AperturDb db, Database database, TimeProvider clock, CancellationToken cancellationToken)
    {
        var upload = await caller.FindAsync(db.Uploads.AsNoTracking(), id, cancellationToken);
        if (upload.RemovedAt is not null)
            throw ApiErrors.ImageRemoved.ToException();
        var again = await database.WriteAsync(
            write => RetryAsync(write, database, upload, caller.Name, clock.GetUtcNow(), cancellationToken), cancellationToken);
        return TypedResults.Ok(new MessageResponse(again == 0
            ? "No delivery of this upload has failed."
            : $"{again} {(again == 1 ? "delivery is" : "deliveries are")} being tried again."));
    }

    private static async Task<int> RetryAsync(
        AperturDb db, Database database, Upload seen, string by, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var due = Due.After(new DueEvent.Replayed(by), now)!.Value;
        // A destination that was deleted takes nothing any more, so its deliveries stay as they ended.
        var deliveries = Of(db, seen).Where(
            delivery => db.Destinations.Any(destination => destination.Id == delivery.DestinationId && destination.DeletedAt == null));
        // Before the session is locked, in the order of a claim: the other way round the two could wait for each other.
        var waiting = await deliveries.Where(delivery => delivery.State == DeliveryState.Retrying && delivery.DueAt > now)
            .ExecuteUpdateAsync(delivery => delivery.SetDue(due, now), cancellationToken);

        var session = await database.Locked(db.Sessions, [seen.SessionId]).SingleAsync(cancellationToken);
        // Whoever asks for a try gets one, also from a destination that is left alone for a while.
        var (at, uploadId) = (now.ToUnixTimeMilliseconds(), seen.Id.ToString());
        await db.Database.ExecuteSqlAsync(
            $"""
            UPDATE destinations SET open_until = {at}
            WHERE open_until > {at} AND id IN (SELECT destination_id FROM deliveries WHERE upload_id = {uploadId})
            """,
            cancellationToken);
        var upload = await database.Locked(db.Uploads, [seen.Id]).SingleOrDefaultAsync(cancellationToken);
        if (upload is null || upload.RemovedAt is not null)
            return 0;

        var failed = await deliveries.Where(delivery => delivery.State == DeliveryState.Failed).ToListAsync(cancellationToken);
        foreach (var delivery in failed)
        {
            delivery.State = DeliveryState.Retrying;
            delivery.Due = due;
            delivery.EndedAt = null;
            delivery.UpdatedAt = now;
        }

        if (failed.Count == 0)
            return waiting;

        session.Touch(now);
        session.DeliveriesOpen += failed.Count;
        upload.DestinationsFailed -= failed.Count;
        if (upload.DestinationsFailed == 0)
            session.ImagesFailed--;
        db.Counts.For(upload.ProjectId, upload.Env, upload.CreatedAt).Failed -= failed.Count;
        return failed.Count + waiting;
    }

    /// <summary>Deliveries of a destination in one state, in the words of the index that has them.</summary>
    private static IQueryable<DeliveryRow> In(DeliveryState state, AperturDb db, Guid destination)
    {
        var rows = db.Deliveries.Where(row => row.DestinationId == destination);
        return state switch
        {
            DeliveryState.Failed => rows.Where(row => row.State == DeliveryState.Failed),
            DeliveryState.Retrying => rows.Where(row => row.State == DeliveryState.Retrying),
            DeliveryState.Pending => rows.Where(row => row.State == DeliveryState.Pending || row.State == DeliveryState.Retrying)
                .Where(row => row.State == DeliveryState.Pending),
            _ => rows.Where(row => row.State == DeliveryState.Sending),
        };
    }

    private static IQueryable<Place> NewestFirst(IQueryable<DeliveryRow> rows) =>
        rows.OrderByDescending(row => row.UpdatedAt).ThenByDescending(row => row.UploadId)
            .Select(row => new Place(row.UploadId, row.DestinationId, row.UpdatedAt));

    // By session first, which is how they are indexed.
    private static IQueryable<DeliveryRow> Of(AperturDb db, Upload upload) =>
        db.Deliveries.Where(row => row.SessionId == upload.SessionId && row.UploadId == upload.Id);

    private static DeliveryResponse Describe(DeliveryRow row, Destination destination, DateTimeOffset now)
    {
        var waits = row.State is DeliveryState.Pending or DeliveryState.Retrying;
        return new()
        {
            Id = row.Id,
            DestinationId = row.DestinationId,
            DestinationType = row.DestinationType,
            DestinationName = row.DestinationName,
            Status = row.State.WireName(),
            Attempts = row.Attempts,
            LastError = row.LastError,
            Reference = row.Reference,
            DueAt = waits ? row.DueAt : null,
            DueCause = waits ? row.DueCause.WireName() : null,
            DueBy = waits ? row.DueBy : null,
            WaitingFor = waits ? WaitingFor(destination, now) : null,
            CreatedAt = row.CreatedAt,
            UpdatedAt = row.UpdatedAt,
        };
    }

    private static ProjectDelivery DescribeOfProject(DeliveryRow row, string filename) => new()
    {
        Id = row.Id,
        UploadId = row.UploadId,
        SessionId = row.SessionId,
        Filename = filename,
        DestinationId = row.DestinationId,
        DestinationType = row.DestinationType,
        DestinationName = row.DestinationName,
        Status = row.State.WireName(),
        Attempts = row.Attempts,
        LastError = row.LastError,
        DueAt = row.State is DeliveryState.Pending or DeliveryState.Retrying ? row.DueAt : null,
        CreatedAt = row.CreatedAt,
        UpdatedAt = row.UpdatedAt,
    };

    private static string? WaitingFor(Destination destination, DateTimeOffset now) =>
        destination.DeletedAt is not null ? null
        : destination.ParkedReason is { } reason ? reason
        : !destination.IsActive ? "The destination is switched off."
        : destination.Breaker.OpenUntil > now ? "The destination did not work lately and is left alone for a while."
        : null;

    private static DeliveryAttemptResponse Describe(DeliveryAttempt attempt) => new()
    {
        Number = attempt.Number,
        Outcome = attempt.Outcome.WireName(),
        Status = attempt.Status,
        Reason = attempt.Reason,
        Node = attempt.Node,
        DueAt = attempt.DueAt,
        DueCause = attempt.DueCause.WireName(),
        DueBy = attempt.DueBy,
        StartedAt = attempt.StartedAt,
        DurationMs = attempt.DurationMs,
        NextAt = attempt.NextAt,
        NextCause = attempt.NextCause?.WireName(),
    };

    /// <summary>Where a delivery stands in a list: all that an index has to tell.</summary>
    private sealed record Place(Guid UploadId, Guid DestinationId, DateTimeOffset At);
}
