namespace Apertur.Server.Queue;

/// <summary>What decided when a row is due. The words are the wire's: <c>docs/delivery-states.md</c> explains each.</summary>
internal enum DueCause
{
    Received,
    Schedule,
    RetryAfter,
    BreakerOpen,
    Parked,
    Resumed,
    Replayed,
    Abandoned,
    Stopped,
    Deleted,
    ClockChanged,
}

/// <summary>A cause for another due time of a row.</summary>
internal abstract record DueEvent
{
    /// <summary>It came into the queue.</summary>
    public sealed record Received : DueEvent;

    /// <summary>An attempt did not arrive.</summary>
    /// <param name="Wait">What the schedule says; null when that is used up.</param>
    /// <param name="Asked">What the endpoint asked for; null when it did not.</param>
    /// <param name="OpenUntil">Until when its breaker lets nothing through; null when it does.</param>
    public sealed record Failed(TimeSpan? Wait, TimeSpan? Asked = null, DateTimeOffset? OpenUntil = null) : DueEvent;

    /// <summary>The endpoint was found to be unusable until its owner acts.</summary>
    public sealed record Parked : DueEvent;

    /// <summary>The owner has acted: changed, tested, connected or switched on the endpoint.</summary>
    public sealed record Resumed : DueEvent;

    /// <summary>Somebody asked for another try.</summary>
    /// <param name="By">Who: a person's e-mail address, a key's prefix.</param>
    public sealed record Replayed(string By) : DueEvent;

    /// <summary>The process that had claimed it is gone.</summary>
    public sealed record Abandoned : DueEvent;

    /// <summary>The server stopped before the attempt ended.</summary>
    public sealed record Stopped : DueEvent;

    /// <summary>The time of day was set while no server ran, so what was planned means nothing any more.</summary>
    public sealed record ClockChanged : DueEvent;

    /// <summary>The endpoint was deleted: the next attempt ends it.</summary>
    public sealed record Deleted : DueEvent;
}

/// <summary>When a row may be claimed next, and what decided that.</summary>
/// <param name="At">Not before.</param>
/// <param name="Cause">Why then.</param>
/// <param name="By">Who asked; null when nobody did.</param>
internal readonly record struct Due(DateTimeOffset At, DueCause Cause, string? By = null)
{
    // An endpoint may ask for longer than our schedule, but not put a photo off for ever.
    private static readonly TimeSpan _longestAsked = TimeSpan.FromHours(24);

    /// <summary>The only place that decides when something is tried again. Pure.</summary>
    /// <returns>Null when it is not.</returns>
    public static Due? After(DueEvent what, DateTimeOffset now) => what switch
    {
        DueEvent.Failed { Wait: null } => null,
        DueEvent.Failed { Wait: { } wait } failed => Latest(
            new(now + wait, DueCause.Schedule),
            failed.Asked is { } asked ? new(now + TimeSpan.FromTicks(Math.Clamp(asked.Ticks, 0, _longestAsked.Ticks)), DueCause.RetryAfter) : null,
            failed.OpenUntil is { } open ? new(open, DueCause.BreakerOpen) : null),
        DueEvent.Received => new(now, DueCause.Received),
        DueEvent.Parked => new(now, DueCause.Parked),
        DueEvent.Resumed => new(now, DueCause.Resumed),
        DueEvent.Replayed replayed => new(now, DueCause.Replayed, replayed.By),
        DueEvent.Abandoned => new(now, DueCause.Abandoned),
        DueEvent.Stopped => new(now, DueCause.Stopped),
        DueEvent.Deleted => new(now, DueCause.Deleted),
        DueEvent.ClockChanged => new(now, DueCause.ClockChanged),
        _ => throw new ArgumentOutOfRangeException(nameof(what)),
    };

    /// <summary>What decided in the end when a row was claimed: one that was due may have had to wait on for its endpoint.</summary>
    /// <param name="resumedAt">When the endpoint's owner last acted.</param>
    /// <param name="openUntil">Until when the endpoint's breaker was open.</param>
    /// <param name="claimed">When the row was claimed.</param>
    public Due Held(DateTimeOffset resumedAt, DateTimeOffset? openUntil, DateTimeOffset claimed) => Latest(
        this,
        resumedAt <= claimed ? new(resumedAt, DueCause.Resumed) : null,
        openUntil <= claimed ? new(openUntil.Value, DueCause.BreakerOpen) : null);

    private static Due Latest(Due first, params ReadOnlySpan<Due?> others)
    {
        foreach (var other in others)
            first = other?.At > first.At ? other.Value : first;
        return first;
    }
}
