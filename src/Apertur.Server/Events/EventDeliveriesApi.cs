using System.Text.Json.Nodes;
using Apertur.Server.Auth;
using Apertur.Server.Contract;
using Apertur.Server.Http;
using Apertur.Server.ProjectData;
using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Events;

/// <summary>What an event webhook was told, and telling it again.</summary>
internal static class EventDeliveriesApi
{
    /// <summary>
    /// The history, newest first, or what of it has one <c>status</c>. <c>total</c> is counted up to 10,000; on later pages it is more than has been
    /// shown while more follows.
    /// </summary>
    public static async Task<Ok<EventDeliveryList>> List(
        string projectId, string id, HttpRequest request, Caller caller, AperturDb db, CancellationToken cancellationToken)
    {
        var webhook = await EventWebhooksApi.FindAsync(caller, projectId, id, db, cancellationToken);
        var (page, limit) = Paging.Page(request, "limit");
        var history = With(request.Query["status"].ToString(), db.EventDeliveries.AsNoTracking().Where(row => row.WebhookId == webhook.Id));
        // All of a long history would be read before its first row is shown.
        var counted = await history.Take(ListFilters.MostCounted).CountAsync(cancellationToken);
        var skip = (int)Math.Min((page - 1L) * limit, int.MaxValue);
        var rows = await history.OrderByDescending(row => row.CreatedAt).ThenByDescending(row => row.Id)
            .Skip(skip).Take(limit + 1).ToListAsync(cancellationToken);
        return TypedResults.Ok(new EventDeliveryList
        {
            Deliveries = [.. rows.Take(limit).Select(Describe)],
            Total = rows.Count == 0 ? counted : Math.Max(counted, skip + rows.Count),
            Page = page,
            Limit = limit,
        });
    }

    /// <summary>One event of the history, with what was or will be sent. Of a photo that was removed or withdrawn it is not told any more.</summary>
    public static async Task<Ok<EventDeliveryDetails>> Get(
        string projectId, string id, string deliveryId, HttpResponse response, Caller caller, AperturDb db, EventRequests requests,
        CancellationToken cancellationToken)
    {
        var webhook = await EventWebhooksApi.FindAsync(caller, projectId, id, db, cancellationToken);
        var rowId = Ids.Parse(deliveryId);
        var found = await (
            from row in db.EventDeliveries
            where row.Id == rowId && row.WebhookId == webhook.Id
            join happened in db.EventLog on row.EventId equals happened.Id
            select new { row, happened }).AsNoTracking().SingleOrDefaultAsync(cancellationToken) ?? throw ApiErrors.NotFound.ToException();
        // The history names what happened and nothing of it; this does, and a key sees its own environment only.
        if (caller.Env is { } env && (string?)JsonNode.Parse(found.happened.Body)!["data"]?["env"] is { } other && other != env.WireName())
            throw ApiErrors.NotFound.ToException();
        if (found.happened.UploadId is { } uploadId)
        {
            var upload = await db.Uploads.AsNoTracking().SingleOrDefaultAsync(upload => upload.Id == uploadId, cancellationToken)
                ?? throw ApiErrors.NotFound.ToException();
            if (upload.RemovedAt is not null)
                throw ApiErrors.ImageRemoved.ToException();
        }

        // It has a link that gives the photo to whoever holds it.
        response.Headers.CacheControl = "no-store";
        return TypedResults.Ok(new EventDeliveryDetails(Describe(found.row)) { Payload = requests.Body(found.happened, found.row.Topic) });
    }

    /// <summary>Sends a made-up event, at once and once, and says what was answered. The history has it too.</summary>
    public static async Task<Ok<MessageResponse>> Test(
        string projectId, string id, Caller caller, AperturDb db, Database database, EventRequests requests, TimeProvider clock,
        CancellationToken cancellationToken)
    {
        var webhook = await EventWebhooksApi.FindAsync(caller, projectId, id, db, cancellationToken);
        var now = clock.GetUtcNow();
        var test = EventOutbox.Test(webhook, now);
        var row = new EventDelivery
        {
            Id = Guid.CreateVersion7(now),
            EventId = test.Id,
            WebhookId = webhook.Id,
            Topic = test.Topic,
            Attempts = 1,
            Due = Due.After(new DueEvent.Received(), now)!.Value,
            CreatedAt = now,
            UpdatedAt = now,
        };
        var answer = await requests.SendAsync(webhook, test, row, cancellationToken);
        row.Note(answer);
        row.State = answer.Accepted ? DeliveryState.Sent : DeliveryState.Failed;
        row.UpdatedAt = clock.GetUtcNow();
        await database.AddAsync([test, row], cancellationToken);
        return TypedResults.Ok(new MessageResponse(answer.Accepted
            ? $"The test event was accepted with status {answer.Status}."
            : $"The test event was not accepted. {answer.Error}"));
    }

    /// <summary>Sends an event of the history again, on the path of every other attempt. Attempts go on counting.</summary>
    public static async Task<Ok<MessageResponse>> Retry(
        string projectId, string id, string deliveryId, Caller caller, AperturDb db, Database database, TimeProvider clock,
        CancellationToken cancellationToken)
    {
        var webhook = await EventWebhooksApi.FindAsync(caller, projectId, id, db, cancellationToken);
        var rowId = Ids.Parse(deliveryId);
        var queued = await database.WriteAsync(
            async write =>
            {
                var row = await database.Locked(write.EventDeliveries, [rowId]).SingleOrDefaultAsync(cancellationToken);
                if (row is null || row.WebhookId != webhook.Id)
                    throw ApiErrors.NotFound.ToException();
                if (row.State == DeliveryState.Sending)
                    return false;
                row.State = DeliveryState.Retrying;
                row.UpdatedAt = clock.GetUtcNow();
                row.Due = Due.After(new DueEvent.Replayed(caller.Name), row.UpdatedAt)!.Value;
                return true;
            },
            cancellationToken);
        return TypedResults.Ok(new MessageResponse(
            !queued ? "The event is being sent at this moment."
            : webhook.IsActive ? "The event is being sent again."
            : "The event is sent again when the webhook is switched on."));
    }

    /// <summary>Those that are shown with that status, in the words of the indexes that 0046_event_history.sql makes.</summary>
    private static IQueryable<EventDelivery> With(string status, IQueryable<EventDelivery> rows) => status switch
    {
        "" => rows,
        "sent" => rows.Where(row => row.State == DeliveryState.Sent),
        "failed" => rows.Where(row => row.State == DeliveryState.Failed),
        "retrying" => rows.Where(row => row.State == DeliveryState.Pending || row.State == DeliveryState.Sending || row.State == DeliveryState.Retrying),
        _ => throw ApiErrors.Validation("status", "status must be sent, failed or retrying.").ToException(),
    };

    private static EventDeliveryResponse Describe(EventDelivery row) => new()
    {
        Id = row.Id,
        EventLogId = row.EventId,
        Topic = row.Topic,
        Status = row.State switch
        {
            DeliveryState.Sent => "sent",
            DeliveryState.Failed => "failed",
            _ => "retrying",
        },
        Attempts = row.Attempts,
        ResponseCode = row.ResponseCode,
        ResponseBody = row.ResponseBody,
        DurationMs = row.DurationMs,
        LastError = row.LastError,
        NextRetryAt = row.State is DeliveryState.Pending or DeliveryState.Retrying ? row.DueAt : null,
        CreatedAt = row.CreatedAt,
        UpdatedAt = row.UpdatedAt,
    };
}
