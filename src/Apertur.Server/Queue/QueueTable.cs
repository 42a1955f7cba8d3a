using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Queue;

/// <summary>
/// A table as a queue. Endpoints first, rows second: an endpoint with fifty thousand due rows costs and gets no more than one with three.
/// </summary>
/// <param name="database">Where the table is.</param>
/// <param name="endpoint">The column that says what a row is for.</param>
/// <param name="clock">Says what is due.</param>
internal sealed class QueueTable<T>(Database database, string endpoint, TimeProvider clock)
    where T : class, IQueueRow
{
    /// <summary>What is read of the endpoints that have something due.</summary>
    /// <param name="select">The query, with <c>due</c> as a table of their <c>id</c>s, and <c>{0}</c> as the time.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<List<TDue>> DueAsync<TDue>(string select, CancellationToken cancellationToken)
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
            ), due (id) AS (
              SELECT id FROM waiting
              WHERE EXISTS (SELECT 1 FROM {{table}}
                            WHERE {{endpoint}} = waiting.id AND state IN ('pending', 'retrying') AND due_at <= {0})
            )
            {{select}}
            """;
        return await db.Database.SqlQueryRaw<TDue>(sql, clock.GetUtcNow().ToUnixTimeMilliseconds()).ToListAsync(cancellationToken);
    }

    /// <summary>Claims up to the given number of due rows for each endpoint, oldest first, and counts the attempt.</summary>
    public async Task<List<T>> TakeAsync(
        AperturDb db, IReadOnlyList<(Guid Endpoint, int Most)> wanted, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var table = Name(db);
        // SQLite's transaction excludes every other claimer; PostgreSQL's claimers step over each other's rows.
        var skipLocked = database.IsSqlite ? "" : "FOR UPDATE SKIP LOCKED";
        var sql =
            $$"""
            UPDATE {{table}}
            SET state = 'sending', attempts = attempts + 1, lease_token = {0}, lease_until = {1}, updated_at = {2}
            WHERE id IN (SELECT id FROM {{table}}
                         WHERE {{endpoint}} = {3} AND state IN ('pending', 'retrying') AND due_at <= {2}
                         ORDER BY due_at LIMIT {4} {{skipLocked}})
            RETURNING *
            """;
        var taken = new List<T>();
        foreach (var (id, most) in wanted)
        {
            var token = Guid.CreateVersion7(now);
            var rows = await db.Set<T>()
                .FromSqlRaw(
                    sql, token.ToString(), (now + Pump.Lease).ToUnixTimeMilliseconds(), now.ToUnixTimeMilliseconds(), id.ToString(), most)
                .AsNoTracking()
                .ToListAsync(cancellationToken);
            taken.AddRange(rows.OrderBy(row => row.DueAt).ThenBy(row => row.Id));
        }

        return taken;
    }

    /// <summary>Keeps claims alive.</summary>
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

    /// <summary>Rows that a crashed process held.</summary>
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
        return abandoned.ExecuteUpdateAsync(
            row => row
                .SetProperty(r => r.State, DeliveryState.Retrying)
                .SetProperty(r => r.LeaseToken, (Guid?)null)
                .SetProperty(r => r.LeaseUntil, (DateTimeOffset?)null)
                .SetProperty(r => r.LastError, IQueueRow.Abandoned)
                .SetProperty(r => r.DueAt, now)
                .SetProperty(r => r.UpdatedAt, now),
            cancellationToken);
    }

    private static string Name(AperturDb db) => db.Set<T>().EntityType.GetTableName()!;
}
