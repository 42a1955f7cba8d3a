using System.Net;
using Apertur.Destinations;
using Apertur.Server.Sessions;
using Apertur.Tests.Support;
using Microsoft.Extensions.DependencyInjection;

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
        await using var other = await SecondNode.StartAsync(app, folder);
        using var http = new OutboundHttp(allowPrivateNetworks: true);
        var client = new AperturClient(http, other.Urls.Single(), app.ProjectId, app.LiveKey);
        var session = await app.Client.CreateSessionAsync();
        var seen = (string)(await app.Client.GetAsync($"upload-sessions/{session}/delivery-status")).Json["lastChanged"]!;
        if (listenerWasCutOff)
            await SecondNode.ListenersAsync(app, "pg_terminate_backend(pid)");
        var held = client.GetAsync($"upload-sessions/{session}/delivery-status?pollFrom={seen}");
        await Eventually.True(() => other.Services.GetRequiredService<SessionNotifier>().Watchers == 1);

        var image = await app.Client.UploadAsync(session, Photos.Jpeg());

        await SecondNode.PassUntilAsync(app, held);
        var file = (await held).Expect(HttpStatusCode.OK).Json["files"]!.AsArray().Single()!;
        Assert.Equal((string)image["id"]!, (string)file["record_id"]!);
    }
}
