using Apertur.Server.Queue;
using Apertur.Server.Storage;

namespace Apertur.Server.Events;

/// <summary>Events on their way to webhooks, as the pump sees them. A webhook that is switched off keeps what waits for it.</summary>
internal sealed class EventQueue(Database database, EventRun run, Settings settings, TimeProvider clock) : IQueue
{
    private readonly QueueTable<EventDelivery> _table = new(database, "webhook_id", clock);

    public int Lanes => settings.Events.Lanes;

    public int LanesPerEndpoint => settings.Events.LanesPerWebhook;

    public async Task<IReadOnlyList<(Guid Endpoint, int? Free)>> DueAsync(CancellationToken cancellationToken)
    {
        var due = await _table.DueAsync<string>(
            """
            SELECT w.id AS "Value" FROM due JOIN event_webhooks w ON w.id = due.id WHERE w.is_active
            """,
            cancellationToken);
        return [.. due.Select(id => (Guid.Parse(id), (int?)null))];
    }

    public async Task<IReadOnlyList<Claimed>> TakeAsync(
        IReadOnlyList<(Guid Endpoint, int Most)> wanted, CancellationToken cancellationToken)
    {
        var rows = await database.WriteAsync(db => _table.TakeAsync(db, wanted, cancellationToken), cancellationToken);
        return rows.ConvertAll(
            row => new Claimed(row.Id, row.WebhookId, row.LeaseToken!.Value, stopping => run.RunAsync(row, stopping)));
    }

    public Task ExtendAsync(IReadOnlyCollection<Guid> leaseTokens, CancellationToken cancellationToken) =>
        _table.ExtendAsync(leaseTokens, cancellationToken);

    public Task<int> ReleaseAbandonedAsync(bool all, CancellationToken cancellationToken) =>
        database.WriteAsync(db => _table.PutBackAsync(_table.Abandoned(db, all), cancellationToken), cancellationToken);
}
