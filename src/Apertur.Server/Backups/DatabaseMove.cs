using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Apertur.Server.Storage;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Apertur.Server.Backups;

/// <param name="Table">Its name.</param>
/// <param name="Rows">How many it has.</param>
/// <param name="Sha256">Of all of them, in the order of their keys: the same in both databases.</param>
/// <param name="AlreadyThere">Whether an earlier run has brought it over.</param>
internal sealed record MovedTable(string Table, long Rows, string Sha256, bool AlreadyThere);

/// <summary>
/// Brings the rows of a SQLite database into an empty PostgreSQL, table by table, what others refer to first. A table is there whole or not at all and is
/// then compared, so that a run that was broken off is taken up by the next one. The SQLite database stays as it is.
/// </summary>
internal sealed class DatabaseMove(SqliteConnection from, Database to)
{
    // The first is made with the tables. Servers that run now are of the one database only.
    private static readonly HashSet<string> _left = ["schema_scripts", "workers"];

    /// <param name="progress">Is told of each table.</param>
    /// <param name="cancellationToken">Ends it between two tables.</param>
    /// <exception cref="InvalidOperationException">The other database has something else in it.</exception>
    public async Task<IReadOnlyList<MovedTable>> RunAsync(Action<MovedTable> progress, CancellationToken cancellationToken)
    {
        await Migrator.RunAsync(to, cancellationToken);
        await using var db = to.Open();
        await db.Database.OpenConnectionAsync(cancellationToken);
        var connection = (NpgsqlConnection)db.Database.GetDbConnection();
        await PostgresCopy.ExecuteAsync(connection, "SET statement_timeout = 0; SET synchronous_commit = on", cancellationToken);
        var moved = new List<MovedTable>();
        foreach (var table in await TablesAsync(connection, cancellationToken))
        {
            var rows = await MoveAsync(connection, table, cancellationToken);
            moved.Add(rows);
            progress(rows);
        }

        return moved;
    }

    private async Task<MovedTable> MoveAsync(NpgsqlConnection connection, Table table, CancellationToken cancellationToken)
    {
        var (rows, sha256) = Digest(Lines(table));
        if (await DigestAsync(connection, table, cancellationToken) is var there && there == (rows, sha256))
            return new MovedTable(table.Name, rows, sha256, AlreadyThere: rows > 0);
        if (there.Rows > 0)
            throw new InvalidOperationException($"The table {table.Name} of the other database has other rows in it. Give the move an empty database.");

        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var copy = $"COPY {table.Name} ({table.Columns}) FROM STDIN (FORMAT csv)";
        await using (var text = await PostgresCopy.BeginImportAsync(connection, copy, cancellationToken))
        {
            foreach (var line in Lines(table))
                await text.WriteAsync(line.AsMemory(), cancellationToken);
        }

        if (await DigestAsync(connection, table, cancellationToken) != (rows, sha256))
            throw new InvalidOperationException($"The table {table.Name} is not the same in the other database. Nothing of it was kept there.");
        await transaction.CommitAsync(cancellationToken);
        return new MovedTable(table.Name, rows, sha256, AlreadyThere: false);
    }

    /// <summary>The rows of a table as PostgreSQL writes them in CSV, each with the end of its line.</summary>
    private IEnumerable<string> Lines(Table table)
    {
        using var command = from.CreateCommand();
        command.CommandText = $"SELECT {table.Columns} FROM {table.Name} ORDER BY {table.Key}";
        using var reader = command.ExecuteReader();
        var line = new StringBuilder();
        while (reader.Read())
        {
            line.Clear();
            for (var column = 0; column < table.Booleans.Count; column++)
            {
                line.Append(column > 0 ? "," : "");
                if (!reader.IsDBNull(column))
                    line.Append(table.Booleans[column] ? (reader.GetBoolean(column) ? "t" : "f") : Quoted(Convert.ToString(reader.GetValue(column), CultureInfo.InvariantCulture)!));
            }

            yield return line.Append('\n').ToString();
        }
    }

    private static string Quoted(string text) => text.Length == 0 || text.AsSpan().ContainsAny(",\"\r\n")
        ? $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\""
        : text;

    private static (long Rows, string Sha256) Digest(IEnumerable<string> lines)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var rows = 0L;
        foreach (var line in lines)
        {
            rows++;
            hash.AppendData(Encoding.UTF8.GetBytes(line));
        }

        return (rows, Convert.ToHexStringLower(hash.GetHashAndReset()));
    }

    private static async Task<(long Rows, string Sha256)> DigestAsync(NpgsqlConnection connection, Table table, CancellationToken cancellationToken)
    {
        var rows = (await PostgresCopy.ReadAsync(connection, $"SELECT count(*) FROM {table.Name}", row => row.GetInt64(0), cancellationToken)).Single();
        var copy = $"COPY (SELECT {table.Columns} FROM {table.Name} ORDER BY {table.ByteWiseKey}) TO STDOUT (FORMAT csv)";
        using var text = await PostgresCopy.BeginExportAsync(connection, copy, cancellationToken);
        return (rows, Convert.ToHexStringLower(await SHA256.HashDataAsync(text.BaseStream, cancellationToken)));
    }

    /// <summary>The tables, what others refer to first.</summary>
    private static async Task<IReadOnlyList<Table>> TablesAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        const string Columns =
            """
            SELECT c.relname::text, a.attname::text, a.atttypid = 'boolean'::regtype, a.atttypid = 'text'::regtype,
                   coalesce(array_position(x.indkey::int2[], a.attnum), -1)
            FROM pg_class c JOIN pg_index x ON x.indrelid = c.oid AND x.indisprimary JOIN pg_attribute a ON a.attrelid = c.oid
            WHERE c.relnamespace = current_schema()::regnamespace AND a.attnum > 0 AND NOT a.attisdropped ORDER BY c.relname, a.attnum
            """;
        const string References =
            """
            SELECT DISTINCT of.relname::text, t.relname::text FROM pg_constraint f JOIN pg_class of ON of.oid = f.conrelid JOIN pg_class t ON t.oid = f.confrelid
            WHERE f.contype = 'f' AND f.connamespace = current_schema()::regnamespace
            """;
        var columns = await PostgresCopy.ReadAsync(
            connection, Columns,
            row => (Table: row.GetString(0), Name: row.GetString(1), IsBoolean: row.GetBoolean(2), IsText: row.GetBoolean(3), KeyPlace: row.GetInt32(4)),
            cancellationToken);
        var references = (await PostgresCopy.ReadAsync(connection, References, row => (Of: row.GetString(0), To: row.GetString(1)), cancellationToken))
            .ToLookup(reference => reference.Of, reference => reference.To);
        var left = columns.Where(column => !_left.Contains(column.Table)).ToLookup(column => column.Table).ToDictionary(of => of.Key, of => of.ToList());
        var tables = new List<Table>();
        while (left.Count > 0)
        {
            var next = left.Keys.Order(StringComparer.Ordinal).First(table => !references[table].Any(other => other != table && left.ContainsKey(other)));
            left.Remove(next, out var own);
            var key = own!.Where(column => column.KeyPlace >= 0).OrderBy(column => column.KeyPlace).ToList();
            tables.Add(new Table(
                next, string.Join(", ", own!.Select(column => column.Name)), own!.ConvertAll(column => column.IsBoolean),
                string.Join(", ", key.Select(column => column.Name)),
                // As SQLite compares texts.
                string.Join(", ", key.Select(column => column.IsText ? $"{column.Name} COLLATE \"C\"" : column.Name))));
        }

        return tables;
    }

    private sealed record Table(string Name, string Columns, IReadOnlyList<bool> Booleans, string Key, string ByteWiseKey);
}
