using Apertur.Server.Queue;
using Apertur.Server.Telemetry;

namespace Apertur.Server.Events;

/// <summary>One attempt to send one event to one webhook: send, and write the outcome.</summary>
internal sealed partial class EventRun(
    EventRequests requests, EventOutcomeWriter outcomes, TimeProvider clock, ILogger<EventRun> log)
{
    /// <param name="row">A delivery that this process has claimed.</param>
    /// <param name="about">What it is about; null when the webhook was deleted.</param>
    /// <param name="attempted">Told whether the webhook took it, before that is written.</param>
    /// <param name="stopping">Cancelled when the time to stop is up.</param>
    public async Task RunAsync(EventDelivery row, EventSubject? about, Action<bool> attempted, CancellationToken stopping)
    {
        var started = clock.GetTimestamp();
        var answer = await AttemptAsync(row, about, stopping);
        attempted(answer is { Accepted: true });
        var state = await outcomes.WriteAsync(new EventAttempt(row, answer));
        var took = clock.GetElapsedTime(started);
        Instruments.EventAttempts.Record(took.TotalSeconds, new KeyValuePair<string, object?>("outcome", answer is null ? "Stopped" : answer.Accepted ? "Accepted" : "TryAgain"));
        LogAttempt(row.Id, row.Topic, row.WebhookId, row.Attempts, answer?.Status, state, took.TotalMilliseconds, answer?.Error);
    }

    private async Task<EventAnswer?> AttemptAsync(EventDelivery row, EventSubject? about, CancellationToken stopping)
    {
        try
        {
            return about is null
                ? new EventAnswer(false, null, null, 0, "The webhook was deleted.")
                : await requests.SendAsync(about.Webhook, about.Event, row, stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            return null;
        }
        catch (Exception exception)
        {
            LogThrown(row.Id, exception);
            return new EventAnswer(false, null, null, 0, "The attempt failed for an unexpected reason.");
        }
    }

    [LoggerMessage(EventName = "event.attempted", Level = LogLevel.Information,
        Message = "event.attempted {Delivery} {Topic} to {Webhook} attempt {Attempt}: "
            + "{Status} -> {State} in {Milliseconds:F0} ms {Reason}")]
    private partial void LogAttempt(
        Guid delivery, string topic, Guid webhook, int attempt, int? status, DeliveryState? state, double milliseconds,
        string? reason);

    [LoggerMessage(EventName = "event.threw", Level = LogLevel.Warning, Message = "Event delivery {Delivery} threw")]
    private partial void LogThrown(Guid delivery, Exception exception);
}
