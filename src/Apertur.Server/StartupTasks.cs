using Apertur.Server.Encryption;
using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server;

/// <summary>What happens before the first request: the schema is brought up to date, and work that a crash left behind is taken up.</summary>
internal sealed class StartupTasks(Database database, BlobStore blobs, IEnumerable<IQueue> queues, ServerKeyPair keyPair) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await Migrator.RunAsync(database, cancellationToken);
        await AssertMountedAsync(cancellationToken);
        await keyPair.LoadAsync(cancellationToken);
        // SQLite belongs to one server (see DataLock): whatever is marked as sending was sent by a process that is gone.
        foreach (var queue in database.IsSqlite ? queues : [])
            await queue.ReleaseAbandonedAsync(all: true, cancellationToken);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>
    /// A file system that is not mounted looks like one whose photos are all gone, and gone photos are given up at every destination.
    /// </summary>
    private async Task AssertMountedAsync(CancellationToken cancellationToken)
    {
        await using var db = database.Open();
        if (blobs.IsEmpty && await db.Uploads.AnyAsync(cancellationToken))
        {
            throw new InvalidOperationException(
                $"The folder of images, {blobs.Root}, is empty, but there are photos in the database. Is its file system mounted? "
                + "If the photos are gone for good, put any file there and start again.");
        }
    }
}
