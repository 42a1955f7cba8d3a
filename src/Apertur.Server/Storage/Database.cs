using System.Data.Common;
using System.Text.Json;
using Apertur.Server.Sessions;
using Apertur.Server.Storage.CompiledModel;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;

namespace Apertur.Server.Storage;

/// <summary>Opens the database that the settings name, and holds what differs between the two.</summary>
internal sealed class Database
{
    private const int MaxAttempts = 4;

    private static readonly Lock _model = new();

    // idle_in_transaction_session_timeout has struck: this process had stopped.
    internal const string IdleInTransaction = "25P03";

    // SQLite has one writer at a time. Waiting here is first come, first served; waiting in SQLite polls.
    private readonly SemaphoreSlim? _sqliteWriter;
    private readonly IDbContextFactory<AperturDb> _factory;
    private readonly SessionNotifier _notifier;
    private readonly AsyncAutoResetEvent _deliver;
    private readonly string _beginWrite;
    private int _heldUp;

    public Database(Settings settings, IDbContextFactory<AperturDb> factory, SessionNotifier notifier, AsyncAutoResetEvent deliver)
    {
        _factory = factory;
        _notifier = notifier;
        _deliver = deliver;
        IsSqlite = settings.Database.Provider == DatabaseProvider.Sqlite;
        _sqliteWriter = IsSqlite ? new SemaphoreSlim(1) : null;
        _beginWrite = PostgresSession.BeginWrite(settings.Database);
        Settings = settings.Database;
    }

    public DatabaseSettings Settings { get; }

    public bool IsSqlite { get; }

    /// <summary>How many writes wait, for longer than they should, for rows that another node or program holds.</summary>
    public int HeldUp => Volatile.Read(ref _heldUp);

    /// <summary>How long a write waits for rows that somebody else holds.</summary>
    public TimeSpan LockWait => TimeSpan.FromSeconds(Settings.LockWaitSeconds);

    /// <summary>Tells EF Core which database this is.</summary>
    /// <param name="settings">Which database, and where.</param>
    /// <param name="postgreSql">Its connections; null with SQLite.</param>
    /// <param name="options">To be filled.</param>
    public static void Configure(Settings settings, NpgsqlDataSource? postgreSql, DbContextOptionsBuilder options)
    {
        if (postgreSql is null)
            options.UseModel(AperturDbModel.Sqlite).UseSqlite(SqliteConnectionString(settings)).AddInterceptors(new SqlitePragmas());
        else
            options.UseModel(AperturDbModel.PostgreSql).UseNpgsql(postgreSql);

        options.AddInterceptors(new WriteGuard(), new TransactionGuard());
        // The other: counts that end at a limit need no order.
        options.ConfigureWarnings(warnings => warnings.Ignore(
            RelationalEventId.MultipleCollectionIncludeWarning, CoreEventId.RowLimitingOperationWithoutOrderByWarning));
    }

    /// <summary>
    /// Has EF Core translate a query, and load and compile on another core what that takes, while the caller goes on: a tenth of a start. The
    /// database is not touched. No context is used before this is done: of two that begin at once, EF Core gives the second a model that the first has
    /// not finished.
    /// </summary>
    /// <inheritdoc cref="Configure"/>
    public static Task WarmUpAsync(Settings settings, NpgsqlDataSource? postgreSql) => Task.Run(() =>
    {
        var options = new DbContextOptionsBuilder<AperturDb>();
        Configure(settings, postgreSql, options);
        using var db = new AperturDb(options.Options);
        lock (_model)
            _ = db.Model;
        return db.Projects.Where(project => project.Name == "").ToQueryString();
    });

    public static string SqliteConnectionString(Settings settings) => new SqliteConnectionStringBuilder
    {
        DataSource = Path.Combine(settings.DataFolder, "apertur.db"),
        ForeignKeys = true,
    }.ToString();

    /// <summary>For reading: what it reads is not tracked, and what it is told to write it refuses.</summary>
    public AperturDb Open()
    {
        var db = _factory.CreateDbContext();
        db.ChangeTracker.QueryTrackingBehavior = QueryTrackingBehavior.NoTracking;
        return db;
    }

    /// <summary>Reads what may take as long as it takes, such as a whole table.</summary>
    public async Task<T> ReadLongAsync<T>(Func<AperturDb, Task<T>> read, CancellationToken cancellationToken)
    {
        await using var db = Open();
        db.Database.SetCommandTimeout(TimeSpan.Zero);
        if (IsSqlite)
            return await read(db);
        // For this transaction: the connection is somebody else's afterwards.
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        await db.Database.ExecuteSqlRawAsync("SELECT set_config('statement_timeout', '0', true)", cancellationToken);
        return await read(db);
    }

    /// <summary>
    /// Runs work in one transaction and commits it; when this returns the change is on disk. The work may be run again from the start, when
    /// PostgreSQL ends it for a serialisation failure or deadlock, when its connection was lost before the commit, when somebody else holds a
    /// row for long, or when this process stopped in the middle: so it must touch nothing but the database, or set that right at its end (<see cref="WriteScope.AtEnd"/>). Who waits for news of the sessions
    /// it changed, and the pump when something has become due, are told after the commit, here and on the other nodes.
    /// </summary>
    public Task<T> WriteAsync<T>(Func<AperturDb, Task<T>> work, CancellationToken cancellationToken) =>
        WriteWithinAsync(LockWait, work, cancellationToken);

    /// <inheritdoc cref="WriteAsync{T}"/>
    public Task WriteAsync(Func<AperturDb, Task> work, CancellationToken cancellationToken) =>
        WriteAsync(
            async db =>
            {
                await work(db);
                return 0;
            },
            cancellationToken);

    /// <summary>Writes new rows.</summary>
    public Task AddAsync(IReadOnlyCollection<object> rows, CancellationToken cancellationToken) =>
        WriteAsync(
            db =>
            {
                db.AddRange(rows);
                return Task.CompletedTask;
            },
            cancellationToken);

    /// <summary>
    /// The same for work that can do without rows which somebody else holds: it is told to leave them out once it has met one.
    /// </summary>
    public async Task<T> WriteFreeAsync<T>(Func<AperturDb, bool, Task<T>> work, CancellationToken cancellationToken)
    {
        try
        {
            return await WriteWithinAsync(TimeSpan.Zero, db => work(db, false), cancellationToken);
        }
        catch (Exception exception) when (IsHeld(exception))
        {
            return await WriteAsync(db => work(db, true), cancellationToken);
        }
    }

    /// <inheritdoc cref="WriteAsync{T}"/>
    /// <param name="maxLockWait">How long to wait for rows that others hold, beyond <see cref="PostgresSession.LockWait"/>.</param>
    /// <param name="work">The work.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<T> WriteWithinAsync<T>(TimeSpan maxLockWait, Func<AperturDb, Task<T>> work, CancellationToken cancellationToken)
    {
        var heldUp = false;
        if (_sqliteWriter is not null)
            await _sqliteWriter.WaitAsync(cancellationToken);
        try
        {
            var began = TimeProvider.System.GetTimestamp();
            for (var ended = 0; ;)
            {
                try
                {
                    return await WriteOnceAsync(work, cancellationToken);
                }
                catch (Exception exception) when (WasEnded(exception) ? ++ended < MaxAttempts
                    : IsHeld(exception) && TimeProvider.System.GetElapsedTime(began) < maxLockWait)
                {
                    if (!heldUp && IsHeld(exception))
                    {
                        CountHeldUp(1);
                        heldUp = true;
                    }
                }
            }
        }
        finally
        {
            if (heldUp)
                CountHeldUp(-1);
            _sqliteWriter?.Release();
        }
    }

    /// <summary>
    /// Reads rows and keeps others from changing them until the transaction ends, in the order of their ids so that two transactions never
    /// wait for each other in a circle. SQLite's write transaction excludes everybody anyway.
    /// </summary>
    public IQueryable<T> Locked<T>(DbSet<T> set, IEnumerable<Guid> ids)
        where T : class
    {
        var (among, values) = Among("id", ids.Select(id => id.ToString()));
        // Not FOR UPDATE: a row that refers to a locked one may be inserted meanwhile, because no key ever changes. Photos that come in
        // would wait for outcomes, and in a circle where both name several destinations.
        var sql = $"SELECT * FROM {set.EntityType.GetTableName()} WHERE {among} {(IsSqlite ? "" : "ORDER BY id FOR NO KEY UPDATE")}";
        return set.FromSqlRaw(sql, values);
    }

    /// <summary>A condition that a column is one of many texts, as the database's index takes it, with its only parameter.</summary>
    public (string Sql, object Values) Among(string column, IEnumerable<string> texts)
    {
        string[] all = [.. texts];
        return IsSqlite
            ? ($"{column} IN (SELECT value FROM json_each({{0}}))", JsonSerializer.Serialize(all))
            : ($"{column} = ANY({{0}})", all);
    }

    /// <summary>Locks the rows that are free, without waiting, and gives those that somebody else holds. With PostgreSQL: in SQLite nobody does.</summary>
    public static async Task<HashSet<RowKey>> LockAsync(AperturDb db, IEnumerable<RowKey> rows)
    {
        var held = new HashSet<RowKey>();
        foreach (var table in rows.GroupBy(row => row.Table))
        {
            // What is there but was not locked. A row that is gone is nobody's, and whoever needs it finds out.
            string[] ids = [.. table.Select(row => row.Id.ToString())];
            var sql = $$"""
                WITH free AS MATERIALIZED (SELECT id FROM {{table.Key}} WHERE id = ANY({0}) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED)
                SELECT id AS "Value" FROM {{table.Key}} WHERE id = ANY({0}) AND id NOT IN (SELECT id FROM free)
                """;
            held.UnionWith((await db.Database.SqlQueryRaw<string>(sql, [ids]).ToListAsync()).Select(id => new RowKey(table.Key, Guid.Parse(id))));
        }

        return held;
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

    public void CountHeldUp(int more) => Interlocked.Add(ref _heldUp, more);

    /// <summary>Whether somebody else held a row for longer than a statement waits.</summary>
    public static bool IsHeld(Exception exception) => FailureIn(exception)?.SqlState == PostgresErrorCodes.LockNotAvailable;

    /// <summary>Whether PostgreSQL ended the transaction, so that nothing of it is there, for a reason that has passed.</summary>
    private static bool WasEnded(Exception exception) => FailureIn(exception) is TransactionLostException
        or { SqlState: PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.SerializationFailure or IdleInTransaction };

    private async Task<T> WriteOnceAsync<T>(Func<AperturDb, Task<T>> work, CancellationToken cancellationToken)
    {
        await using var db = Open();
        var scope = db.BeginWrite();
        var isCommitted = false;
        T result;
        try
        {
            await using var transaction = await scope.BeginAsync(db, cancellationToken);
            if (!IsSqlite)
                await db.Database.ExecuteSqlRawAsync(_beginWrite, cancellationToken);
            result = await work(db);
            await db.SaveChangesAsync(cancellationToken);
            await scope.CommitAsync(db, transaction);
            isCommitted = true;
        }
        finally
        {
            scope.AtEnd.ForEach(act => act(isCommitted));
        }

        if (scope.IsSomethingDue)
            _deliver.Set();
        _notifier.Publish(scope.ChangedSessions, scope.IsSomethingDue);
        return result;
    }

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
