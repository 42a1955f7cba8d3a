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

/// <summary>Collects changes to the counts during a transaction, so that each row is written once.</summary>
internal sealed class DailyCountChanges
{
    private readonly SortedDictionary<(string Project, Env Env, int Day), DailyCount> _changes = [];

    public DailyCount For(Guid projectId, Env env, DateTimeOffset createdAt)
    {
        var day = DailyCount.DayOf(createdAt);
        var key = (projectId.ToString(), env, day);
        if (!_changes.TryGetValue(key, out var change))
            _changes[key] = change = new DailyCount { ProjectId = projectId, Env = env, Day = day };
        return change;
    }

    /// <summary>
    /// What adds the changes up, in the order of the key: two transactions that write the same rows never deadlock.
    /// </summary>
    public IEnumerable<FormattableString> Statements() => _changes.Select(pair => Add(pair.Key.Project, pair.Key.Env.WireName(), pair.Value));

    private static FormattableString Add(string project, string env, DailyCount change) =>
        $"""
        INSERT INTO daily_counts (project_id, env, day, sessions, images, images_delivered, sent, failed, stored_images, stored_bytes)
        VALUES ({project}, {env}, {change.Day}, {change.Sessions}, {change.Images}, {change.ImagesDelivered}, {change.Sent}, {change.Failed},
                {change.StoredImages}, {change.StoredBytes})
        ON CONFLICT (project_id, env, day) DO UPDATE SET
          sessions = daily_counts.sessions + excluded.sessions,
          images = daily_counts.images + excluded.images,
          images_delivered = daily_counts.images_delivered + excluded.images_delivered,
          sent = daily_counts.sent + excluded.sent,
          failed = daily_counts.failed + excluded.failed,
          stored_images = daily_counts.stored_images + excluded.stored_images,
          stored_bytes = daily_counts.stored_bytes + excluded.stored_bytes
        """;
}
