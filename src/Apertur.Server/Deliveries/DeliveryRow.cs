using Apertur.Server.Queue;

namespace Apertur.Server.Deliveries;

/// <summary>One image on its way to one destination: the queue entry and its whole state. See <c>docs/delivery-states.md</c>.</summary>
internal sealed class DeliveryRow : IQueueRow
{
    /// <summary>The place that <see cref="Resume"/> is bound to when encrypted.</summary>
    public const string ResumeColumn = "deliveries.resume";

    public required Guid Id { get; init; }
    public required Guid UploadId { get; init; }
    public required Guid SessionId { get; init; }
    public required Guid DestinationId { get; init; }
    public required string DestinationType { get; init; }
    public required string DestinationName { get; init; }
    public DeliveryState State { get; set; } = DeliveryState.Pending;

    /// <summary>Begun, the running one included, without those that do not count.</summary>
    public int Attempts { get; set; }

    /// <summary>All that have ended; see <see cref="DeliveryAttempt"/>.</summary>
    public int AttemptsMade { get; set; }

    public DateTimeOffset DueAt { get; private set; }
    public DueCause DueCause { get; private set; }
    public string? DueBy { get; private set; }

    /// <summary>When it may be claimed next, and what decided that.</summary>
    public required Due Due
    {
        get => new(DueAt, DueCause, DueBy);
        set => (DueAt, DueCause, DueBy) = value;
    }

    public Guid? LeaseToken { get; set; }
    public DateTimeOffset? LeaseUntil { get; set; }

    /// <summary>The process that claimed it last, see <see cref="Node"/>.</summary>
    public string? LeaseNode { get; set; }

    public string? LastError { get; set; }

    /// <summary>Where the destination keeps the image.</summary>
    public string? Reference { get; set; }

    /// <summary>Place of the first attempt among the changes of its session; null before.</summary>
    public DateTimeOffset? StartedAt { get; set; }

    /// <summary>Place of the end, sent or failed, among the changes of its session; null before.</summary>
    public DateTimeOffset? EndedAt { get; set; }

    /// <summary>The resume state for the next attempt, encrypted; removed with the end of the delivery.</summary>
    public string? Resume { get; set; }

    /// <summary>The trace of the request that the photo came with (W3C <c>traceparent</c>); null when nobody records it.</summary>
    public string? TraceParent { get; init; }

    /// <summary>The replay that took it up last; null when none did.</summary>
    public Guid? ReplayId { get; set; }

    /// <summary>When the photo came in, as its row has it: lists of a destination's photos go by it.</summary>
    public required DateTimeOffset ReceivedAt { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset UpdatedAt { get; set; }

    public DeliveryRow Copy() => (DeliveryRow)MemberwiseClone();
}
