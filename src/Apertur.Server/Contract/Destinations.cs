using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Apertur.Server.Http;

namespace Apertur.Server.Contract;

/// <summary>A new destination, or what to change of one: fields that are absent stay as they are.</summary>
internal sealed record DestinationRequest
{
    public string? Type { get; init; }
    [Alias("label")]
    public string? Name { get; init; }

    /// <summary>
    /// What its type takes, and for every type <c>rendition</c>, a JPEG in place of the original. Its fields may also stand beside <c>type</c> when
    /// there is no <c>config</c>.
    /// </summary>
    public JsonObject? Config { get; init; }

    public bool? IsActive { get; init; }
}

/// <summary>A destination; secrets in its configuration are masked.</summary>
internal sealed record DestinationResponse
{
    public required Guid Id { get; init; }
    public required string Type { get; init; }
    public required string Name { get; init; }
    public required JsonObject Config { get; init; }
    public required bool IsActive { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset UpdatedAt { get; init; }

    /// <summary>Why nothing arrives there: until its owner acts, or for as long as it fails. Null when all is well.</summary>
    public required string? Problem { get; init; }

    /// <summary>How attempts there ended lately.</summary>
    public required DestinationLastHour Health { get; init; }

    /// <summary>What the caller should know about a change, such as a field that does not exist; absent when there is nothing.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? Warnings { get; init; }
}

/// <summary>How attempts at a destination ended lately.</summary>
/// <param name="Attempts">Those of the last hour, to five minutes.</param>
/// <param name="Failures">Those of them that did not arrive.</param>
/// <param name="FailingSince">The first failure since something worked there; null while it works.</param>
/// <param name="LastError">Why the last that did not arrive did not; null when all did.</param>
/// <param name="LastErrorAt">When that was; null when all arrived.</param>
internal sealed record DestinationLastHour(
    long Attempts, long Failures, DateTimeOffset? FailingSince, string? LastError, DateTimeOffset? LastErrorAt);

/// <summary>Whether photos reach a destination.</summary>
internal sealed record DestinationHealth
{
    public required Guid DestinationId { get; init; }

    /// <summary>Deliveries that have not ended; counted up to 10,000.</summary>
    public required int Waiting { get; init; }

    /// <summary>Whether one of those has been tried and did not arrive.</summary>
    public required bool IsFailing { get; init; }

    /// <summary>Deliveries of photos of the last 7 days that failed for good.</summary>
    public required int FailedLately { get; init; }

    /// <summary>Why the last that did not arrive did not; null when all did.</summary>
    public required string? LastError { get; init; }

    /// <summary>When that was; null when all arrived.</summary>
    public required DateTimeOffset? LastErrorAt { get; init; }
}

/// <summary>What became of the attempts of one hour at a destination.</summary>
/// <param name="At">When the hour began.</param>
/// <param name="Attempts">Attempts that ended in it.</param>
/// <param name="Failures">Those of them that did not arrive.</param>
internal sealed record HourOfAttempts(DateTimeOffset At, long Attempts, long Failures);

/// <summary>What a test delivery came to.</summary>
internal sealed record DestinationTestResponse
{
    public required bool Success { get; init; }

    /// <summary>The HTTP status the destination answered with.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? Status { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Error { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Message { get; init; }
}
