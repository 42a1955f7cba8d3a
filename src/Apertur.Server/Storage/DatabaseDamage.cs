using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Apertur.Server.Storage;

/// <summary>
/// Whether the database is known to be damaged: because a statement said so, or because SQLite's own check of the whole file did. PostgreSQL
/// has no such check that is cheap; there what a statement said counts for <see cref="Remembered"/>.
/// </summary>
internal sealed partial class DatabaseDamage(Settings settings, TimeProvider clock, ILogger<DatabaseDamage> log)
{
    public static readonly TimeSpan Remembered = TimeSpan.FromMinutes(15);

    // The check reads the whole file, half a gigabyte in a second or so: it gets a hundredth of the time, and nobody waits long for it.
    private static readonly TimeSpan _shortestPause = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan _longestWait = TimeSpan.FromSeconds(3);
    private const int PauseForWork = 100;

    private readonly bool _isSqlite = settings.Database.Provider == DatabaseProvider.Sqlite;
    private volatile bool _said;
    private long _saidAt;
    private volatile bool _sound = true;
    private Task _check = Task.CompletedTask;
    private long _checked;
    private TimeSpan _pause = TimeSpan.Zero;

    /// <summary>Has a database tell of the statements that failed.</summary>
    public void Watch(DbContextOptionsBuilder options) => options.LogTo(
        (id, _) => id == RelationalEventId.CommandError || id == CoreEventId.QueryIterationFailed || id == CoreEventId.SaveChangesFailed,
        data => Note((data as IErrorEventData)?.Exception));

    /// <summary>Takes note of what a statement threw.</summary>
    public void Note(Exception? exception)
    {
        if (exception is null || !StorageFault.IsDamage(exception))
            return;
        Volatile.Write(ref _saidAt, clock.GetTimestamp());
        _said = true;
        LogDamage("a statement failed", exception);
    }

    /// <summary>Whether damage is known. With SQLite it looks again when that is due, and gives the result if it comes soon. One caller at a time.</summary>
    public async Task<bool> IsKnownAsync(CancellationToken cancellationToken)
    {
        if (!_isSqlite)
            return _said && clock.GetElapsedTime(Volatile.Read(ref _saidAt)) < Remembered;

        if (_check.IsCompleted && (_said || clock.GetElapsedTime(_checked) >= _pause))
            _check = Task.Factory.StartNew(Check, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        await Task.WhenAny(_check, Task.Delay(_longestWait, TimeProvider.System, cancellationToken));
        return _said || !_sound;
    }

    private void Check()
    {
        // What is said from here on asks for the next check.
        _sound &= !_said;
        _said = false;
        var began = clock.GetTimestamp();
        _sound = IsSound();
        _checked = clock.GetTimestamp();
        var pause = clock.GetElapsedTime(began, _checked) * PauseForWork;
        _pause = pause > _shortestPause ? pause : _shortestPause;
    }

    private bool IsSound()
    {
        try
        {
            // Not from the pool: a connection that has been in use may have sound copies of damaged pages.
            var file = new SqliteConnectionStringBuilder(Database.SqliteConnectionString(settings)) { Pooling = false };
            using var connection = new SqliteConnection(file.ToString());
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "PRAGMA quick_check(1)";
            if (command.ExecuteScalar() is not string found || found == "ok")
                return true;
            LogDamage(found, null);
            return false;
        }
        catch (SqliteException exception) when (StorageFault.IsDamage(exception))
        {
            LogDamage("the check failed", exception);
            return false;
        }
        catch (SqliteException)
        {
            // It could not be looked at, which tells nothing; what the server itself asks of the database tells why.
            return _sound;
        }
    }

    [LoggerMessage(EventName = "database.damaged", Level = LogLevel.Critical, Message = "database.damaged {Found}")]
    private partial void LogDamage(string found, Exception? exception);
}
