using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Events;

/// <summary>The rows that an attempt needs.</summary>
internal sealed record EventSubject(EventWebhook Webhook, LoggedEvent Event)
{
    /// <summary>Reads them for many deliveries, in one statement for each table. A delivery whose webhook was deleted has none.</summary>
    public static async Task<IReadOnlyDictionary<Guid, EventSubject>> ReadAsync(
        AperturDb db, IReadOnlyCollection<EventDelivery> rows, CancellationToken cancellationToken)
    {
        if (rows.Count == 0)
            return new Dictionary<Guid, EventSubject>();

        var (webhookIds, eventIds) = (rows.Select(row => row.WebhookId).Distinct().ToList(), rows.Select(row => row.EventId).Distinct().ToList());
        var webhooks = await db.EventWebhooks.AsNoTracking().Where(webhook => webhookIds.Contains(webhook.Id))
            .ToDictionaryAsync(webhook => webhook.Id, cancellationToken);
        var events = await db.EventLog.AsNoTracking().Where(logged => eventIds.Contains(logged.Id))
            .ToDictionaryAsync(logged => logged.Id, cancellationToken);
        var subjects = new Dictionary<Guid, EventSubject>(rows.Count);
        foreach (var row in rows)
        {
            if (webhooks.TryGetValue(row.WebhookId, out var webhook) && events.TryGetValue(row.EventId, out var logged))
                subjects[row.Id] = new EventSubject(webhook, logged);
        }

        return subjects;
    }
}
