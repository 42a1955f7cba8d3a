using System.Linq.Expressions;
using System.Text.Json;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Queue;

/// <summary>
/// A table as a queue. Claiming looks at endpoints first, rows second: an endpoint with 50,000 due rows costs and gets no more than one with
/// three, and a round of claims takes the same number of statements whatever the number of endpoints.
/// </summary>
/// <param name="database">Where the table is.</param>
/// <param name="endpoint">The column that says what a row is for.</param>
/// <param name="endpoints">The table of those; each row has a <see cref="Breaker"/>.</param>
/// <param name="usable">The condition, of an endpoint <c>e</c>, that it takes something now.</param>
/// <param name="gone">The condition that it takes nothing any more, so that its rows are claimed to end them.</param>
/// <param name="session">The column of the session that a row is of; null when of none.</param>
/// <param name="clock">Says what is due.</param>
internal sealed class QueueTable<T>(
    Database database, string endpoint, string endpoints, string usable, string gone, string? session, TimeProvider clock)
    where T : class, IQueueRow
{
    /// <summary>Endpoints that have something due and may be sent to.</summary>
    public async Task<IReadOnlyList<DueEndpoint>> DueAsync(CancellationToken cancellationToken)
    {
        await using var db = database.Open();
        var table = Name(db);
        // The recursion hops from one endpoint to the next along the index of waiting rows, whatever their number.
        var sql =
            $$"""
            WITH RECURSIVE waiting (id) AS (
              SELECT min({{endpoint}}) FROM {{table}} WHERE state IN ('pending', 'retrying')
              UNION ALL
              SELECT (SELECT min({{endpoint}}) FROM {{table}} WHERE state IN ('pending', 'retrying') AND {{endpoint}} > waiting.id)
              FROM waiting WHERE waiting.id IS NOT NULL
            )
            SELECT e.id AS "Id", e.project_id AS "ProjectId",
                   CASE WHEN {{gone}} THEN 0 WHEN e.timeouts > 0 THEN 2 WHEN e.has_answered THEN 0 ELSE 1 END AS "Standing",
                   CAST(CASE WHEN e.lane_limit IS NULL OR {{gone}} THEN NULL
                        ELSE e.lane_limit - (SELECT count(*) FROM {{table}} s WHERE s.{{endpoint}} = e.id AND s.state = 'sending')
                        END AS INTEGER) AS "Free"
            FROM waiting JOIN {{endpoints}} e ON e.id = waiting.id JOIN projects p ON p.id = e.project_id AND p.deleted_at IS NULL
            WHERE ({{gone}} OR ({{usable}} AND (e.open_until IS NULL OR e.open_until <= {0} OR e.open_until > {1})))
              AND EXISTS (SELECT 1 FROM {{table}} WHERE {{endpoint}} = e.id AND state IN ('pending', 'retrying') AND due_at <= {0})
            """;
        var now = clock.GetUtcNow();
        var due = await db.Database.SqlQueryRaw<DueRow>(
            sql, now.ToUnixTimeMilliseconds(), (now + Breaker.LongestPause).ToUnixTimeMilliseconds()).ToListAsync(cancellationToken);
        return due.ConvertAll(row => new DueEndpoint(Guid.Parse(row.Id), Guid.Parse(row.ProjectId), (Standing)row.Standing, row.Free));
    }

    /// <summary>Chooses up to the given number of due rows for each endpoint, oldest first, and locks them.</summary>
    /// <param name="db">The transaction.</param>
    /// <param name="wanted">Of which endpoints, and how many.</param>
    /// <param name="onlyFree">Leave out those of sessions that somebody else holds.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<List<ChosenRow>> ChooseAsync(
        AperturDb db, IReadOnlyDictionary<Guid, int> wanted, bool onlyFree, CancellationToken cancellationToken)
    {
        var table = Name(db);
        var join = onlyFree ? $"JOIN sessions free ON free.id = due.{session}" : "";
        // SQLite's transaction excludes every other claimer; PostgreSQL's claimers step over each other's rows.
        var sql = database.IsSqlite
            ? $$"""
              SELECT x.id AS "Id", {{session ?? "NULL"}} AS "SessionId" FROM json_each({1}) w JOIN {{table}} x ON x.rowid IN (
                SELECT n.place FROM (SELECT r.place, row_number() OVER (ORDER BY r.due_at) AS number FROM (
                  SELECT rowid AS place, due_at FROM {{table}}
                  WHERE {{endpoint}} = json_extract(w.value, '$[0]') AND state IN ('pending', 'retrying') AND due_at <= {0}
                  ORDER BY due_at LIMIT {2}) r) n
                WHERE n.number <= json_extract(w.value, '$[1]'))
              """
            : $$"""
              SELECT x.id AS "Id", x.session AS "SessionId" FROM jsonb_array_elements({1}::jsonb) w CROSS JOIN LATERAL (
                SELECT due.id, {{(session is null ? "NULL" : $"due.{session}")}} AS session FROM {{table}} due {{join}}
                WHERE due.{{endpoint}} = w.value ->> 0 AND due.state IN ('pending', 'retrying') AND due.due_at <= {0}
                ORDER BY due.due_at LIMIT (w.value ->> 1)::int FOR NO KEY UPDATE SKIP LOCKED) x
              """;
        var chosen = await db.Database.SqlQueryRaw<ChosenId>(
            sql, clock.GetUtcNow().ToUnixTimeMilliseconds(),
            JsonSerializer.Serialize(wanted.Select(pair => new object[] { pair.Key.ToString(), pair.Value })), wanted.Values.Max())
            .ToListAsync(cancellationToken);
        return chosen.ConvertAll(row => new ChosenRow(Guid.Parse(row.Id), row.SessionId is null ? null : Guid.Parse(row.SessionId)));
    }

    /// <summary>Claims rows that were chosen, and counts the attempt.</summary>
    /// <param name="db">The transaction.</param>
    /// <param name="chosen">Those.</param>
    /// <param name="also">What else is set of each, as in the SET of an UPDATE.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>As they are now, oldest first.</returns>
    public async Task<List<T>> ClaimAsync(AperturDb db, IEnumerable<ChosenRow> chosen, string? also, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var among = database.IsSqlite ? "SELECT value FROM json_each({4})" : "SELECT jsonb_array_elements_text({4}::jsonb)";
        var alsoSet = also is null ? "" : $", {also}";
        var sql =
            $$"""
            UPDATE {{Name(db)}}
            SET state = 'sending', attempts = attempts + 1, lease_token = {0}, lease_until = {1}, lease_node = {2}, updated_at = {3}{{alsoSet}}
            WHERE id IN ({{among}})
            RETURNING *
            """;
        var rows = await db.Set<T>()
            .FromSqlRaw(
                sql, Guid.CreateVersion7(now).ToString(), (now + Pump.Lease).ToUnixTimeMilliseconds(), Node.Name, now.ToUnixTimeMilliseconds(),
                JsonSerializer.Serialize(chosen.Select(row => row.Id)))
            .AsNoTracking()
            .ToListAsync(cancellationToken);
        return [.. rows.OrderBy(row => row.DueAt)];
    }

    /// <summary>Extends the leases of claims.</summary>
    public Task ExtendAsync(IReadOnlyCollection<Guid> leaseTokens, CancellationToken cancellationToken)
    {
        var until = clock.GetUtcNow() + Pump.Lease;
        var tokens = leaseTokens.Select(token => (Guid?)token).ToList();
        return database.WriteAsync(
            db => db.Set<T>()
                .Where(row => row.State == DeliveryState.Sending && tokens.Contains(row.LeaseToken))
                .ExecuteUpdateAsync(row => row.SetProperty(r => r.LeaseUntil, until), cancellationToken),
            cancellationToken);
    }

    /// <inheritdoc cref="IQueue.RebaseAsync"/>
    public Task RebaseAsync(ClockChange? change, CancellationToken cancellationToken) => database.WriteAsync(
        async db =>
        {
            if (change is { } known)
                await ShiftAsync(db, known, cancellationToken);
            else
                await EndFutureAsync(db, cancellationToken);
        },
        cancellationToken);

    private static async Task ShiftAsync(AperturDb db, ClockChange change, CancellationToken cancellationToken)
    {
        var (now, before) = (change.Now, change.Now - change.By);
        var earlier = before < now ? before : now;
        // Set forward, each row is moved once: another node finds that it was written after the change.
        var sql =
            $$"""
            UPDATE {{Name(db)}} SET due_at = due_at + {0}, due_cause = {1}, updated_at = {2}
            WHERE state IN ('pending', 'retrying') AND due_at > {3} AND ({0} < 0 OR updated_at <= {4})
            """;
        await db.Database.ExecuteSqlRawAsync(
            sql,
            [
                (long)change.By.TotalMilliseconds, DueCause.ClockChanged.WireName(), now.ToUnixTimeMilliseconds(),
                earlier.ToUnixTimeMilliseconds(), before.ToUnixTimeMilliseconds(),
            ],
            cancellationToken);
        await LeaseAnewAsync(db, now, row => row.LeaseUntil > earlier, cancellationToken);
    }

    /// <summary>Makes due what was written in the future: the clock was set back, by an unknown amount, while no server ran.</summary>
    private async Task EndFutureAsync(AperturDb db, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var future = now + WallClock.Tolerance;
        var latest = future + Pump.Lease;
        var due = Due.After(new DueEvent.ClockChanged(), now)!.Value;
        await db.Set<T>()
            .Where(row => (row.State == DeliveryState.Pending || row.State == DeliveryState.Retrying) && row.UpdatedAt > future)
            .ExecuteUpdateAsync(row => row.SetDue(due, now), cancellationToken);
        await LeaseAnewAsync(db, now, row => row.LeaseUntil > latest, cancellationToken);
    }

    private static Task LeaseAnewAsync(AperturDb db, DateTimeOffset now, Expression<Func<T, bool>> which, CancellationToken cancellationToken)
    {
        var until = now + Pump.Lease;
        return db.Set<T>().Where(row => row.State == DeliveryState.Sending).Where(which)
            .ExecuteUpdateAsync(row => row.SetProperty(r => r.LeaseUntil, until), cancellationToken);
    }

    /// <summary>Rows whose lease has expired: their process crashed.</summary>
    /// <param name="db">The transaction.</param>
    /// <param name="all">Also those whose lease still runs; right only when no other process uses the database.</param>
    public IQueryable<T> Abandoned(AperturDb db, bool all)
    {
        var expired = all ? DateTimeOffset.MaxValue.AddYears(-1000) : clock.GetUtcNow();
        return db.Set<T>().Where(row => row.State == DeliveryState.Sending && row.LeaseUntil < expired);
    }

    /// <summary>
    /// Puts abandoned rows back. The attempt stays counted: an image that brings the server down must not do so for ever.
    /// </summary>
    public Task<int> PutBackAsync(IQueryable<T> abandoned, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var due = Due.After(new DueEvent.Abandoned(), now)!.Value;
        return abandoned.ExecuteUpdateAsync(
            row => row
                .SetProperty(r => r.State, DeliveryState.Retrying)
                .SetProperty(r => r.LeaseToken, (Guid?)null)
                .SetProperty(r => r.LeaseUntil, (DateTimeOffset?)null)
                .SetProperty(r => r.LastError, IQueueRow.Abandoned)
                .SetDue(due, now),
            cancellationToken);
    }

    private static string Name(AperturDb db) => db.Set<T>().EntityType.GetTableName()!;

    private sealed record DueRow(string Id, string ProjectId, int Standing, int? Free);

    private sealed record ChosenId(string Id, string? SessionId);
}

/// <summary>A row of a queue that is about to be claimed.</summary>
internal readonly record struct ChosenRow(Guid Id, Guid? SessionId);
