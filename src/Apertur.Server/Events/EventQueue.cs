using Apertur.Server.Deliveries;
using Apertur.Server.Storage;
using Apertur.Server.Work;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Events;

/// <summary>
/// Events on their way to webhooks, as the pump sees them. Webhooks first, rows second, as with images; a webhook that is
/// switched off keeps what waits for it.
/// </summary>
internal sealed class EventQueue(Database database, EventRun run, Settings settings, TimeProvider clock) : IQueue
{
    public int Lanes => settings.Events.Lanes;

    public int LanesPerEndpoint => settings.Events.LanesPerWebhook;

    public async Task<IReadOnlyList<(Guid Endpoint, int? Free)>> DueAsync(CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        await using var db = database.Open();
        // The recursion hops from one webhook to the next along the index of waiting rows, whatever their number.
        var due = await db.Database.SqlQuery<string>(
            $"""
            WITH RECURSIVE waiting (id) AS (
              SELECT min(webhook_id) FROM event_deliveries WHERE state IN ('pending', 'retrying')
              UNION ALL
              SELECT (SELECT min(webhook_id) FROM event_deliveries
                      WHERE state IN ('pending', 'retrying') AND webhook_id > waiting.id)
              FROM waiting WHERE waiting.id IS NOT NULL
            )
            SELECT w.id AS "Value"
            FROM waiting JOIN event_webhooks w ON w.id = waiting.id
            WHERE w.is_active
              AND EXISTS (SELECT 1 FROM event_deliveries d
                          WHERE d.webhook_id = w.id AND d.state IN ('pending', 'retrying') AND d.due_at <= {now})
            """).ToListAsync(cancellationToken);
        return [.. due.Select(id => (Guid.Parse(id), (int?)null))];
    }

    public async Task<IReadOnlyList<Claimed>> TakeAsync(
        IReadOnlyList<(Guid Endpoint, int Most)> wanted, CancellationToken cancellationToken)
    {
        var rows = await database.WriteAsync(
            async db =>
            {
                var taken = new List<EventDelivery>();
                foreach (var (webhookId, most) in wanted)
                    taken.AddRange(await TakeAsync(db, webhookId, most, cancellationToken));
                return taken;
            },
            cancellationToken);
        return rows.ConvertAll(
            row => new Claimed(row.Id, row.WebhookId, row.LeaseToken!.Value, stopping => run.RunAsync(row, stopping)));
    }

    public Task ExtendAsync(IReadOnlyCollection<Guid> leaseTokens, CancellationToken cancellationToken)
    {
        var until = clock.GetUtcNow() + Pump.Lease;
        var tokens = leaseTokens.Select(token => (Guid?)token).ToList();
        return database.WriteAsync(
            db => db.EventDeliveries
                .Where(row => row.State == DeliveryState.Sending && tokens.Contains(row.LeaseToken))
                .ExecuteUpdateAsync(row => row.SetProperty(r => r.LeaseUntil, until), cancellationToken),
            cancellationToken);
    }

    public Task<int> ReleaseAbandonedAsync(bool all, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var expired = all ? DateTimeOffset.MaxValue.AddYears(-1000) : now;
        return database.WriteAsync(
            db => db.EventDeliveries
                .Where(row => row.State == DeliveryState.Sending && row.LeaseUntil < expired)
                .ExecuteUpdateAsync(
                    row => row
                        .SetProperty(r => r.State, DeliveryState.Retrying)
                        .SetProperty(r => r.LeaseToken, (Guid?)null)
                        .SetProperty(r => r.LeaseUntil, (DateTimeOffset?)null)
                        .SetProperty(r => r.LastError, "The server stopped during the attempt.")
                        .SetProperty(r => r.DueAt, now)
                        .SetProperty(r => r.UpdatedAt, now),
                    cancellationToken),
            cancellationToken);
    }

    private async Task<List<EventDelivery>> TakeAsync(AperturDb db, Guid webhookId, int most, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var token = Guid.CreateVersion7(now);
        // SQLite's transaction excludes every other claimer; PostgreSQL's claimers step over each other's rows.
        var skipLocked = database.IsSqlite ? "" : "FOR UPDATE SKIP LOCKED";
        var sql =
            $$"""
            UPDATE event_deliveries
            SET state = 'sending', attempts = attempts + 1, lease_token = {0}, lease_until = {1}, updated_at = {2}
            WHERE id IN (SELECT id FROM event_deliveries
                         WHERE webhook_id = {3} AND state IN ('pending', 'retrying') AND due_at <= {2}
                         ORDER BY due_at LIMIT {4} {{skipLocked}})
            RETURNING *
            """;
        var taken = await db.EventDeliveries
            .FromSqlRaw(
                sql, token.ToString(), (now + Pump.Lease).ToUnixTimeMilliseconds(), now.ToUnixTimeMilliseconds(),
                webhookId.ToString(), most)
            .AsNoTracking()
            .ToListAsync(cancellationToken);
        return [.. taken.OrderBy(row => row.DueAt).ThenBy(row => row.Id)];
    }
}
