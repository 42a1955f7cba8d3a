namespace Apertur.Server.ProjectData;

/// <summary>Collects changes to the counts of days and minutes during a transaction, so that each row is written once.</summary>
internal sealed class CountChanges
{
    // By the minute: it tells the day.
    private readonly SortedDictionary<(string Project, Env Env, int Minute), DailyCount> _changes = [];

    public DailyCount For(Guid projectId, Env env, DateTimeOffset createdAt)
    {
        var key = (projectId.ToString(), env, (int)(createdAt.ToUnixTimeSeconds() / 60));
        if (!_changes.TryGetValue(key, out var change))
            _changes[key] = change = new DailyCount { ProjectId = projectId, Env = env, Day = DailyCount.DayOf(createdAt) };
        return change;
    }

    /// <summary>
    /// What adds the changes up, days before minutes and each in the order of its key: two transactions that write the same rows never deadlock.
    /// </summary>
    public IEnumerable<FormattableString> Statements()
    {
        foreach (var day in _changes.GroupBy(pair => (pair.Key.Project, pair.Key.Env, pair.Value.Day), pair => pair.Value))
            yield return AddToDay(day.Key.Project, day.Key.Env.WireName(), day.Key.Day, [.. day]);
        foreach (var (key, change) in _changes.Where(pair => pair.Value is not { Sessions: 0, Images: 0 }))
        {
            yield return AddToMinute(key.Project, key.Env.WireName(), key.Minute, change);
            if (change.Sessions < 0 || change.Images < 0)
                yield return DeleteEmptyMinute(key.Project, key.Env.WireName(), key.Minute);
        }
    }

    private static FormattableString AddToDay(string project, string env, int day, DailyCount[] changes) =>
        $"""
        INSERT INTO daily_counts (project_id, env, day, sessions, images, images_delivered, sent, failed, stored_images, stored_bytes)
        VALUES ({project}, {env}, {day}, {changes.Sum(change => change.Sessions)}, {changes.Sum(change => change.Images)},
                {changes.Sum(change => change.ImagesDelivered)}, {changes.Sum(change => change.Sent)}, {changes.Sum(change => change.Failed)},
                {changes.Sum(change => change.StoredImages)}, {changes.Sum(change => change.StoredBytes)})
        ON CONFLICT (project_id, env, day) DO UPDATE SET
          sessions = daily_counts.sessions + excluded.sessions,
          images = daily_counts.images + excluded.images,
          images_delivered = daily_counts.images_delivered + excluded.images_delivered,
          sent = daily_counts.sent + excluded.sent,
          failed = daily_counts.failed + excluded.failed,
          stored_images = daily_counts.stored_images + excluded.stored_images,
          stored_bytes = daily_counts.stored_bytes + excluded.stored_bytes
        """;

    private static FormattableString AddToMinute(string project, string env, int minute, DailyCount change) =>
        $"""
        INSERT INTO minute_counts (project_id, env, minute, sessions, images)
        VALUES ({project}, {env}, {minute}, {change.Sessions}, {change.Images})
        ON CONFLICT (project_id, env, minute) DO UPDATE SET
          sessions = minute_counts.sessions + excluded.sessions,
          images = minute_counts.images + excluded.images
        """;

    private static FormattableString DeleteEmptyMinute(string project, string env, int minute) =>
        $"""
        DELETE FROM minute_counts WHERE project_id = {project} AND env = {env} AND minute = {minute} AND sessions = 0 AND images = 0
        """;
}
