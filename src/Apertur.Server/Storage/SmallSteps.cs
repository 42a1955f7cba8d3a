using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Storage;

/// <summary>
/// Batched bulk work in short steps, so that others are not delayed: a step takes some milliseconds, and after it others have the disk,
/// and SQLite's only writer, for three times as long. Where others are busy a step waits for them, is so found to be long, and becomes smaller.
/// </summary>
internal static class SmallSteps
{
    public const int MostRows = 500;

    private const int FewestRows = 10;
    private const int FirstRows = 50;

    private static readonly TimeSpan _short = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan _long = TimeSpan.FromMilliseconds(15);

    /// <summary>Removes rows of a table.</summary>
    /// <param name="database">Where.</param>
    /// <param name="table">Its name.</param>
    /// <param name="rows">The condition, with <c>{0}</c> for the value.</param>
    /// <param name="value">As the database has it.</param>
    /// <param name="cancellationToken">Ends it between two steps.</param>
    /// <returns>How many there were.</returns>
    public static Task<long> RemoveAsync(Database database, string table, string rows, object value, CancellationToken cancellationToken)
    {
        // Neither database's DELETE has a LIMIT, and not every table has an id: this is where a row is.
        var some = $"FROM {table} WHERE {rows} LIMIT {{1}}";
        var sql = $"DELETE FROM {table} WHERE "
            + (database.IsSqlite ? $"rowid IN (SELECT rowid {some})" : $"ctid = ANY (ARRAY (SELECT ctid {some}))");
        return RunAsync(
            most => database.WriteAsync(db => db.Database.ExecuteSqlRawAsync(sql, [value, most], cancellationToken), cancellationToken),
            cancellationToken);
    }

    /// <param name="step">Works on at most so many rows, and says on how many: fewer when there are no more.</param>
    /// <param name="cancellationToken">Ends it between two steps.</param>
    /// <returns>How many rows there were.</returns>
    public static async Task<long> RunAsync(Func<int, Task<int>> step, CancellationToken cancellationToken)
    {
        var rows = FirstRows;
        for (var sum = 0L; ;)
        {
            // Real time, whatever clock the server goes by: it measures how busy this machine is.
            var began = TimeProvider.System.GetTimestamp();
            var done = await step(rows);
            var took = TimeProvider.System.GetElapsedTime(began);
            sum += done;
            if (done < rows)
                return sum;

            rows = took > _long ? Math.Max(FewestRows, rows / 2) : took < _short ? Math.Min(MostRows, rows * 2) : rows;
            await Task.Delay(took * 3, TimeProvider.System, cancellationToken);
        }
    }
}
