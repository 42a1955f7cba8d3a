using Apertur.Server.Http;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Retention;

/// <summary>
/// Removes what only tells of the past when it is old enough, in small steps: audit log, attempts at deliveries, answers kept for repeats,
/// and sessions that are over and hold no photo. Events have a sweep of their own.
/// </summary>
internal sealed partial class HistoryRetention(Database database, Settings settings, TimeProvider clock, ILogger<HistoryRetention> log)
    : BackgroundService
{
    private static readonly TimeSpan _every = TimeSpan.FromHours(1);

    /// <returns>How many rows were removed.</returns>
    public async Task<long> RunOnceAsync(CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var ages = settings.Retention;
        var removed = await RemoveAsync("audit_log", "id < {0}", FirstId(now.AddDays(-ages.AuditDays)));
        // Of photos that came before then; a delivery that is still open keeps its attempts.
        removed += await RemoveAsync(
            "delivery_attempts",
            "delivery_id < {0} AND EXISTS (SELECT 1 FROM deliveries d WHERE d.id = delivery_id AND d.state IN ('sent', 'failed'))",
            FirstId(now.AddDays(-ages.AttemptDays)));
        removed += await RemoveAsync("idempotent_answers", "created_at <= {0}", now.AddHours(-ages.IdempotencyHours).ToUnixTimeMilliseconds());
        removed += await RemoveAsync("rate_counts", "minute < {0}", RateState.MinuteOf(now.AddHours(-1)));
        removed += await RemoveAsync("event_tickets", "expires_at <= {0}", now.ToUnixTimeMilliseconds());
        removed += await SmallSteps.RunAsync(most => RemoveSessionsAsync(now.AddDays(-ages.SessionDays), most, cancellationToken), cancellationToken);
        if (removed > 0)
            LogRemoved(removed);
        return removed;

        Task<long> RemoveAsync(string table, string rows, object value) =>
            SmallSteps.RemoveAsync(database, table, rows, value, cancellationToken);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        WorkerLoop.EveryAsync(_every, RunOnceAsync, clock, LogFailure, stoppingToken);

    /// <summary>What every id that was made since an instant sorts after (UUID version 7, as text).</summary>
    private static string FirstId(DateTimeOffset instant) => Guid.CreateVersion7(instant).ToString()[.."00000000-0000".Length];

    private async Task<int> RemoveSessionsAsync(DateTimeOffset before, int most, CancellationToken cancellationToken)
    {
        await using var read = database.Open();
        var found = await read.Sessions.Where(session => session.OverAt < before && session.ExpiresAt < before && session.ImagesCount == 0)
            .OrderBy(session => session.OverAt).Take(most).Select(session => session.Id).ToListAsync(cancellationToken);
        return await database.WriteAsync(
            async db =>
            {
                var sessions = (await database.Locked(db.Sessions, found).ToListAsync(cancellationToken)).FindAll(session => session.ImagesCount == 0);
                db.Sessions.RemoveRange(sessions);
                sessions.ForEach(session => db.Counts.For(session.ProjectId, session.Env, session.CreatedAt).Sessions--);
                return found.Count;
            },
            cancellationToken);
    }

    [LoggerMessage(EventName = "history.removed", Level = LogLevel.Information, Message = "history.removed {Rows} rows that were old enough")]
    private partial void LogRemoved(long rows);

    [LoggerMessage(EventName = "history.failed", Level = LogLevel.Error, Message = "Old history could not be removed; it is tried again in an hour")]
    private partial void LogFailure(Exception exception);
}
