using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Apertur.Server.Contract;

/// <summary>What an event webhook receives, whatever happened.</summary>
internal sealed record EventPayload<T>
{
    public required string Event { get; init; }

    /// <summary>The same as <see cref="Event"/>: some libraries look for this name.</summary>
    public required string Topic { get; init; }

    [JsonPropertyName("project_id")]
    public required Guid ProjectId { get; init; }

    /// <summary>When it happened; the same over all attempts to tell it.</summary>
    public required DateTimeOffset Timestamp { get; init; }

    public required T Data { get; init; }
}

/// <summary>An upload that was received, delivered everywhere, or not delivered somewhere.</summary>
internal sealed record UploadEventData
{
    public required Guid Id { get; init; }
    public required string Filename { get; init; }

    [JsonPropertyName("size_bytes")]
    public required long SizeBytes { get; init; }

    [JsonPropertyName("mime_type")]
    public required string MimeType { get; init; }

    [JsonPropertyName("session_id")]
    public required Guid SessionId { get; init; }

    /// <summary>Null in storage; a fresh link in every request that is sent.</summary>
    [JsonPropertyName("download_url")]
    public string? DownloadUrl { get; init; }

    public required IReadOnlyList<string> Tags { get; init; }
    public required JsonNode? Metadata { get; init; }
    public required string Sha256 { get; init; }

    /// <summary>SHA-256 of what was sent, where its session has metadata removed (<c>strip</c>); absent where the photo is stored as it came.</summary>
    [JsonPropertyName("original_sha256")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public required string? OriginalSha256 { get; init; }

    public required IReadOnlyList<EventDestination> Destinations { get; init; }

    /// <summary>The one that an event of failure is about.</summary>
    [JsonPropertyName("failed_destination")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public required EventDestination? FailedDestination { get; init; }

    /// <summary>What is wrong with its stored bytes: <c>missing</c>, <c>truncated</c>, <c>extended</c> or <c>altered</c>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Damage { get; init; }

    public required string Source { get; init; }

    /// <summary>Which of the visitors of its session sent it, by an id of that visitor's own; absent when nobody said.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public required string? Visitor { get; init; }

    /// <summary>What its sender says of it: one line; absent when nothing.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public required string? Caption { get; init; }

    /// <summary>What its session asked for and the sender gave: texts by the name of the field; absent when nothing was given.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public required JsonObject? Answers { get; init; }

    public required string Env { get; init; }

    [JsonPropertyName("created_at")]
    public required DateTimeOffset CreatedAt { get; init; }
}

/// <summary>How far an upload has come at one of its destinations.</summary>
internal sealed record EventDestination(
    Guid Id, string Type, string Name, string Status, [property: JsonPropertyName("last_error")] string? LastError);

/// <summary>A session that was created, completed or has expired.</summary>
internal sealed record SessionNews
{
    public required Guid Id { get; init; }
    public required string Status { get; init; }
    public required string? Label { get; init; }
    public required IReadOnlyList<string> Tags { get; init; }
    public required JsonNode? Metadata { get; init; }

    [JsonPropertyName("images_count")]
    public required int ImagesCount { get; init; }

    [JsonPropertyName("max_images")]
    public required int MaxImages { get; init; }

    public required string Env { get; init; }

    [JsonPropertyName("created_at")]
    public required DateTimeOffset CreatedAt { get; init; }

    [JsonPropertyName("expires_at")]
    public required DateTimeOffset ExpiresAt { get; init; }
}

/// <summary>A destination that nothing can be delivered to until its owner acts, that fails, or that works again.</summary>
internal sealed record DestinationNews
{
    public required Guid Id { get; init; }
    public required string Type { get; init; }
    public required string Name { get; init; }
    public required string? Reason { get; init; }

    /// <summary>When it last worked no more, for one that fails.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTimeOffset? Since { get; init; }
}

/// <summary>Nothing happened; somebody tries out the webhook.</summary>
internal sealed record TestNews([property: JsonPropertyName("webhook_id")] Guid WebhookId, string Message);
