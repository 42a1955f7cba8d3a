using Apertur.Server.Queue;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Deliveries;

/// <summary>Images on their way to destinations, as the pump sees them.</summary>
internal sealed class DeliveryQueue(
    Database database, DeliveryRun run, SessionNotifier notifier, Settings settings, TimeProvider clock) : IQueue
{
    private readonly QueueTable<DeliveryRow> _table = new(database, "destination_id", clock);

    public int Lanes => settings.Delivery.Lanes;

    public int LanesPerEndpoint => settings.Delivery.LanesPerDestination;

    public async Task<IReadOnlyList<(Guid Endpoint, int? Free)>> DueAsync(CancellationToken cancellationToken)
    {
        var due = await _table.DueAsync<DueDestination>(
            """
            SELECT d.id AS "Id",
                   CAST(CASE WHEN d.lane_limit IS NULL OR d.deleted_at IS NOT NULL THEN NULL
                        ELSE d.lane_limit - (SELECT count(*) FROM deliveries s WHERE s.destination_id = d.id AND s.state = 'sending')
                        END AS INTEGER) AS "Free"
            FROM due JOIN destinations d ON d.id = due.id
            WHERE d.deleted_at IS NOT NULL OR (d.is_active AND d.parked_reason IS NULL AND (d.open_until IS NULL OR d.open_until <= {0}))
            """,
            cancellationToken);
        return [.. due.Select(row => (Guid.Parse(row.Id), row.Free))];
    }

    public async Task<IReadOnlyList<Claimed>> TakeAsync(
        IReadOnlyList<(Guid Endpoint, int Most)> wanted, CancellationToken cancellationToken)
    {
        var rows = await database.WriteAsync(
            async db =>
            {
                var taken = await _table.TakeAsync(db, wanted, cancellationToken);
                await TouchSessionsAsync(db, taken.Select(row => row.SessionId), cancellationToken);
                await StampStartsAsync(db, taken, cancellationToken);
                return taken;
            },
            cancellationToken);
        notifier.Publish([.. rows.Select(row => row.SessionId).Distinct()]);
        return rows.ConvertAll(
            row => new Claimed(row.Id, row.DestinationId, row.LeaseToken!.Value, stopping => run.RunAsync(row, stopping)));
    }

    public Task ExtendAsync(IReadOnlyCollection<Guid> leaseTokens, CancellationToken cancellationToken) =>
        _table.ExtendAsync(leaseTokens, cancellationToken);

    public async Task<int> ReleaseAbandonedAsync(bool all, CancellationToken cancellationToken)
    {
        var released = await database.WriteAsync(
            async db =>
            {
                var abandoned = _table.Abandoned(db, all);
                var sessions = await abandoned.Select(row => row.SessionId).Distinct().ToListAsync(cancellationToken);
                if (sessions.Count == 0)
                    return (Count: 0, Sessions: sessions);

                await TouchSessionsAsync(db, sessions, cancellationToken);
                var count = await _table.PutBackAsync(abandoned.Where(row => sessions.Contains(row.SessionId)), cancellationToken);
                return (Count: count, Sessions: sessions);
            },
            cancellationToken);
        notifier.Publish(released.Sessions);
        return released.Count;
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
