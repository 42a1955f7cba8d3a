using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Events;

/// <summary>Removes events that are older than the retention of the history.</summary>
internal sealed partial class EventSweep(Database database, Settings settings, TimeProvider clock, ILogger<EventSweep> log)
    : BackgroundService
{
    private static readonly TimeSpan _every = TimeSpan.FromHours(1);

    /// <returns>How many events were removed.</returns>
    public async Task<long> RunOnceAsync(CancellationToken cancellationToken)
    {
        var before = clock.GetUtcNow() - TimeSpan.FromDays(settings.Events.KeepDays);
        var removed = await SmallSteps.RunAsync(most => RemoveAsync(before, most, cancellationToken), cancellationToken);
        if (removed > 0)
            LogRemoved(removed);
        return removed;
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        WorkerLoop.EveryAsync(_every, RunOnceAsync, clock, LogFailure, stoppingToken);

    private Task<int> RemoveAsync(DateTimeOffset before, int most, CancellationToken cancellationToken) => database.WriteAsync(
        async db =>
        {
            var old = await db.EventLog.Where(logged => logged.CreatedAt < before)
                .OrderBy(logged => logged.CreatedAt).Take(most).Select(logged => logged.Id).ToListAsync(cancellationToken);
            await db.EventDeliveries.Where(row => old.Contains(row.EventId)).ExecuteDeleteAsync(cancellationToken);
            return await db.EventLog.Where(logged => old.Contains(logged.Id)).ExecuteDeleteAsync(cancellationToken);
        },
        cancellationToken);

    [LoggerMessage(EventName = "events.removed", Level = LogLevel.Information, Message = "events.removed {Events} old events")]
    private partial void LogRemoved(long events);

    [LoggerMessage(EventName = "events.sweep.failed", Level = LogLevel.Error,
        Message = "Old events could not be removed; it is tried again in an hour")]
    private partial void LogFailure(Exception exception);
}
