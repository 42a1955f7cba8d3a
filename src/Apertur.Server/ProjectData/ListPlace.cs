using Apertur.Server.Contract;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.ProjectData;

/// <summary>
/// Where one page of a long list begins. The daily counts tell how many rows each day has, so whole days are stepped over without reading a
/// row of them: the last page costs what the first one does.
/// </summary>
/// <param name="Before">Rows from this instant on come before the page.</param>
/// <param name="Skip">Rows older than that which also come before it: at most one day's.</param>
/// <param name="Take">Rows on the page.</param>
internal sealed record ListPlace(DateTimeOffset Before, int Skip, int Take, long Total, int PageNumber)
{
    public static async Task<ListPlace> FindAsync(
        IQueryable<DailyCount> counts, Func<DailyCount, long> rows, int page, int pageSize, CancellationToken cancellationToken)
    {
        var days = (await counts.AsNoTracking().ToListAsync(cancellationToken))
            .GroupBy(count => count.Day)
            .Select(group => (Day: group.Key, Rows: group.Sum(rows)))
            .OrderByDescending(day => day.Day)
            .ToList();
        var skip = (page - 1L) * pageSize;
        var before = DateTimeOffset.MaxValue.AddYears(-1);
        foreach (var (day, count) in days)
        {
            if (skip < count)
                break;
            skip -= count;
            before = DateTimeOffset.UnixEpoch.AddDays(day);
        }

        return new ListPlace(before, (int)Math.Min(skip, int.MaxValue), pageSize, days.Sum(day => day.Rows), page);
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
