using Apertur.Server;
using Apertur.Server.Storage;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Support;

/// <summary>
/// A database with all tables and no row, made once: to run every script of the schema for each of some two thousand servers takes longer
/// than most tests. Those that start the program itself, or move and restore databases, run them.
/// </summary>
internal static class DatabaseTemplate
{
    private static readonly Lazy<Task<byte[]>> _sqlite = new(MakeSqliteAsync);
    private static readonly Lazy<Task<string>> _postgreSql = new(MakePostgreSqlAsync);

    /// <summary>The name of a PostgreSQL database to copy.</summary>
    public static Task<string> PostgreSqlAsync() => _postgreSql.Value;

    /// <summary>Puts a SQLite database into a data folder that has none.</summary>
    public static async Task CopySqliteAsync(string dataFolder)
    {
        var bytes = await _sqlite.Value;
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        await using var file = new FileStream(Path.Combine(dataFolder, "apertur.db"), options);
        await file.WriteAsync(bytes);
    }

    private static async Task<byte[]> MakeSqliteAsync()
    {
        using var folder = new TempFolder();
        var (made, copy) = (folder.File("apertur.db"), folder.File("copy.db"));
        await MakeAsync(folder, []);
        await using (var connection = new SqliteConnection($"Data Source={made};Pooling=False"))
        {
            await connection.OpenAsync();
            await using var command = connection.CreateCommand();
            // With what its log holds.
            command.CommandText = $"VACUUM INTO '{copy}'";
            await command.ExecuteNonQueryAsync();
        }

        return await File.ReadAllBytesAsync(copy);
    }

    private static async Task<string> MakePostgreSqlAsync()
    {
        using var folder = new TempFolder();
        // Not disposed: it goes with the PostgreSQL that tests run on.
        var database = await TestDatabase.CreateAsync(DatabaseKind.PostgreSql);
        var settings = new Dictionary<string, string?>
        {
            ["Database:Provider"] = nameof(DatabaseProvider.PostgreSql),
            ["Database:ConnectionString"] = database.ConnectionString,
            ["Database:AllowDataLoss"] = "true",
        };
        await MakeAsync(folder, settings);
        return database.Name;
    }

    private static async Task MakeAsync(TempFolder folder, Dictionary<string, string?> settings)
    {
        await using var server = AperturServer.Build(Settings.Load(folder.Path, settings), ["http://127.0.0.1:0"]);
        await Migrator.RunAsync(server.Services.GetRequiredService<Database>(), CancellationToken.None);
    }
}
