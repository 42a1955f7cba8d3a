using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Apertur.Tests.Support.Fakes;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Scenarios;

/// <summary>Photos that come in while one of their destinations cannot take them: each waits for it, or says why it does not.</summary>
public sealed class WaitingDestinationTests(ITestOutputHelper output) : IAsyncLifetime
{
    private static readonly string[] _acts =
    [
        "switched off", "switched off", "switched off", "switched on", "switched on", "grant revoked", "grant revoked", "connected", "connected",
        "webhook deleted", "connection deleted",
    ];

    private FakeClouds _clouds = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _clouds = await FakeClouds.StartAsync();

    public async ValueTask DisposeAsync() => await _clouds.DisposeAsync();

    [Theory, AllDatabases]
    public async Task Photo_waits_for_a_destination_that_is_switched_off_when_it_comes_in(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var session = await app.Client.CreateSessionAsync(webhook);
        await SwitchAsync(app, webhook, on: false);

        var upload = await app.Client.UploadAsync(session, Photos.Png());

        Assert.Equal(1, (int)upload["destinations"]!);
        await app.PassAsync(TimeSpan.FromDays(2));
        var row = await app.Client.UploadRowAsync((string)upload["id"]!);
        Assert.Equal(("pending", 1), ((string)row["status"]!, (int)row["destinationsTotal"]!));
        Assert.Empty(receiver.Requests);
        await SwitchAsync(app, webhook, on: true);
        await app.Client.UploadBecomesAsync((string)upload["id"]!, "delivered");
        Assert.Equal(1, (await app.DeliveriesAsync((string)upload["id"]!)).Single().Attempts);
    }

    [Theory, AllDatabases]
    public async Task Photo_waits_for_a_destination_that_has_to_be_connected_again(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database, _clouds.Settings);
        var dropbox = await _clouds.ConnectedAsync(app, "dropbox");
        var session = await app.Client.CreateSessionAsync(dropbox);
        _clouds.Dropbox.OAuth.Revoke();
        var first = await app.Client.UploadAsync(session, Photos.Png());
        await Eventually.Becomes(() => app.DestinationAsync(dropbox), row => row.ParkedReason is not null, "it is parked");
        await SwitchAsync(app, dropbox, on: false);

        var second = await app.Client.UploadAsync(session, Photos.Png(), "second.png");

        Assert.Equal(1, (int)second["destinations"]!);
        await _clouds.ConnectAsync(app, dropbox);
        await app.Client.UploadBecomesAsync((string)first["id"]!, "delivered");
        await app.Client.UploadBecomesAsync((string)second["id"]!, "delivered");
    }

    [Theory, AllDatabases]
    public async Task Photo_for_a_destination_that_is_gone_says_so(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var kept = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var gone = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var session = await app.Client.CreateSessionAsync(kept, gone);
        await DeleteAsync(app, gone);

        var upload = await app.Client.UploadAsync(session, Photos.Png());

        await app.Client.UploadBecomesAsync((string)upload["id"]!, "partial");
        Assert.Single(receiver.Requests);
        var status = (await app.Client.GetAsync($"upload-sessions/{session}/delivery-status")).Json;
        var failed = status["files"]![0]!["destinations"]!.AsArray().Single(row => (string)row!["destination_id"]! == gone)!;
        Assert.Equal(("failed", "The destination was deleted."), ((string)failed["status"]!, (string)failed["last_error"]!));
    }

    [Theory, AllDatabases]
    public async Task Photo_that_waits_for_a_destination_that_is_switched_off_ends_when_that_is_deleted(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var session = await app.Client.CreateSessionAsync(webhook);
        await SwitchAsync(app, webhook, on: false);
        var upload = (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!;

        await DeleteAsync(app, webhook);

        await app.Client.UploadBecomesAsync(upload, "failed");
        Assert.Empty(receiver.Requests);
    }

    [Theory, AllDatabases]
    public Task Every_photo_is_delivered_or_explained_whatever_the_owner_does_meanwhile(DatabaseKind database) => RunAsync(database, photos: 40);

    /// <summary>The same with more photos; see chaos/README.md.</summary>
    [Fact(Explicit = true)]
    public Task A_thousand_photos_are_delivered_or_explained() => RunAsync(
        Enum.Parse<DatabaseKind>(Environment.GetEnvironmentVariable("CHAOS_DATABASE") ?? nameof(DatabaseKind.Sqlite)),
        int.Parse(Environment.GetEnvironmentVariable("CHAOS_PHOTOS") ?? "1000", CultureInfo.InvariantCulture));

    /// <summary>Before every photo the owner may do something to one of two destinations; one that is deleted is made anew, in a new session.</summary>
    private async Task RunAsync(DatabaseKind database, int photos)
    {
        var arrived = new ConcurrentDictionary<string, bool>();
        await using var receiver = await Receiver.StartAsync();
        receiver.KeepsBodies = false;
        receiver.Otherwise = context =>
        {
            arrived[context.Request.Headers["X-APTR-Delivery-ID"]!] = true;
            return context.Request.Body.CopyToAsync(Stream.Null, context.RequestAborted);
        };
        var settings = _clouds.Settings;
        settings["Limits:MaxImagesPerSession"] = "100000";
        await using var app = await AperturApp.StartAsync(database, settings);
        var random = new Random(photos);
        var (webhook, drive) = (await NewWebhookAsync(), await _clouds.ConnectedAsync(app, "dropbox"));
        var sessions = new List<string> { await NewSessionAsync() };
        var done = new Dictionary<string, int>();

        for (var photo = 0; photo < photos; photo++)
        {
            if (random.Next(3) == 0)
                await ActAsync(_acts[random.Next(_acts.Length)]);
            // Who has an old link goes on using it.
            await app.Client.UploadAsync(random.Next(8) == 0 ? sessions[random.Next(sessions.Count)] : sessions[^1], Photos.Png(), $"{photo}.png");
        }

        await SwitchAsync(app, webhook, on: true);
        await _clouds.ConnectAsync(app, drive);
        for (var open = int.MaxValue; open > 0;)
            open = await Eventually.Becomes(OpenAsync, now => now < open, "fewer wait");
        await using var db = app.Services.GetRequiredService<Database>().Open();
        var rows = await db.Deliveries.AsNoTracking().ToListAsync(Cancellation);
        var failed = rows.Where(row => row.State == DeliveryState.Failed).ToList();
        Assert.Equal(2 * photos, rows.Count);
        Assert.All(failed, row => Assert.Equal("The destination was deleted.", row.LastError));
        var sent = rows.Where(row => row.State == DeliveryState.Sent).ToList();
        Assert.Equal(sent.Where(row => row.DestinationType == "webhook").Select(row => row.Id.ToString()).Order(), arrived.Keys.Order());
        Assert.Equal(sent.Count(row => row.DestinationType == "dropbox"), _clouds.Dropbox.Files.Count);
        output.WriteLine($"> {photos} photos, {rows.Count} deliveries: {sent.Count} sent, {failed.Count} say that their destination was deleted.");
        output.WriteLine($"> {string.Join(", ", done.OrderBy(pair => pair.Key).Select(pair => $"{pair.Value} x {pair.Key}"))}");

        async Task ActAsync(string what)
        {
            done[what] = done.GetValueOrDefault(what) + 1;
            switch (what)
            {
                case "switched off":
                    await SwitchAsync(app, random.Next(2) == 0 ? webhook : drive, on: false);
                    break;
                case "switched on":
                    await SwitchAsync(app, webhook, on: true);
                    break;
                case "webhook deleted":
                    await DeleteAsync(app, webhook);
                    webhook = await NewWebhookAsync();
                    sessions.Add(await NewSessionAsync());
                    break;
                case "grant revoked":
                    _clouds.Dropbox.OAuth.Revoke();
                    break;
                case "connected":
                    await _clouds.ConnectAsync(app, drive);
                    break;
                default:
                    await DeleteAsync(app, drive);
                    drive = await _clouds.ConnectedAsync(app, "dropbox");
                    sessions.Add(await NewSessionAsync());
                    break;
            }
        }

        Task<string> NewWebhookAsync() => app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url, ["format"] = "binary" });

        // A session names active destinations only.
        async Task<string> NewSessionAsync()
        {
            await SwitchAsync(app, webhook, on: true);
            await _clouds.ConnectAsync(app, drive);
            return await app.Client.CreateSessionAsync(
                new JsonObject { ["destination_ids"] = new JsonArray(webhook, drive), ["max_images"] = 100_000 });
        }

        async Task<int> OpenAsync()
        {
            // What failed while the grant was away waits for its schedule.
            await app.PassAsync(TimeSpan.FromMinutes(10));
            await using var look = app.Services.GetRequiredService<Database>().Open();
            return await look.Sessions.SumAsync(session => session.DeliveriesOpen, Cancellation);
        }
    }

    private static async Task SwitchAsync(AperturApp app, string destination, bool on) =>
        (await app.Client.SendAsync(HttpMethod.Patch, Path(app, destination), new JsonObject { ["isActive"] = on })).Expect(HttpStatusCode.OK);

    private static async Task DeleteAsync(AperturApp app, string destination) =>
        (await app.Client.SendAsync(HttpMethod.Delete, Path(app, destination))).Expect(HttpStatusCode.NoContent);

    private static string Path(AperturApp app, string destination) => $"projects/{app.ProjectId}/destinations/{destination}";
}
