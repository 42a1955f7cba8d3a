using Apertur.Destinations;
using Apertur.Server.Auth;
using Apertur.Server.Contract;
using Apertur.Server.Http;
using Apertur.Server.Projects;
using Apertur.Server.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Events;

/// <summary>The addresses that are told what happens in a project.</summary>
internal static class EventWebhooksApi
{
    // Each costs a row for every event it hears, in the transaction of an upload.
    private const int MaxPerProject = 50;

    /// <summary>Every event webhook of a project, newest first.</summary>
    public static async Task<Ok<List<EventWebhookResponse>>> List(
        string projectId, Caller caller, AperturDb db, EventWebhookSecrets secrets, CancellationToken cancellationToken)
    {
        var webhooks = await Mine(caller, projectId, db)
            .AsNoTracking().OrderByDescending(w => w.CreatedAt).ThenByDescending(w => w.Id).ToListAsync(cancellationToken);
        return TypedResults.Ok(webhooks.ConvertAll(webhook => Describe(webhook, caller, secrets)));
    }

    /// <summary>One event webhook.</summary>
    public static async Task<Ok<EventWebhookResponse>> Get(
        string projectId, string id, Caller caller, AperturDb db, EventWebhookSecrets secrets,
        CancellationToken cancellationToken) =>
        TypedResults.Ok(Describe(await FindAsync(caller, projectId, id, db, cancellationToken), caller, secrets));

    /// <summary>Adds an event webhook to a project.</summary>
    public static async Task<Created<EventWebhookResponse>> Create(
        string projectId, Body<EventWebhookRequest> body, Caller caller, AperturDb db, Database database, EventWebhookSecrets secrets,
        TimeProvider clock, CancellationToken cancellationToken)
    {
        var project = Ids.Parse(projectId);
        var others = await Mine(caller, projectId, db).CountAsync(cancellationToken);
        var now = clock.GetUtcNow();
        var id = Guid.CreateVersion7(now);
        var webhook = new EventWebhook
        {
            Id = id,
            ProjectId = project,
            Secret = secrets.NewSecret(id),
            CustomHeaders = secrets.ProtectHeaders(id, []),
            IsActive = body.Value.IsActive ?? true,
            CreatedAt = now,
            UpdatedAt = now,
        };
        var errors = new List<FieldError>();
        EventWebhookChanges.Apply(body.Value, webhook, secrets, errors);
        if (errors.Count > 0)
            throw ApiErrors.Validation(errors).ToException();
        if (others >= MaxPerProject)
            throw ApiErrors.BadRequest($"A project has at most {MaxPerProject} event webhooks.").ToException();

        var warnings = body.Warnings(Topics.Warnings(webhook.Topics));
        await database.AddAsync([webhook], cancellationToken);
        return TypedResults.Created($"/api/v1/projects/{project}/webhooks/{id}", Describe(webhook, caller, secrets) with { Warnings = warnings });
    }

    /// <summary>Changes what is given. Switching it on forgets its failures, and what waits for it goes on.</summary>
    public static async Task<Ok<EventWebhookResponse>> Update(
        string projectId, string id, Body<EventWebhookRequest> body, Caller caller, AperturDb db, Database database,
        EventWebhookSecrets secrets, TimeProvider clock, CancellationToken cancellationToken)
    {
        var found = await FindAsync(caller, projectId, id, db, cancellationToken);
        var (changed, warnings) = await database.WriteAsync(
            async write =>
            {
                var webhook = await database.Locked(write.EventWebhooks, [found.Id]).SingleOrDefaultAsync(cancellationToken)
                    ?? throw ApiErrors.NotFound.ToException();
                var errors = new List<FieldError>();
                EventWebhookChanges.Apply(body.Value, webhook, secrets, errors);
                if (errors.Count > 0)
                    throw ApiErrors.Validation(errors).ToException();

                var told = body.Warnings(Topics.Warnings(webhook.Topics));
                webhook.UpdatedAt = clock.GetUtcNow();
                webhook.Breaker.Reset(webhook.UpdatedAt);
                webhook.IsActive = body.Value.IsActive ?? webhook.IsActive;
                if (body.Value.IsActive is true)
                {
                    webhook.ConsecutiveFailures = 0;
                    webhook.DisabledAt = null;
                }

                return (webhook, told);
            },
            cancellationToken);
        return TypedResults.Ok(Describe(changed, caller, secrets) with { Warnings = warnings });
    }

    /// <summary>Removes a webhook with its history and what waits for it.</summary>
    public static async Task<NoContent> Delete(
        string projectId, string id, Caller caller, AperturDb db, Database database, CancellationToken cancellationToken)
    {
        var webhook = await FindAsync(caller, projectId, id, db, cancellationToken);
        await database.WriteAsync(
            async write =>
            {
                await write.EventWebhooks.Where(w => w.Id == webhook.Id).ExecuteDeleteAsync(cancellationToken);
                await write.EventDeliveries.Where(d => d.WebhookId == webhook.Id).ExecuteDeleteAsync(cancellationToken);
            },
            cancellationToken);
        return TypedResults.NoContent();
    }

    /// <summary>A webhook of one of the caller's projects.</summary>
    /// <exception cref="ApiErrorException">404.</exception>
    public static async Task<EventWebhook> FindAsync(
        Caller caller, string projectId, string id, AperturDb db, CancellationToken cancellationToken)
    {
        var webhookId = Ids.Parse(id);
        return await Mine(caller, projectId, db).AsNoTracking().SingleOrDefaultAsync(w => w.Id == webhookId, cancellationToken)
            ?? throw ApiErrors.NotFound.ToException();
    }

    private static IQueryable<EventWebhook> Mine(Caller caller, string projectId, AperturDb db)
    {
        var project = Ids.Parse(projectId);
        caller.RoleIn(project);
        return db.EventWebhooks.Where(webhook => webhook.ProjectId == project);
    }

    private static EventWebhookResponse Describe(EventWebhook webhook, Caller caller, EventWebhookSecrets secrets)
    {
        // Who may only look must not be able to sign in our name.
        var mask = caller.RoleIn(webhook.ProjectId) == Role.Viewer;
        var headers = secrets.CustomHeaders(webhook);
        foreach (var name in mask ? headers.Select(header => header.Key).ToList() : [])
            headers[name] = DestinationConfig.Mask;
        return new()
        {
            Id = webhook.Id,
            ProjectId = webhook.ProjectId,
            Url = webhook.Url,
            Topics = webhook.Topics,
            SignatureMethod = webhook.SignatureMethod,
            Secret = mask ? DestinationConfig.Mask : secrets.Secret(webhook),
            MaxRetries = webhook.MaxRetries,
            RetryIntervals = webhook.RetryIntervals,
            DisableAfterFailures = webhook.DisableAfterFailures,
            CustomHeaders = headers,
            IsActive = webhook.IsActive,
            ConsecutiveFailures = webhook.ConsecutiveFailures,
            DisabledAt = webhook.DisabledAt,
            CreatedAt = webhook.CreatedAt,
            UpdatedAt = webhook.UpdatedAt,
        };
    }
}
