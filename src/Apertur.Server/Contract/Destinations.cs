using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Apertur.Server.Contract;

/// <summary>A new destination, or what to change of one: fields that are absent stay as they are.</summary>
internal sealed record DestinationRequest
{
    public string? Type { get; init; }
    public string? Name { get; init; }

    /// <summary>Some clients say this for <see cref="Name"/>.</summary>
    public string? Label { get; init; }

    public JsonObject? Config { get; init; }
    public bool? IsActive { get; init; }

    /// <summary>Some clients say this for <see cref="IsActive"/>.</summary>
    [JsonPropertyName("is_active")]
    public bool? IsActiveAlias { get; init; }
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

    /// <summary>Why nothing is delivered there until its owner acts; null when all is well.</summary>
    public required string? Problem { get; init; }
}

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
