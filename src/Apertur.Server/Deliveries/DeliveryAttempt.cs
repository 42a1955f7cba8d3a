using Apertur.Server.Queue;

namespace Apertur.Server.Deliveries;

/// <summary>What an attempt came to: what the destination said, or how its process ended.</summary>
internal enum AttemptOutcome
{
    Accepted,
    TryAgain,
    GiveUp,
    Broken,
    Stopped,
    Abandoned,
}

/// <summary>One attempt at a delivery, counted or not: when and why it was made, what came of it and what was decided then.</summary>
internal sealed class DeliveryAttempt
{
    /// <summary>How many are kept of one delivery.</summary>
    public const int Kept = 50;

    public required Guid DeliveryId { get; init; }

    /// <summary>From 1, without gaps.</summary>
    public required int Number { get; init; }

    /// <summary>The process that made it, see <see cref="Node"/>.</summary>
    public string? Node { get; init; }

    /// <summary>Not before then, and why: what was decided about this attempt before it was made.</summary>
    public required DateTimeOffset DueAt { get; init; }

    public required DueCause DueCause { get; init; }
    public string? DueBy { get; init; }
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>Null when its process ended first.</summary>
    public long? DurationMs { get; init; }

    public required AttemptOutcome Outcome { get; init; }

    /// <summary>Of an HTTP answer.</summary>
    public int? Status { get; init; }

    public string? Reason { get; init; }

    /// <summary>When the next was to be made; null when the delivery ended.</summary>
    public DateTimeOffset? NextAt { get; init; }

    public DueCause? NextCause { get; init; }
}
