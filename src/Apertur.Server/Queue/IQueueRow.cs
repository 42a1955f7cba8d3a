namespace Apertur.Server.Queue;

/// <summary>What every row of a queue has.</summary>
internal interface IQueueRow
{
    /// <summary>The <see cref="LastError"/> of a row whose attempt ended with its process.</summary>
    const string Abandoned = "The server stopped during the attempt.";

    Guid Id { get; }

    DeliveryState State { get; }

    /// <summary>When it may be claimed next.</summary>
    DateTimeOffset DueAt { get; }

    /// <summary>Names the claim that holds it while sending. An outcome is written only by its own claim.</summary>
    Guid? LeaseToken { get; }

    DateTimeOffset? LeaseUntil { get; }

    string? LastError { get; }

    DateTimeOffset UpdatedAt { get; }
}
