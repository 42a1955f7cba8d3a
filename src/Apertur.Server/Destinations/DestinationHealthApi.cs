using Apertur.Server.Contract;
using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Destinations;

/// <summary>Whether photos reach the destinations of a project.</summary>
internal static class DestinationHealthApi
{
    private const int MostCounted = 10_000;

    /// <summary>How far back failures count.</summary>
    private static readonly TimeSpan _lately = TimeSpan.FromDays(7);

    /// <summary>What waits for each destination of a project, what has failed there within 7 days, and why.</summary>
    public static async Task<Ok<List<DestinationHealth>>> List(
        string projectId, AperturDb db, TimeProvider clock, CancellationToken cancellationToken)
    {
        var project = Ids.Parse(projectId);
        var destinations = await db.Destinations.Where(d => d.ProjectId == project && d.DeletedAt == null)
            .OrderByDescending(d => d.CreatedAt).ThenByDescending(d => d.Id).Select(d => d.Id).ToListAsync(cancellationToken);
        var failed = await FailedAsync(db, project, clock.GetUtcNow() - _lately, cancellationToken);
        var health = new List<DestinationHealth>();
        foreach (var id in destinations)
        {
            var waiting = db.Deliveries.AsNoTracking()
                .Where(d => d.DestinationId == id && (d.State == DeliveryState.Pending || d.State == DeliveryState.Retrying));
            var tried = await waiting.Where(d => d.LastError != null).OrderByDescending(d => d.DueAt)
                .Select(d => new Failure(d.DestinationId, d.LastError, d.UpdatedAt)).FirstOrDefaultAsync(cancellationToken);
            var last = tried ?? failed[id].FirstOrDefault();
            health.Add(new DestinationHealth
            {
                DestinationId = id,
                Waiting = await waiting.Take(MostCounted).CountAsync(cancellationToken),
                IsFailing = tried is not null,
                FailedLately = failed[id].Count(),
                LastError = last?.Reason,
                LastErrorAt = last?.At,
            });
        }

        return TypedResults.Ok(health);
    }

    /// <summary>By way of the uploads, which are found by their time; newest first.</summary>
    private static async Task<ILookup<Guid, Failure>> FailedAsync(
        AperturDb db, Guid project, DateTimeOffset since, CancellationToken cancellationToken)
    {
        var envs = Enum.GetValues<Env>();
        var failed = await (
            from upload in db.Uploads
            where upload.ProjectId == project && envs.Contains(upload.Env) && upload.CreatedAt >= since && upload.DestinationsFailed > 0
            join row in db.Deliveries on new { upload.SessionId, UploadId = upload.Id } equals new { row.SessionId, row.UploadId }
            where row.State == DeliveryState.Failed
            orderby upload.CreatedAt descending
            select new Failure(row.DestinationId, row.LastError, row.UpdatedAt)).Take(MostCounted).ToListAsync(cancellationToken);
        return failed.ToLookup(failure => failure.DestinationId);
    }

    private sealed record Failure(Guid DestinationId, string? Reason, DateTimeOffset At);
}
