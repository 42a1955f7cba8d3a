using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Queue;

/// <summary>Gives signs of life of this node to the others that share its database, and takes the row away when the node stops.</summary>
internal sealed partial class WorkerSigns(Database database, TimeProvider clock, ILogger<WorkerSigns> log) : BackgroundService
{
    private static readonly TimeSpan _every = Pump.Lease / 3;
    private static readonly TimeSpan _farewell = TimeSpan.FromSeconds(2);

    public Task RunOnceAsync(CancellationToken cancellationToken) => database.WriteAsync(
        async db =>
        {
            var now = clock.GetUtcNow();
            await db.Workers.Where(worker => worker.SeenAt < now - Worker.Mourned).ExecuteDeleteAsync(cancellationToken);
            if (await db.Workers.Where(worker => worker.Node == Node.Name)
                .ExecuteUpdateAsync(worker => worker.SetProperty(w => w.SeenAt, now), cancellationToken) == 0)
                db.Workers.Add(new Worker { Node = Node.Name, Version = Node.Version, SeenAt = now });
        },
        cancellationToken);

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        // Without a database nobody hears it, and nobody waits for that.
        Task farewell = database.WriteAsync(
            db => db.Workers.Where(worker => worker.Node == Node.Name).ExecuteDeleteAsync(cancellationToken), cancellationToken);
        await farewell.WaitAsync(_farewell, TimeProvider.System, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => WorkerLoop.RunAsync(
        async cancellationToken =>
        {
            await RunOnceAsync(cancellationToken);
            await Task.Delay(_every, clock, cancellationToken);
        },
        clock, _every, LogFailure, stoppingToken);

    [LoggerMessage(EventName = "worker.sign_failed", Level = LogLevel.Warning, Message = "worker.sign_failed: the database did not take a sign of life")]
    private partial void LogFailure(Exception exception);
}
