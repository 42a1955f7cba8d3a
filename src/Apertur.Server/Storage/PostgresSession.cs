using Npgsql;

namespace Apertur.Server.Storage;

/// <summary>
/// The session settings of PostgreSQL connections, so that a commit is on disk and a node that stops in the middle of a transaction (frozen,
/// cut off, out of power) holds up nobody for long.
/// </summary>
/// <remarks>
/// What a transaction depends on is said in it, by <see cref="BeginWrite"/>: neither a pooler in between, nor the connection string, nor what
/// was set for the role or the database changes it. What belongs to a connection is only a help against ends that died without a word.
/// </remarks>
internal static class PostgresSession
{
    /// <summary>
    /// How long a statement waits for one lock. Whoever finds a row held for longer is told so and decides: <see cref="Database.WriteAsync{T}"/>
    /// tries again for up to its own limit, a group goes on without the item.
    /// </summary>
    public static readonly TimeSpan LockWait = TimeSpan.FromMilliseconds(250);

    // Below Npgsql's own limit of 30 seconds, which only counts while this process runs.
    private const string StatementTimeout = "25s";

    // tcp_user_timeout also ends a connection whose other end accepts no more data, which keep-alives never notice.
    private const string OfConnection =
        $"""
        SELECT set_config('tcp_keepalives_idle', '15', false), set_config('tcp_keepalives_interval', '5', false),
               set_config('tcp_keepalives_count', '3', false), set_config('tcp_user_timeout', '30s', false),
               set_config('statement_timeout',
                 CASE current_setting('statement_timeout') WHEN '0' THEN '{StatementTimeout}' ELSE current_setting('statement_timeout') END, false)
        """;

    /// <summary>The operator's connection string, completed where it says nothing.</summary>
    public static string ConnectionString(string given)
    {
        var builder = new NpgsqlConnectionStringBuilder(given);
        void Default(string name, object value)
        {
            if (!builder.ShouldSerialize(name))
                builder[name] = value;
        }

        Default("Application Name", "Apertur");
        Default("Tcp Keepalive", true);
        Default("Tcp Keepalive Time", 15);
        Default("Tcp Keepalive Interval", 5);
        // Nothing of a connection's state differs between its uses, and a reset would take back what is said once below.
        Default("No Reset On Close", true);
        return builder.ConnectionString;
    }

    /// <summary>The pool of connections, each of which says what belongs to it when it is new.</summary>
    /// <remarks>Made here and not by EF Core, which would then build its model and its queries once for each pool.</remarks>
    public static NpgsqlDataSource Open(string connectionString)
    {
        // The name is what Npgsql's metrics call it; without one they show the connection string.
        var builder = new NpgsqlDataSourceBuilder(ConnectionString(connectionString)) { Name = "apertur" };
        builder.UsePhysicalConnectionInitializer(
            connection =>
            {
                using var command = new NpgsqlCommand(OfConnection, connection);
                command.ExecuteNonQuery();
            },
            async connection =>
            {
                await using var command = new NpgsqlCommand(OfConnection, connection);
                await command.ExecuteNonQueryAsync();
            });
        return builder.Build();
    }

    /// <summary>The first statement of every transaction that writes: its limits, and that its commit is on disk when it returns.</summary>
    public static string BeginWrite(DatabaseSettings settings)
    {
        var limits = settings.IdleTransactionSeconds == 0 && settings.LockWaitSeconds == 0
            ? "SELECT 1"
            : $"""
               SELECT set_config('idle_in_transaction_session_timeout', '{settings.IdleTransactionSeconds}s', true),
                      set_config('lock_timeout', '{(settings.LockWaitSeconds == 0 ? 0 : (int)LockWait.TotalMilliseconds)}', true),
                      set_config('statement_timeout', '{StatementTimeout}', true)
               """;
        // Weaker than 'on' are 'off', 'local' and 'remote_write': the last two lose commits only where a standby takes over, which is named for
        // losing none. 'remote_apply' is stronger and stays.
        return settings.AllowDataLoss
            ? limits
            : limits + """
              , set_config('synchronous_commit',
                  CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, true)
              """;
    }

    /// <summary>The first statement of a migration: it may take and wait as long as it needs, but its node must not stop in it.</summary>
    public static string BeginMigration(DatabaseSettings settings) =>
        $"""
        SELECT set_config('idle_in_transaction_session_timeout', '{settings.IdleTransactionSeconds}s', true),
               set_config('lock_timeout', '0', true), set_config('statement_timeout', '0', true)
        """;

    /// <summary>What keeps this PostgreSQL from keeping what it is told, in words; null when nothing does.</summary>
    /// <param name="fsync">The server's setting.</param>
    public static string? Unsafe(string? fsync) => fsync == "on"
        ? null
        : "PostgreSQL runs with fsync=off: what it has confirmed is lost, and its files are damaged, when the machine loses power, and with them "
          + "photos that were acknowledged. Set fsync=on in postgresql.conf and restart PostgreSQL. Where nothing matters, such as in "
          + "development, Database:AllowDataLoss=true lets this server start all the same.";
}
