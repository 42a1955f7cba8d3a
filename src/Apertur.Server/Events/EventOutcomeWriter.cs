using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Events;

/// <summary>The outcome of one claimed event delivery.</summary>
/// <param name="Row">The delivery as it was claimed.</param>
/// <param name="Answer">What was answered; null when the server stopped first, and the attempt does not count.</param>
internal sealed record EventAttempt(EventDelivery Row, EventAnswer? Answer);

/// <summary>
/// Writes outcomes: the delivery's next state and what follows for its webhook, in one transaction. As with images, an outcome
/// counts only while the claim it belongs to still holds.
/// </summary>
internal sealed partial class EventOutcomeWriter
{
    private readonly Database _database;
    private readonly int _lanes;
    private readonly TimeProvider _clock;
    private readonly ILogger<EventOutcomeWriter> _log;
    private readonly GroupCommit<EventAttempt, Written> _commit;

    public EventOutcomeWriter(Database database, Settings settings, TimeProvider clock, ILogger<EventOutcomeWriter> log)
    {
        _database = database;
        _lanes = settings.Events.LanesPerWebhook;
        _clock = clock;
        _log = log;
        _commit = new GroupCommit<EventAttempt, Written>(database, Pump.OutcomeWait, outlastsOutage: true, RowsOf, WriteAsync);
    }

    /// <summary>Writes one outcome and gives the state the delivery has now; null when its claim was lost.</summary>
    public async Task<DeliveryState?> WriteAsync(EventAttempt attempt)
    {
        var written = await _commit.AddAsync(attempt);
        if (written.DisabledAfter is { } failures)
            LogDisabled(attempt.Row.WebhookId, failures);
        return written.State;
    }

    private static RowKey[] RowsOf(EventAttempt attempt) =>
        [new("event_webhooks", attempt.Row.WebhookId), new("event_deliveries", attempt.Row.Id)];

    private async Task<IReadOnlyList<Written>> WriteAsync(
        AperturDb db, IReadOnlyList<EventAttempt> attempts, CancellationToken cancellationToken)
    {
        // Everybody takes locks in this order: webhooks, deliveries.
        var webhooks = await _database.Locked(db.EventWebhooks, attempts.Select(a => a.Row.WebhookId))
            .ToDictionaryAsync(webhook => webhook.Id, cancellationToken);
        var rows = await _database.Locked(db.EventDeliveries, attempts.Select(a => a.Row.Id))
            .ToDictionaryAsync(row => row.Id, cancellationToken);

        var results = new List<Written>(attempts.Count);
        foreach (var (claimed, answer) in attempts)
        {
            var webhook = webhooks.GetValueOrDefault(claimed.WebhookId);
            var row = rows.GetValueOrDefault(claimed.Id);
            if (webhook is null || row is null || row.LeaseToken != claimed.LeaseToken)
            {
                results.Add(default);
                continue;
            }

            var isDisabled = Apply(answer, row, webhook);
            results.Add(new Written(row.State, isDisabled ? webhook.ConsecutiveFailures : null));
        }

        return results;
    }

    /// <returns>Whether this was the failure that switched the webhook off.</returns>
    private bool Apply(EventAnswer? answer, EventDelivery row, EventWebhook webhook)
    {
        var now = _clock.GetUtcNow();
        row.LeaseToken = null;
        row.LeaseUntil = null;
        row.UpdatedAt = now;
        if (answer is null)
        {
            row.State = DeliveryState.Retrying;
            row.Attempts--;
            row.Due = Due.After(new DueEvent.Stopped(), now)!.Value;
            return false;
        }

        row.Note(answer);
        // Only silence costs lanes; how many failures switch a webhook off is its owner's to say.
        var answered = answer.Status is not null;
        webhook.Breaker.Count(new BreakerSample(answered, answered, answer.TimedOut, TimeSpan.FromMilliseconds(answer.DurationMs)), _lanes, now);
        if (answer.Accepted)
        {
            row.State = DeliveryState.Sent;
            webhook.ConsecutiveFailures = 0;
        }
        else if (Due.After(new DueEvent.Failed(webhook.WaitAfter(row.Attempts), OpenUntil: webhook.Breaker.OpenUntil), now) is { } due)
        {
            row.State = DeliveryState.Retrying;
            row.Due = due;
        }
        else
        {
            row.State = DeliveryState.Failed;
            return webhook.CountFailure(now);
        }

        return false;
    }

    /// <summary>What a commit wrote for one attempt. It is told after the commit, because its transaction may be run again.</summary>
    /// <param name="State">What the delivery is now; null when its claim was lost.</param>
    /// <param name="DisabledAfter">How many failures in a row switched the webhook off; null when this was not the one that did.</param>
    private readonly record struct Written(DeliveryState? State, int? DisabledAfter);

    [LoggerMessage(EventName = "event_webhook.disabled", Level = LogLevel.Warning,
        Message = "event_webhook.disabled {Webhook} after {Failures} failures in a row")]
    private partial void LogDisabled(Guid webhook, int failures);
}
