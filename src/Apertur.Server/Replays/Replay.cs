namespace Apertur.Server.Replays;

/// <summary>What a replay takes up.</summary>
internal enum ReplayStatus
{
    /// <summary>Deliveries that failed for good.</summary>
    Failed,

    /// <summary>Deliveries that arrived, once more.</summary>
    Sent,

    /// <summary>Photos that were never to go to the destination, because it is newer or their session did not name it.</summary>
    NeverDispatched,
}

internal enum ReplayState
{
    Running,
    Paused,
    Completed,
    Cancelled,
}

/// <summary>
/// A job that puts deliveries back into the queue, or makes them for a destination that photos never had, a few at a time, oldest first. How far
/// it has come is written with what it queues, so a crash repeats nothing and leaves nothing out.
/// </summary>
internal sealed class Replay
{
    public required Guid Id { get; init; }
    public required Guid ProjectId { get; init; }

    /// <summary>Of the photos that are meant; null for both.</summary>
    public Env? Env { get; init; }

    /// <summary>The event webhook whose events are meant; null for photos.</summary>
    public Guid? WebhookId { get; init; }

    public Guid? DestinationId { get; init; }
    public Guid? SessionId { get; init; }
    public Guid[]? UploadIds { get; init; }
    public required ReplayStatus Status { get; init; }

    /// <summary>Lower case.</summary>
    public string? ErrorContains { get; init; }

    /// <summary>What came in from then on,</summary>
    public required DateTimeOffset Since { get; init; }

    /// <summary>and before then.</summary>
    public required DateTimeOffset Until { get; init; }

    public ReplayState State { get; set; } = ReplayState.Running;

    /// <summary>Why it was cancelled, when nobody did.</summary>
    public string? Reason { get; set; }

    /// <summary>How many there were when it was made, up to <see cref="ReplayQueue.MostCounted"/>.</summary>
    public int Total { get; set; }

    public int Queued { get; set; }

    /// <summary>What came in before then has been looked at.</summary>
    public required DateTimeOffset Place { get; set; }


    /// <summary>A person's e-mail address, a key's prefix, or the command line.</summary>
    public required string CreatedBy { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset UpdatedAt { get; set; }
    public DateTimeOffset? EndedAt { get; set; }

    public void End(ReplayState state, DateTimeOffset now, string? reason = null)
    {
        (State, Reason) = (state, reason);
        EndedAt = UpdatedAt = now;
    }
}
