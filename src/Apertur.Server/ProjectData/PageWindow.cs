using Apertur.Server.Contract;

namespace Apertur.Server.ProjectData;

/// <summary>
/// The time window of one page of a long list. The daily counts tell how many rows each day has, so no row of the days before
/// it and after it is read: every page costs the same, also over several projects, whose rows must be sorted.
/// </summary>
/// <param name="Before">Rows from this instant on come before the page.</param>
/// <param name="From">Rows before this instant come after the page.</param>
/// <param name="Skip">Rows older than that which also come before it: at most one day's.</param>
/// <param name="Take">Rows on the page.</param>
internal sealed record PageWindow(DateTimeOffset Before, DateTimeOffset From, int Skip, int Take, long Total, int PageNumber)
{
    public static PageWindow Find(
        IReadOnlyList<DailyCount> counts, Func<DailyCount, long> rows, int page, int pageSize)
    {
        var days = counts
            .GroupBy(count => count.Day)
            .Select(group => (Day: group.Key, Rows: group.Sum(rows)))
            .OrderByDescending(day => day.Day)
            .ToList();
        var skip = (page - 1L) * pageSize;
        var (before, from) = (DateTimeOffset.MaxValue.AddYears(-1), DateTimeOffset.UnixEpoch);
        var within = 0L;
        foreach (var (day, count) in days)
        {
            if (within == 0 && skip >= count)
            {
                skip -= count;
                before = DateTimeOffset.UnixEpoch.AddDays(day);
                continue;
            }

            within += count;
            if (within < skip + pageSize)
                continue;
            from = DateTimeOffset.UnixEpoch.AddDays(day);
            break;
        }

        return new PageWindow(before, from, (int)Math.Min(skip, int.MaxValue), pageSize, days.Sum(day => day.Rows), page);
    }

    public Page<T> Page<T>(IReadOnlyList<T> rows) => new()
    {
        Data = rows,
        Total = Total,
        Number = PageNumber,
        PageSize = Take,
        TotalPages = (Total + Take - 1) / Take,
    };
}
