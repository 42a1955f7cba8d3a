using System.Net;
using Apertur.Destinations;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;
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

    /// <summary>A node that delivers much changes hundreds of sessions at once: who waits for another elsewhere must not look each time.</summary>
    [Fact]
    public async Task Changes_of_hundreds_of_sessions_wake_who_waits_for_these_and_those_of_thousands_everybody()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.PostgreSql);
        using var folder = new TempFolder();
        await using var other = await SecondNode.StartAsync(app, folder);
        var here = app.Services.GetRequiredService<SessionNotifier>();
        using var watch = other.Services.GetRequiredService<SessionNotifier>().WatchAll();
        // Until it listens, any may have changed.
        var first = Guid.NewGuid();
        await Eventually.True(() =>
        {
            here.Publish([first]);
            return Heard().Ids.Contains(first);
        });

        var changed = Enumerable.Range(0, 450).Select(_ => Guid.NewGuid()).ToHashSet();
        here.Publish(changed);
        var heard = new HashSet<Guid>();
        await Eventually.True(() =>
        {
            var (ids, all) = Heard();
            Assert.False(all);
            heard.UnionWith(ids);
            return heard.IsSupersetOf(changed);
        });

        here.Publish([.. Enumerable.Range(0, 4001).Select(_ => Guid.NewGuid())]);
        await Eventually.True(() => Heard().All);

        (IReadOnlyCollection<Guid> Ids, bool All) Heard()
        {
            app.Clock.Advance(PostgresNotifications.Batch);
            return watch.Take(1000);
        }
    }
}
