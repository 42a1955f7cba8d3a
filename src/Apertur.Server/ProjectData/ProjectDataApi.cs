using System.Globalization;
using System.Text.Json.Nodes;
using Apertur.Server.Auth;
using Apertur.Server.Contract;
using Apertur.Server.Deliveries;
using Apertur.Server.Http;
using Apertur.Server.Queue;
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
    private const int MaxDays = 366;
    private const int UsualDays = 30;

    /// <summary>The newest upload sessions.</summary>
    public static async Task<Ok<List<SessionRow>>> RecentSessions(
        HttpRequest request, Caller caller, AperturDb db, TimeProvider clock, CancellationToken cancellationToken)
    {
        var limit = Paging.Recent(request);
        var place = await WindowAsync(DateRange.Always, caller.See(db.Sessions), null, caller, db, 1, limit, cancellationToken);
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
        if (ListFilters.Of(request, mine, clock.GetUtcNow()) is { } chosen)
        {
            var total = await chosen.Take(ListFilters.MostCounted).CountAsync(cancellationToken);
            var found = chosen.OrderByDescending(s => s.CreatedAt).ThenByDescending(s => s.Id).Skip(Skip(page, pageSize)).Take(pageSize);
            return TypedResults.Ok(Page(await RowsAsync(found, db, clock.GetUtcNow(), cancellationToken), total, page, pageSize));
        }

        var place = await WindowAsync(range, caller.See(db.Sessions), null, caller, db, page, pageSize, cancellationToken);
        var (first, end) = range.Within(place);
        var sessions = caller.See(db.Sessions).Where(s => s.CreatedAt < end && s.CreatedAt >= first)
            .OrderByDescending(s => s.CreatedAt).ThenByDescending(s => s.Id).Skip(place.Skip).Take(place.Take);
        return TypedResults.Ok(place.Page(await RowsAsync(sessions, db, clock.GetUtcNow(), cancellationToken)));
    }

    /// <summary>The newest uploads.</summary>
    public static async Task<Ok<List<UploadRow>>> RecentUploads(
        HttpRequest request, Caller caller, AperturDb db, CancellationToken cancellationToken)
    {
        var limit = Paging.Recent(request);
        var place = await WindowAsync(DateRange.Always, null, caller.See(db.Uploads), caller, db, 1, limit, cancellationToken);
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
        if (await ListFilters.OfAsync(request, caller, db, range, cancellationToken) is { } chosen)
        {
            // Looked for once, to be counted and shown: what few have in common may take a look at every row.
            var ids = await chosen.CountedAsync(cancellationToken);
            var skip = Skip(page, pageSize);
            var shown = ids.Count < ListFilters.MostCounted || skip + pageSize <= ids.Count
                ? ids.Skip(skip).Take(pageSize).ToList()
                : await chosen.Ids.Skip(skip).Take(pageSize).ToListAsync(cancellationToken);
            var found = db.Uploads.Where(u => shown.Contains(u.Id)).OrderByDescending(u => u.CreatedAt).ThenByDescending(u => u.Id);
            return TypedResults.Ok(Page(await RowsAsync(found, db, cancellationToken), ids.Count, page, pageSize));
        }

        var place = await WindowAsync(range, null, caller.See(db.Uploads), caller, db, page, pageSize, cancellationToken);
        var (first, end) = range.Within(place);
        var uploads = caller.See(db.Uploads).Where(u => u.CreatedAt < end && u.CreatedAt >= first)
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
        sums.AddRange((await range.CutDaysAsync(caller.See(db.Sessions), caller.See(db.Uploads), true, cancellationToken)).Select(count => new Sums(
            count.ProjectId, count.Sessions, count.Sessions, count.Images, count.ImagesDelivered, count.Sent, count.Failed)));
        var names = await db.Projects.Where(p => caller.Projects.Keys.Contains(p.Id))
            .ToDictionaryAsync(p => p.Id, p => p.Name, cancellationToken);
        var activeKeys = await db.ApiKeys
            .Where(key => caller.Projects.Keys.Contains(key.ProjectId) && (caller.Env == null || key.Env == caller.Env))
            .CountAsync(key => key.IsActive, cancellationToken);
        var retrying = await Retrying(db, caller, range).Take(ListFilters.MostCounted).CountAsync(cancellationToken);
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
            DeliveriesRetrying = retrying,
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

    /// <summary>The sums of each day in UTC, oldest first: of the last 30, or of those that <c>from</c> and <c>to</c> touch.</summary>
    public static async Task<Ok<List<StatsDay>>> DailyStats(
        HttpRequest request, Caller caller, AperturDb db, TimeProvider clock, CancellationToken cancellationToken)
    {
        var range = DateRange.Of(request);
        var end = range.To <= clock.GetUtcNow() ? range.EndOfDays : DailyCount.DayOf(clock.GetUtcNow()) + 1;
        var first = range.HasFrom ? DailyCount.DayOf(range.From) : Math.Max(0, end - UsualDays);
        if (end - first > MaxDays)
            throw ApiErrors.Validation("from", $"from may be up to {MaxDays} days before to.").ToException();
        var sums = await Counts(caller, db).Where(count => count.Day >= first && count.Day < end).GroupBy(count => count.Day)
            .Select(day => new
            {
                Day = day.Key,
                Sessions = day.Sum(count => count.Sessions),
                Images = day.Sum(count => count.Images),
                Delivered = day.Sum(count => count.ImagesDelivered),
                Sent = day.Sum(count => count.Sent),
                Failed = day.Sum(count => count.Failed),
            }).ToDictionaryAsync(day => day.Day, cancellationToken);
        return TypedResults.Ok(Enumerable.Range(first, Math.Max(0, end - first)).Select(day => sums.GetValueOrDefault(day) switch
        {
            var sum => new StatsDay
            {
                Date = DateOnly.FromDateTime(DateTime.UnixEpoch).AddDays(day).ToString("O", CultureInfo.InvariantCulture),
                Sessions = sum?.Sessions ?? 0,
                ImagesUploaded = sum?.Images ?? 0,
                ImagesDelivered = sum?.Delivered ?? 0,
                DeliveriesSent = sum?.Sent ?? 0,
                DeliveriesFailed = sum?.Failed ?? 0,
            },
        }).ToList());
    }

    /// <summary>Everything about one upload but its bytes and its deliveries.</summary>
    public static async Task<Ok<UploadDetails>> Upload(string id, Caller caller, AperturDb db, CancellationToken cancellationToken)
    {
        var upload = await caller.FindAsync(db.Uploads.AsNoTracking(), id, cancellationToken);
        var session = await db.Sessions.AsNoTracking().SingleAsync(s => s.Id == upload.SessionId, cancellationToken);
        var project = await db.Projects.AsNoTracking().SingleAsync(p => p.Id == upload.ProjectId, cancellationToken);
        var row = Row(upload, project.Name);
        return TypedResults.Ok(new UploadDetails(row)
        {
            Sha256 = upload.Sha256,
            OriginalSha256 = upload.OriginalSha256,
            Width = upload.Width,
            Height = upload.Height,
            ImageIndex = upload.ImageIndex,
            AcknowledgedAt = upload.AcknowledgedAt,
            Damage = upload.Damage?.WireName(),
            SessionLabel = session.Label,
            SessionTags = session.Tags is { Length: > 0 } tags ? tags : null,
            SessionMetadata = session.Metadata is null ? null : JsonNode.Parse(session.Metadata)!.AsObject(),
        });
    }

    /// <summary>By way of the destinations, which have an index of them.</summary>
    private static IQueryable<DeliveryRow> Retrying(AperturDb db, Caller caller, DateRange range) =>
        from destination in db.Destinations
        where caller.Projects.Keys.Contains(destination.ProjectId)
        join row in db.Deliveries on destination.Id equals row.DestinationId
        where row.State == DeliveryState.Retrying && row.ReceivedAt >= range.From && row.ReceivedAt < range.To
            && db.Uploads.Any(upload => upload.Id == row.UploadId && (caller.Env == null || upload.Env == caller.Env))
        select row;

    private static int Skip(int page, int pageSize) => (int)Math.Min((page - 1L) * pageSize, int.MaxValue);

    private static Page<T> Page<T>(IReadOnlyList<T> rows, int total, int page, int pageSize) => new()
    {
        Data = rows,
        Total = total,
        Number = page,
        PageSize = pageSize,
        TotalPages = (total + pageSize - 1) / pageSize,
    };

    /// <summary>Where a page of sessions, or of uploads, begins and ends.</summary>
    private static async Task<PageWindow> WindowAsync(
        DateRange range, IQueryable<UploadSession>? sessions, IQueryable<Upload>? uploads, Caller caller, AperturDb db, int page, int pageSize,
        CancellationToken cancellationToken)
    {
        var counts = await range.WholeDays(Counts(caller, db)).AsNoTracking().ToListAsync(cancellationToken);
        counts.AddRange(await range.CutDaysAsync(sessions, uploads, false, cancellationToken));
        var days = counts.GroupBy(count => count.Day, count => sessions is null ? count.Images : count.Sessions)
            .Select(day => new PageWindow.Period(DateTimeOffset.UnixEpoch.AddDays(day.Key), day.Sum()))
            .ToList();
        return await PageWindow.FindAsync(days, MinutesAsync, page, pageSize);

        async Task<IReadOnlyList<PageWindow.Period>?> MinutesAsync(DateTimeOffset start)
        {
            var (day, first) = (DailyCount.DayOf(start), (int)(start.ToUnixTimeSeconds() / 60));
            if (!range.HasWhole(day))
                return null;
            // One statement sees one moment. The sums differ after a node of a version that counted no minutes has taken part; fsck mends that.
            var found = await db.MinuteCounts
                .Where(count => caller.Projects.Keys.Contains(count.ProjectId) && (caller.Env == null || count.Env == caller.Env))
                .Where(count => count.Minute >= first && count.Minute < first + 1440)
                .GroupBy(count => count.Minute)
                .Select(minute => new { Minute = minute.Key, Sessions = minute.Sum(count => count.Sessions), Images = minute.Sum(count => count.Images) })
                .Concat(Counts(caller, db).Where(count => count.Day == day).GroupBy(count => count.Day)
                    .Select(whole => new { Minute = -1, Sessions = whole.Sum(count => count.Sessions), Images = whole.Sum(count => count.Images) }))
                .ToDictionaryAsync(count => count.Minute, count => sessions is null ? count.Images : count.Sessions, cancellationToken);
            return found.Remove(-1, out var rows) && rows == found.Values.Sum()
                ? [.. found.Select(minute => new PageWindow.Period(DateTimeOffset.UnixEpoch.AddMinutes(minute.Key), minute.Value))]
                : null;
        }
    }

    /// <summary>The daily counts of what the caller may see.</summary>
    public static IQueryable<DailyCount> Counts(Caller caller, AperturDb db) =>
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
        return rows.ConvertAll(row => Row(row.upload, row.Name));
    }

    private static UploadRow Row(Upload upload, string projectName) => new()
    {
        Id = upload.Id,
        Filename = upload.Filename,
        SizeBytes = upload.SizeBytes,
        MimeType = upload.MimeType,
        Source = upload.Fields.Source,
        Visitor = upload.Fields.Visitor,
        Caption = upload.Fields.Caption,
        Answers = UploadFields.Read(upload.Fields.Answers),
        IsEncrypted = upload.IsEncrypted,
        CreatedAt = upload.CreatedAt,
        SessionId = upload.SessionId,
        ProjectId = upload.ProjectId,
        ProjectName = projectName,
        DestinationsTotal = upload.DestinationsTotal,
        DestinationsDelivered = upload.DestinationsDelivered,
        DestinationsFailed = upload.DestinationsFailed,
        DestinationsBreakdown = [.. upload.DestinationTypes.CountBy(type => type).Select(type => new TypeCount(type.Key, type.Value))],
        Status = upload.Status,
        Env = upload.Env.WireName(),
        RemovedAt = upload.RemovedAt,
    };

    /// <param name="Lately">Sessions of this month, or of the range.</param>
    private sealed record Sums(Guid ProjectId, long Lately, long Sessions, long Images, long Delivered, long Sent, long Failed);
}
