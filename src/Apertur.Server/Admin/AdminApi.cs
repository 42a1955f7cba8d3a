using Apertur.Server.Contract;
using Apertur.Server.Deliveries;
using Apertur.Server.Events;
using Apertur.Server.Http;
using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Admin;

/// <summary>The server as whoever runs it sees it. Photos, and what else is in projects, are not shown.</summary>
internal static class AdminApi
{
    // Counting further would take as long as the queue is, and tell nobody more.
    private const int MaxDepth = 10_000;

    // Nodes that are gone are forgotten after an hour.
    private const int MaxNodes = 100;

    /// <summary>Versions, nodes, and what waits to be sent.</summary>
    public static async Task<Ok<AdminServerResponse>> Get(AperturDb db, Settings settings, TimeProvider clock, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var nodes = await db.Workers.AsNoTracking().OrderBy(worker => worker.Node).Take(MaxNodes).ToListAsync(cancellationToken);
        return TypedResults.Ok(new AdminServerResponse(
            Node.Version, settings.Database.Provider.ToString(), settings.Storage.Kind.ToString(),
            [
                await DepthAsync<DeliveryRow>("deliveries", db, cancellationToken),
                await DepthAsync<EventDelivery>("events", db, cancellationToken),
            ],
            // With a database of its own it gives no signs: there is nobody else who would look for them.
            nodes.Count == 0
                ? [new AdminNode(Node.Name, Node.Version, now, true)]
                : nodes.ConvertAll(node => new AdminNode(node.Node, node.Version, node.SeenAt, node.SeenAt > now - Worker.Silence))));
    }

    /// <summary>Every setting as it is in force on the node that answers; secrets are masked.</summary>
    public static Ok<List<AdminSetting>> ListSettings(Settings settings) =>
        TypedResults.Ok(settings.InForce.Select(setting => new AdminSetting(setting.Name, setting.Shown, setting.IsDefault)).ToList());

    /// <summary>A stretch of the projects, newest first, with the room that their photos take.</summary>
    public static async Task<Ok<AdminProjectPage>> ListProjects(HttpRequest request, AperturDb db, CancellationToken cancellationToken)
    {
        var limit = Paging.Number(request, "limit", 50, 1, 100);
        var cursor = request.Query["cursor"].ToString();
        if (cursor.Length > 0 && !Guid.TryParseExact(cursor, "D", out _))
            throw ApiErrors.Validation("cursor", "cursor must be the 'next' of an earlier page.").ToException();
        var from = cursor.Length == 0 ? db.Projects : db.Projects.FromSql($"SELECT * FROM projects WHERE id < {cursor}");
        var rows = await from.AsNoTracking().Where(project => project.DeletedAt == null).OrderByDescending(project => project.Id).Take(limit + 1)
            .Select(project => new
            {
                Project = project,
                Members = db.Members.Count(member => member.ProjectId == project.Id),
                Images = db.DailyCounts.Where(count => count.ProjectId == project.Id).Sum(count => count.StoredImages),
                Bytes = db.DailyCounts.Where(count => count.ProjectId == project.Id).Sum(count => count.StoredBytes),
            })
            .ToListAsync(cancellationToken);
        return TypedResults.Ok(new AdminProjectPage(
            [.. rows.Take(limit).Select(row => new AdminProject(
                row.Project.Id, row.Project.Name, row.Project.DisabledAt, row.Members, row.Images, row.Bytes, row.Project.CreatedAt))],
            rows.Count > limit ? rows[limit - 1].Project.Id.ToString() : null));
    }

    private static async Task<AdminQueue> DepthAsync<T>(string name, AperturDb db, CancellationToken cancellationToken)
        where T : class, IQueueRow
    {
        var table = db.Set<T>().EntityType.GetTableName()!;
        // The states of the indexes that the queue itself goes by; one statement, so that a delivery that is claimed meanwhile counts once.
        var sql =
            $$"""
            SELECT (SELECT count(*) FROM (SELECT 1 FROM {{table}} WHERE state IN ('pending', 'retrying') LIMIT {0}) w)
                 + (SELECT count(*) FROM (SELECT 1 FROM {{table}} WHERE state = 'sending' LIMIT {0}) s) AS "Value"
            """;
        var depth = await db.Database.SqlQueryRaw<long>(sql, MaxDepth + 1).SingleAsync(cancellationToken);
        return new AdminQueue(name, (int)Math.Min(depth, MaxDepth), depth > MaxDepth);
    }
}
