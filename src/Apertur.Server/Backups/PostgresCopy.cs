using System.Data;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Apertur.Server.Backups;

/// <summary>
/// Copies of a PostgreSQL database: each table as CSV with a header, all read in one transaction that sees one moment. Unlike <c>pg_dump</c> it
/// needs no program of the server's version on this machine. The tables themselves are made by this program's own scripts.
/// </summary>
internal static class PostgresCopy
{
    // The first is made with the tables; the second is of servers that run now.
    private const string Tables =
        """
        SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace
          AND relname NOT IN ('schema_scripts', 'workers') ORDER BY relname
        """;

    private const string References =
        """
        SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname),
               format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
        FROM pg_constraint WHERE contype = 'f' AND connamespace = current_schema()::regnamespace
        """;

    /// <inheritdoc cref="SqliteCopy.Write"/>
    public static async Task<IReadOnlyList<int>> WriteAsync(
        Database database, string folder, string photoList, CancellationToken cancellationToken)
    {
        await using var db = database.Open();
        await db.Database.OpenConnectionAsync(cancellationToken);
        var connection = (NpgsqlConnection)db.Database.GetDbConnection();
        await using var snapshot = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken);
        await ExecuteAsync(
            connection,
            "SET TRANSACTION READ ONLY; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0",
            cancellationToken);
        foreach (var table in await ReadAsync(connection, Tables, row => row.GetString(0), cancellationToken))
            await ExportAsync(connection, $"COPY {table} TO STDOUT (FORMAT csv, HEADER)", Path.Combine(folder, table + ".csv"), cancellationToken);
        await ExportAsync(connection, $"COPY ({PhotoList.Select}) TO STDOUT", photoList, cancellationToken);
        return await ReadAsync(connection, "SELECT number FROM schema_scripts ORDER BY number", row => row.GetInt32(0), cancellationToken);
    }

    /// <summary>Whether there is no table yet.</summary>
    public static async Task<bool> IsFreeAsync(Database database, CancellationToken cancellationToken)
    {
        await using var db = database.Open();
        await db.Database.OpenConnectionAsync(cancellationToken);
        return (await ReadAsync((NpgsqlConnection)db.Database.GetDbConnection(), Tables, row => row.GetString(0), cancellationToken)).Count == 0;
    }

    /// <summary>Makes the tables, fills them and marks them (<see cref="Migrator.RestoreMark"/>), all or nothing.</summary>
    public static Task LoadAsync(Database database, string folder, BackupManifest about, CancellationToken cancellationToken) =>
        Migrator.MakeAsync(
            database, about.SchemaScripts,
            async db =>
            {
                var connection = (NpgsqlConnection)db.Database.GetDbConnection();
                // Checked once for all at the end, whatever the order of the tables.
                var references = await ReadAsync(connection, References, row => (Drop: row.GetString(0), Add: row.GetString(1)), cancellationToken);
                foreach (var (drop, _) in references)
                    await ExecuteAsync(connection, drop, cancellationToken);
                foreach (var file in Directory.GetFiles(folder, "*.csv").Order(StringComparer.Ordinal))
                    await ImportAsync(connection, file, cancellationToken);
                foreach (var (_, add) in references)
                    await ExecuteAsync(connection, add, cancellationToken);
                await ExecuteAsync(connection, Migrator.RestoreMark(about.MadeAt), cancellationToken);
            },
            cancellationToken);

    private static async Task ExportAsync(NpgsqlConnection connection, string copy, string path, CancellationToken cancellationToken)
    {
        await using var file = new FileStream(path, FileMode.CreateNew);
        using (var text = await BeginExportAsync(connection, copy, cancellationToken))
            await text.BaseStream.CopyToAsync(file, cancellationToken);
        file.Flush(flushToDisk: true);
    }

    private static async Task ImportAsync(NpgsqlConnection connection, string path, CancellationToken cancellationToken)
    {
        var columns = File.ReadLines(path).First();
        await using var file = File.OpenRead(path);
        var copy = $"COPY {Path.GetFileNameWithoutExtension(path)} ({columns}) FROM STDIN (FORMAT csv, HEADER)";
        await using var text = await BeginImportAsync(connection, copy, cancellationToken);
        await file.CopyToAsync(text.BaseStream, cancellationToken);
    }

    /// <summary>Begins to read what <c>COPY … TO STDOUT</c> gives, however long it sorts before.</summary>
    public static async Task<StreamReader> BeginExportAsync(NpgsqlConnection connection, string copy, CancellationToken cancellationToken)
    {
        var text = (NpgsqlCopyTextReader)await connection.BeginTextExportAsync(copy, cancellationToken);
        text.Timeout = 0;
        return text;
    }

    /// <summary>Begins to write what <c>COPY … FROM STDIN</c> takes, however long it compares afterwards.</summary>
    public static async Task<StreamWriter> BeginImportAsync(NpgsqlConnection connection, string copy, CancellationToken cancellationToken)
    {
        var text = (NpgsqlCopyTextWriter)await connection.BeginTextImportAsync(copy, cancellationToken);
        text.Timeout = 0;
        return text;
    }

    public static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>The rows of a query.</summary>
    public static async Task<List<T>> ReadAsync<T>(
        NpgsqlConnection connection, string sql, Func<NpgsqlDataReader, T> read, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await using var rows = await command.ExecuteReaderAsync(cancellationToken);
        var found = new List<T>();
        while (await rows.ReadAsync(cancellationToken))
            found.Add(read(rows));
        return found;
    }
}
