using Apertur.Server.Contract;

namespace Apertur.Server.ProjectData;

/// <summary>
/// The time window of one page of a long list. The counts of days, and within a day of many rows those of its minutes, tell how many rows each
/// has, so no row of those before it and after it is read: every page costs the same, also over several projects, whose rows must be sorted.
/// </summary>
/// <param name="Before">Rows from this instant on come before the page.</param>
/// <param name="From">Rows before this instant come after the page.</param>
/// <param name="Skip">Rows older than that which also come before it: at most one period's.</param>
/// <param name="Take">Rows on the page.</param>
internal sealed record PageWindow(DateTimeOffset Before, DateTimeOffset From, int Skip, int Take, long Total, int PageNumber)
{
    // Read for one page, though not all are returned: a few milliseconds' worth.
    private const int MostRows = 2000;

    /// <param name="days">Rows of each day, in any order.</param>
    /// <param name="minutesOf">The same of each minute of a day that starts then; null when they are not known.</param>
    /// <param name="page">From 1.</param>
    /// <param name="pageSize">Rows on it.</param>
    public static async Task<PageWindow> FindAsync(
        IReadOnlyList<Period> days, Func<DateTimeOffset, Task<IReadOnlyList<Period>?>> minutesOf, int page, int pageSize)
    {
        var window = Find(days, page, pageSize);
        var periods = days.ToList();
        foreach (var day in days.Where(day => day.Rows > MostRows && day.Start >= window.From && day.Start < window.Before))
        {
            if (await minutesOf(day.Start) is not { } minutes)
                continue;
            periods.Remove(day);
            periods.AddRange(minutes);
        }

        return Find(periods, page, pageSize);
    }

    public Page<T> Page<T>(IReadOnlyList<T> rows) => new()
    {
        Data = rows,
        Total = Total,
        Number = PageNumber,
        PageSize = Take,
        TotalPages = (Total + Take - 1) / Take,
    };

    private static PageWindow Find(IReadOnlyList<Period> periods, int page, int pageSize)
    {
        var skip = (page - 1L) * pageSize;
        var (before, from) = (DateTimeOffset.MaxValue.AddYears(-1), DateTimeOffset.UnixEpoch);
        var within = 0L;
        foreach (var (start, rows) in periods.OrderByDescending(period => period.Start))
        {
            if (within == 0 && skip >= rows)
            {
                skip -= rows;
                before = start;
                continue;
            }

            within += rows;
            if (within < skip + pageSize)
                continue;
            from = start;
            break;
        }

        return new PageWindow(before, from, (int)Math.Min(skip, int.MaxValue), pageSize, periods.Sum(period => period.Rows), page);
    }

    /// <summary>Rows of the time from an instant on to the next period.</summary>
    internal sealed record Period(DateTimeOffset Start, long Rows);
}
