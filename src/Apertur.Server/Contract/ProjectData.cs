using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Apertur.Server.Contract;

/// <summary>One page of a list, newest first.</summary>
internal sealed record Page<T>
{
    public required IReadOnlyList<T> Data { get; init; }
    public required long Total { get; init; }

    [JsonPropertyName("page")]
    public required int Number { get; init; }

    public required int PageSize { get; init; }
    public required long TotalPages { get; init; }
}

/// <summary>An upload session in a list.</summary>
internal sealed record SessionRow
{
    public required Guid Id { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset ExpiresAt { get; init; }
    public required string Status { get; init; }
    public required Guid ProjectId { get; init; }
    public required string ProjectName { get; init; }
    public required int ImagesCount { get; init; }
    public required int ImagesDelivered { get; init; }
    public required int ImagesFailed { get; init; }
    public required int DestinationsCount { get; init; }
    public required IReadOnlyList<string>? Tags { get; init; }
    public required bool LongPollingEnabled { get; init; }
    public required string Env { get; init; }
    public required string? Label { get; init; }
}

/// <summary>An upload in a list.</summary>
internal record UploadRow
{
    public required Guid Id { get; init; }
    public required string Filename { get; init; }
    public required long SizeBytes { get; init; }
    public required string MimeType { get; init; }
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

    public required bool IsEncrypted { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public required Guid SessionId { get; init; }
    public required Guid ProjectId { get; init; }
    public required string ProjectName { get; init; }
    public required int DestinationsTotal { get; init; }
    public required int DestinationsDelivered { get; init; }
    public required int DestinationsFailed { get; init; }
    public required IReadOnlyList<TypeCount> DestinationsBreakdown { get; init; }
    public required string Status { get; init; }
    public required string Env { get; init; }

    /// <summary>When its bytes were removed because its project's time for them was up; absent while they are stored.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTimeOffset? RemovedAt { get; init; }
}

/// <summary>Everything about one upload but its bytes and its deliveries.</summary>
internal sealed record UploadDetails : UploadRow
{
    public UploadDetails()
    {
    }

    [SetsRequiredMembers]
    public UploadDetails(UploadRow row) : base(row)
    {
    }

    /// <summary>64 lower-case hex characters.</summary>
    public string Sha256 { get; init; } = "";

    /// <summary>SHA-256 of what was sent, where its session has metadata removed (<c>strip</c>); null where the photo is stored as it came.</summary>
    public string? OriginalSha256 { get; init; }

    /// <summary>Pixels; null when the bytes do not tell.</summary>
    public int? Width { get; init; }

    /// <summary>Pixels; null when the bytes do not tell.</summary>
    public int? Height { get; init; }

    /// <summary>Position in its session, from 0.</summary>
    public int ImageIndex { get; init; }

    /// <summary>When a program took it by polling; null when none did.</summary>
    public DateTimeOffset? AcknowledgedAt { get; init; }

    /// <summary>What was found wrong with its stored bytes: <c>missing</c>, <c>truncated</c>, <c>extended</c> or <c>altered</c>; null when nothing was.</summary>
    public string? Damage { get; init; }

    /// <summary>The label of its session; null when it has none.</summary>
    public string? SessionLabel { get; init; }

    /// <summary>The tags of its session; null when it has none.</summary>
    public IReadOnlyList<string>? SessionTags { get; init; }

    /// <summary>What was given with its session; null when nothing was.</summary>
    public JsonObject? SessionMetadata { get; init; }
}

/// <summary>How many destinations of one type an upload goes to.</summary>
internal sealed record TypeCount(string Type, int Count);

/// <summary>The sums over everything the caller may see.</summary>
internal sealed record StatsResponse
{
    /// <summary>Of the calendar month in UTC; absent when a range was asked for.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? SessionsThisMonth { get; init; }

    /// <summary>Created in the range that was asked for; absent when none was.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? SessionsInRange { get; init; }

    public required long SessionsTotal { get; init; }
    public required long ImagesUploaded { get; init; }
    public required long ImagesDelivered { get; init; }

    /// <summary>0–100: deliveries sent of those finished; 100 when none is finished yet.</summary>
    public required int DeliverySuccessRate { get; init; }

    /// <summary>Deliveries that did not arrive yet and are tried again; counted up to 10,000.</summary>
    public required int DeliveriesRetrying { get; init; }

    public required int TotalProjects { get; init; }
    public required int ActiveKeys { get; init; }
    public required IReadOnlyList<TopProject> TopProjects { get; init; }
}

/// <summary>The sums of one day in UTC. Things count on the day they were created.</summary>
internal sealed record StatsDay
{
    /// <summary>Such as <c>2026-06-12</c>.</summary>
    public required string Date { get; init; }

    /// <summary>Sessions that were created.</summary>
    public required long Sessions { get; init; }

    /// <summary>Photos that were received.</summary>
    public required long ImagesUploaded { get; init; }

    /// <summary>Uploads with at least one successful delivery.</summary>
    public required long ImagesDelivered { get; init; }

    /// <summary>Deliveries that arrived.</summary>
    public required long DeliveriesSent { get; init; }

    /// <summary>Deliveries that failed for good.</summary>
    public required long DeliveriesFailed { get; init; }
}

/// <summary>A project and its sessions of this month, or of the range that was asked for.</summary>
internal sealed record TopProject(Guid Id, string Name, long Sessions);

/// <summary>Whether the server, or a part of it, can do its work.</summary>
internal sealed record HealthResponse(string Status)
{
    /// <summary>What somebody has to look at, although photos are taken in; absent when there is nothing.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<HealthProblem>? Problems { get; init; }
}

/// <summary>Something that a readiness check found.</summary>
/// <param name="Check">What was looked at.</param>
/// <param name="Detail">What is wrong with it.</param>
internal sealed record HealthProblem(string Check, string Detail);
