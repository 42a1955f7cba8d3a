namespace Apertur.Server.Contract;

/// <summary>One upload on its way to one destination.</summary>
internal sealed record DeliveryResponse
{
    public required Guid Id { get; init; }
    public required Guid DestinationId { get; init; }
    public required string DestinationType { get; init; }
    public required string DestinationName { get; init; }

    /// <summary><c>pending</c>, <c>sending</c>, <c>sent</c>, <c>retrying</c> or <c>failed</c>.</summary>
    public required string Status { get; init; }

    /// <summary>Attempts that count, the running one included.</summary>
    public required int Attempts { get; init; }

    public required string? LastError { get; init; }

    /// <summary>Where the destination keeps the image; null before it is sent.</summary>
    public required string? Reference { get; init; }

    /// <summary>When the next attempt is due; null when there is none to come, or one is under way.</summary>
    public required DateTimeOffset? DueAt { get; init; }

    /// <summary>What decided that time: see <c>docs/delivery-states.md</c>.</summary>
    public required string? DueCause { get; init; }

    /// <summary>Who asked for the next attempt; null when nobody did.</summary>
    public required string? DueBy { get; init; }

    /// <summary>What else has to happen before the next attempt; null when nothing has to.</summary>
    public required string? WaitingFor { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset UpdatedAt { get; init; }
}

/// <summary>The attempts at one delivery.</summary>
internal sealed record DeliveryAttemptsResponse
{
    public required Guid DeliveryId { get; init; }

    /// <summary>How many there have been; the older of more than 50 are not kept.</summary>
    public required int Total { get; init; }

    /// <summary>Newest first.</summary>
    public required IReadOnlyList<DeliveryAttemptResponse> Attempts { get; init; }
}

/// <summary>One attempt at a delivery.</summary>
internal sealed record DeliveryAttemptResponse
{
    /// <summary>From 1; attempts that do not count have one too.</summary>
    public required int Number { get; init; }

    /// <summary><c>accepted</c>, <c>try_again</c>, <c>give_up</c>, <c>broken</c>, <c>stopped</c> or <c>abandoned</c>.</summary>
    public required string Outcome { get; init; }

    /// <summary>The HTTP status that was answered; null when there was none.</summary>
    public required int? Status { get; init; }

    public required string? Reason { get; init; }

    /// <summary>The process that made it.</summary>
    public required string? Node { get; init; }

    /// <summary>From when on it was to be made.</summary>
    public required DateTimeOffset DueAt { get; init; }

    /// <summary>What decided that time.</summary>
    public required string DueCause { get; init; }

    /// <summary>Who asked for it; null when nobody did.</summary>
    public required string? DueBy { get; init; }

    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>Null when its process ended before it did.</summary>
    public required long? DurationMs { get; init; }

    /// <summary>When the next attempt was to be made, as it was decided at the end of this one; null when the delivery ended.</summary>
    public required DateTimeOffset? NextAt { get; init; }

    /// <summary>What decided that time; null when the delivery ended.</summary>
    public required string? NextCause { get; init; }
}
