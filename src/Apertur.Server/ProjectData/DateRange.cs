using Apertur.Server.Http;
using Apertur.Server.Sessions;
using Apertur.Server.Uploads;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.ProjectData;

/// <summary>
/// The time that lists and statistics are asked for: from an instant, up to but without another. Whole days of it are in the daily counts; only
/// the rows of a day that it cuts are counted one by one.
/// </summary>
internal sealed record DateRange
{
    // The end of a day, so that a range without an end cuts none.
    private static readonly DateTimeOffset _never = new(9999, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly long _day = (long)TimeSpan.FromDays(1).TotalMilliseconds;

    // Unix milliseconds, as the database has them.
    private readonly long _from, _to;

    private DateRange(DateTimeOffset? from, DateTimeOffset? to)
    {
        (IsGiven, HasFrom) = (from is not null || to is not null, from is not null);
        (From, To) = (AtLeastEpoch(from ?? DateTimeOffset.UnixEpoch), AtLeastEpoch(to ?? _never));
        (_from, _to) = (From.ToUnixTimeMilliseconds(), To.ToUnixTimeMilliseconds());
    }

    /// <summary>All time.</summary>
    public static DateRange Always { get; } = new(null, null);

    /// <summary>Whether the caller asked for one.</summary>
    public bool IsGiven { get; }

    /// <summary>Whether the caller said where it begins.</summary>
    public bool HasFrom { get; }

    public DateTimeOffset From { get; }

    /// <summary>The first instant that is not in it.</summary>
    public DateTimeOffset To { get; }

    private long FirstWholeDay => (_from + _day - 1) / _day;

    private long EndOfWholeDays => _to / _day;

    /// <summary>The first day that begins when it is over.</summary>
    public int EndOfDays => (int)((_to + _day - 1) / _day);

    /// <summary>
    /// The range in a query string: <c>from</c> and <c>to</c>, either or both. Nothing is from before 1970: what is earlier means its beginning.
    /// </summary>
    /// <exception cref="ApiErrorException">400: one is no instant, or they are the wrong way round.</exception>
    public static DateRange Of(HttpRequest request)
    {
        var (from, to) = (Instant(request, "from"), Instant(request, "to"));
        return from > to
            ? throw ApiErrors.Validation("to", "to must not be before from.").ToException()
            : new DateRange(from, to);
    }

    /// <summary>The counts of the days that lie in the range as a whole.</summary>
    public IQueryable<DailyCount> WholeDays(IQueryable<DailyCount> counts) =>
        counts.Where(count => count.Day >= FirstWholeDay && count.Day < EndOfWholeDays);

    /// <summary>Whether a day lies in the range as a whole.</summary>
    public bool HasWhole(int day) => day >= FirstWholeDay && day < EndOfWholeDays;

    /// <summary>The part of a page's window that lies in the range. One bound at each end: of two, SQLite begins to read at whichever it likes.</summary>
    public (DateTimeOffset From, DateTimeOffset To) Within(PageWindow window) =>
        (From > window.From ? From : window.From, To < window.Before ? To : window.Before);

    /// <summary>The part of the range from one day to another, both included.</summary>
    public (DateTimeOffset From, DateTimeOffset To) Within(int firstDay, int lastDay)
    {
        var (first, end) = (DateTimeOffset.UnixEpoch.AddDays(firstDay), DateTimeOffset.UnixEpoch.AddDays(lastDay + 1));
        return (From > first ? From : first, To < end ? To : end);
    }

    /// <summary>What the days that the range cuts have in it.</summary>
    /// <param name="sessions">Sessions to count; null when they do not matter.</param>
    /// <param name="uploads">Uploads to count; null when they do not matter.</param>
    /// <param name="withDeliveries">Whether to count what became of the uploads: no index tells that, so each row is opened.</param>
    /// <param name="cancellationToken">Ends the queries.</param>
    public async Task<List<DailyCount>> CutDaysAsync(
        IQueryable<UploadSession>? sessions, IQueryable<Upload>? uploads, bool withDeliveries, CancellationToken cancellationToken)
    {
        var found = new List<DailyCount>();
        foreach (var (from, to) in CutDays())
        {
            var (day, start, end) = ((int)(from / _day), DateTimeOffset.FromUnixTimeMilliseconds(from), DateTimeOffset.FromUnixTimeMilliseconds(to));
            if (sessions is not null)
            {
                var rows = await sessions.Where(session => session.CreatedAt >= start && session.CreatedAt < end)
                    .GroupBy(session => new { session.ProjectId, session.Env })
                    .Select(group => new DailyCount { ProjectId = group.Key.ProjectId, Env = group.Key.Env, Day = day, Sessions = group.LongCount() })
                    .ToListAsync(cancellationToken);
                found.AddRange(rows);
            }

            if (uploads is not null)
            {
                var cut = uploads.Where(upload => upload.CreatedAt >= start && upload.CreatedAt < end)
                    .GroupBy(upload => new { upload.ProjectId, upload.Env });
                var rows = await (withDeliveries
                    ? cut.Select(group => new DailyCount
                    {
                        ProjectId = group.Key.ProjectId,
                        Env = group.Key.Env,
                        Day = day,
                        Images = group.LongCount(),
                        ImagesDelivered = group.Sum(upload => upload.DestinationsDelivered > 0 ? 1 : 0),
                        Sent = group.Sum(upload => upload.DestinationsDelivered),
                        Failed = group.Sum(upload => upload.DestinationsFailed),
                    })
                    : cut.Select(group => new DailyCount
                    {
                        ProjectId = group.Key.ProjectId,
                        Env = group.Key.Env,
                        Day = day,
                        Images = group.LongCount(),
                    })).ToListAsync(cancellationToken);
                found.AddRange(rows);
            }
        }

        return found;
    }

    private IEnumerable<(long From, long To)> CutDays()
    {
        if (FirstWholeDay > EndOfWholeDays)
        {
            yield return (_from, _to);
            yield break;
        }

        if (_from < FirstWholeDay * _day)
            yield return (_from, FirstWholeDay * _day);
        if (_to > EndOfWholeDays * _day)
            yield return (EndOfWholeDays * _day, _to);
    }

    private static DateTimeOffset AtLeastEpoch(DateTimeOffset instant) =>
        instant < DateTimeOffset.UnixEpoch ? DateTimeOffset.UnixEpoch : instant;

    private static DateTimeOffset? Instant(HttpRequest request, string name)
    {
        // A plus sign that was not encoded arrives as a space.
        var text = request.Query[name].ToString().Replace(' ', '+');
        return text.Length == 0 ? null
            : InstantJson.TryParse(text, out var instant) ? instant
            : throw ApiErrors.Validation(name, $"{name} must be an ISO 8601 instant such as 2026-06-12T09:44:41.919Z.").ToException();
    }
}
