using System.Diagnostics.Metrics;
using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Telemetry;

/// <summary>
/// What stands in the database and on the disk, looked up every few seconds and not at each scrape, which anybody may repeat as fast as they like. Where nodes
/// share a database each shows the same.
/// </summary>
internal sealed partial class StateGauges : BackgroundService
{
    private static readonly TimeSpan _interval = TimeSpan.FromSeconds(15);

    private readonly Meter _meter = new(Instruments.Name);
    private readonly Database _database;
    private readonly BlobStore _blobs;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private State? _state;

    public StateGauges(Database database, BlobStore blobs, TimeProvider clock, ILogger<StateGauges> log)
    {
        (_database, _blobs, _clock, _log) = (database, blobs, clock, log);
        _meter.CreateObservableGauge("apertur.queue.depth", () => Queues(queue => queue.Open), "{row}", "Deliveries that are not sent or failed yet.");
        _meter.CreateObservableGauge("apertur.queue.oldest.age", () => Queues(queue => queue.OldestDueSeconds), "s", "How long the row that is due longest has been due.");
        _meter.CreateObservableGauge("apertur.destinations.open", () => One(state => state.BreakersOpen), "{destination}", "Destinations that get nothing at the moment because they fail.");
        _meter.CreateObservableGauge("apertur.destinations.parked", () => One(state => state.Parked), "{destination}", "Destinations that wait for their owner.");
        _meter.CreateObservableGauge("apertur.storage.free", () => One(state => state.FreeBytes), "By", "Free space where the photos are; nothing where they are in an object store.");
    }

    public override void Dispose()
    {
        _meter.Dispose();
        base.Dispose();
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        WorkerLoop.RunAsync(
            async cancellationToken =>
            {
                await LookAsync(cancellationToken);
                await Task.Delay(_interval, _clock, cancellationToken);
            },
            _clock, _interval, LogFailure, stoppingToken);

    private async Task LookAsync(CancellationToken cancellationToken)
    {
        await using var db = _database.Open();
        var now = _clock.GetUtcNow();
        _state = new State(
            await QueueAsync("deliveries", db.Deliveries, now, cancellationToken),
            await QueueAsync("events", db.EventDeliveries, now, cancellationToken),
            await db.Destinations.LongCountAsync(row => row.DeletedAt == null && row.Breaker.OpenUntil > now, cancellationToken),
            await db.Destinations.LongCountAsync(row => row.DeletedAt == null && row.ParkedReason != null, cancellationToken),
            _blobs.FreeBytes);
    }

    private static async Task<QueueState> QueueAsync<T>(string name, IQueryable<T> rows, DateTimeOffset now, CancellationToken cancellationToken)
        where T : class, IQueueRow
    {
        // The states of the index that the queue itself goes by.
        var waiting = rows.Where(row => row.State == DeliveryState.Pending || row.State == DeliveryState.Retrying);
        var oldest = await waiting.MinAsync(row => (DateTimeOffset?)row.DueAt, cancellationToken);
        var open = await waiting.LongCountAsync(cancellationToken)
            + await rows.LongCountAsync(row => row.State == DeliveryState.Sending, cancellationToken);
        return new QueueState(name, open, oldest is { } due && due < now ? (now - due).TotalSeconds : 0);
    }

    private IEnumerable<Measurement<T>> Queues<T>(Func<QueueState, T> value)
        where T : struct =>
        _state is not { } state ? [] : new[] { state.Deliveries, state.Events }
            .Select(queue => new Measurement<T>(value(queue), new KeyValuePair<string, object?>("queue", queue.Name)));

    private IEnumerable<Measurement<long>> One(Func<State, long?> value) => _state is { } state && value(state) is { } known ? [new(known)] : [];

    private sealed record QueueState(string Name, long Open, double OldestDueSeconds);

    private sealed record State(QueueState Deliveries, QueueState Events, long BreakersOpen, long Parked, long? FreeBytes);

    [LoggerMessage(EventName = "gauges.failed", Level = LogLevel.Warning, Message = "The state for the metrics could not be looked up")]
    private partial void LogFailure(Exception exception);
}
