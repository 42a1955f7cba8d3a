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
        var place = await PageWindow.FindAsync(Counts(caller, db), count => count.Sessions, 1, limit, cancellationToken);
        var newest = caller.See(db.Sessions).Where(s => s.CreatedAt >= place.From)
            .OrderByDescending(s => s.CreatedAt).ThenByDescending(s => s.Id).Take(limit);
        return TypedResults.Ok(await RowsAsync(newest, db, clock.GetUtcNow(), cancellationToken));
    }

    /// <summary>A page of all upload sessions, newest first.</summary>
    public static async Task<Ok<Page<SessionRow>>> Sessions(
        HttpRequest request, Caller caller, AperturDb db, TimeProvider clock, CancellationToken cancellationToken)
    {
        var (page, pageSize) = Paging.Page(request);
        var place = await PageWindow.FindAsync(Counts(caller, db), count => count.Sessions, page, pageSize, cancellationToken);
        var sessions = caller.See(db.Sessions).Where(s => s.CreatedAt < place.Before && s.CreatedAt >= place.From)
            .OrderByDescending(s => s.CreatedAt).ThenByDescending(s => s.Id).Skip(place.Skip).Take(place.Take);
        return TypedResults.Ok(place.Page(await RowsAsync(sessions, db, clock.GetUtcNow(), cancellationToken)));
    }

    /// <summary>The newest uploads.</summary>
    public static async Task<Ok<List<UploadRow>>> RecentUploads(
        HttpRequest request, Caller caller, AperturDb db, CancellationToken cancellationToken)
    {
        var limit = Paging.Recent(request);
        var place = await PageWindow.FindAsync(Counts(caller, db), count => count.Images, 1, limit, cancellationToken);
        var newest = caller.See(db.Uploads).Where(u => u.CreatedAt >= place.From)
            .OrderByDescending(u => u.CreatedAt).ThenByDescending(u => u.Id).Take(limit);
        return TypedResults.Ok(await RowsAsync(newest, db, cancellationToken));
    }

    /// <summary>A page of all uploads, newest first.</summary>
    public static async Task<Ok<Page<UploadRow>>> Uploads(
        HttpRequest request, Caller caller, AperturDb db, CancellationToken cancellationToken)
    {
        var (page, pageSize) = Paging.Page(request);
        var place = await PageWindow.FindAsync(Counts(caller, db), count => count.Images, page, pageSize, cancellationToken);
        var uploads = caller.See(db.Uploads).Where(u => u.CreatedAt < place.Before && u.CreatedAt >= place.From)
            .OrderByDescending(u => u.CreatedAt).ThenByDescending(u => u.Id).Skip(place.Skip).Take(place.Take);
        return TypedResults.Ok(place.Page(await RowsAsync(uploads, db, cancellationToken)));
    }

    /// <summary>Sums over everything the caller may see.</summary>
    public static async Task<Ok<StatsResponse>> Stats(Caller caller, AperturDb db, TimeProvider clock, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var firstOfMonth = DailyCount.DayOf(new DateTimeOffset(now.Year, now.Month, 1, 0, 0, 0, TimeSpan.Zero));
        var sums = await Counts(caller, db).GroupBy(count => count.ProjectId)
            .Select(group => new
            {
                ProjectId = group.Key,
                ThisMonth = group.Where(count => count.Day >= firstOfMonth).Sum(count => count.Sessions),
                Sessions = group.Sum(count => count.Sessions),
                Images = group.Sum(count => count.Images),
                Delivered = group.Sum(count => count.ImagesDelivered),
                Sent = group.Sum(count => count.Sent),
                Failed = group.Sum(count => count.Failed),
            })
            .ToListAsync(cancellationToken);
        var names = await db.Projects.Where(p => caller.Projects.Keys.Contains(p.Id))
            .ToDictionaryAsync(p => p.Id, p => p.Name, cancellationToken);
        var activeKeys = await db.ApiKeys
            .Where(key => caller.Projects.Keys.Contains(key.ProjectId) && (caller.Env == null || key.Env == caller.Env))
            .CountAsync(key => key.IsActive, cancellationToken);
        var sent = sums.Sum(sum => sum.Sent);
        var finished = sent + sums.Sum(sum => sum.Failed);
        return TypedResults.Ok(new StatsResponse
        {
            SessionsThisMonth = sums.Sum(sum => sum.ThisMonth),
            SessionsTotal = sums.Sum(sum => sum.Sessions),
            ImagesUploaded = sums.Sum(sum => sum.Images),
            ImagesDelivered = sums.Sum(sum => sum.Delivered),
            DeliverySuccessRate = finished == 0 ? 100 : (int)Math.Round(100m * sent / finished, MidpointRounding.AwayFromZero),
            TotalProjects = names.Count,
            ActiveKeys = activeKeys,
            TopProjects =
            [
                .. sums.Where(sum => sum.ThisMonth > 0)
                    .Select(sum => new TopProject(sum.ProjectId, names[sum.ProjectId], sum.ThisMonth))
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
            Source = row.upload.Source,
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
}
