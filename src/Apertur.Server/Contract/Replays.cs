namespace Apertur.Server.Contract;

/// <summary>What is to be delivered again, or for the first time. Fields that are absent choose everything.</summary>
internal sealed record ReplayRequest
{
    /// <summary>Only deliveries to this destination; for <c>never_dispatched</c> the one that is to get the photos.</summary>
    public Guid? DestinationId { get; init; }

    /// <summary>Events that this event webhook was to get, in place of photos.</summary>
    public Guid? WebhookId { get; init; }

    /// <summary>Only photos of this session.</summary>
    public Guid? SessionId { get; init; }

    /// <summary>Only these photos, at most 1,000.</summary>
    public IReadOnlyList<Guid>? UploadIds { get; init; }

    /// <summary><c>failed</c> (the default), <c>sent</c>, or <c>never_dispatched</c>: photos that were never to go to the destination.</summary>
    public string? Status { get; init; }

    /// <summary>Only deliveries whose last error has these words.</summary>
    public string? ErrorContains { get; init; }

    /// <summary>Only of what came in from then on: ISO 8601.</summary>
    public DateTimeOffset? From { get; init; }

    /// <summary>Only of what came in before then: ISO 8601.</summary>
    public DateTimeOffset? To { get; init; }

    /// <summary>Whether only to count.</summary>
    public bool? DryRun { get; init; }
}

/// <summary>What a replay would take up.</summary>
/// <param name="DryRun">Always true.</param>
/// <param name="Total">Photos, or events; counted up to 100,000.</param>
internal sealed record ReplayCount(bool DryRun, int Total);

/// <summary>A replay, and how far it has come.</summary>
internal sealed record ReplayResponse
{
    public required Guid Id { get; init; }

    /// <summary><c>running</c>, <c>paused</c>, <c>completed</c> or <c>cancelled</c>.</summary>
    public required string State { get; init; }

    /// <summary>Why it was cancelled, when nobody did; else null.</summary>
    public required string? Reason { get; init; }

    /// <summary>What it takes up: <c>failed</c>, <c>sent</c> or <c>never_dispatched</c>.</summary>
    public required string Status { get; init; }

    public required Guid? DestinationId { get; init; }

    /// <summary>The event webhook whose events are meant; null for photos.</summary>
    public required Guid? WebhookId { get; init; }

    public required Guid? SessionId { get; init; }

    /// <summary>The photos that are meant; null: all that the other fields choose.</summary>
    public required IReadOnlyList<Guid>? UploadIds { get; init; }

    /// <summary>Words that the last error has; null: any.</summary>
    public required string? ErrorContains { get; init; }

    /// <summary>What came in from then on.</summary>
    public required DateTimeOffset? From { get; init; }

    /// <summary>And before then.</summary>
    public required DateTimeOffset To { get; init; }

    /// <summary>Photos, or events, that there were when it was made; counted up to 100,000.</summary>
    public required int Total { get; init; }

    /// <summary>Deliveries that were put into the queue so far.</summary>
    public required int Queued { get; init; }

    /// <summary>Those of them that have arrived.</summary>
    public required int Sent { get; init; }

    /// <summary>Those of them that failed for good.</summary>
    public required int Failed { get; init; }

    /// <summary>Who asked for it: a person's e-mail address, a key's prefix, or the command line.</summary>
    public required string CreatedBy { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset UpdatedAt { get; init; }

    /// <summary>When it was completed or cancelled; null before.</summary>
    public required DateTimeOffset? EndedAt { get; init; }
}

/// <summary>One photo on its way to one destination, among those of the whole project.</summary>
internal sealed record ProjectDelivery
{
    public required Guid Id { get; init; }

    /// <summary>Id of the photo.</summary>
    public required Guid UploadId { get; init; }

    public required Guid SessionId { get; init; }
    public required string Filename { get; init; }
    public required Guid DestinationId { get; init; }
    public required string DestinationType { get; init; }
    public required string DestinationName { get; init; }

    /// <summary><c>pending</c>, <c>sending</c>, <c>retrying</c> or <c>failed</c>.</summary>
    public required string Status { get; init; }

    public required int Attempts { get; init; }
    public required string? LastError { get; init; }

    /// <summary>When the next attempt is due; null when there is none to come, or one is under way.</summary>
    public required DateTimeOffset? DueAt { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset UpdatedAt { get; init; }
}
