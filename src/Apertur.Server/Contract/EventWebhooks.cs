using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Apertur.Server.Http;

namespace Apertur.Server.Contract;

/// <summary>A new event webhook, or what to change of one: fields that are absent stay as they are.</summary>
internal sealed record EventWebhookRequest
{
    public string? Url { get; init; }
    [Alias("events")]
    public IReadOnlyList<string?>? Topics { get; init; }

    public string? SignatureMethod { get; init; }
    public int? MaxRetries { get; init; }

    /// <summary>Seconds.</summary>
    public IReadOnlyList<int>? RetryIntervals { get; init; }

    public int? DisableAfterFailures { get; init; }

    /// <summary>An object of strings; PHP writes an empty one as an empty array.</summary>
    public JsonNode? CustomHeaders { get; init; }

    public bool? IsActive { get; init; }
}

/// <summary>An event webhook.</summary>
internal sealed record EventWebhookResponse
{
    public required Guid Id { get; init; }
    public required Guid ProjectId { get; init; }
    public required string Url { get; init; }
    public required IReadOnlyList<string> Topics { get; init; }
    public required string SignatureMethod { get; init; }
    public required string Secret { get; init; }
    public required int MaxRetries { get; init; }
    public required IReadOnlyList<int> RetryIntervals { get; init; }
    public required int DisableAfterFailures { get; init; }
    public required JsonObject CustomHeaders { get; init; }
    public required bool IsActive { get; init; }
    public required int ConsecutiveFailures { get; init; }
    public required DateTimeOffset? DisabledAt { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset UpdatedAt { get; init; }

    /// <summary>What the caller should know about a change, such as a topic that nothing raises; absent when there is nothing.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? Warnings { get; init; }
}

/// <summary>One event as one webhook got it, or did not.</summary>
internal record EventDeliveryResponse
{
    public required Guid Id { get; init; }
    public required Guid EventLogId { get; init; }
    public required string Topic { get; init; }

    /// <summary><c>sent</c>, <c>failed</c>, or <c>retrying</c>, also for what waits for its first attempt.</summary>
    public required string Status { get; init; }

    public required int Attempts { get; init; }
    public required int? ResponseCode { get; init; }
    public required string? ResponseBody { get; init; }
    public required int DurationMs { get; init; }
    public required string? LastError { get; init; }
    public required DateTimeOffset? NextRetryAt { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset UpdatedAt { get; init; }
}

/// <summary>The same, with what is sent.</summary>
internal sealed record EventDeliveryDetails : EventDeliveryResponse
{
    public EventDeliveryDetails()
    {
    }

    [SetsRequiredMembers]
    public EventDeliveryDetails(EventDeliveryResponse row) : base(row)
    {
    }

    /// <summary>
    /// The body as it was or will be sent, the text that is signed. Its link to the photo is a fresh one, as each attempt has: nothing else
    /// differs between attempts.
    /// </summary>
    public string Payload { get; init; } = "";
}

/// <summary>A part of a webhook's history, newest first.</summary>
internal sealed record EventDeliveryList
{
    public required IReadOnlyList<EventDeliveryResponse> Deliveries { get; init; }

    /// <summary>As <c>deliveries</c>, for clients that look for them where the other lists have their rows.</summary>
    public IReadOnlyList<EventDeliveryResponse> Data => Deliveries;

    public required int Total { get; init; }
    public required int Page { get; init; }
    public required int Limit { get; init; }
}
