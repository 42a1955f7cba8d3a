using System.Net;
using Apertur.Destinations;
using Apertur.Server;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Apertur.Tests.Storage;

/// <summary>Two nodes on one PostgreSQL hear of each other's changes.</summary>
public sealed class PostgresNotificationsTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Change_on_one_node_wakes_who_waits_on_another(bool listenerWasCutOff)
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.PostgreSql);
        using var folder = new TempFolder();
        await using var other = await SecondNodeAsync(app, folder);
        using var http = new OutboundHttp(allowPrivateNetworks: true);
        var client = new AperturClient(http, other.Urls.Single(), app.ProjectId, app.LiveKey);
        var session = await app.Client.CreateSessionAsync();
        var seen = (string)(await app.Client.GetAsync($"upload-sessions/{session}/delivery-status")).Json["lastChanged"]!;
        await Eventually.Becomes(() => ListenersAsync(app), listeners => listeners == 2);
        if (listenerWasCutOff)
            await ListenersAsync(app, "pg_terminate_backend(pid)");
        var held = client.GetAsync($"upload-sessions/{session}/delivery-status?pollFrom={seen}");
        await Eventually.True(() => other.Services.GetRequiredService<SessionNotifier>().Watchers == 1);

        var image = await app.Client.UploadAsync(session, Photos.Jpeg());

        // Some seconds at most: far from the five minutes after which the request would look by itself.
        var steps = 0;
        await Eventually.True(() =>
        {
            if (!held.IsCompleted && steps++ < 250)
                app.Clock.Advance(PostgresNotifications.Batch);
            return held.IsCompleted;
        });
        var file = (await held).Expect(HttpStatusCode.OK).Json["files"]!.AsArray().Single()!;
        Assert.Equal((string)image["id"]!, (string)file["record_id"]!);
    }

    private static async Task<WebApplication> SecondNodeAsync(AperturApp app, TempFolder folder)
    {
        var settings = new Dictionary<string, string?>
        {
            ["Database:Provider"] = nameof(DatabaseProvider.PostgreSql),
            ["Database:ConnectionString"] = app.Services.GetRequiredService<Settings>().Database.ConnectionString,
        };
        app.ShareKeys(folder.Path);
        var node = AperturServer.Build(Settings.Load(folder.Path, settings), ["http://127.0.0.1:0"], services =>
        {
            services.AddSingleton<TimeProvider>(app.Clock);
            services.AddLogging(logging => logging.ClearProviders().AddProvider(app.Log));
        });
        await node.StartAsync(TestContext.Current.CancellationToken);
        return node;
    }

    private static async Task<long> ListenersAsync(AperturApp app, string act = "pid")
    {
        await using var connection = new NpgsqlConnection(app.Services.GetRequiredService<Settings>().Database.ConnectionString);
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        await using var command = connection.CreateCommand();
        command.CommandText =
            $"SELECT count({act}) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'";
        return (long)(await command.ExecuteScalarAsync(TestContext.Current.CancellationToken))!;
    }
}
