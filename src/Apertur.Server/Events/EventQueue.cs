using Apertur.Server.Queue;
using Apertur.Server.Storage;

namespace Apertur.Server.Events;

/// <summary>The queue of event deliveries: events to webhooks. A webhook that is switched off keeps what waits for it.</summary>
internal sealed class EventQueue(Database database, EventRun run, Settings settings, TimeProvider clock) : IQueue
{
    private readonly QueueTable<EventDelivery> _table = new(
        database, "webhook_id", "event_webhooks", usable: "e.is_active", gone: "1 = 0", session: null, clock);

    public int Lanes => settings.Events.Lanes;

    public int LanesPerEndpoint => settings.Events.LanesPerWebhook;

    public int MaxLanesPerEndpoint => settings.Events.MaxLanesPerWebhook;

    public Task<IReadOnlyList<DueEndpoint>> DueAsync(CancellationToken cancellationToken) => _table.DueAsync(cancellationToken);

    public async Task<IReadOnlyList<Claimed>> TakeAsync(IReadOnlyDictionary<Guid, int> wanted, CancellationToken cancellationToken)
    {
        var (rows, subjects) = await database.WriteAsync(
            async db =>
            {
                var chosen = await _table.ChooseAsync(db, wanted, onlyFree: false, cancellationToken);
                var taken = await _table.ClaimAsync(db, chosen, also: null, cancellationToken);
                return (taken, await EventSubject.ReadAsync(db, taken, cancellationToken));
            },
            cancellationToken);
        return rows.ConvertAll(row => new Claimed(
            row.Id, row.WebhookId, row.LeaseToken!.Value, (attempted, stopping) => run.RunAsync(row, subjects.GetValueOrDefault(row.Id), attempted, stopping)));
    }

    public Task ExtendAsync(IReadOnlyCollection<Guid> leaseTokens, CancellationToken cancellationToken) =>
        _table.ExtendAsync(leaseTokens, cancellationToken);

    public Task RebaseAsync(ClockChange? change, CancellationToken cancellationToken) => _table.RebaseAsync(change, cancellationToken);

    public Task<int> ReleaseAbandonedAsync(bool all, CancellationToken cancellationToken) =>
        database.WriteAsync(db => _table.PutBackAsync(_table.Abandoned(db, all), cancellationToken), cancellationToken);
}
