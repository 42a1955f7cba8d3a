using Apertur.Server.Auth;
using Apertur.Server.Contract;
using Apertur.Server.Http;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.ProjectData;

/// <summary>Lists and sums over everything the caller may see.</summary>
internal static class ProjectDataApi
{
    private const int MaxTopProjects = 10;

    /// <summary>The newest upload sessions.</summary>
    public static async Task<Ok<List<SessionRow>>> RecentSessions(
        HttpRequest request, Caller caller, AperturDb db, TimeProvider clock, CancellationToken cancellationToken)
    {
        var limit = Paging.Recent(request);
        var place = PageWindow.Find(await Counts(caller, db).AsNoTracking().ToListAsync(cancellationToken), count => count.Sessions, 1, limit);
        var newest = caller.See(db.Sessions).Where(s => s.CreatedAt >= place.From)
            .OrderByDescending(s => s.CreatedAt).ThenByDescending(s => s.Id).Take(limit);
        return TypedResults.Ok(await RowsAsync(newest, db, clock.GetUtcNow(), cancellationToken));
    }

    /// <summary>A page of all upload sessions, newest first; with <c>from</c> or <c>to</c> of those created in that time.</summary>
    public static async Task<Ok<Page<SessionRow>>> Sessions(
        HttpRequest request, Caller caller, AperturDb db, TimeProvider clock, CancellationToken cancellationToken)
    {
        var (page, pageSize) = Paging.Page(request);
        var range = DateRange.Of(request);
        var mine = caller.See(db.Sessions).Where(s => s.CreatedAt >= range.From && s.CreatedAt < range.To);
        var counts = await range.WholeDays(Counts(caller, db)).AsNoTracking().ToListAsync(cancellationToken);
        counts.AddRange(await range.CutDaysAsync(mine, null, cancellationToken));
        var place = PageWindow.Find(counts, count => count.Sessions, page, pageSize);
        var sessions = mine.Where(s => s.CreatedAt < place.Before && s.CreatedAt >= place.From)
            .OrderByDescending(s => s.CreatedAt).ThenByDescending(s => s.Id).Skip(place.Skip).Take(place.Take);
        return TypedResults.Ok(place.Page(await RowsAsync(sessions, db, clock.GetUtcNow(), cancellationToken)));
    }

    /// <summary>The newest uploads.</summary>
    public static async Task<Ok<List<UploadRow>>> RecentUploads(
        HttpRequest request, Caller caller, AperturDb db, CancellationToken cancellationToken)
    {
        var limit = Paging.Recent(request);
        var place = PageWindow.Find(await Counts(caller, db).AsNoTracking().ToListAsync(cancellationToken), count => count.Images, 1, limit);
        var newest = caller.See(db.Uploads).Where(u => u.CreatedAt >= place.From)
            .OrderByDescending(u => u.CreatedAt).ThenByDescending(u => u.Id).Take(limit);
        return TypedResults.Ok(await RowsAsync(newest, db, cancellationToken));
    }

    /// <summary>A page of all uploads, newest first; with <c>from</c> or <c>to</c> of those received in that time.</summary>
    public static async Task<Ok<Page<UploadRow>>> Uploads(
        HttpRequest request, Caller caller, AperturDb db, CancellationToken cancellationToken)
    {
        var (page, pageSize) = Paging.Page(request);
        var range = DateRange.Of(request);
        var mine = caller.See(db.Uploads).Where(u => u.CreatedAt >= range.From && u.CreatedAt < range.To);
        var counts = await range.WholeDays(Counts(caller, db)).AsNoTracking().ToListAsync(cancellationToken);
        counts.AddRange(await range.CutDaysAsync(null, mine, cancellationToken));
        var place = PageWindow.Find(counts, count => count.Images, page, pageSize);
        var uploads = mine.Where(u => u.CreatedAt < place.Before && u.CreatedAt >= place.From)
            .OrderByDescending(u => u.CreatedAt).ThenByDescending(u => u.Id).Skip(place.Skip).Take(place.Take);
        return TypedResults.Ok(place.Page(await RowsAsync(uploads, db, cancellationToken)));
    }

    /// <summary>
    /// Sums over everything the caller may see. With <c>from</c> or <c>to</c> they are of what was created in that time, and
    /// <c>sessionsInRange</c> takes the place of <c>sessionsThisMonth</c>.
    /// </summary>
    public static async Task<Ok<StatsResponse>> Stats(
        HttpRequest request, Caller caller, AperturDb db, TimeProvider clock, CancellationToken cancellationToken)
    {
        var range = DateRange.Of(request);
        var now = clock.GetUtcNow();
        // What sessionsThisMonth and the order of the projects go by.
        var firstDay = range.IsGiven ? 0 : DailyCount.DayOf(new DateTimeOffset(now.Year, now.Month, 1, 0, 0, 0, TimeSpan.Zero));
        var sums = await range.WholeDays(Counts(caller, db)).GroupBy(count => count.ProjectId)
            .Select(group => new Sums(
                group.Key,
                group.Where(count => count.Day >= firstDay).Sum(count => count.Sessions),
                group.Sum(count => count.Sessions),
                group.Sum(count => count.Images),
                group.Sum(count => count.ImagesDelivered),
                group.Sum(count => count.Sent),
                group.Sum(count => count.Failed)))
            .ToListAsync(cancellationToken);
        sums.AddRange((await range.CutDaysAsync(caller.See(db.Sessions), caller.See(db.Uploads), cancellationToken)).Select(count => new Sums(
            count.ProjectId, count.Sessions, count.Sessions, count.Images, count.ImagesDelivered, count.Sent, count.Failed)));
        var names = await db.Projects.Where(p => caller.Projects.Keys.Contains(p.Id))
            .ToDictionaryAsync(p => p.Id, p => p.Name, cancellationToken);
        var activeKeys = await db.ApiKeys
            .Where(key => caller.Projects.Keys.Contains(key.ProjectId) && (caller.Env == null || key.Env == caller.Env))
            .CountAsync(key => key.IsActive, cancellationToken);
        var sent = sums.Sum(sum => sum.Sent);
        var finished = sent + sums.Sum(sum => sum.Failed);
        return TypedResults.Ok(new StatsResponse
        {
            SessionsThisMonth = range.IsGiven ? null : sums.Sum(sum => sum.Lately),
            SessionsInRange = range.IsGiven ? sums.Sum(sum => sum.Lately) : null,
            SessionsTotal = sums.Sum(sum => sum.Sessions),
            ImagesUploaded = sums.Sum(sum => sum.Images),
            ImagesDelivered = sums.Sum(sum => sum.Delivered),
            DeliverySuccessRate = finished == 0 ? 100 : (int)Math.Round(100m * sent / finished, MidpointRounding.AwayFromZero),
            TotalProjects = names.Count,
            ActiveKeys = activeKeys,
            TopProjects =
            [
                .. sums.GroupBy(sum => sum.ProjectId, sum => sum.Lately)
                    .Select(project => new TopProject(project.Key, names[project.Key], project.Sum()))
                    .Where(project => project.Sessions > 0)
                    .OrderByDescending(project => project.Sessions).ThenBy(project => project.Name, StringComparer.Ordinal)
                    .Take(MaxTopProjects),
            ],
        });
    }

    private static IQueryable<DailyCount> Counts(Caller caller, AperturDb db) =>
        db.DailyCounts.Where(count => caller.Projects.Keys.Contains(count.ProjectId) && (caller.Env == null || count.Env == caller.Env));

    private static async Task<List<SessionRow>> RowsAsync(
        IQueryable<UploadSession> sessions, AperturDb db, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var rows = await sessions.AsNoTracking()
            .Join(db.Projects, session => session.ProjectId, project => project.Id, (session, project) => new { session, project.Name })
            .ToListAsync(cancellationToken);
        return rows.ConvertAll(row => new SessionRow
        {
            Id = row.session.Id,
            CreatedAt = row.session.CreatedAt,
            ExpiresAt = row.session.ExpiresAt,
            Status = row.session.RowStatus(now),
            ProjectId = row.session.ProjectId,
            ProjectName = row.Name,
            ImagesCount = row.session.ImagesCount,
            ImagesDelivered = row.session.ImagesDelivered,
            ImagesFailed = row.session.ImagesFailed,
            DestinationsCount = row.session.DestinationsCount,
            Tags = row.session.Tags is { Length: > 0 } tags ? tags : null,
            LongPollingEnabled = row.session.LongPolling,
            Env = row.session.Env.WireName(),
            Label = row.session.Label,
        });
    }

    private static async Task<List<UploadRow>> RowsAsync(IQueryable<Upload> uploads, AperturDb db, CancellationToken cancellationToken)
    {
        var rows = await uploads.AsNoTracking()
            .Join(db.Projects, upload => upload.ProjectId, project => project.Id, (upload, project) => new { upload, project.Name })
            .ToListAsync(cancellationToken);
        return rows.ConvertAll(row => new UploadRow
        {
            Id = row.upload.Id,
            Filename = row.upload.Filename,
            SizeBytes = row.upload.SizeBytes,
            MimeType = row.upload.MimeType,
            Source = row.upload.Fields.Source,
            IsEncrypted = row.upload.IsEncrypted,
            CreatedAt = row.upload.CreatedAt,
            SessionId = row.upload.SessionId,
            ProjectId = row.upload.ProjectId,
            ProjectName = row.Name,
            DestinationsTotal = row.upload.DestinationsTotal,
            DestinationsDelivered = row.upload.DestinationsDelivered,
            DestinationsFailed = row.upload.DestinationsFailed,
            DestinationsBreakdown = [.. row.upload.DestinationTypes.CountBy(type => type).Select(type => new TypeCount(type.Key, type.Value))],
            Status = row.upload.Status,
            Env = row.upload.Env.WireName(),
        });
    }

    /// <param name="Lately">Sessions of this month, or of the range.</param>
    private sealed record Sums(Guid ProjectId, long Lately, long Sessions, long Images, long Delivered, long Sent, long Failed);
}
