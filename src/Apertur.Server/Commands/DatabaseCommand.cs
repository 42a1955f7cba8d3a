using System.CommandLine;
using Apertur.Server.Backups;
using Apertur.Server.Storage;
using Microsoft.Data.Sqlite;

namespace Apertur.Server.Commands;

/// <summary><c>database move</c>: brings an installation from SQLite to PostgreSQL.</summary>
internal static class DatabaseCommand
{
    public static Command Create() => new("database", "The database that rows are in.")
    {
        UserCommand.Act(
            "move", "Copy every row from SQLite to the PostgreSQL of Database:ConnectionString, and compare it. The server must be stopped; run it again to go on.",
            [], (parsed, token) => MoveAsync(UserCommand.Data(parsed), UserCommand.Json(parsed), token)),
    };

    private static async Task MoveAsync(string data, bool json, CancellationToken cancellationToken)
    {
        await using var folder = await DataFolder.OpenAsync(data, cancellationToken);
        var settings = folder.Services.GetRequiredService<Settings>();
        if (!folder.Database.IsSqlite || settings.Database.ConnectionString.Length == 0)
            throw new CommandException("Database:Provider has to be Sqlite still, and Database:ConnectionString to name the PostgreSQL to move to.");
        using var held = folder.HoldLock();
        await using var other = DataFolder.OpenEmpty(data, [new("Database:Provider", nameof(DatabaseProvider.PostgreSql))]);
        await using var from = new SqliteConnection(Database.SqliteConnectionString(settings));
        await from.OpenAsync(cancellationToken);
        var moved = await new DatabaseMove(from, other.Database).RunAsync(made => Console.Error.WriteLine(Text(made)), cancellationToken);
        await other.Services.GetRequiredService<ImagesOwner>().ClaimAsync(cancellationToken);
        DataFolder.Print(
            json, new { tables = moved, rows = moved.Sum(table => table.Rows) },
            $"{moved.Sum(table => table.Rows)} rows of {moved.Count} tables are the same in PostgreSQL. Set Database:Provider to PostgreSql, and start the server.");
    }

    private static string Text(MovedTable table) => $"{table.Table}: {table.Rows} rows, SHA-256 {table.Sha256[..16]}…{(table.AlreadyThere ? ", there already" : "")}";
}
