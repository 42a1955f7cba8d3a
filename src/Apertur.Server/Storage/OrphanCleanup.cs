using Apertur.Server.Accounts;
using Apertur.Server.Renditions;
using Apertur.Server.Tus;

namespace Apertur.Server.Storage;

/// <summary>
/// Deletes what is no longer referred to, in the background: files that no row names go into <see cref="Quarantine"/> and, when nobody wanted
/// them for long enough, away; renditions that crashes left, photos that came in pieces and were not finished in time, and sign-ins, links and
/// guesses that are over, are removed. A node that only answers requests does this for its own disk alone, which no other sees.
/// </summary>
internal sealed partial class OrphanCleanup(
    Database database, BlobStore blobs, Quarantine quarantine, PartialUploads partials, RenditionStore renditions, ImagesOwner owner, Settings settings,
    TimeProvider clock, ILogger<OrphanCleanup> log)
    : BackgroundService
{
    private static readonly TimeSpan _every = TimeSpan.FromHours(1);

    public async Task RunOnceAsync(CancellationToken cancellationToken)
    {
        // All else is shared, and the workers'.
        if (settings.Role == NodeRole.Web)
        {
            await partials.SweepSpoolAsync(Quarantine.SafeAge, cancellationToken);
            return;
        }

        await SignIns.RemoveExpiredAsync(database, clock.GetUtcNow(), cancellationToken);
        // Somebody may have mounted another folder since the start, or claimed this one for another database.
        if (!await owner.HoldsAsync(cancellationToken))
        {
            LogForeign(blobs.Root);
            return;
        }

        await partials.RemoveExpiredAsync(Quarantine.SafeAge, cancellationToken);
        await renditions.SweepAsync(clock.GetUtcNow() - Quarantine.SafeAge, cancellationToken);
        await EmptyQuarantineAsync(cancellationToken);
        await SetAsideAsync(cancellationToken);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        WorkerLoop.EveryAsync(_every, RunOnceAsync, clock, LogFailure, stoppingToken);

    private async Task EmptyQuarantineAsync(CancellationToken cancellationToken)
    {
        var lastKept = DateOnly.FromDateTime(clock.GetUtcNow().UtcDateTime).AddDays(-settings.Storage.QuarantineDays);
        var expired = (await quarantine.SettleAsync(cancellationToken)).Where(file => file.Since < lastKept).ToList();
        foreach (var file in expired)
            await blobs.Blobs.DeleteAsync(file.Key, cancellationToken);
        if (expired.Count > 0)
            LogRemoved(expired.Count);
    }

    private async Task SetAsideAsync(CancellationToken cancellationToken)
    {
        await blobs.Blobs.DeleteDraftsAsync(clock.GetUtcNow() - Quarantine.SafeAge, cancellationToken);
        var setAside = await quarantine.SetAsideAsync(cancellationToken);
        if (setAside > 0)
            LogSetAside(setAside, settings.Storage.QuarantineDays);
    }

    [LoggerMessage(EventName = "orphans.quarantined", Level = LogLevel.Warning,
        Message = "orphans.quarantined {Files} files that no photo in the database names; 'fsck' lists them and can adopt them for {Days} days")]
    private partial void LogSetAside(int files, int days);

    [LoggerMessage(EventName = "orphans.removed", Level = LogLevel.Information, Message = "orphans.removed {Files} files from quarantine")]
    private partial void LogRemoved(int files);

    [LoggerMessage(EventName = "orphans.foreign", Level = LogLevel.Error,
        Message = "orphans.foreign The store of images, {Folder}, is not this database's any more, or is away; nothing in it was touched")]
    private partial void LogForeign(string folder);

    [LoggerMessage(EventName = "orphans.failed", Level = LogLevel.Error, Message = "The cleanup failed; it is tried again in an hour")]
    private partial void LogFailure(Exception exception);
}
