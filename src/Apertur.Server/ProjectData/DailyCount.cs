using Apertur.Server.Uploads;

namespace Apertur.Server.ProjectData;

/// <summary>Counts of one project, environment and UTC day: lists and statistics add these up instead of counting rows.</summary>
internal sealed class DailyCount
{
    public required Guid ProjectId { get; init; }
    public required Env Env { get; init; }

    /// <summary>Days since 1970-01-01, UTC. Things count on the day their row was created, so that removing them takes back the same.</summary>
    public required int Day { get; init; }

    public long Sessions { get; set; }
    public long Images { get; set; }

    /// <summary>Images with at least one delivery sent.</summary>
    public long ImagesDelivered { get; set; }

    /// <summary>Deliveries that arrived.</summary>
    public long Sent { get; set; }

    /// <summary>Deliveries that failed for good.</summary>
    public long Failed { get; set; }

    /// <summary>Images whose bytes are kept.</summary>
    public long StoredImages { get; set; }

    public long StoredBytes { get; set; }

    /// <summary>Counts an image that was taken in.</summary>
    public void Store(Upload upload)
    {
        Images++;
        StoredImages++;
        StoredBytes += upload.SizeBytes;
    }

    /// <summary>Counts no more that the bytes of an image are kept.</summary>
    public void Unstore(Upload upload)
    {
        StoredImages--;
        StoredBytes -= upload.SizeBytes;
    }

    public static int DayOf(DateTimeOffset instant) => (int)(instant.ToUnixTimeSeconds() / 86400);
}
