using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Projects;

/// <summary>
/// Removes projects with everything under them. One transaction puts a project out of everybody's reach; its rows and images, which may be
/// millions, go in batches behind that, and after a crash where they stopped.
/// </summary>
internal sealed partial class ProjectRemoval(Database database, BlobStore blobs, Pump pump, TimeProvider clock, ILogger<ProjectRemoval> log)
    : BackgroundService
{
    private const int BatchSize = 500;

    // What another node began and could not finish is taken up here.
    private static readonly TimeSpan _every = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan _afterFailure = TimeSpan.FromMinutes(1);

    /// <summary>Everything that hangs on a project, what refers to others first. A test holds this against the schema.</summary>
    private static readonly (string Table, string Rows)[] _tables =
    [
        ("event_deliveries", "event_id IN (SELECT id FROM event_log WHERE project_id = {0})"),
        ("event_log", "project_id = {0}"),
        ("event_webhooks", "project_id = {0}"),
        ("deliveries", "session_id IN (SELECT id FROM sessions WHERE project_id = {0})"),
        ("uploads", "project_id = {0}"),
        ("sessions", "project_id = {0}"),
        ("oauth_requests", "destination_id IN (SELECT id FROM destinations WHERE project_id = {0})"),
        ("oauth_grants", "id IN (SELECT id FROM destinations WHERE project_id = {0})"),
        ("destinations", "project_id = {0}"),
        ("api_keys", "project_id = {0}"),
        ("daily_counts", "project_id = {0}"),
        ("one_time_links", "project_id = {0}"),
        ("audit_log", "project_id = {0}"),
        ("members", "project_id = {0}"),
        ("projects", "id = {0}"),
    ];

    private readonly AsyncAutoResetEvent _begun = new();

    /// <summary>The tables that a project's rows are removed from, in that order.</summary>
    public static IEnumerable<string> Tables => _tables.Select(table => table.Table);

    /// <summary>When this returns nobody reaches the project any more, and nothing more of it leaves this server.</summary>
    public async Task BeginAsync(Guid projectId, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var endpoints = await database.WriteAsync(
            async db =>
            {
                await db.Destinations.Where(d => d.ProjectId == projectId && d.DeletedAt == null)
                    .ExecuteUpdateAsync(d => d.SetProperty(x => x.DeletedAt, now), cancellationToken);
                await db.ApiKeys.Where(k => k.ProjectId == projectId).ExecuteUpdateAsync(k => k.SetProperty(x => x.IsActive, false), cancellationToken);
                await db.Projects.Where(p => p.Id == projectId).ExecuteUpdateAsync(p => p.SetProperty(x => x.DeletedAt, now), cancellationToken);
                await db.EventWebhooks.Where(w => w.ProjectId == projectId)
                    .ExecuteUpdateAsync(w => w.SetProperty(x => x.IsActive, false), cancellationToken);
                return await db.Destinations.Where(d => d.ProjectId == projectId).Select(d => d.Id)
                    .Concat(db.EventWebhooks.Where(w => w.ProjectId == projectId).Select(w => w.Id))
                    .ToHashSetAsync(cancellationToken);
            },
            cancellationToken);
        pump.End(endpoints);
        _begun.Set();
    }

    /// <summary>Removes what is left of every deleted project.</summary>
    /// <returns>How many projects are gone now.</returns>
    public async Task<int> RunOnceAsync(CancellationToken cancellationToken)
    {
        List<Guid> projects;
        await using (var db = database.Open())
            projects = await db.Projects.Where(p => p.DeletedAt != null).Select(p => p.Id).ToListAsync(cancellationToken);
        foreach (var project in projects)
        {
            var images = await RemoveImagesAsync(project, cancellationToken);
            await database.WriteAsync(
                async db =>
                {
                    foreach (var (table, rows) in _tables)
                        await db.Database.ExecuteSqlRawAsync(Delete(table, rows), [project.ToString()], cancellationToken);
                },
                cancellationToken);
            LogRemoved(project, images);
        }

        return projects.Count;
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => WorkerLoop.RunAsync(
        async cancellationToken =>
        {
            await RunOnceAsync(cancellationToken);
            await _begun.WaitAsync(_every, clock, cancellationToken);
        },
        clock, _afterFailure, LogFailure, stoppingToken);

    private static string Delete(string table, string rows) => $"DELETE FROM {table} WHERE {rows}";

    /// <summary>In batches, so that nobody else waits long. Rows first: a file without a row is swept, a row without a file would be a lie.</summary>
    private async Task<int> RemoveImagesAsync(Guid project, CancellationToken cancellationToken)
    {
        var removed = 0;
        while (true)
        {
            var batch = await database.WriteAsync(
                async db =>
                {
                    var ids = await db.Uploads.Where(u => u.ProjectId == project).Select(u => u.Id).Take(BatchSize).ToListAsync(cancellationToken);
                    await db.Deliveries.Where(d => ids.Contains(d.UploadId)).ExecuteDeleteAsync(cancellationToken);
                    await db.Uploads.Where(u => ids.Contains(u.Id)).ExecuteDeleteAsync(cancellationToken);
                    return ids;
                },
                cancellationToken);
            foreach (var id in batch)
                blobs.Delete(id);
            removed += batch.Count;
            if (batch.Count < BatchSize)
                return removed;
        }
    }

    [LoggerMessage(EventName = "project.removed", Level = LogLevel.Information, Message = "project.removed {Project} with {Images} images")]
    private partial void LogRemoved(Guid project, int images);

    [LoggerMessage(EventName = "project.removal_failed", Level = LogLevel.Error, Message = "A deleted project could not be removed; it is tried again")]
    private partial void LogFailure(Exception exception);
}
