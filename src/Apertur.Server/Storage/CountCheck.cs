using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Storage;

/// <summary>What is counted otherwise than the rows say.</summary>
/// <param name="Sessions">Sessions with a wrong count of their own, or of one of their photos.</param>
/// <param name="Days">Days of a project.</param>
internal sealed record CountReport(IReadOnlyList<Guid> Sessions, IReadOnlyList<CountedDay> Days)
{
    public bool IsRight => Sessions.Count + Days.Count == 0;
}

internal sealed record CountedDay(string ProjectId, string Env, int Day);

/// <summary>
/// Compares the counts that are kept with what they count: a photo's deliveries, a session's photos, a day's of everything and its minutes'. Every transaction changes
/// both alike, and one statement sees one moment, so what they differ by is the same beside running servers, and can be added at any time.
/// </summary>
internal sealed class CountCheck(Database database)
{
    private const long DayMilliseconds = 86_400_000;
    private const long MinuteMilliseconds = 60_000;
    private const int DayMinutes = 1440;
    private const int BatchSize = 100;

    // Of projects that are being removed, photos go before what was counted for them.
    private const string Removed = "(SELECT id FROM projects WHERE deleted_at IS NOT NULL)";
    private const string Everything = "1 = 1";

    private const string PhotosDiffer = "(v.total <> 0 OR v.delivered <> 0 OR v.failed <> 0)";
    private const string SessionsDiffer =
        "(v.images <> 0 OR v.dispatched <> 0 OR v.delivered <> 0 OR v.failed <> 0 OR v.waiting <> 0 OR v.indexes <> 0)";

    private const string DaysDiffer =
        """
        (v.sessions <> 0 OR v.images <> 0 OR v.images_delivered <> 0 OR v.sent <> 0 OR v.failed <> 0 OR v.stored_images <> 0 OR v.stored_bytes <> 0)
        """;

    private const string MinutesDiffer = "(v.sessions <> 0 OR v.images <> 0)";

    public Task<CountReport> RunAsync(CancellationToken cancellationToken) =>
        database.ReadLongAsync(db => RunAsync(db, cancellationToken), cancellationToken);

    /// <summary>Puts right what differs.</summary>
    public async Task RepairAsync(CountReport found, CancellationToken cancellationToken)
    {
        foreach (var batch in found.Sessions.Chunk(BatchSize))
            await database.WriteAsync(db => RepairAsync(db, batch, cancellationToken), cancellationToken);
        // What was counted for photos changes what their days have to count.
        foreach (var day in (await RunAsync(cancellationToken)).Days)
            await database.WriteAsync(db => RepairAsync(db, day, cancellationToken), cancellationToken);
    }

    private static async Task<CountReport> RunAsync(AperturDb db, CancellationToken cancellationToken)
    {
        var photos = $"""SELECT DISTINCT v.session_id AS "Value" FROM ({Photos(Everything)}) v WHERE {PhotosDiffer}""";
        var sessions = $"""SELECT v.id AS "Value" FROM ({Sessions(Everything, Everything)}) v WHERE {SessionsDiffer}""";
        var days =
            $"""
            SELECT v.project_id AS "ProjectId", v.env AS "Env", v.day AS "Day" FROM ({Days(Everything, Everything)}) v WHERE {DaysDiffer}
            UNION
            SELECT v.project_id, v.env, v.minute / {DayMinutes} FROM ({Minutes(Everything, Everything)}) v WHERE {MinutesDiffer}
            """;
        string[] found =
        [
            .. await db.Database.SqlQueryRaw<string>(photos).ToListAsync(cancellationToken),
            .. await db.Database.SqlQueryRaw<string>(sessions).ToListAsync(cancellationToken),
        ];
        return new CountReport(
            [.. found.Distinct().Select(Guid.Parse)], await db.Database.SqlQueryRaw<CountedDay>(days).ToListAsync(cancellationToken));
    }

    private async Task RepairAsync(AperturDb db, Guid[] ids, CancellationToken cancellationToken)
    {
        await LockAsync(db, cancellationToken);
        // In the order that all keep: sessions first.
        await database.Locked(db.Sessions, ids).Select(session => session.Id).ToListAsync(cancellationToken);
        var texts = ids.Select(id => id.ToString()).ToList();
        var (own, values) = database.Among("s.id", texts);
        var (of, _) = database.Among("session_id", texts);
        var photos =
            $"""
            UPDATE uploads SET destinations_total = destinations_total + v.total, destinations_delivered = destinations_delivered + v.delivered,
              destinations_failed = destinations_failed + v.failed
            FROM ({Photos(of)}) v WHERE uploads.id = v.id AND {PhotosDiffer}
            """;
        await db.Database.ExecuteSqlRawAsync(photos, [values], cancellationToken);
        var sessions =
            $"""
            UPDATE sessions SET images_count = images_count + v.images, images_dispatched = images_dispatched + v.dispatched,
              images_delivered = images_delivered + v.delivered, images_failed = images_failed + v.failed,
              deliveries_open = deliveries_open + v.waiting, next_index = next_index + v.indexes, last_changed = last_changed + 1
            FROM ({Sessions(of, own)}) v WHERE sessions.id = v.id
            """;
        await db.Database.ExecuteSqlRawAsync(sessions, [values], cancellationToken);
        db.Write.ChangedSessions.UnionWith(ids);
    }

    private async Task RepairAsync(AperturDb db, CountedDay day, CancellationToken cancellationToken)
    {
        await LockAsync(db, cancellationToken);
        const string rows = "project_id = {0} AND env = {1} AND created_at >= {2} AND created_at < {3}";
        var lacking = Days(rows, "project_id = {0} AND env = {1} AND day = {4}");
        var sql =
            $"""
            INSERT INTO daily_counts (project_id, env, day, sessions, images, images_delivered, sent, failed, stored_images, stored_bytes)
            SELECT v.* FROM ({lacking}) v WHERE {DaysDiffer}
            ON CONFLICT (project_id, env, day) DO UPDATE SET
              sessions = daily_counts.sessions + excluded.sessions, images = daily_counts.images + excluded.images,
              images_delivered = daily_counts.images_delivered + excluded.images_delivered, sent = daily_counts.sent + excluded.sent,
              failed = daily_counts.failed + excluded.failed, stored_images = daily_counts.stored_images + excluded.stored_images,
              stored_bytes = daily_counts.stored_bytes + excluded.stored_bytes
            """;
        await db.Database.ExecuteSqlRawAsync(
            sql, [day.ProjectId, day.Env, day.Day * DayMilliseconds, (day.Day + 1) * DayMilliseconds, day.Day], cancellationToken);

        const string own = "project_id = {0} AND env = {1} AND minute >= {4} AND minute < {5}";
        var minutes =
            $"""
            INSERT INTO minute_counts (project_id, env, minute, sessions, images) SELECT v.* FROM ({Minutes(rows, own)}) v WHERE {MinutesDiffer} ORDER BY v.minute
            ON CONFLICT (project_id, env, minute) DO UPDATE SET
              sessions = minute_counts.sessions + excluded.sessions, images = minute_counts.images + excluded.images
            """;
        await db.Database.ExecuteSqlRawAsync(
            minutes,
            [day.ProjectId, day.Env, day.Day * DayMilliseconds, (day.Day + 1) * DayMilliseconds, day.Day * DayMinutes, (day.Day + 1) * DayMinutes],
            cancellationToken);
        await db.Database.ExecuteSqlRawAsync(
            "DELETE FROM minute_counts WHERE project_id = {0} AND env = {1} AND minute >= {2} AND minute < {3} AND sessions = 0 AND images = 0",
            [day.ProjectId, day.Env, day.Day * DayMinutes, (day.Day + 1) * DayMinutes], cancellationToken);
    }

    /// <summary>One repair at a time: a second one must see what the first has added.</summary>
    private async Task LockAsync(AperturDb db, CancellationToken cancellationToken)
    {
        var owner = await db.ImagesOwnership.Select(own => own.Id).SingleAsync(cancellationToken);
        await database.Locked(db.ImagesOwnership, [owner]).SingleAsync(cancellationToken);
    }

    /// <summary>What each photo's counts lack.</summary>
    /// <param name="of">Which ones, by their <c>session_id</c>.</param>
    private static string Photos(string of) =>
        $"""
        SELECT u.id AS id, u.session_id AS session_id, coalesce(d.n, 0) - u.destinations_total AS total,
               coalesce(d.sent, 0) - u.destinations_delivered AS delivered, coalesce(d.failed, 0) - u.destinations_failed AS failed
        FROM (SELECT * FROM uploads WHERE {of}) u LEFT JOIN (
          SELECT upload_id, count(*) AS n, sum(CASE WHEN state = 'sent' THEN 1 ELSE 0 END) AS sent,
                 sum(CASE WHEN state = 'failed' THEN 1 ELSE 0 END) AS failed
          FROM deliveries WHERE {of} GROUP BY upload_id) d ON d.upload_id = u.id
        WHERE u.project_id NOT IN {Removed}
        """;

    /// <summary>What each session's counts lack.</summary>
    /// <param name="of">Which ones, by the <c>session_id</c> of their photos,</param>
    /// <param name="own">and by their own <c>s.id</c>.</param>
    private static string Sessions(string of, string own) =>
        $"""
        SELECT s.id AS id, coalesce(u.n, 0) - s.images_count AS images, coalesce(u.dispatched, 0) - s.images_dispatched AS dispatched,
               coalesce(u.delivered, 0) - s.images_delivered AS delivered, coalesce(u.failed, 0) - s.images_failed AS failed,
               coalesce(d.n, 0) - s.deliveries_open AS waiting,
               CASE WHEN u.next > s.next_index THEN u.next - s.next_index ELSE 0 END AS indexes
        FROM sessions s
        LEFT JOIN (
          SELECT session_id, count(*) AS n, max(image_index) + 1 AS next, sum(CASE WHEN destinations_total > 0 THEN 1 ELSE 0 END) AS dispatched,
                 sum(CASE WHEN destinations_delivered > 0 THEN 1 ELSE 0 END) AS delivered,
                 sum(CASE WHEN destinations_failed > 0 THEN 1 ELSE 0 END) AS failed
          FROM uploads WHERE {of} GROUP BY session_id) u ON u.session_id = s.id
        LEFT JOIN (
          SELECT session_id, count(*) AS n FROM deliveries WHERE {of} AND state NOT IN ('sent', 'failed') GROUP BY session_id) d ON d.session_id = s.id
        WHERE {own} AND s.project_id NOT IN {Removed}
        """;

    /// <summary>What the counts of each day lack.</summary>
    /// <param name="rows">Which ones, by project, environment and time of what they count,</param>
    /// <param name="own">and by their own columns.</param>
    private static string Days(string rows, string own) =>
        $"""
        SELECT project_id, env, day, sum(sessions) AS sessions, sum(images) AS images, sum(images_delivered) AS images_delivered, sum(sent) AS sent,
               sum(failed) AS failed, sum(stored_images) AS stored_images, sum(stored_bytes) AS stored_bytes
        FROM (
          SELECT project_id, env, CAST(created_at / {DayMilliseconds} AS INTEGER) AS day, 1 AS sessions, 0 AS images, 0 AS images_delivered, 0 AS sent,
                 0 AS failed, 0 AS stored_images, 0 AS stored_bytes
          FROM sessions WHERE {rows}
          UNION ALL
          SELECT project_id, env, CAST(created_at / {DayMilliseconds} AS INTEGER), 0, 1, CASE WHEN destinations_delivered > 0 THEN 1 ELSE 0 END,
                 destinations_delivered, destinations_failed, CASE WHEN removed_at IS NULL THEN 1 ELSE 0 END,
                 CASE WHEN removed_at IS NULL THEN size_bytes ELSE 0 END
          FROM uploads WHERE {rows}
          UNION ALL
          SELECT project_id, env, day, -sessions, -images, -images_delivered, -sent, -failed, -stored_images, -stored_bytes
          FROM daily_counts WHERE {own}) c
        WHERE project_id NOT IN {Removed} GROUP BY project_id, env, day
        """;

    /// <summary>What the counts of each minute lack.</summary>
    /// <param name="rows">Which ones, by project, environment and time of what they count,</param>
    /// <param name="own">and by their own columns.</param>
    private static string Minutes(string rows, string own) =>
        $"""
        SELECT project_id, env, minute, sum(sessions) AS sessions, sum(images) AS images
        FROM (
          SELECT project_id, env, CAST(created_at / {MinuteMilliseconds} AS INTEGER) AS minute, 1 AS sessions, 0 AS images FROM sessions WHERE {rows}
          UNION ALL
          SELECT project_id, env, CAST(created_at / {MinuteMilliseconds} AS INTEGER), 0, 1 FROM uploads WHERE {rows}
          UNION ALL
          SELECT project_id, env, minute, -sessions, -images FROM minute_counts WHERE {own}) c
        WHERE project_id NOT IN {Removed} GROUP BY project_id, env, minute
        """;
}
