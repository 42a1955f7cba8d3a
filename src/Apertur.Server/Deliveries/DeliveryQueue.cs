using System.Text.Json;
using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Deliveries;

/// <summary>The queue of deliveries: images to destinations.</summary>
internal sealed class DeliveryQueue(
    Database database, DeliveryRun run, Settings settings, TimeProvider clock) : IQueue
{
    // A first attempt is a change of its session, by which the event stream finds it.
    private const string StampStart = "started_at = coalesce(started_at, (SELECT s.last_changed FROM sessions s WHERE s.id = session_id))";

    private readonly QueueTable<DeliveryRow> _table = new(
        database, "destination_id", "destinations", usable: "e.is_active AND e.parked_reason IS NULL", gone: "e.deleted_at IS NOT NULL", "session_id", clock);

    public int Lanes => settings.Delivery.Lanes;

    public int LanesPerEndpoint => settings.Delivery.LanesPerDestination;

    public int MaxLanesPerEndpoint => settings.Delivery.MaxLanesPerDestination;

    public Task<IReadOnlyList<DueEndpoint>> DueAsync(CancellationToken cancellationToken) => _table.DueAsync(cancellationToken);

    public async Task<IReadOnlyList<Claimed>> TakeAsync(IReadOnlyDictionary<Guid, int> wanted, CancellationToken cancellationToken)
    {
        // A claim writes to the session: one that somebody else holds keeps its own deliveries waiting, not everybody's.
        var (rows, subjects) = await database.WriteFreeAsync(
            async (db, onlyFree) =>
            {
                var chosen = await _table.ChooseAsync(db, wanted, onlyFree, cancellationToken);
                await TouchSessionsAsync(db, chosen.Select(row => row.SessionId!.Value), cancellationToken);
                var taken = await _table.ClaimAsync(db, chosen, StampStart, cancellationToken);
                return (taken, await DeliverySubject.ReadAsync(db, taken, cancellationToken));
            },
            cancellationToken);
        return rows.ConvertAll(row => Claimed(row, subjects[row.Id]));
    }

    /// <summary>A delivery that this process has claimed, to be run.</summary>
    public Claimed Claimed(DeliveryRow row, DeliverySubject about) =>
        new(row.Id, row.DestinationId, row.LeaseToken!.Value, (attempted, stopping) => run.RunAsync(row, about, attempted, stopping));

    public Task ExtendAsync(IReadOnlyCollection<Guid> leaseTokens, CancellationToken cancellationToken) =>
        _table.ExtendAsync(leaseTokens, cancellationToken);

    public Task RebaseAsync(ClockChange? change, CancellationToken cancellationToken) => _table.RebaseAsync(change, cancellationToken);

    public Task<int> ReleaseAbandonedAsync(bool all, CancellationToken cancellationToken) =>
        database.WriteAsync(
            async db =>
            {
                var abandoned = _table.Abandoned(db, all);
                // Each as often as it has some: told to name each once, SQLite would read all deliveries, in the order of sessions.
                var sessions = await abandoned.Select(row => row.SessionId).ToListAsync(cancellationToken);
                if (sessions.Count == 0)
                    return 0;

                await TouchSessionsAsync(db, sessions, cancellationToken);
                return await PutBackAsync(db, abandoned.Where(row => sessions.Contains(row.SessionId)), cancellationToken);
            },
            cancellationToken);

    private async Task<int> PutBackAsync(AperturDb db, IQueryable<DeliveryRow> abandoned, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        // Looked at again once they are locked: a worker that was thought dead may have extended its claim meanwhile.
        var ids = await database.Locked(db.Deliveries, await abandoned.Select(row => row.Id).ToListAsync(cancellationToken))
            .Select(row => row.Id).ToListAsync(cancellationToken);
        var rows = await abandoned.Where(row => ids.Contains(row.Id)).AsNoTracking().ToListAsync(cancellationToken);
        db.DeliveryAttempts.AddRange(rows.Select(row => new DeliveryAttempt
        {
            DeliveryId = row.Id,
            Number = row.AttemptsMade + 1,
            Node = row.LeaseNode,
            DueAt = row.DueAt,
            DueCause = row.DueCause,
            DueBy = row.DueBy,
            StartedAt = row.UpdatedAt,
            Outcome = AttemptOutcome.Abandoned,
            Reason = IQueueRow.Abandoned,
            NextAt = now,
            NextCause = DueCause.Abandoned,
        }));
        ids = rows.ConvertAll(row => row.Id);
        var put = db.Deliveries.Where(row => ids.Contains(row.Id));
        await put.ExecuteUpdateAsync(row => row.SetProperty(r => r.AttemptsMade, r => r.AttemptsMade + 1), cancellationToken);
        return await _table.PutBackAsync(put, cancellationToken);
    }

    private async Task TouchSessionsAsync(AperturDb db, IEnumerable<Guid> sessionIds, CancellationToken cancellationToken)
    {
        // What UploadSession.Touch does, in one statement whatever the number of sessions; the one before it takes the locks in order.
        var ids = database.IsSqlite ? [.. sessionIds]
            : await database.Locked(db.Sessions, sessionIds).Select(session => session.Id).ToListAsync(cancellationToken);
        db.Write.ChangedSessions.UnionWith(ids);
        var among = database.IsSqlite ? "SELECT value FROM json_each({1})" : "SELECT jsonb_array_elements_text({1}::jsonb)";
        var sql = $$"""UPDATE sessions SET last_changed = CASE WHEN {0} > last_changed THEN {0} ELSE last_changed + 1 END WHERE id IN ({{among}})""";
        await db.Database.ExecuteSqlRawAsync(
            sql, [clock.GetUtcNow().ToUnixTimeMilliseconds(), JsonSerializer.Serialize(ids)], cancellationToken);
    }
}
