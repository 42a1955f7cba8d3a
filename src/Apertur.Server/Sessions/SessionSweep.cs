using Apertur.Server.Events;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Sessions;

/// <summary>Marks sessions that have expired as over, and writes their events.</summary>
internal sealed partial class SessionSweep(Database database, TimeProvider clock,
    ILogger<SessionSweep> log)
    : BackgroundService
{
    private static readonly TimeSpan _every = TimeSpan.FromSeconds(10);
    private const int BatchSize = 100;

    /// <returns>How many sessions were found to have ended.</returns>
    public async Task<int> RunOnceAsync(CancellationToken cancellationToken)
    {
        var ended = 0;
        while (await DueAsync(cancellationToken) is { Count: > 0 } due)
        {
            var noted = await database.WriteAsync(
                async db =>
                {
                    var now = clock.GetUtcNow();
                    var sessions = await database.Locked(db.Sessions, due).ToListAsync(cancellationToken);
                    var events = new EventOutbox(now);
                    var over = sessions.Count(session => SessionEnd.Note(session, now, events));
                    await events.WriteAsync(db, cancellationToken);
                    return over;
                },
                cancellationToken);
            ended += noted;
        }

        return ended;
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        WorkerLoop.EveryAsync(_every, RunOnceAsync, clock, LogFailure, stoppingToken);

    private async Task<List<Guid>> DueAsync(CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        await using var db = database.Open();
        return await db.Sessions.Where(session => session.OverAt == null && session.ExpiresAt <= now)
            .OrderBy(session => session.ExpiresAt).Take(BatchSize).Select(session => session.Id).ToListAsync(cancellationToken);
    }

    [LoggerMessage(EventName = "sessions.sweep.failed", Level = LogLevel.Error,
        Message = "Expired sessions could not be looked for; it is tried again")]
    private partial void LogFailure(Exception exception);
}
