using Apertur.Server.Storage;
using Apertur.Server.Work;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Deliveries;

/// <summary>
/// Takes deliveries from the queue, which is the table itself. Destinations first, rows second: a destination with fifty thousand due rows
/// costs and gets no more than one with three.
/// </summary>
internal sealed class Claims(Database database, SessionChanges changes, TimeProvider clock)
{
    /// <summary>The last error of a delivery whose attempt ended with its worker.</summary>
    public const string Abandoned = "The server stopped during the attempt.";

    /// <summary>Destinations that have something due, and how many may be under way at once over all nodes; null for no such limit.</summary>
    public async Task<IReadOnlyList<(Guid DestinationId, int? Free)>> DueDestinationsAsync(CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        await using var db = database.Open();
        // The recursion hops from one destination to the next along the index of waiting rows, whatever their number.
        var due = await db.Database.SqlQuery<DueDestination>(
            $"""
            WITH RECURSIVE waiting (id) AS (
              SELECT min(destination_id) FROM deliveries WHERE state IN ('pending', 'retrying')
              UNION ALL
              SELECT (SELECT min(destination_id) FROM deliveries WHERE state IN ('pending', 'retrying') AND destination_id > waiting.id)
              FROM waiting WHERE waiting.id IS NOT NULL
            )
            SELECT d.id AS "Id",
                   CAST(CASE WHEN d.lane_limit IS NULL OR d.deleted_at IS NOT NULL THEN NULL
                        ELSE d.lane_limit - (SELECT count(*) FROM deliveries s WHERE s.destination_id = d.id AND s.state = 'sending')
                        END AS INTEGER) AS "Free"
            FROM waiting JOIN destinations d ON d.id = waiting.id
            WHERE (d.deleted_at IS NOT NULL
                   OR (d.is_active AND d.parked_reason IS NULL AND (d.open_until IS NULL OR d.open_until <= {now})))
              AND EXISTS (SELECT 1 FROM deliveries w
                          WHERE w.destination_id = d.id AND w.state IN ('pending', 'retrying') AND w.due_at <= {now})
            """).ToListAsync(cancellationToken);
        return [.. due.Select(row => (Guid.Parse(row.Id), row.Free))];
    }

    /// <summary>Claims up to the given number of due deliveries for each destination, oldest first, and counts the attempt.</summary>
    public async Task<List<DeliveryRow>> TakeAsync(
        IReadOnlyList<(Guid DestinationId, int Most)> wanted, CancellationToken cancellationToken)
    {
        var taken = await database.WriteAsync(
            async db =>
            {
                var rows = new List<DeliveryRow>();
                foreach (var (destinationId, most) in wanted)
                    rows.AddRange(await TakeAsync(db, destinationId, most, cancellationToken));
                await TouchSessionsAsync(db, rows.Select(row => row.SessionId), cancellationToken);
                await StampStartsAsync(db, rows, cancellationToken);
                return rows;
            },
            cancellationToken);
        changes.Tell([.. taken.Select(row => row.SessionId).Distinct()]);
        return taken;
    }

    /// <summary>Keeps claims alive. A claim that is not among the answers has been lost to somebody else.</summary>
    public Task ExtendAsync(IReadOnlyCollection<Guid> leaseTokens, CancellationToken cancellationToken)
    {
        var until = clock.GetUtcNow() + Pump.Lease;
        var tokens = leaseTokens.Select(token => (Guid?)token).ToList();
        return database.WriteAsync(
            db => db.Deliveries
                .Where(row => row.State == DeliveryState.Sending && tokens.Contains(row.LeaseToken))
                .ExecuteUpdateAsync(row => row.SetProperty(r => r.LeaseUntil, until), cancellationToken),
            cancellationToken);
    }

    /// <summary>
    /// Puts back what a crashed worker held. The attempt stays counted: an image that brings the server down must not do so for ever.
    /// </summary>
    /// <param name="all">Also claims whose lease still runs; right only when no other process uses the database.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<int> ReleaseAbandonedAsync(bool all, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var expired = all ? DateTimeOffset.MaxValue.AddYears(-1000) : now;
        var released = await database.WriteAsync(
            async db =>
            {
                var abandoned = db.Deliveries.Where(row => row.State == DeliveryState.Sending && row.LeaseUntil < expired);
                var sessions = await abandoned.Select(row => row.SessionId).Distinct().ToListAsync(cancellationToken);
                if (sessions.Count == 0)
                    return (Count: 0, Sessions: sessions);

                await TouchSessionsAsync(db, sessions, cancellationToken);
                var count = await abandoned.Where(row => sessions.Contains(row.SessionId)).ExecuteUpdateAsync(
                    row => row
                        .SetProperty(r => r.State, DeliveryState.Retrying)
                        .SetProperty(r => r.LeaseToken, (Guid?)null)
                        .SetProperty(r => r.LeaseUntil, (DateTimeOffset?)null)
                        .SetProperty(r => r.LastError, Abandoned)
                        .SetProperty(r => r.DueAt, now)
                        .SetProperty(r => r.UpdatedAt, now),
                    cancellationToken);
                return (Count: count, Sessions: sessions);
            },
            cancellationToken);
        changes.Tell(released.Sessions);
        return released.Count;
    }

    private async Task<List<DeliveryRow>> TakeAsync(AperturDb db, Guid destinationId, int most, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var token = Guid.CreateVersion7(now);
        // SQLite's transaction excludes every other claimer; PostgreSQL's claimers step over each other's rows.
        var skipLocked = database.IsSqlite ? "" : "FOR UPDATE SKIP LOCKED";
        var sql =
            $$"""
            UPDATE deliveries
            SET state = 'sending', attempts = attempts + 1, lease_token = {0}, lease_until = {1}, updated_at = {2}
            WHERE id IN (SELECT id FROM deliveries
                         WHERE destination_id = {3} AND state IN ('pending', 'retrying') AND due_at <= {2}
                         ORDER BY due_at LIMIT {4} {{skipLocked}})
            RETURNING *
            """;
        var taken = await db.Deliveries
            .FromSqlRaw(
                sql, token.ToString(), (now + Pump.Lease).ToUnixTimeMilliseconds(), now.ToUnixTimeMilliseconds(), destinationId.ToString(), most)
            .AsNoTracking()
            .ToListAsync(cancellationToken);
        return [.. taken.OrderBy(row => row.DueAt).ThenBy(row => row.Id)];
    }

    private async Task TouchSessionsAsync(AperturDb db, IEnumerable<Guid> sessionIds, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        foreach (var session in await database.Locked(db.Sessions, sessionIds).ToListAsync(cancellationToken))
            session.Touch(now);
        await db.SaveChangesAsync(cancellationToken);
    }

    /// <summary>Marks first attempts for the event stream, all in one statement whatever the number of sessions.</summary>
    private static async Task StampStartsAsync(AperturDb db, List<DeliveryRow> taken, CancellationToken cancellationToken)
    {
        var first = taken.Where(row => row.StartedAt is null).Select(row => row.Id).ToList();
        if (first.Count > 0)
        {
            await db.Deliveries.Where(row => first.Contains(row.Id)).ExecuteUpdateAsync(
                row => row.SetProperty(
                    r => r.StartedAt,
                    r => db.Sessions.Where(session => session.Id == r.SessionId).Select(session => session.LastChanged).Single()),
                cancellationToken);
        }
    }

    private sealed record DueDestination(string Id, int? Free);
}
