using Apertur.Server.Auth;
using Apertur.Server.Contract;
using Apertur.Server.Http;
using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Replays;

/// <summary>Delivering again what failed or arrived before, and for the first time what a destination never had.</summary>
internal static class ReplaysApi
{
    private const int MaxUploads = 1000;
    private const int MaxWords = 200;

    /// <summary>
    /// Begins a replay: a job that puts deliveries into the queue little by little, each photo once, behind what comes in. With <c>dryRun</c> it
    /// only says, with 200, how many photos there are.
    /// </summary>
    public static async Task<Results<Created<ReplayResponse>, Ok<ReplayCount>>> Create(
        string projectId, Body<ReplayRequest> body, Caller caller, AperturDb db, Database database, TimeProvider clock,
        CancellationToken cancellationToken)
    {
        var project = Ids.Parse(projectId);
        caller.RoleIn(project);
        var replay = await DescribeAsync(db, project, caller.Env, body.Value, caller.Name, clock.GetUtcNow(), cancellationToken);
        if (body.Value.DryRun is true)
            return TypedResults.Ok(new ReplayCount(true, replay.Total));
        await database.AddAsync([replay], cancellationToken);
        return TypedResults.Created($"/api/v1/projects/{project}/replays/{replay.Id}", Describe(replay, 0, 0));
    }

    /// <summary>The newest 100 replays of a project.</summary>
    public static async Task<Ok<List<ReplayResponse>>> List(
        string projectId, Caller caller, AperturDb db, CancellationToken cancellationToken)
    {
        var replays = await Mine(caller, projectId, db).OrderByDescending(replay => replay.CreatedAt).ThenByDescending(replay => replay.Id)
            .Take(100).ToListAsync(cancellationToken);
        return TypedResults.Ok(await DescribeAsync(db, replays, cancellationToken));
    }

    /// <summary>One replay, and how far it has come.</summary>
    public static async Task<Ok<ReplayResponse>> Get(
        string projectId, string id, Caller caller, AperturDb db, CancellationToken cancellationToken)
    {
        var replay = await FindAsync(Mine(caller, projectId, db), id, cancellationToken);
        return TypedResults.Ok((await DescribeAsync(db, [replay], cancellationToken))[0]);
    }

    /// <summary>Puts nothing more of a replay into the queue until it is resumed. What is in it goes on.</summary>
    public static Task<Ok<ReplayResponse>> Pause(
        string projectId, string id, Caller caller, Database database, TimeProvider clock, CancellationToken cancellationToken) =>
        ChangeAsync(projectId, id, caller, database, clock, ReplayState.Paused, cancellationToken);

    /// <summary>Goes on with a replay that was paused.</summary>
    public static Task<Ok<ReplayResponse>> Resume(
        string projectId, string id, Caller caller, Database database, TimeProvider clock, CancellationToken cancellationToken) =>
        ChangeAsync(projectId, id, caller, database, clock, ReplayState.Running, cancellationToken);

    /// <summary>Ends a replay. What it has put into the queue goes on.</summary>
    public static Task<Ok<ReplayResponse>> Cancel(
        string projectId, string id, Caller caller, Database database, TimeProvider clock, CancellationToken cancellationToken) =>
        ChangeAsync(projectId, id, caller, database, clock, ReplayState.Cancelled, cancellationToken);

    /// <summary>A replay as it was asked for, checked and counted, and not written yet.</summary>
    /// <exception cref="ApiErrorException">400, with every mistake.</exception>
    public static async Task<Replay> DescribeAsync(
        AperturDb db, Guid project, Env? env, ReplayRequest request, string by, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var errors = new List<FieldError>();
        if (EnumNames.Parse<ReplayStatus>(request.Status ?? "failed") is not { } status)
        {
            errors.Add(new FieldError("status", "status must be failed, sent or never_dispatched."));
            status = ReplayStatus.Failed;
        }

        if (status == ReplayStatus.NeverDispatched && request.DestinationId is null)
            errors.Add(new FieldError("destinationId", "destinationId must name the destination that is to get the photos."));
        if (request.DestinationId is { } destination
            && !await db.Destinations.AnyAsync(d => d.Id == destination && d.ProjectId == project && d.DeletedAt == null, cancellationToken))
            errors.Add(new FieldError("destinationId", "The project has no such destination."));
        if (request.WebhookId is { } webhook && !await db.EventWebhooks.AnyAsync(w => w.Id == webhook && w.ProjectId == project, cancellationToken))
            errors.Add(new FieldError("webhookId", "The project has no such event webhook."));
        if (request.WebhookId is not null
            && (status == ReplayStatus.NeverDispatched || request.DestinationId is not null || request.SessionId is not null || request.UploadIds is not null))
            errors.Add(new FieldError("webhookId", "Events are chosen by status, errorContains, from and to only."));
        if (request.UploadIds is { Count: 0 or > MaxUploads })
            errors.Add(new FieldError("uploadIds", $"uploadIds takes 1 to {MaxUploads} ids."));
        if (request.ErrorContains is { Length: 0 or > MaxWords } || (request.ErrorContains is not null && status != ReplayStatus.Failed))
            errors.Add(new FieldError("errorContains", $"errorContains takes 1 to {MaxWords} characters, and goes with failed deliveries."));
        if (request.From > request.To)
            errors.Add(new FieldError("to", "to must not be before from."));
        if (errors.Count > 0)
            throw ApiErrors.Validation(errors).ToException();

        var since = request.From ?? DateTimeOffset.UnixEpoch;
        var replay = new Replay
        {
            Id = Guid.CreateVersion7(now),
            ProjectId = project,
            Env = env,
            WebhookId = request.WebhookId,
            DestinationId = request.DestinationId,
            SessionId = request.SessionId,
            UploadIds = request.UploadIds is null ? null : [.. request.UploadIds],
            Status = status,
            ErrorContains = request.ErrorContains?.ToLowerInvariant(),
            Since = since < DateTimeOffset.UnixEpoch ? DateTimeOffset.UnixEpoch : since,
            // Up to what is there now: what comes in later is delivered by itself.
            Until = request.To < now ? request.To.Value : now.AddMilliseconds(1),
            Place = DateTimeOffset.UnixEpoch,
            CreatedBy = by,
            CreatedAt = now,
            UpdatedAt = now,
        };
        replay.Total = await ReplayMatches.CountAsync(db, replay, ReplayQueue.MostCounted, cancellationToken);
        return replay;
    }

    /// <summary>Pauses, resumes or cancels a replay that has not ended; one that has stays as it is.</summary>
    public static Task<Replay> ChangeAsync(
        Database database, Func<AperturDb, Task<Replay>> find, ReplayState state, DateTimeOffset now, CancellationToken cancellationToken) =>
        database.WriteAsync(
            async db =>
            {
                var id = (await find(db)).Id;
                var replay = await database.Locked(db.Replays, [id]).SingleAsync(cancellationToken);
                if (replay.EndedAt is not null)
                    return replay;
                if (state == ReplayState.Cancelled)
                    replay.End(state, now);
                else
                    (replay.State, replay.UpdatedAt) = (state, now);
                return replay;
            },
            cancellationToken);

    /// <summary>Replays with how far they have come.</summary>
    public static async Task<List<ReplayResponse>> DescribeAsync(AperturDb db, IReadOnlyCollection<Replay> replays, CancellationToken cancellationToken)
    {
        var ids = replays.Select(replay => (Guid?)replay.Id).ToList();
        var photos = await db.Deliveries.Where(row => row.ReplayId != null && ids.Contains(row.ReplayId))
            .GroupBy(row => new { row.ReplayId, row.State }).Select(group => new { group.Key.ReplayId, group.Key.State, Count = group.Count() })
            .ToListAsync(cancellationToken);
        var events = await db.EventDeliveries.Where(row => row.ReplayId != null && ids.Contains(row.ReplayId))
            .GroupBy(row => new { row.ReplayId, row.State }).Select(group => new { group.Key.ReplayId, group.Key.State, Count = group.Count() })
            .ToListAsync(cancellationToken);
        var counts = photos.Concat(events).ToLookup(row => row.ReplayId!.Value);
        return [.. replays.Select(replay => Describe(replay, Of(replay.Id, DeliveryState.Sent), Of(replay.Id, DeliveryState.Failed)))];

        int Of(Guid id, DeliveryState state) => counts[id].Where(row => row.State == state).Sum(row => row.Count);
    }

    public static async Task<Replay> FindAsync(IQueryable<Replay> replays, string id, CancellationToken cancellationToken)
    {
        var replayId = Ids.Parse(id);
        return await replays.SingleOrDefaultAsync(replay => replay.Id == replayId, cancellationToken) ?? throw ApiErrors.NotFound.ToException();
    }

    private static async Task<Ok<ReplayResponse>> ChangeAsync(
        string projectId, string id, Caller caller, Database database, TimeProvider clock, ReplayState state, CancellationToken cancellationToken)
    {
        var replay = await ChangeAsync(
            database, db => FindAsync(Mine(caller, projectId, db), id, cancellationToken), state, clock.GetUtcNow(), cancellationToken);
        await using var read = database.Open();
        return TypedResults.Ok((await DescribeAsync(read, [replay], cancellationToken))[0]);
    }

    private static IQueryable<Replay> Mine(Caller caller, string projectId, AperturDb db)
    {
        var project = Ids.Parse(projectId);
        caller.RoleIn(project);
        return db.Replays.Where(replay => replay.ProjectId == project && (caller.Env == null || replay.Env == caller.Env));
    }

    private static ReplayResponse Describe(Replay replay, int sent, int failed) => new()
    {
        Id = replay.Id,
        State = replay.State.WireName(),
        Reason = replay.Reason,
        Status = replay.Status.WireName(),
        DestinationId = replay.DestinationId,
        WebhookId = replay.WebhookId,
        SessionId = replay.SessionId,
        UploadIds = replay.UploadIds,
        ErrorContains = replay.ErrorContains,
        From = replay.Since == DateTimeOffset.UnixEpoch ? null : replay.Since,
        To = replay.Until,
        Total = replay.Total,
        Queued = replay.Queued,
        Sent = sent,
        Failed = failed,
        CreatedBy = replay.CreatedBy,
        CreatedAt = replay.CreatedAt,
        UpdatedAt = replay.UpdatedAt,
        EndedAt = replay.EndedAt,
    };
}
