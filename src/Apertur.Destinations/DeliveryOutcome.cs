namespace Apertur.Destinations;

/// <summary>The outcome of one attempt. The caller decides what follows from it.</summary>
public abstract record DeliveryOutcome
{
    private DeliveryOutcome() { }

    /// <summary>The HTTP status the service answered with, where it speaks HTTP and answered.</summary>
    public int? Status { get; init; }

    /// <summary>The destination has the image. Final.</summary>
    /// <param name="Reference">Where it is, for a person to find: a key, a file id, a path. Its first 1,024 characters are kept.</param>
    public sealed record Accepted(string? Reference = null) : DeliveryOutcome;

    /// <summary>It may work later: too many requests, a server's error, a timeout. Tried again by schedule.</summary>
    /// <param name="Reason">What happened, for the project's members.</param>
    /// <param name="After">How long the service asked to wait; honoured within bounds. Null when it did not say.</param>
    public sealed record TryAgain(string Reason, TimeSpan? After = null) : DeliveryOutcome
    {
        /// <summary>Its time was up before it answered. The breaker opens after few of these.</summary>
        public bool TimedOut { get; init; }
    }

    /// <summary>This image will never be accepted here; others may. Final.</summary>
    /// <param name="Reason">What happened, for the project's members.</param>
    public sealed record GiveUp(string Reason) : DeliveryOutcome;

    /// <summary>
    /// The destination cannot be used by any image until its owner acts: access revoked, bucket gone, wrong credentials.
    /// It is parked; its deliveries wait and use no attempts until its configuration is saved or tests well.
    /// </summary>
    /// <param name="Reason">What is wrong and what the owner can do about it.</param>
    public sealed record Broken(string Reason) : DeliveryOutcome;

    /// <summary>Why it was not accepted; null for <see cref="Accepted"/>.</summary>
    public string? ReasonText => this switch
    {
        TryAgain o => o.Reason,
        GiveUp o => o.Reason,
        Broken o => o.Reason,
        _ => null,
    };
}
