using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Server.Auth;
using Apertur.Server.Contract;
using Apertur.Server.Http;
using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Destinations;

/// <summary>The places a project's photos go to.</summary>
internal static partial class DestinationsApi
{
    private const int MaxNameLength = 200;

    // A second of the 15 that callers are told is for the way there and back.
    private static readonly TimeSpan _testTime = TimeSpan.FromSeconds(14);

    /// <summary>Every destination of a project, newest first.</summary>
    public static async Task<Ok<List<DestinationResponse>>> List(
        string projectId, Caller caller, AperturDb db, DestinationTypes types, DestinationConfigs configs, TimeProvider clock,
        CancellationToken cancellationToken)
    {
        var destinations = await Mine(caller, projectId, db)
            .AsNoTracking().OrderByDescending(d => d.CreatedAt).ThenByDescending(d => d.Id).ToListAsync(cancellationToken);
        return TypedResults.Ok(destinations.ConvertAll(d => Describe(d, types, configs, clock.GetUtcNow())));
    }

    /// <summary>One destination.</summary>
    public static async Task<Ok<DestinationResponse>> Get(
        string projectId, string id, Caller caller, AperturDb db, DestinationTypes types, DestinationConfigs configs, TimeProvider clock,
        CancellationToken cancellationToken) =>
        TypedResults.Ok(Describe(await FindAsync(caller, projectId, id, db, cancellationToken), types, configs, clock.GetUtcNow()));

    /// <summary>Adds a destination to a project.</summary>
    public static async Task<Created<DestinationResponse>> Create(
        string projectId, Body<DestinationRequest> body, Caller caller, Database database, DestinationTypes types, DestinationConfigs configs,
        TimeProvider clock, CancellationToken cancellationToken)
    {
        var project = Ids.Parse(projectId);
        caller.RoleIn(project);
        var request = body.Value;
        var type = types.Find(request.Type == "gdrive" ? "google_drive" : request.Type ?? "");
        if (type is null)
        {
            throw ApiErrors.Validation("type",
                $"The destination type must be one of: {string.Join(", ", types.All.Select(t => t.Type))}.").ToException();
        }

        var now = clock.GetUtcNow();
        var id = Guid.CreateVersion7(now);
        var errors = new List<FieldError>();
        var name = CheckName(request, errors) ?? type.Label;
        var (config, warnings) = ConfigIn(body, type);
        var values = CheckConfig(type, config ?? [], null, errors);
        if (errors.Count > 0)
            throw ApiErrors.Validation(errors).ToException();

        var missing = (type as IOAuthDestination)?.Missing(isConnected: false);
        var destination = new Destination
        {
            Id = id,
            ProjectId = project,
            Type = type.Type,
            Name = name,
            Config = configs.Protect(id, values),
            IsActive = missing is null && (request.IsActive ?? true),
            ParkedReason = missing,
            CreatedAt = now,
            UpdatedAt = now,
        };
        await database.AddAsync([destination], cancellationToken);
        return TypedResults.Created(
            $"/api/v1/projects/{project}/destinations/{id}", Describe(destination, types, configs, now) with { Warnings = warnings });
    }

    /// <summary>
    /// Changes what is given. Saving a configuration also ends any parking, unless the destination is not connected: waiting deliveries go on
    /// at once.
    /// </summary>
    public static async Task<Ok<DestinationResponse>> Update(
        string projectId, string id, Body<DestinationRequest> body, Caller caller, Database database, DestinationTypes types,
        DestinationConfigs configs, TimeProvider clock, CancellationToken cancellationToken)
    {
        var (destination, warnings) = await database.WriteAsync(
            async db =>
            {
                var row = await LockAsync(caller, projectId, id, db, database, cancellationToken);
                var now = clock.GetUtcNow();
                var missing = types.Find(row.Type) is IOAuthDestination oauth
                    ? oauth.Missing(await db.OAuthGrants.AnyAsync(grant => grant.Id == row.Id, cancellationToken))
                    : null;
                var type = types.Find(row.Type);
                var (config, told) = type is null ? (body.Value.Config, body.Warnings()) : ConfigIn(body, type);
                Change(row, body.Value, config, missing, type, configs);
                if (missing is null && (config is not null || body.Value.IsActive == true))
                    await DestinationSuspension.ResumeAsync(db, row, now, cancellationToken);
                row.UpdatedAt = now;
                return (row, told);
            },
            cancellationToken);
        return TypedResults.Ok(Describe(destination, types, configs, clock.GetUtcNow()) with { Warnings = warnings });
    }

    /// <param name="destination">The row.</param>
    /// <param name="request">What is to change.</param>
    /// <param name="config">The configuration that the request gives; null when it gives none.</param>
    /// <param name="missing">What a destination that has to be connected lacks.</param>
    /// <param name="type">Its type; null when this server has it no more.</param>
    /// <param name="configs">Reads and writes its configuration.</param>
    /// <exception cref="ApiErrorException">400, with every mistake.</exception>
    private static void Change(
        Destination destination, DestinationRequest request, JsonObject? config, string? missing, IDestinationType? type, DestinationConfigs configs)
    {
        var errors = new List<FieldError>();
        destination.Name = CheckName(request, errors) ?? destination.Name;
        destination.IsActive = request.IsActive ?? destination.IsActive;
        if (config is { } sent)
        {
            if (type is null)
                throw ApiErrors.Validation("config", $"This server has no destination type '{destination.Type}'.").ToException();
            var stored = configs.Values(destination);
            foreach (var (field, value) in stored)
            {
                if (!sent.ContainsKey(field))
                    sent[field] = value?.DeepClone();
            }

            destination.Config = configs.Protect(destination.Id, CheckConfig(type, sent, stored, errors));
        }

        if (missing is not null && request.IsActive == true)
            errors.Add(new FieldError("isActive", missing));
        if (errors.Count > 0)
            throw ApiErrors.Validation(errors).ToException();
    }

    /// <summary>Removes a destination. Its waiting deliveries end as failed; what was delivered keeps its type and name.</summary>
    public static async Task<NoContent> Delete(
        string projectId, string id, Caller caller, AperturDb db, Database database, TimeProvider clock, CancellationToken cancellationToken)
    {
        var destination = await FindAsync(caller, projectId, id, db, cancellationToken);
        var now = clock.GetUtcNow();
        await database.WriteAsync(
            async write =>
            {
                await write.Destinations.Where(d => d.Id == destination.Id)
                    .ExecuteUpdateAsync(d => d.SetProperty(x => x.DeletedAt, now), cancellationToken);
                await write.OAuthGrants.Where(grant => grant.Id == destination.Id).ExecuteDeleteAsync(cancellationToken);
                // The pump ends them one by one, on the path of every other outcome; being due is all they need.
                await write.Deliveries
                    .Where(d => d.DestinationId == destination.Id
                        && (d.State == DeliveryState.Pending || d.State == DeliveryState.Retrying))
                    .ExecuteUpdateAsync(d => d.SetDue(Due.After(new DueEvent.Deleted(), now)!.Value, now), cancellationToken);
            },
            cancellationToken);
        return TypedResults.NoContent();
    }

    /// <summary>Tries the destination out. A success ends any parking.</summary>
    public static async Task<Ok<DestinationTestResponse>> Test(
        string projectId, string id, Caller caller, AperturDb db, Database database, DestinationTypes types, DestinationConfigs configs,
        OAuthTokens tokens, TimeProvider clock, ILogger<DestinationTypes> log, CancellationToken cancellationToken)
    {
        var destination = await FindAsync(caller, projectId, id, db, cancellationToken);
        var project = await db.Projects.AsNoTracking().SingleAsync(p => p.Id == destination.ProjectId, cancellationToken);
        var outcome = await TryAsync(destination, types, tokens, access => configs.Read(destination, project, access.Token), clock, log, cancellationToken);
        if (outcome is not DeliveryOutcome.Accepted)
            return TypedResults.Ok(new DestinationTestResponse { Success = false, Status = outcome.Status, Error = outcome.ReasonText });

        await database.WriteAsync(
            async write => await DestinationSuspension.ResumeAsync(
                write, await LockAsync(caller, projectId, id, write, database, cancellationToken), clock.GetUtcNow(), cancellationToken),
            cancellationToken);
        return TypedResults.Ok(new DestinationTestResponse
        {
            Success = true,
            Status = outcome.Status,
            Message = "The test delivery was accepted.",
        });
    }

    private static async Task<DeliveryOutcome> TryAsync(
        Destination destination, DestinationTypes types, OAuthTokens tokens, Func<OAuthTokens.Access, DestinationConfig> config, TimeProvider clock,
        ILogger log, CancellationToken cancellationToken)
    {
        if (types.Find(destination.Type) is not { } type)
            return new DeliveryOutcome.Broken($"This server has no destination type '{destination.Type}'.");

        using var time = new CancellationTokenSource(_testTime, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(time.Token, cancellationToken);
        try
        {
            // A type may go on for a while to take away what it left; the caller does not wait for that.
            var test = type is IOAuthDestination { OAuth: { } flow }
                ? tokens.UseAsync(flow, destination.Id, access => type.TestAsync(config(access), either.Token), either.Token)
                : type.TestAsync(config(OAuthTokens.Access.None), either.Token);
            return await test.WaitAsync(either.Token);
        }
        catch (OperationCanceledException) when (time.IsCancellationRequested)
        {
            return new DeliveryOutcome.TryAgain($"The destination did not answer within {_testTime.TotalSeconds:F0} seconds.");
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            LogThrown(log, destination.Id, destination.Type, exception);
            return new DeliveryOutcome.TryAgain("The test failed for an unexpected reason.");
        }
    }

    private static IQueryable<Destination> Mine(Caller caller, string projectId, AperturDb db)
    {
        var project = Ids.Parse(projectId);
        caller.RoleIn(project);
        return db.Destinations.Where(d => d.ProjectId == project && d.DeletedAt == null);
    }

    /// <summary>A destination of the caller's, tracked.</summary>
    /// <exception cref="ApiErrorException">404.</exception>
    public static async Task<Destination> FindAsync(
        Caller caller, string projectId, string id, AperturDb db, CancellationToken cancellationToken)
    {
        var destinationId = Ids.Parse(id);
        return await Mine(caller, projectId, db).SingleOrDefaultAsync(d => d.Id == destinationId, cancellationToken)
            ?? throw ApiErrors.NotFound.ToException();
    }

    /// <summary>A destination of the caller's, tracked, that nobody else changes until the transaction ends.</summary>
    /// <exception cref="ApiErrorException">404.</exception>
    private static async Task<Destination> LockAsync(
        Caller caller, string projectId, string id, AperturDb db, Database database, CancellationToken cancellationToken)
    {
        var project = Ids.Parse(projectId);
        caller.RoleIn(project);
        var destination = await database.Locked(db.Destinations, [Ids.Parse(id)]).SingleOrDefaultAsync(cancellationToken);
        return destination is { DeletedAt: null } && destination.ProjectId == project ? destination : throw ApiErrors.NotFound.ToException();
    }

    /// <summary>The configuration that a request gives, under the names that the type declares, and what to tell about the rest.</summary>
    /// <returns>A copy, because a write may run twice; null when the request gives none.</returns>
    private static (JsonObject? Config, IReadOnlyList<string>? Warnings) ConfigIn(Body<DestinationRequest> body, IDestinationType type)
    {
        var names = new FieldNames(type.AllFields.Select(field => field.Name));
        if (body.Value.Config is { } given)
        {
            var (config, unknown) = names.Sort(given.DeepClone().AsObject());
            IEnumerable<string> told = unknown.Select(field => names.Warning(field.Key, "config."));
            return (config, body.Warnings(Rendition.Doubt(config) is { } doubt ? told.Append(doubt) : told));
        }

        // Some clients write them beside the type.
        var (beside, rest) = names.Sort(body.Unknown.DeepClone().AsObject());
        return (beside.Count > 0 ? beside : null, body.Warnings(rest, []));
    }

    private static string? CheckName(DestinationRequest request, List<FieldError> errors)
    {
        var name = request.Name?.Trim();
        if (name is { Length: > MaxNameLength })
            errors.Add(new FieldError("name", $"The destination's name may have up to {MaxNameLength} characters."));
        return string.IsNullOrEmpty(name) ? null : name;
    }

    private static JsonObject CheckConfig(IDestinationType type, JsonObject sent, JsonObject? stored, List<FieldError> errors)
    {
        var (values, problems) = DestinationConfig.Validate(type.AllFields, sent, stored);
        errors.AddRange(problems.Select(problem => new FieldError("config." + problem.Field, problem.Message)));
        return values;
    }

    private static DestinationResponse Describe(
        Destination destination, DestinationTypes types, DestinationConfigs configs, DateTimeOffset now) => new()
        {
            Id = destination.Id,
            Type = destination.Type,
            Name = destination.Name,
            Config = DestinationConfig.Masked(types.Find(destination.Type)?.AllFields ?? [], configs.Values(destination)),
            IsActive = destination.IsActive,
            CreatedAt = destination.CreatedAt,
            UpdatedAt = destination.UpdatedAt,
            Problem = types.Find(destination.Type) is IOAuthDestination { OAuth: null } oauth ? oauth.Missing(false) : destination.Problem,
            Health = Describe(destination.Recent, now),
        };

    private static DestinationLastHour Describe(RecentAttempts recent, DateTimeOffset now)
    {
        var (attempts, failures) = recent.Sum(now);
        return new(attempts, failures, recent.FailingSince, recent.LastError, recent.LastErrorAt);
    }

    [LoggerMessage(EventName = "destination.threw", Level = LogLevel.Warning, Message = "Test of {Destination} ({Type}) threw")]
    private static partial void LogThrown(ILogger log, Guid destination, string type, Exception exception);
}
