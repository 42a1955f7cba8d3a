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
        var since = clock.GetUtcNow() - _lately;
        var health = new List<DestinationHealth>();
        foreach (var destination in destinations)
        {
            // Each in the words of an index. Of those that wait, as many are looked at as are counted.
            var deliveries = db.Deliveries.Where(d => d.DestinationId == destination.Id);
            var waiting = deliveries.Where(d => d.State == DeliveryState.Pending || d.State == DeliveryState.Retrying).Take(MostCounted);
            // What failed before the photo came in did not fail: the first bound is the index's, the second is what counts.
            var failed = deliveries.Where(d => d.State == DeliveryState.Failed && d.UpdatedAt >= since && d.ReceivedAt >= since).Take(MostCounted);
            health.Add(new DestinationHealth
            {
                DestinationId = destination.Id,
                Waiting = await waiting.CountAsync(cancellationToken),
                IsFailing = await deliveries.AnyAsync(d => d.State == DeliveryState.Retrying && d.LastError != null, cancellationToken)
                    || await waiting.AnyAsync(d => d.LastError != null, cancellationToken),
                FailedLately = await failed.CountAsync(cancellationToken),
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
}
