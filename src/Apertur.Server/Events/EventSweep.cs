using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Events;

/// <summary>Forgets events that are older than the history goes back.</summary>
internal sealed partial class EventSweep(Database database, Settings settings, TimeProvider clock, ILogger<EventSweep> log)
    : BackgroundService
{
    private static readonly TimeSpan _every = TimeSpan.FromHours(1);
    private const int BatchSize = 500;

    /// <returns>How many events were removed.</returns>
    public async Task<int> RunOnceAsync(CancellationToken cancellationToken)
    {
        var before = clock.GetUtcNow() - TimeSpan.FromDays(settings.Events.KeepDays);
        var removed = 0;
        int batch;
        do
        {
            // Small transactions: uploads wait for this on SQLite.
            batch = await database.WriteAsync(
                async db =>
                {
                    var old = await db.EventLog.Where(happened => happened.CreatedAt < before)
                        .OrderBy(happened => happened.CreatedAt).Take(BatchSize).Select(happened => happened.Id)
                        .ToListAsync(cancellationToken);
                    if (old.Count == 0)
                        return 0;
                    await db.EventDeliveries.Where(row => old.Contains(row.EventId)).ExecuteDeleteAsync(cancellationToken);
                    return await db.EventLog.Where(happened => old.Contains(happened.Id)).ExecuteDeleteAsync(cancellationToken);
                },
                cancellationToken);
            removed += batch;
        }
        while (batch == BatchSize);

        if (removed > 0)
            LogRemoved(removed);
        return removed;
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        WorkerLoop.EveryAsync(_every, RunOnceAsync, clock, LogFailure, stoppingToken);

    [LoggerMessage(EventName = "events.removed", Level = LogLevel.Information, Message = "events.removed {Events} old events")]
    private partial void LogRemoved(int events);

    [LoggerMessage(EventName = "events.sweep.failed", Level = LogLevel.Error,
        Message = "Old events could not be removed; it is tried again in an hour")]
    private partial void LogFailure(Exception exception);
}
