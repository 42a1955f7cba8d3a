using Apertur.Server;
using Apertur.Server.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Apertur.Tests.Support;

/// <summary>Another server on the PostgreSQL and the clock of a test's.</summary>
internal static class SecondNode
{
    /// <summary>Starts it, and waits until both hear of each other.</summary>
    public static Task<WebApplication> StartAsync(AperturApp app, TempFolder folder, IReadOnlyDictionary<string, string?>? more = null)
    {
        var settings = new Dictionary<string, string?>(more ?? new Dictionary<string, string?>())
        {
            ["Database:Provider"] = nameof(DatabaseProvider.PostgreSql),
            ["Database:ConnectionString"] = app.Services.GetRequiredService<Settings>().Database.ConnectionString,
            ["Database:AllowDataLoss"] = "true",
            ["Telemetry:MetricsUrl"] = "",
        };
        app.ShareFolders(folder.Path);
        return StartAsync(app, Settings.Load(folder.Path, settings));
    }

    /// <summary>The same with an empty folder of its own: photos and keys are in an object store and in the database.</summary>
    public static Task<WebApplication> StartApartAsync(AperturApp app, TempFolder folder, NodeRole role = NodeRole.All)
    {
        var settings = Settings.Load(folder.Path, app.SharedSettings);
        settings.Role = role;
        return StartAsync(app, settings);
    }

    private static async Task<WebApplication> StartAsync(AperturApp app, Settings settings)
    {
        var node = AperturServer.Build(settings, ["http://127.0.0.1:0"], services =>
        {
            services.AddSingleton<TimeProvider>(app.Clock);
            services.AddLogging(logging => logging.ClearProviders().AddProvider(app.Log));
        });
        await node.StartAsync(TestContext.Current.CancellationToken);
        await Eventually.Becomes(() => ListenersAsync(app), listeners => listeners == 2);
        return node;
    }

    /// <summary>Lets the time pass after which hints are sent to other nodes, until something is done: some seconds, far from any time-out.</summary>
    public static Task PassUntilAsync(AperturApp app, Task done)
    {
        var steps = 0;
        return Eventually.True(() =>
        {
            if (!done.IsCompleted && steps++ < 250)
                app.Clock.Advance(PostgresNotifications.Batch);
            return done.IsCompleted;
        });
    }

    /// <summary>How many connections listen for hints.</summary>
    public static async Task<long> ListenersAsync(AperturApp app, string act = "pid")
    {
        await using var connection = new NpgsqlConnection(app.Services.GetRequiredService<Settings>().Database.ConnectionString);
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        await using var command = connection.CreateCommand();
        command.CommandText =
            $"SELECT count({act}) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'";
        return (long)(await command.ExecuteScalarAsync(TestContext.Current.CancellationToken))!;
    }
}
