using System.Text.Json;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Storage;

/// <summary>
/// Rows given to a statement as one parameter, so that it writes any number of them: a JSON array of arrays, which either database reads as a
/// table.
/// </summary>
/// <param name="columns">Their names in order; a name that ends in <c>#</c> is a whole number, in <c>?</c> true or false, any other a text.</param>
internal sealed class JsonTable(params string[] columns)
{
    /// <summary>A common table expression of that name, to begin a statement with; its rows are the statement's only parameter.</summary>
    private string With(string name, Database database)
    {
        var values = columns.Select((column, place) => (Name: NameOf(column), Place: place, Type: column[^1] switch { '#' => "::bigint", '?' => "::boolean", _ => "" }));
        return database.IsSqlite
            ? $"WITH {name} AS (SELECT {Join(values, v => $"json_extract(value, '$[{v.Place}]') AS {v.Name}")} FROM json_each({{0}}))"
            : $"WITH {name} AS MATERIALIZED (SELECT {Join(values, v => $"(value ->> {v.Place}){v.Type} AS {v.Name}")} "
              + "FROM jsonb_array_elements({0}::jsonb))";
    }

    /// <summary>What the name of a column ends in whose values are of that type.</summary>
    public static string Mark(Type type) => (Nullable.GetUnderlyingType(type) ?? type) switch
    {
        var number when number == typeof(int) || number == typeof(long) => "#",
        var truth when truth == typeof(bool) => "?",
        var text when text == typeof(string) => "",
        var other => throw new NotSupportedException($"{other} is in no column."),
    };

    /// <summary>Runs a statement that reads rows as the table <c>v</c>.</summary>
    /// <returns>How many rows it wrote.</returns>
    public Task<int> WriteAsync(
        AperturDb db, Database database, string statement, IEnumerable<object?[]> rows, CancellationToken cancellationToken)
    {
        var sql = $"{With("v", database)} {statement}";
        return db.Database.ExecuteSqlRawAsync(sql, [Rows(rows)], cancellationToken);
    }

    /// <summary>A column's name without what it ends in.</summary>
    public static string NameOf(string column) => column.TrimEnd('#', '?');

    /// <summary>The parameter.</summary>
    /// <param name="rows">Their values in the order of the columns: texts, whole numbers, true or false, null.</param>
    private static string Rows(IEnumerable<object?[]> rows) => JsonSerializer.Serialize(rows);

    private static string Join<T>(IEnumerable<T> values, Func<T, string> text) => string.Join(", ", values.Select(text));
}
