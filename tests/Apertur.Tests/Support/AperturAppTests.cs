using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server.Queue;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Apertur.Tests.Support;

public sealed class AperturAppTests
{
    [Theory, AllDatabases]
    public async Task Photo_reaches_its_webhook_and_comes_back_unchanged(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var photo = Photos.Jpeg(200_000, seed: 1);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url, ["format"] = "binary" });
        var session = await app.Client.CreateSessionAsync(webhook);

        var upload = await app.Client.UploadAsync(session, photo);

        var id = upload["id"]!.GetValue<string>();
        Assert.Equal(photo, (await receiver.NextAsync(TestContext.Current.CancellationToken)).Body);
        await app.Client.UploadBecomesAsync(id, "delivered");
        Assert.Equal(photo, (await app.Client.GetAsync($"uploads/{id}/download")).Expect(HttpStatusCode.OK).Bytes);
    }

    [Theory, AllDatabases]
    public async Task Retry_waits_for_the_clock_of_the_test(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers(503);
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var upload = await app.Client.UploadAsync(await app.Client.CreateSessionAsync(webhook), Photos.Png());
        await receiver.NextAsync(TestContext.Current.CancellationToken);

        await app.PassAsync(TimeSpan.FromMinutes(1));

        await receiver.NextAsync(TestContext.Current.CancellationToken);
        await app.Client.UploadBecomesAsync(upload["id"]!.GetValue<string>(), "delivered");
    }

    [Theory, AllDatabases]
    public async Task Restarted_server_goes_on_with_its_data(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        var upload = await app.Client.UploadAsync(session, Photos.Heic(), "IMG_0001.HEIC");

        await app.RestartAsync();

        Assert.Equal("stored_only", (await app.Client.UploadRowAsync(upload["id"]!.GetValue<string>()))["status"]!.GetValue<string>());
    }

    [Fact]
    public async Task What_the_server_logs_is_there_to_be_looked_at()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);

        app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Apertur.Here").LogInformation("Seen {Times} times", 2);

        Assert.Contains("Information Apertur.Here: Seen 2 times", app.Log.Lines);
        Assert.Contains($"Information {typeof(Pump).FullName}: pump.started as node {Node.Name}", app.Log.Lines);
    }
}
