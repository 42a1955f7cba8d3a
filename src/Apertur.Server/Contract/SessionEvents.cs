using System.Text.Json.Serialization;
using Apertur.Server.Sessions;

namespace Apertur.Server.Contract;

/// <summary>Data of <c>connected</c> and <c>session:completed</c>.</summary>
internal sealed record SessionEventData(Guid SessionId);

/// <summary>Data of <c>session:visitors</c>: how many have the page open.</summary>
internal sealed record SessionVisitorsData(Guid SessionId, int Visitors);

/// <summary>Data of <c>image:ready</c>.</summary>
internal sealed record ImageReadyData(Guid ImageId, string Filename, long SizeBytes);

/// <summary>Data of <c>image:delivering</c> and <c>image:delivered</c>.</summary>
internal sealed record ImageDeliveryData(Guid ImageId, Guid DestinationId);

/// <summary>Data of <c>image:failed</c>.</summary>
internal sealed record ImageFailedData(Guid ImageId, Guid DestinationId, string Error);

/// <summary>Data of <c>connected</c> in the stream over all projects: which those are.</summary>
internal sealed record ConnectedData(IEnumerable<Guid> ProjectIds);

/// <summary>Data of every event in the stream over all projects: what the session's own stream tells, and of which session it is.</summary>
internal sealed record ProjectEventData
{
    public required Guid ProjectId { get; init; }
    public required Guid SessionId { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Guid? ImageId { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Guid? DestinationId { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Filename { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? SizeBytes { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Error { get; init; }

    public static ProjectEventData Of(ProjectEvent happened)
    {
        var data = new ProjectEventData { ProjectId = happened.Session.ProjectId, SessionId = happened.Session.Id };
        return happened.Event.Data switch
        {
            ImageReadyData ready => data with { ImageId = ready.ImageId, Filename = ready.Filename, SizeBytes = ready.SizeBytes },
            ImageDeliveryData delivery => data with { ImageId = delivery.ImageId, DestinationId = delivery.DestinationId },
            ImageFailedData failed => data with { ImageId = failed.ImageId, DestinationId = failed.DestinationId, Error = failed.Error },
            _ => data,
        };
    }
}
