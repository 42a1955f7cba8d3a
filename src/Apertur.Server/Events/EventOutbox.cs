using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Apertur.Server.Contract;
using Apertur.Server.Deliveries;
using Apertur.Server.Destinations;
using Apertur.Server.Http;
using Apertur.Server.Queue;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Events;

/// <summary>
/// A transactional outbox: collects the events of a transaction and writes, in that same transaction, those that a webhook subscribes to. A
/// project without event webhooks costs one indexed query for a whole group of changes, and no row.
/// </summary>
/// <param name="now">The time of the transaction.</param>
internal sealed class EventOutbox(DateTimeOffset now)
{
    private readonly List<PendingEvent> _pending = [];

    public void UploadStarted(Upload upload, UploadSession session) => Add(Topics.UploadStarted, upload, session, null);

    /// <summary>The last of its destinations has the image.</summary>
    public void UploadCompleted(Upload upload, UploadSession session) => Add(Topics.UploadCompleted, upload, session, null);

    /// <summary>One of its deliveries has failed for good.</summary>
    public void UploadFailed(Upload upload, UploadSession session, DeliveryRow failed) =>
        Add(Topics.UploadFailed, upload, session, failed);

    /// <summary>Whoever sent it has changed its caption since.</summary>
    public void UploadCaptioned(Upload upload, UploadSession session) => Add(Topics.UploadCaptioned, upload, session, null);

    /// <summary>Its stored bytes are no longer what was received.</summary>
    public void UploadDamaged(Upload upload, UploadSession session) => Add(Topics.UploadDamaged, upload, session, null);

    public void SessionCreated(UploadSession session) => Add(Topics.SessionCreated, session);

    /// <summary>Completed or expired, as its status says by now.</summary>
    public void SessionEnded(UploadSession session) =>
        Add(session.Status(now) == "expired" ? Topics.SessionExpired : Topics.SessionCompleted, session);

    /// <summary>It cannot be used until its owner acts.</summary>
    public void DestinationDisabled(Destination destination) => Add(Topics.DestinationDisabled, destination, destination.ParkedReason);

    /// <summary>Its breaker may have opened or closed.</summary>
    /// <param name="destination">As it is now.</param>
    /// <param name="wasFailing">As <see cref="Breaker.IsFailing"/> was before.</param>
    public void DestinationChanged(Destination destination, bool wasFailing)
    {
        if (!wasFailing && destination.Breaker.IsFailing)
            Add(Topics.DestinationFailing, destination, destination.Recent.LastError, destination.Recent.FailingSince);
        else if (wasFailing && !destination.Breaker.IsFailing)
            Add(Topics.DestinationRecovered, destination, null);
    }

    /// <summary>
    /// Writes an event, and its deliveries, for each collected event that a webhook listens to. New rows that it reports must be saved
    /// before.
    /// </summary>
    public async Task WriteAsync(AperturDb db, CancellationToken cancellationToken)
    {
        if (_pending.Count == 0)
            return;

        var projects = _pending.Select(pending => pending.ProjectId).Distinct().ToList();
        var webhooks = await db.EventWebhooks.Where(webhook => projects.Contains(webhook.ProjectId) && webhook.IsActive)
            .Select(webhook => new Listener(webhook.Id, webhook.ProjectId, webhook.Topics)).ToListAsync(cancellationToken);
        var heard = _pending
            .Select(pending => (Event: pending, Hearers: webhooks.ConvertAll(webhook => (webhook.Id, Topic: webhook.SpellingOf(pending)))
                .FindAll(hearer => hearer.Topic is not null)))
            .Where(pair => pair.Hearers.Count > 0).ToList();
        var deliveries = await DeliveriesAsync(db, heard.ConvertAll(pair => pair.Event), cancellationToken);
        foreach (var (pending, hearers) in heard)
            Log(db, pending, hearers!, deliveries);
    }

    /// <summary>An event that was made up to try out a webhook.</summary>
    public static LoggedEvent Test(EventWebhook webhook, DateTimeOffset now)
    {
        var body = Body(
            webhook.ProjectId, Topics.Test, new TestNews(webhook.Id, "This is a test."), now, WireJson.Wire.EventPayloadTestNews);
        return new()
        {
            Id = Guid.CreateVersion7(now),
            ProjectId = webhook.ProjectId,
            Topic = Topics.Test,
            Body = body,
            CreatedAt = now,
        };
    }

    private static async Task<ILookup<Guid, DeliveryRow>> DeliveriesAsync(
        AperturDb db, List<PendingEvent> heard, CancellationToken cancellationToken)
    {
        var uploads = heard.Select(pending => pending.Upload).OfType<Upload>().ToList();
        var ids = uploads.Select(upload => upload.Id).Distinct().ToList();
        var sessions = uploads.Select(upload => upload.SessionId).Distinct().ToList();
        // Tracked, so that states which this transaction has not saved yet are seen as they will be.
        var rows = ids.Count == 0
            ? []
            : await db.Deliveries.Where(row => sessions.Contains(row.SessionId) && ids.Contains(row.UploadId))
                .OrderBy(row => row.Id).ToListAsync(cancellationToken);
        return rows.ToLookup(row => row.UploadId);
    }

    private void Log(
        AperturDb db, PendingEvent pending, List<(Guid WebhookId, string Topic)> hearers, ILookup<Guid, DeliveryRow> deliveries)
    {
        var logged = new LoggedEvent
        {
            Id = Guid.CreateVersion7(now),
            ProjectId = pending.ProjectId,
            Topic = pending.Topic,
            Body = pending.Body(pending.Upload is { } upload ? deliveries[upload.Id] : []),
            UploadId = pending.Upload?.Id,
            CreatedAt = now,
        };
        db.EventLog.Add(logged);
        var due = Due.After(new DueEvent.Received(), now)!.Value;
        foreach (var (webhookId, topic) in hearers)
        {
            db.EventDeliveries.Add(new EventDelivery
            {
                Id = Guid.CreateVersion7(now),
                EventId = logged.Id,
                WebhookId = webhookId,
                Topic = topic,
                Due = due,
                CreatedAt = now,
                UpdatedAt = now,
            });
        }
    }

    private void Add(string topic, Upload upload, UploadSession session, DeliveryRow? failed) =>
        _pending.Add(new(upload.ProjectId, topic, deliveries => Body(
            upload.ProjectId, topic, Describe(upload, session, deliveries, failed), WireJson.Wire.EventPayloadUploadEventData))
        {
            Upload = upload,
        });

    private void Add(string topic, UploadSession session) =>
        _pending.Add(new(session.ProjectId, topic, _ => Body(
            session.ProjectId, topic, Describe(session), WireJson.Wire.EventPayloadSessionNews)));

    private void Add(string topic, Destination destination, string? reason, DateTimeOffset? since = null) =>
        _pending.Add(new(destination.ProjectId, topic, _ => Body(
            destination.ProjectId,
            topic,
            new DestinationNews { Id = destination.Id, Type = destination.Type, Name = destination.Name, Reason = reason, Since = since },
            WireJson.Wire.EventPayloadDestinationNews)));

    private static UploadEventData Describe(
        Upload upload, UploadSession session, IEnumerable<DeliveryRow> deliveries, DeliveryRow? failed) => new()
        {
            Id = upload.Id,
            Filename = upload.Filename,
            SizeBytes = upload.SizeBytes,
            MimeType = upload.MimeType,
            SessionId = upload.SessionId,
            Tags = session.Tags ?? [],
            Metadata = session.Metadata is null ? null : JsonNode.Parse(session.Metadata),
            Sha256 = upload.Sha256,
            OriginalSha256 = upload.OriginalSha256,
            Destinations = [.. deliveries.Select(Describe)],
            FailedDestination = failed is null ? null : Describe(failed),
            Damage = upload.Damage?.WireName(),
            Source = upload.Fields.Source,
            Visitor = upload.Fields.Visitor,
            Caption = upload.Fields.Caption,
            Answers = UploadFields.Read(upload.Fields.Answers),
            Env = upload.Env.WireName(),
            CreatedAt = upload.CreatedAt,
        };

    private static EventDestination Describe(DeliveryRow row) => new(
        row.DestinationId, row.DestinationType, row.DestinationName, row.State.WireName(), row.LastError);

    private SessionNews Describe(UploadSession session) => new()
    {
        Id = session.Id,
        Status = session.Status(now),
        Label = session.Label,
        Tags = session.Tags ?? [],
        Metadata = session.Metadata is null ? null : JsonNode.Parse(session.Metadata),
        ImagesCount = session.ImagesCount,
        MaxImages = session.MaxImages,
        Env = session.Env.WireName(),
        CreatedAt = session.CreatedAt,
        ExpiresAt = session.ExpiresAt,
    };

    private string Body<T>(Guid projectId, string topic, T data, JsonTypeInfo<EventPayload<T>> type) =>
        Body(projectId, topic, data, now, type);

    private static string Body<T>(
        Guid projectId, string topic, T data, DateTimeOffset now, JsonTypeInfo<EventPayload<T>> type) =>
        JsonSerializer.Serialize(
            new EventPayload<T> { Event = topic, Topic = topic, ProjectId = projectId, Timestamp = now, Data = data }, type);

    /// <param name="ProjectId">Where it happened.</param>
    /// <param name="Topic">What happened.</param>
    /// <param name="Body">Serializes it, given the deliveries of its upload; called only when a webhook subscribes to it.</param>
    private sealed record PendingEvent(Guid ProjectId, string Topic, Func<IEnumerable<DeliveryRow>, string> Body)
    {
        public Upload? Upload { get; init; }
    }

    private sealed record Listener(Guid Id, Guid ProjectId, string[] Topics)
    {
        /// <summary>The event's topic as this webhook asked for it; null when it did not.</summary>
        public string? SpellingOf(PendingEvent pending) =>
            ProjectId == pending.ProjectId ? Events.Topics.SpellingFor(Topics, pending.Topic) : null;
    }
}
