using Apertur.Server.Encryption;
using Apertur.Server.Queue;
using Apertur.Server.Storage;

namespace Apertur.Server;

/// <summary>Tasks that run before the first request: migrating the schema and recovering work that a crash interrupted.</summary>
internal sealed class StartupTasks(Database database, ImagesOwner owner, IEnumerable<IQueue> queues, ServerKeyPair keyPair) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await Migrator.RunAsync(database, cancellationToken);
        await owner.AssertAsync(cancellationToken);
        await keyPair.LoadAsync(cancellationToken);
        foreach (var queue in queues)
            await queue.RebaseAsync(change: null, cancellationToken);
        // SQLite belongs to one server (see DataLock): whatever is marked as sending was sent by a process that is gone.
        foreach (var queue in database.IsSqlite ? queues : [])
            await queue.ReleaseAbandonedAsync(all: true, cancellationToken);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
