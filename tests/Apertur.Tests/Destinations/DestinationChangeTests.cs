using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server.Destinations;
using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Apertur.Tests.Support.Fakes;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Destinations;

/// <summary>What becomes of deliveries when their owner changes the destination under way.</summary>
public sealed class DestinationChangeTests : IAsyncLifetime
{
    private FakeClouds _clouds = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _clouds = await FakeClouds.StartAsync();

    public async ValueTask DisposeAsync() => await _clouds.DisposeAsync();

    [Theory, AllDatabases]
    public async Task Upload_that_was_begun_into_the_old_bucket_is_not_finished_there(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database, _clouds.Settings);
        _clouds.Google.Clock = app.Clock;
        var id = await app.Client.CreateDestinationAsync(
            "gcs", new JsonObject { ["bucket"] = FakeGoogle.BucketName, ["serviceAccountJson"] = _clouds.Google.ServiceAccountJson });
        _clouds.Google.Refuse("PUT /upload/storage", 503);
        var upload = await UploadAsync(app, id, 6_000_000);
        await FailsAsync(app, upload);

        await ChangeAsync(app, id, new JsonObject { ["bucket"] = "another-bucket" });

        await Eventually.Becomes(
            () => app.DestinationAsync(id), row => row.ParkedReason == "The bucket does not exist.", "the new bucket was asked");
        Assert.Empty(_clouds.Google.Objects);
        await ChangeAsync(app, id, new JsonObject { ["bucket"] = FakeGoogle.BucketName });
        await app.Client.UploadBecomesAsync(upload, "delivered");
        Assert.Single(_clouds.Google.Objects);
    }

    [Theory, AllDatabases]
    public async Task File_id_of_the_account_that_was_connected_before_is_not_used(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database, _clouds.Settings);
        _clouds.Google.Clock = app.Clock;
        var id = await _clouds.ConnectedAsync(app, "google_drive");
        _clouds.Google.Refuse("POST /upload/drive", 503, retryAfterSeconds: 3600);
        var upload = await UploadAsync(app, id, 50_000);
        await FailsAsync(app, upload);
        app.Clock.Jump(TimeSpan.FromSeconds(1));

        (await app.ClientOf(null).GetAsync(await _clouds.AllowAsync(app, id))).Expect(HttpStatusCode.OK);

        // Nor is it waited for what was put off: who connects again wants it to go on.
        await app.Client.UploadBecomesAsync(upload, "delivered");
        Assert.Equal(2, _clouds.Google.Count("generateIds"));
    }

    [Theory, AllDatabases]
    public async Task Saving_a_destination_sends_at_once_what_was_put_off(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var id = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = "http://127.0.0.1:1/" });
        var upload = await UploadAsync(app, id, 5000);
        await FailsAsync(app, upload);
        Assert.False((await app.DestinationAsync(id)).Breaker.HasAnswered);

        await ChangeAsync(app, id, new JsonObject { ["url"] = receiver.Url });

        await app.Client.UploadBecomesAsync(upload, "delivered");
    }

    [Theory, AllDatabases]
    public async Task Saving_a_destination_leaves_what_waits_for_another_where_it_is(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.AsksToWait(503, 3600).AsksToWait(503, 3600);
        await using var app = await AperturApp.StartAsync(database);
        var saved = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var other = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var upload = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(saved, other), Photos.Png()))["id"]!;
        var before = await DeliveriesAsync(all => all.All(row => (string)row!["dueCause"]! == "retry_after"));

        await ChangeAsync(app, saved, new JsonObject { ["url"] = receiver.Url });

        var after = await DeliveriesAsync(all => (string)Of(all, saved)["status"]! == "sent");
        Assert.Equal(Of(before, other).ToJsonString(), Of(after, other).ToJsonString());

        Task<JsonArray> DeliveriesAsync(Func<JsonArray, bool> wanted) =>
            Eventually.Becomes(async () => (await app.Client.GetAsync($"uploads/{upload}/deliveries")).Json.AsArray(), wanted);

        static JsonNode Of(JsonArray all, string destination) => all.Single(row => (string)row!["destinationId"]! == destination)!;
    }

    [Theory, AllDatabases]
    public async Task Test_that_succeeds_resumes_what_a_delivery_parked_meanwhile(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        TaskCompletionSource come = new(), go = new();
        receiver.Handles(async _ =>
        {
            come.SetResult();
            await go.Task;
        });
        await using var app = await AperturApp.StartAsync(database);
        var id = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var test = app.Client.PostAsync($"projects/{app.ProjectId}/destinations/{id}/test");
        await Eventually.Arrives(come.Task);
        await app.Services.GetRequiredService<Database>().WriteAsync(
            async db =>
            {
                var row = await db.Destinations.SingleAsync(Cancellation);
                Assert.Equal((true, false), (DestinationSuspension.Suspend(row, "It was broken."), DestinationSuspension.Suspend(row, "It still is.")));
                Assert.Equal("It was broken.", row.ParkedReason);
                row.Recent.FailingSince = app.Clock.GetUtcNow();
            },
            Cancellation);
        go.SetResult();

        Assert.True((bool)(await test).Json["success"]!);
        var resumed = await app.DestinationAsync(id);
        Assert.Equal((null, null), (resumed.ParkedReason, resumed.Recent.FailingSince));
    }

    [Theory, AllDatabases]
    public async Task Destination_of_a_type_that_is_gone_shows_nothing_of_its_configuration(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var id = await app.Client.CreateDestinationAsync("webhook", new JsonObject
        {
            ["url"] = "http://127.0.0.1:1/",
            ["secret"] = "planted-secret",
            ["headers"] = new JsonObject { ["X-Key"] = "planted-key" },
        });
        var session = await app.Client.CreateSessionAsync(id);
        await app.Services.GetRequiredService<Database>().WriteAsync(
            db => db.Database.ExecuteSqlAsync($"UPDATE destinations SET type = 'retired' WHERE id = {id}", Cancellation), Cancellation);

        var shown = (await app.Client.GetAsync($"projects/{app.ProjectId}/destinations/{id}")).Expect(HttpStatusCode.OK);

        Assert.Equal("retired", (string)shown.Json["type"]!);
        Assert.Equal("{}", shown.Json["config"]!.ToJsonString());
        await app.Client.UploadAsync(session, Photos.Png());
        await Eventually.Becomes(() => app.DestinationAsync(id), row => row.ParkedReason == "This server has no destination type 'retired'.");
    }

    private static async Task<string> UploadAsync(AperturApp app, string destination, int bytes) =>
        (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(destination), Photos.Jpeg(bytes, seed: 1)))["id"]!;

    private static Task FailsAsync(AperturApp app, string upload) => Eventually.Becomes(
        async () => (await app.DeliveriesAsync(upload)).Single(), row => row.State == DeliveryState.Retrying, "an attempt has failed");

    private static async Task ChangeAsync(AperturApp app, string destination, JsonObject config) =>
        (await app.Client.SendAsync(
            HttpMethod.Patch, $"projects/{app.ProjectId}/destinations/{destination}", new JsonObject { ["config"] = config })).Expect(HttpStatusCode.OK);
}
