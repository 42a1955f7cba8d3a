using Apertur.Server.Encryption;
using Apertur.Server.Queue;
using Apertur.Server.Storage;

namespace Apertur.Server;

/// <summary>What happens before the first request: the schema is brought up to date, and work that a crash left behind is taken up.</summary>
internal sealed class StartupTasks(Database database, ImagesOwner owner, IEnumerable<IQueue> queues, ServerKeyPair keyPair) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await Migrator.RunAsync(database, cancellationToken);
        await owner.AssertAsync(cancellationToken);
        await keyPair.LoadAsync(cancellationToken);
        // SQLite belongs to one server (see DataLock): whatever is marked as sending was sent by a process that is gone.
        foreach (var queue in database.IsSqlite ? queues : [])
            await queue.ReleaseAbandonedAsync(all: true, cancellationToken);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
