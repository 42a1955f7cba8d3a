using Apertur.Server.Events;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Destinations;

/// <summary>
/// Closes the breakers of destinations that work again and get too little to show it by more than one photo, and writes the event of it.
/// </summary>
internal sealed partial class BreakerSweep(Database database, TimeProvider clock, ILogger<BreakerSweep> log) : BackgroundService
{
    private static readonly TimeSpan _every = TimeSpan.FromSeconds(10);

    /// <returns>How many breakers were closed.</returns>
    public async Task<int> RunOnceAsync(CancellationToken cancellationToken)
    {
        List<Guid> calm;
        var before = clock.GetUtcNow() - Queue.Breaker.Calm;
        await using (var db = database.Open())
        {
            calm = await db.Destinations
                .Where(d => d.Breaker.LaneLimit != null && d.Breaker.OpenUntil == null && d.Breaker.WindowStart <= before && d.DeletedAt == null)
                .Select(d => d.Id).ToListAsync(cancellationToken);
        }

        return calm.Count == 0 ? 0 : await database.WriteAsync(
            async db =>
            {
                var now = clock.GetUtcNow();
                var events = new EventOutbox(now);
                var closed = (await database.Locked(db.Destinations, calm).ToListAsync(cancellationToken)).FindAll(d => d.Breaker.Settle(now));
                closed.ForEach(destination => events.DestinationChanged(destination, wasFailing: true));
                await events.WriteAsync(db, cancellationToken);
                return closed.Count;
            },
            cancellationToken);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        WorkerLoop.EveryAsync(_every, RunOnceAsync, clock, LogFailure, stoppingToken);

    [LoggerMessage(EventName = "breakers.sweep.failed", Level = LogLevel.Error,
        Message = "Destinations that work again could not be looked for; it is tried again")]
    private partial void LogFailure(Exception exception);
}
