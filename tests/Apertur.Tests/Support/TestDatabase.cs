using System.Reflection;
using Npgsql;
using Xunit.Sdk;
using Xunit.v3;

namespace Apertur.Tests.Support;

public enum DatabaseKind
{
    Sqlite,
    PostgreSql,
}

/// <summary>
/// Runs a theory once on each database, which is its first argument: <c>[Theory, AllDatabases]</c>. Further arguments are passed on after it,
/// and the attribute may stand there several times: <c>[Theory, AllDatabases("a", 1), AllDatabases("b", 2)]</c>.
/// </summary>
[AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
internal sealed class AllDatabasesAttribute(params object?[] further) : DataAttribute
{
    public IReadOnlyList<object?> Further => further;

    public override ValueTask<IReadOnlyCollection<ITheoryDataRow>> GetData(MethodInfo testMethod, DisposalTracker disposalTracker) =>
        new([.. Enum.GetValues<DatabaseKind>().Select(database => new TheoryDataRow([database, .. further]))]);

    public override bool SupportsDiscoveryEnumeration() => true;
}

/// <summary>A database of one test's own; gone when disposed.</summary>
internal sealed class TestDatabase : IAsyncDisposable
{
    private readonly TempFolder? _folder;
    private readonly string? _name;

    private TestDatabase(DatabaseKind kind, string connectionString, TempFolder? folder, string? name)
    {
        (Kind, ConnectionString, _folder, _name) = (kind, connectionString, folder, name);
    }

    public DatabaseKind Kind { get; }

    /// <summary>For Microsoft.Data.Sqlite or for Npgsql, by <see cref="Kind"/>.</summary>
    public string ConnectionString { get; }

    /// <summary>Of a PostgreSQL database.</summary>
    public string Name => _name ?? throw new InvalidOperationException("It is a file.");

    /// <param name="kind">Where.</param>
    /// <param name="template">The PostgreSQL database that it is a copy of; an empty one when nothing is said.</param>
    public static async Task<TestDatabase> CreateAsync(DatabaseKind kind, string template = "template0")
    {
        if (kind == DatabaseKind.Sqlite)
        {
            var folder = new TempFolder();
            return new(kind, $"Data Source={folder.File("apertur.db")}", folder, null);
        }

        var name = $"test_{Guid.NewGuid():N}";
        // Of one that nobody is connected to; copying its files takes a third of the time that logging each page does.
        await AdministerAsync($"CREATE DATABASE {name} TEMPLATE {template} STRATEGY=FILE_COPY");
        return new(kind, new NpgsqlConnectionStringBuilder(Components.PostgreSql) { Database = name }.ConnectionString, null, name);
    }

    /// <summary>The first column of what PostgreSQL answers, over a connection of its own: those before may have been ended.</summary>
    public async Task<List<string>> TextsAsync(string sql)
    {
        var cancellation = TestContext.Current.CancellationToken;
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(ConnectionString) { Pooling = false }.ConnectionString);
        await connection.OpenAsync(cancellation);
        await using var command = new NpgsqlCommand(sql, connection);
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        var texts = new List<string>();
        while (await reader.ReadAsync(cancellation))
            texts.Add(reader.GetValue(0).ToString()!);
        return texts;
    }

    public async ValueTask DisposeAsync()
    {
        _folder?.Dispose();
        if (_name is not null)
            await AdministerAsync($"DROP DATABASE {_name} WITH (FORCE)");
    }

    private static async Task AdministerAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(Components.PostgreSql);
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        await command.ExecuteNonQueryAsync();
    }
}
