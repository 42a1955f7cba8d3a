using System.Reflection;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Apertur.Server.Storage;

/// <summary>Brings the schema up to date: runs the numbered scripts of <c>Storage/Schema</c> that have not run yet, each in a transaction.</summary>
internal static class Migrator
{
    // Any constant does, as long as every node takes the same one.
    private const long AdvisoryLock = 0x41505254;

    private const int MaxAttempts = 10;

    // Among the scripts of a database, no script: servers do not start there, and commands refuse.
    private const int Restoring = 0;

    /// <summary>For an operator to read.</summary>
    public const string NoDatabase =
        "There is no database there yet, or it is lost. 'restore' puts a backup in its place; 'init' and 'serve' make a new one.";

    /// <exception cref="InvalidOperationException">The database was made by a newer version, or does not keep what it is told.</exception>
    public static Task RunAsync(Database database, CancellationToken cancellationToken) =>
        RunAsync(database, Scripts(), fill: null, restores: false, cancellationToken);

    /// <summary>The same for a database that is being restored; see <see cref="RestoreMark"/>.</summary>
    public static Task RunForRestoreAsync(Database database, CancellationToken cancellationToken) =>
        RunAsync(database, Scripts(), fill: null, restores: true, cancellationToken);

    /// <summary>
    /// Marks a database that a restore has filled and has not settled yet, in SQL. Whoever fills it does so in the same step, and
    /// <see cref="RestoreEnd"/> ends it with the last one.
    /// </summary>
    /// <param name="of">When the backup was made: the restore of this one may go on.</param>
    public static string RestoreMark(DateTimeOffset of) =>
        $"INSERT INTO schema_scripts (number, name) VALUES ({Restoring}, '{MarkOf(of)}')";

    public static string RestoreEnd => $"DELETE FROM schema_scripts WHERE number = {Restoring}";

    /// <summary>Whether a database is there as a restore has left it that was broken off.</summary>
    public static async Task<bool> IsMarkedAsync(Database database, DateTimeOffset of, CancellationToken cancellationToken)
    {
        await using var db = database.Open();
        return await IsMadeAsync(db, database, cancellationToken)
            && (await db.Database.SqlQuery<string>($"SELECT name AS \"Value\" FROM schema_scripts WHERE number = {Restoring}").ToListAsync(cancellationToken))
                .Contains(MarkOf(of));
    }

    private static string MarkOf(DateTimeOffset of) => $"restore {Http.InstantJson.Format(of)}";

    /// <summary>Whether this version has all of some scripts.</summary>
    public static bool Knows(IEnumerable<int> numbers) => !numbers.Except(Scripts().Select(script => script.Number)).Any();

    /// <summary>Looks whether a database has this version's tables, and changes nothing: servers of another version may be running on it.</summary>
    /// <exception cref="InvalidOperationException">It has none, or those of another version; the message says what to do.</exception>
    public static async Task AssertUpToDateAsync(Database database, CancellationToken cancellationToken)
    {
        await using var db = database.Open();
        if (!await IsMadeAsync(db, database, cancellationToken))
            throw new InvalidOperationException(NoDatabase);
        var done = await DoneAsync(db, restores: false, cancellationToken);
        if (Scripts().Exists(script => !done.Contains(script.Number)))
        {
            throw new InvalidOperationException(
                "The database is of an older version of this program. Start the server of this version first, or use the command of that version.");
        }
    }

    /// <summary>Makes the tables of an empty database as some scripts make them, and fills them, in one transaction.</summary>
    /// <exception cref="InvalidOperationException">One of the scripts is of a newer version.</exception>
    public static Task MakeAsync(
        Database database, IReadOnlyCollection<int> numbers, Func<AperturDb, Task> fill, CancellationToken cancellationToken)
    {
        var scripts = Scripts().FindAll(script => numbers.Contains(script.Number));
        return scripts.Count == numbers.Count
            ? RunAsync(database, scripts, fill, restores: true, cancellationToken)
            : throw new InvalidOperationException("The database was made by a newer version of this program.");
    }

    private static async Task RunAsync(
        Database database, List<(int Number, string Name)> scripts, Func<AperturDb, Task>? fill, bool restores, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await RunOnceAsync(database, scripts, fill, restores, cancellationToken);
                return;
            }
            catch (Exception exception)
                when (attempt < MaxAttempts && Database.FailureIn(exception)?.SqlState
                    is PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.DeadlockDetected or Database.IdleInTransaction)
            {
                // A connection from before PostgreSQL was restarted or its database restored, which has left the pool; or another node reads the same
                // tables in another order; or this process stood still for longer than PostgreSQL waits, as on a machine that starts everything at
                // once. Nothing of the script is there.
            }
        }
    }

    private static async Task RunOnceAsync(
        Database database, List<(int Number, string Name)> scripts, Func<AperturDb, Task>? fill, bool restores, CancellationToken cancellationToken)
    {
        await using var db = database.Open();
        db.BeginWrite();
        // Another node's migration, or a script on millions of rows, takes the time it takes.
        db.Database.SetCommandTimeout(TimeSpan.Zero);
        await db.Database.OpenConnectionAsync(cancellationToken);
        // The first must come before there is any table. It lets a file become smaller; see ProjectRemoval.
        if (database.IsSqlite)
            await db.Database.ExecuteSqlRawAsync("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL", cancellationToken);
        await AssertDurableAsync(db, database, cancellationToken);

        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        if (!database.IsSqlite)
        {
            await db.Database.ExecuteSqlRawAsync(PostgresSession.BeginMigration(database.Settings), cancellationToken);
            await db.Database.ExecuteSqlAsync($"SELECT pg_advisory_xact_lock({AdvisoryLock})", cancellationToken);
        }

        await db.Database.ExecuteSqlRawAsync(
            "CREATE TABLE IF NOT EXISTS schema_scripts (number INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL)", cancellationToken);
        var done = await DoneAsync(db, restores, cancellationToken);
        foreach (var (number, name) in scripts.Where(script => !done.Contains(script.Number)))
        {
            await ExecuteScriptAsync(db, name, cancellationToken);
            await db.Database.ExecuteSqlAsync($"INSERT INTO schema_scripts (number, name) VALUES ({number}, {name})", cancellationToken);
        }

        if (fill is not null)
            await fill(db);
        await transaction.CommitAsync(cancellationToken);
    }

    private static async Task<bool> IsMadeAsync(AperturDb db, Database database, CancellationToken cancellationToken)
    {
        var made = database.IsSqlite
            ? "SELECT COUNT(*) AS \"Value\" FROM sqlite_master WHERE name = 'schema_scripts'"
            : "SELECT COUNT(*) AS \"Value\" FROM pg_class WHERE oid = to_regclass('schema_scripts')";
        return await db.Database.SqlQueryRaw<long>(made).SingleAsync(cancellationToken) > 0;
    }

    /// <summary>The scripts that made a database.</summary>
    private static async Task<List<int>> DoneAsync(AperturDb db, bool restores, CancellationToken cancellationToken)
    {
        var done = await db.Database.SqlQuery<int>($"SELECT number AS \"Value\" FROM schema_scripts").ToListAsync(cancellationToken);
        if (done.Remove(Restoring) && !restores)
            throw new InvalidOperationException("A restore into this database was broken off: run it again, with the same backup.");
        return Knows(done) ? done : throw new InvalidOperationException("The database was made by a newer version of this program.");
    }

    private static List<(int Number, string Name)> Scripts() =>
        [.. Assembly.GetExecutingAssembly().GetManifestResourceNames()
            .Where(name => name.Length > 4 && name[..4].All(char.IsAsciiDigit))
            .Order(StringComparer.Ordinal)
            .Select(name => (int.Parse(name[..4], System.Globalization.CultureInfo.InvariantCulture), name))];

    private static async Task ExecuteScriptAsync(AperturDb db, string name, CancellationToken cancellationToken)
    {
        await using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(name)!;
        using var reader = new StreamReader(stream);
        var connection = db.Database.GetDbConnection();
        await using var command = connection.CreateCommand();
        command.Transaction = Microsoft.EntityFrameworkCore.Storage.DbContextTransactionExtensions.GetDbTransaction(db.Database.CurrentTransaction!);
        command.CommandTimeout = 0;
        command.CommandText = await reader.ReadToEndAsync(cancellationToken);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>A 201 promises that the rows are on disk, so the server does not start on a database that would not put them there.</summary>
    private static async Task AssertDurableAsync(AperturDb db, Database database, CancellationToken cancellationToken)
    {
        if (!database.IsSqlite)
        {
            // What a commit waits for is said in every transaction; only this is the server's alone.
            var fsync = database.Settings.AllowDataLoss ? "on" : await ReadAsync(db, "SHOW fsync", cancellationToken);
            if (PostgresSession.Unsafe(fsync) is { } problem)
                throw new InvalidOperationException(problem);
            return;
        }

        // On one connection: `synchronous` is said to each.
        await db.Database.OpenConnectionAsync(cancellationToken);
        var mode = await ReadAsync(db, "PRAGMA journal_mode", cancellationToken);
        var synchronous = await ReadAsync(db, "PRAGMA synchronous", cancellationToken);
        await db.Database.CloseConnectionAsync();
        if (mode != "wal" || synchronous != "2")
        {
            throw new InvalidOperationException(
                $"SQLite does not accept write-ahead logging with full synchronisation here (journal_mode {mode}, synchronous {synchronous}). " +
                "The data folder must be on a local disk.");
        }
    }

    private static async Task<string?> ReadAsync(AperturDb db, string sql, CancellationToken cancellationToken)
    {
        await db.Database.OpenConnectionAsync(cancellationToken);
        await using var command = db.Database.GetDbConnection().CreateCommand();
        command.CommandText = sql;
        var value = (await command.ExecuteScalarAsync(cancellationToken))?.ToString();
        await db.Database.CloseConnectionAsync();
        return value;
    }
}
