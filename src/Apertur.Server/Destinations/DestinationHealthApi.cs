using Apertur.Server.Auth;
using Apertur.Server.Contract;
using Apertur.Server.Http;
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
        var destinations = await db.Destinations.AsNoTracking().Where(d => d.ProjectId == project && d.DeletedAt == null)
            .OrderByDescending(d => d.CreatedAt).ThenByDescending(d => d.Id).ToListAsync(cancellationToken);
        var failed = await FailedAsync(db, project, clock.GetUtcNow() - _lately, cancellationToken);
        var health = new List<DestinationHealth>();
        foreach (var destination in destinations)
        {
            var waiting = db.Deliveries.AsNoTracking()
                .Where(d => d.DestinationId == destination.Id && (d.State == DeliveryState.Pending || d.State == DeliveryState.Retrying));
            health.Add(new DestinationHealth
            {
                DestinationId = destination.Id,
                Waiting = await waiting.Take(MostCounted).CountAsync(cancellationToken),
                IsFailing = await waiting.AnyAsync(d => d.LastError != null, cancellationToken),
                FailedLately = failed.GetValueOrDefault(destination.Id),
                LastError = destination.Recent.LastError,
                LastErrorAt = destination.Recent.LastErrorAt,
            });
        }

        return TypedResults.Ok(health);
    }

    /// <summary>Attempts at a destination hour by hour, oldest first: of the last 24 hours, or of as many as <c>hours</c> says, up to 168.</summary>
    public static async Task<Ok<List<HourOfAttempts>>> Hours(
        string projectId, string id, HttpRequest request, Caller caller, AperturDb db, TimeProvider clock, CancellationToken cancellationToken)
    {
        var hours = Paging.Number(request, "hours", 24, 1, DestinationHour.Kept);
        var destination = await DestinationsApi.FindAsync(caller, projectId, id, db, cancellationToken);
        var first = DestinationHour.HourOf(clock.GetUtcNow()) - hours + 1;
        var known = await db.DestinationHours.AsNoTracking().Where(hour => hour.DestinationId == destination.Id && hour.Hour >= first)
            .ToDictionaryAsync(hour => hour.Hour, cancellationToken);
        return TypedResults.Ok(Enumerable.Range(0, hours).Select(offset =>
        {
            var hour = known.GetValueOrDefault(first + offset);
            return new HourOfAttempts(DateTimeOffset.FromUnixTimeSeconds((first + offset) * 3600), hour?.Attempts ?? 0, hour?.Failures ?? 0);
        }).ToList());
    }

    /// <summary>How many failed at each destination, by way of the uploads, which are found by their time.</summary>
    private static async Task<Dictionary<Guid, int>> FailedAsync(
        AperturDb db, Guid project, DateTimeOffset since, CancellationToken cancellationToken)
    {
        var envs = Enum.GetValues<Env>();
        var failed = (
            from upload in db.Uploads
            where upload.ProjectId == project && envs.Contains(upload.Env) && upload.CreatedAt >= since && upload.DestinationsFailed > 0
            join row in db.Deliveries on new { upload.SessionId, UploadId = upload.Id } equals new { row.SessionId, row.UploadId }
            where row.State == DeliveryState.Failed
            orderby upload.CreatedAt descending
            select row.DestinationId).Take(MostCounted);
        return await failed.GroupBy(id => id).Select(group => new { group.Key, Count = group.Count() })
            .ToDictionaryAsync(group => group.Key, group => group.Count, cancellationToken);
    }
}
