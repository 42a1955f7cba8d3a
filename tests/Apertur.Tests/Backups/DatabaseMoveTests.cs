using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server;
using Apertur.Tests.Support;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Apertur.Tests.Backups;

/// <summary><c>database move</c>: from SQLite to PostgreSQL.</summary>
public sealed class DatabaseMoveTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Installation_goes_on_in_PostgreSql_and_a_move_that_was_broken_off_is_taken_up()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseKind.PostgreSql);
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite, role: NodeRole.Web);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var session = await app.Client.CreateSessionAsync(new JsonObject
        {
            ["label"] = "Two\nlines, a \"quote\" and \\.",
            ["metadata"] = new JsonObject { ["ключ"] = "", ["null"] = "NULL" },
            ["destination_ids"] = new JsonArray(webhook),
        });
        var id = (string)(await app.Client.UploadAsync(session, Photos.Png(), "ein, Bild.png"))["id"]!;
        Assert.Contains("has to be Sqlite still", (await app.TryCommandAsync("database", "move")).Errors, StringComparison.Ordinal);
        app.Set("Database:ConnectionString", database.ConnectionString);
        app.Set("Database:AllowDataLoss", "true");

        await app.RestartAsync(async () =>
        {
            var moved = Counts(await app.CommandAsync("database", "move"));
            Assert.Equal((1, 1, 1), (moved["sessions"].Rows, moved["uploads"].Rows, moved["deliveries"].Rows));
            Assert.DoesNotContain(moved.Values, table => table.AlreadyThere);
            Assert.Equal(await TablesAsync(app), moved.Keys.Order());

            // As after a run that ended before it came to them.
            await ExecuteAsync(database, "DELETE FROM deliveries; DELETE FROM uploads");
            var again = Counts(await app.CommandAsync("database", "move"));
            Assert.Equal(["deliveries", "uploads"], again.Where(table => table.Value.Rows > 0 && !table.Value.AlreadyThere).Select(table => table.Key).Order());
            Assert.Equal(moved.Values.Sum(table => table.Rows), again.Values.Sum(table => table.Rows));

            // Somebody else's rows stay as they are.
            await ExecuteAsync(database, "UPDATE sessions SET label = 'another'");
            Assert.Contains("has other rows in it", (await app.TryCommandAsync("database", "move")).Errors, StringComparison.Ordinal);
            await ExecuteAsync(database, "DELETE FROM deliveries; DELETE FROM uploads; DELETE FROM sessions");
            await app.CommandAsync("database", "move");

            // The photos are the other database's now.
            Assert.Contains("belongs to another database", (await AperturProcess.RunAsync("serve", "--data", app.DataFolder)).Errors, StringComparison.Ordinal);
            app.Set("Database:Provider", nameof(DatabaseProvider.PostgreSql));
            app.Role = NodeRole.All;
        });

        await app.Client.UploadBecomesAsync(id, "delivered");
        Assert.Equal(Photos.Png(), (await app.Client.GetAsync($"uploads/{id}/download")).Expect(HttpStatusCode.OK).Bytes);
        Assert.Equal("Two\nlines, a \"quote\" and \\.", (string)(await app.Client.GetAsync($"upload-sessions/{session}")).Json["label"]!);
        await app.CommandAsync("fsck", "--hashes");
    }

    private static Dictionary<string, (long Rows, bool AlreadyThere)> Counts(JsonNode moved) => moved["tables"]!.AsArray().ToDictionary(
        table => (string)table!["table"]!, table => ((long)table!["rows"]!, (bool)table["alreadyThere"]!));

    /// <summary>Every table of the SQLite database that has something which is not this program's alone.</summary>
    private static async Task<IReadOnlyList<string>> TablesAsync(AperturApp app)
    {
        await using var connection = new SqliteConnection($"Data Source={Path.Combine(app.DataFolder, "apertur.db")};Mode=ReadOnly");
        await connection.OpenAsync(Cancellation);
        await using var command = connection.CreateCommand();
        command.CommandText = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('schema_scripts', 'workers')";
        await using var reader = await command.ExecuteReaderAsync(Cancellation);
        var names = new List<string>();
        while (await reader.ReadAsync(Cancellation))
            names.Add(reader.GetString(0));
        return [.. names.Order()];
    }

    private static async Task ExecuteAsync(TestDatabase database, string sql)
    {
        await using var connection = new NpgsqlConnection(database.ConnectionString);
        await connection.OpenAsync(Cancellation);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(Cancellation);
    }
}
