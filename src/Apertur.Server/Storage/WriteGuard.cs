using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Apertur.Server.Storage;

/// <summary>
/// An interceptor that refuses writes outside of <see cref="Database.WriteAsync{T}"/>: around it there is no order among SQLite's writers, no
/// retry after a deadlock, no word to PostgreSQL about the disk, and nobody is told of the commit.
/// </summary>
internal sealed class WriteGuard : DbCommandInterceptor
{
    private static readonly string[] _reading = ["SELECT", "PRAGMA", "WITH"];
    private static readonly string[] _writing = ["INSERT INTO ", "UPDATE ", "DELETE FROM "];

    public override InterceptionResult<DbDataReader> ReaderExecuting(
        DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result) => Check(command, eventData, result);

    public override ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result, CancellationToken cancellationToken = default) =>
        new(Check(command, eventData, result));

    public override InterceptionResult<int> NonQueryExecuting(DbCommand command, CommandEventData eventData, InterceptionResult<int> result) =>
        Check(command, eventData, result);

    public override ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default) =>
        new(Check(command, eventData, result));

    private static T Check<T>(DbCommand command, CommandEventData eventData, T result)
    {
        if (eventData.Context is not AperturDb db || IsReading(command.CommandText))
            return result;
        db.Write.NoteBulk(command.CommandText);
        return result;
    }

    private static bool IsReading(string sql)
    {
        var text = sql.AsSpan().TrimStart();
        foreach (var word in _reading)
        {
            if (text.StartsWith(word, StringComparison.OrdinalIgnoreCase))
                return word != "WITH" || !Array.Exists(_writing, verb => sql.Contains(verb, StringComparison.Ordinal));
        }

        return false;
    }
}
