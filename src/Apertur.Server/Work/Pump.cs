using System.Collections.Concurrent;
using Apertur.Server.Deliveries;

namespace Apertur.Server.Work;

/// <summary>
/// Keeps deliveries flowing: claims what is due, one claimer a process, and runs it in bounded lanes. A signal starts the next round at
/// once; without one it looks every second, because the table is the truth and signals are only hints.
/// </summary>
internal sealed partial class Pump(Claims claims, DeliveryRun run, Signal signal, Settings settings, TimeProvider clock, ILogger<Pump> log)
    : BackgroundService
{
    private static readonly TimeSpan _idle = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan _heartbeat = Claims.Lease / 3;
    private static readonly TimeSpan _afterFailure = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<Guid, Running> _running = [];
    private readonly CancellationTokenSource _outOfPatience = new();

    /// <summary>Claims what is due and free lanes allow, and starts it.</summary>
    /// <returns>How many deliveries were started.</returns>
    public async Task<int> RunOnceAsync(CancellationToken cancellationToken)
    {
        var free = settings.Delivery.Lanes - _running.Count;
        if (free <= 0)
            return 0;

        var wanted = new List<(Guid, int)>();
        foreach (var (destination, limit) in await claims.DueDestinationsAsync(cancellationToken))
        {
            var busy = _running.Values.Count(running => running.Row.DestinationId == destination);
            var most = Math.Min(Math.Min(settings.Delivery.LanesPerDestination - busy, limit ?? int.MaxValue), free);
            if (most <= 0)
                continue;

            wanted.Add((destination, most));
            free -= most;
        }

        if (wanted.Count == 0)
            return 0;

        var taken = await claims.TakeAsync(wanted, cancellationToken);
        foreach (var row in taken)
            Start(row);
        return taken.Count;
    }

    /// <summary>Breaks off what runs here and matches. The attempts do not count.</summary>
    public void End(Func<DeliveryRow, bool> which)
    {
        foreach (var running in _running.Values.Where(running => which(running.Row)))
            running.End();
    }

    /// <summary>Waits until nothing that was started is still running.</summary>
    public Task DrainAsync() => Task.WhenAll(_running.Values.Select(running => running.Task));

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        var drained = DrainAsync();
        await drained.WaitAsync(TimeSpan.FromSeconds(settings.Delivery.StopSeconds), clock, cancellationToken)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _outOfPatience.CancelAsync();
        await drained;
    }

    public override void Dispose()
    {
        _outOfPatience.Dispose();
        base.Dispose();
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(ClaimAsync(stoppingToken), KeepLeasesAsync(stoppingToken));

    private async Task ClaimAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                if (await RunOnceAsync(stoppingToken) == 0)
                    await signal.WaitAsync(_idle, clock, stoppingToken);
            }
            catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
            {
                LogFailure(exception);
                await Task.Delay(_afterFailure, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private async Task KeepLeasesAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            await Task.Delay(_heartbeat, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            try
            {
                if (!_running.IsEmpty)
                    await claims.ExtendAsync([.. _running.Values.Select(running => running.Row.LeaseToken!.Value).Distinct()], stoppingToken);
                if (await claims.ReleaseAbandonedAsync(all: false, stoppingToken) > 0)
                    signal.Give();
            }
            catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
            {
                LogFailure(exception);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private void Start(DeliveryRow row)
    {
        var running = new Running(row, _outOfPatience.Token);
        _running[row.Id] = running;
        running.Task = Task.Run(async () =>
        {
            try
            {
                await run.RunAsync(row, running.Ended);
            }
            catch (Exception exception)
            {
                // The outcome could not be written: the claim runs out and the delivery is taken again.
                LogFailure(exception);
            }
            finally
            {
                _running.TryRemove(row.Id, out _);
                running.Dispose();
                signal.Give();
            }
        });
    }

    private sealed class Running(DeliveryRow row, CancellationToken stopping) : IDisposable
    {
        private readonly CancellationTokenSource _end = CancellationTokenSource.CreateLinkedTokenSource(stopping);

        public DeliveryRow Row => row;

        public Task Task { get; set; } = Task.CompletedTask;

        public CancellationToken Ended => _end.Token;

        public void End()
        {
            try
            {
                // Not on this thread: what is broken off goes on to write its outcome.
                _ = _end.CancelAsync();
            }
            catch (ObjectDisposedException)
            {
                // It has ended by itself.
            }
        }

        public void Dispose() => _end.Dispose();
    }

    [LoggerMessage(EventName = "pump.failed", Level = LogLevel.Error, Message = "The pump could not reach the database; it goes on")]
    private partial void LogFailure(Exception exception);
}
