using System.Globalization;
using Apertur.Server.Queue;

namespace Apertur.Server.Destinations;

/// <summary>A destination: where photos of a project are delivered.</summary>
internal sealed class Destination
{
    public required Guid Id { get; init; }
    public required Guid ProjectId { get; init; }

    /// <summary>Names an <c>IDestinationType</c>; never changes.</summary>
    public required string Type { get; init; }

    public required string Name { get; set; }

    /// <summary>Encrypted JSON; see <see cref="Storage.ColumnEncryption"/>.</summary>
    public required string Config { get; set; }

    public bool IsActive { get; set; } = true;

    /// <summary>Why it cannot be used until its owner acts; null when it can.</summary>
    public string? ParkedReason { get; set; }

    /// <summary>When its owner last did something about it; see <see cref="DestinationSuspension"/>.</summary>
    public DateTimeOffset ResumedAt { get; set; } = DateTimeOffset.UnixEpoch;

    /// <summary>Opens while the destination is down.</summary>
    public Breaker Breaker { get; init; } = new();

    public RecentAttempts Recent { get; init; } = new();

    /// <summary>Whether the operator was told last that it fails, see <see cref="Health.OperatorWatch"/>.</summary>
    public bool OperatorTold { get; set; }

    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset UpdatedAt { get; set; }
    public DateTimeOffset? DeletedAt { get; set; }

    /// <summary>Why nothing arrives there; null when nothing is known to be wrong.</summary>
    public string? Problem => ParkedReason ?? (!Breaker.IsFailing ? null
        : string.Create(CultureInfo.InvariantCulture, $"Photos have not arrived since {Recent.FailingSince ?? Recent.LastErrorAt:yyyy-MM-dd HH:mm} UTC; they wait and are tried again. {Recent.LastError}").TrimEnd());
}
