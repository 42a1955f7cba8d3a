using Apertur.Server.Queue;
using Apertur.Server.Renditions;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Projects;

/// <summary>
/// Removes projects with everything under them. One transaction makes a project inaccessible; its rows and images, which may be
/// millions, are removed afterwards in short steps, and after a crash from where that stopped.
/// </summary>
internal sealed partial class ProjectRemoval(
    Database database, BlobStore blobs, RenditionStore renditions, Pump pump, TimeProvider clock, ILogger<ProjectRemoval> log) : BackgroundService
{
    // What another node began and could not finish is taken up here.
    private static readonly TimeSpan _every = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan _afterFailure = TimeSpan.FromMinutes(1);

    /// <summary>The large tables, each with those whose rows refer to it.</summary>
    private static readonly (string Table, string Referring, string Reference)[] _many =
    [
        ("event_log", "event_deliveries", "event_id"),
        ("uploads", "deliveries", "upload_id"),
    ];

    /// <summary>The other tables with rows of a project, what refers to others first. A test holds both against the schema.</summary>
    private static readonly (string Table, string Rows)[] _others =
    [
        ("event_webhooks", "project_id = {0}"),
        ("sessions", "project_id = {0}"),
        ("oauth_requests", "destination_id IN (SELECT id FROM destinations WHERE project_id = {0})"),
        ("oauth_grants", "id IN (SELECT id FROM destinations WHERE project_id = {0})"),
        ("destination_hours", "destination_id IN (SELECT id FROM destinations WHERE project_id = {0})"),
        ("replays", "project_id = {0}"),
        ("destinations", "project_id = {0}"),
        ("api_keys", "project_id = {0}"),
        ("daily_counts", "project_id = {0}"),
        ("minute_counts", "project_id = {0}"),
        ("one_time_links", "project_id = {0}"),
        ("audit_log", "project_id = {0}"),
        ("members", "project_id = {0}"),
        ("project_logos", "project_id = {0}"),
        ("projects", "id = {0}"),
    ];

    private readonly AsyncAutoResetEvent _begun = new();

    /// <summary>The tables that a project's rows are removed from, in that order.</summary>
    public static IEnumerable<string> Tables =>
        _many.SelectMany(many => new[] { many.Referring, many.Table }).Concat(_others.Select(other => other.Table));

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
            var rows = 0L;
            foreach (var many in _many)
                rows += await SmallSteps.RunAsync(most => RemoveAsync(many, project, most, cancellationToken), cancellationToken);
            foreach (var (table, condition) in _others)
                rows += await SmallSteps.RemoveAsync(database, table, condition, project.ToString(), cancellationToken);
            LogRemoved(project, rows);
        }

        // PostgreSQL's autovacuum does it by itself.
        if (projects.Count > 0 && database.IsSqlite)
            await SmallSteps.RunAsync(pages => database.WriteAsync(db => SqliteSpace.ReleaseAsync(db, pages), cancellationToken), cancellationToken);
        return projects.Count;
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => WorkerLoop.RunAsync(
        async cancellationToken =>
        {
            await RunOnceAsync(cancellationToken);
            await _begun.WaitAsync(_every, clock, cancellationToken);
        },
        clock, _afterFailure, LogFailure, stoppingToken);

    private async Task<int> RemoveAsync(
        (string Table, string Referring, string Reference) many, Guid project, int most, CancellationToken cancellationToken)
    {
        List<string> ids;
        var select = $$"""SELECT id AS "Value" FROM {{many.Table}} WHERE project_id = {0} LIMIT {1}""";
        await using (var db = database.Open())
            ids = await db.Database.SqlQueryRaw<string>(select, project.ToString(), most).ToListAsync(cancellationToken);

        // Files first: a row without a file harms nobody in a project that is out of reach, and is found again after a crash.
        var images = many.Table == "uploads" ? ids.ConvertAll(Guid.Parse) : [];
        await renditions.DeleteAsync(images, cancellationToken);
        foreach (var image in images)
            await blobs.DeleteAsync(image, cancellationToken);
        await database.WriteAsync(
            async db =>
            {
                foreach (var (table, column) in new[] { (many.Referring, many.Reference), (many.Table, "id") })
                {
                    var (among, values) = database.Among(column, ids);
                    var delete = $"DELETE FROM {table} WHERE {among}";
                    await db.Database.ExecuteSqlRawAsync(delete, [values], cancellationToken);
                }
            },
            cancellationToken);
        return ids.Count;
    }

    [LoggerMessage(EventName = "project.removed", Level = LogLevel.Information, Message = "project.removed {Project} with {Rows} rows")]
    private partial void LogRemoved(Guid project, long rows);

    [LoggerMessage(EventName = "project.removal_failed", Level = LogLevel.Error, Message = "A deleted project could not be removed; it is tried again")]
    private partial void LogFailure(Exception exception);
}
