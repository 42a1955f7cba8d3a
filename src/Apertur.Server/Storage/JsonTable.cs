using System.Text.Json;

namespace Apertur.Server.Storage;

/// <summary>
/// Rows given to a statement as one parameter, so that it writes any number of them: a JSON array of arrays, which either database reads as a
/// table.
/// </summary>
/// <param name="columns">Their names in order; a name that ends in <c>#</c> is a whole number, any other a text.</param>
internal sealed class JsonTable(params string[] columns)
{
    /// <summary>A common table expression of that name, to begin a statement with; its rows are the statement's only parameter.</summary>
    public string With(string name, Database database)
    {
        var values = columns.Select((column, place) => (Name: column.TrimEnd('#'), Place: place, IsNumber: column.EndsWith('#')));
        return database.IsSqlite
            ? $"WITH {name} AS (SELECT {Join(values, v => $"json_extract(value, '$[{v.Place}]') AS {v.Name}")} FROM json_each({{0}}))"
            : $"WITH {name} AS MATERIALIZED (SELECT {Join(values, v => $"(value ->> {v.Place}){(v.IsNumber ? "::bigint" : "")} AS {v.Name}")} "
              + "FROM jsonb_array_elements({0}::jsonb))";
    }

    /// <summary>The parameter.</summary>
    /// <param name="rows">Their values in the order of the columns: texts, whole numbers, null.</param>
    public static string Rows(IEnumerable<object?[]> rows) => JsonSerializer.Serialize(rows);

    private static string Join<T>(IEnumerable<T> values, Func<T, string> text) => string.Join(", ", values.Select(text));
}
