using System.Data.Common;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;

namespace Apertur.Server.Storage;

/// <summary>Opens the database that the settings name, and holds what differs between the two.</summary>
internal sealed class Database
{
    // SQLite has one writer at a time. Waiting here is first come, first served; waiting in SQLite polls.
    private readonly SemaphoreSlim? _sqliteWriter;
    private readonly IDbContextFactory<AperturDb> _factory;

    public Database(Settings settings, IDbContextFactory<AperturDb> factory)
    {
        _factory = factory;
        IsSqlite = settings.Database.Provider == DatabaseProvider.Sqlite;
        _sqliteWriter = IsSqlite ? new SemaphoreSlim(1) : null;
    }

    public bool IsSqlite { get; }

    public static void Configure(Settings settings, DbContextOptionsBuilder options)
    {
        if (settings.Database.Provider == DatabaseProvider.Sqlite)
        {
            var connectionString = new SqliteConnectionStringBuilder
            {
                DataSource = Path.Combine(settings.DataFolder, "apertur.db"),
                ForeignKeys = true,
                DefaultTimeout = 30,
            };
            options.UseSqlite(connectionString.ToString()).AddInterceptors(new SqlitePragmas());
        }
        else
        {
            options.UseNpgsql(settings.Database.ConnectionString);
        }

        options.ConfigureWarnings(warnings => warnings.Ignore(RelationalEventId.MultipleCollectionIncludeWarning));
    }

    public AperturDb Open() => _factory.CreateDbContext();

    /// <summary>
    /// Runs work in one transaction and commits it; when this returns the change is on disk. The work may be run again from the start
    /// when PostgreSQL ends it for a serialisation failure or deadlock, so it must touch nothing but the database.
    /// </summary>
    public async Task<T> WriteAsync<T>(Func<AperturDb, Task<T>> work, CancellationToken cancellationToken)
    {
        if (_sqliteWriter is not null)
            await _sqliteWriter.WaitAsync(cancellationToken);
        try
        {
            for (var attempt = 1; ; attempt++)
            {
                try
                {
                    await using var db = Open();
                    await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
                    var result = await work(db);
                    await db.SaveChangesAsync(cancellationToken);
                    await transaction.CommitAsync(cancellationToken);
                    return result;
                }
                catch (Exception exception) when (attempt < 4 && IsDeadlock(exception))
                {
                }
            }
        }
        finally
        {
            _sqliteWriter?.Release();
        }
    }

    /// <inheritdoc cref="WriteAsync{T}"/>
    public Task WriteAsync(Func<AperturDb, Task> work, CancellationToken cancellationToken) =>
        WriteAsync(
            async db =>
            {
                await work(db);
                return 0;
            },
            cancellationToken);

    /// <summary>
    /// Reads rows and keeps others from changing them until the transaction ends, in the order of their ids so that two transactions never
    /// wait for each other in a circle. SQLite's write transaction excludes everybody anyway.
    /// </summary>
    public IQueryable<T> Locked<T>(DbSet<T> set, IEnumerable<Guid> ids)
        where T : class
    {
        var texts = ids.Distinct().Select(id => id.ToString()).Order(StringComparer.Ordinal).ToArray();
        var rows = "SELECT * FROM " + set.EntityType.GetTableName();
        var sql = IsSqlite
            ? rows + " WHERE id IN (SELECT value FROM json_each({0}))"
            // Not FOR UPDATE: a row that refers to a locked one may be inserted meanwhile, because no key ever changes. Photos that come in
            // would wait for outcomes, and in a circle where both name several destinations.
            : rows + " WHERE id = ANY({0}) ORDER BY id FOR NO KEY UPDATE";
        return set.FromSqlRaw(sql, IsSqlite ? JsonSerializer.Serialize(texts) : texts);
    }

    /// <summary>What the database, or the way to it, said; null when it was something else.</summary>
    public static DbException? FailureIn(Exception exception)
    {
        // EF Core wraps it up to two times, once in a DbException of its own that knows no code.
        DbException? innermost = null;
        for (var cause = exception; cause is not null; cause = cause.InnerException)
            innermost = cause as DbException ?? innermost;
        return innermost;
    }

    /// <summary>Whether PostgreSQL could not be reached or did not answer, as opposed to having answered with an error.</summary>
    public static bool IsOutOfReach(Exception exception) =>
        FailureIn(exception) is NpgsqlException { IsTransient: true } and not PostgresException;

    private static bool IsDeadlock(Exception exception) =>
        FailureIn(exception)?.SqlState is PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.SerializationFailure;

    /// <summary>What has to be said on every SQLite connection.</summary>
    private sealed class SqlitePragmas : DbConnectionInterceptor
    {
        // FULL: a commit is on disk when it returns, in WAL mode too. The busy timeout spares the provider's own coarse polling.
        private const string Pragmas = "PRAGMA synchronous = FULL; PRAGMA busy_timeout = 10000;";

        public override void ConnectionOpened(DbConnection connection, ConnectionEndEventData eventData) => Say(connection);

        public override Task ConnectionOpenedAsync(
            DbConnection connection, ConnectionEndEventData eventData, CancellationToken cancellationToken = default)
        {
            Say(connection);
            return Task.CompletedTask;
        }

        private static void Say(DbConnection connection)
        {
            using var command = connection.CreateCommand();
            command.CommandText = Pragmas;
            command.ExecuteNonQuery();
        }
    }
}
