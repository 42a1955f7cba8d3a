using Apertur.Server.Queue;

namespace Apertur.Server.Events;

/// <summary>One event on its way to one webhook: the queue entry, its whole state and, later, the history.</summary>
internal sealed class EventDelivery : IQueueRow
{
    public required Guid Id { get; init; }
    public required Guid EventId { get; init; }
    public required Guid WebhookId { get; init; }
    public required string Topic { get; init; }
    public DeliveryState State { get; set; } = DeliveryState.Pending;

    /// <summary>Begun, the running one included.</summary>
    public int Attempts { get; set; }

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


    /// <summary>Status of the last answer; null when the last attempt got none.</summary>
    public int? ResponseCode { get; set; }

    /// <summary>How the last answer's body began.</summary>
    public string? ResponseBody { get; set; }

    /// <summary>Of the last attempt, from the request to the end of its answer.</summary>
    public int DurationMs { get; set; }

    public string? LastError { get; set; }

    /// <summary>The replay that took it up last; null when none did.</summary>
    public Guid? ReplayId { get; set; }

    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset UpdatedAt { get; set; }

    /// <summary>Takes over what an attempt came to.</summary>
    public void Note(EventAnswer answer)
    {
        ResponseCode = answer.Status;
        ResponseBody = answer.Body;
        DurationMs = answer.DurationMs;
        LastError = answer.Error;
    }
}
