using System.Net;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Apertur.Server.Queue;
using Apertur.Tests.Destinations;
using Apertur.Tests.Support;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Scenarios;

/// <summary>From the phone to the destinations: what arrives, what is tried again, what the rows say.</summary>
public sealed class DeliveryTests
{
    [Theory, AllDatabases]
    public async Task Photo_reaches_webhook_and_bucket_with_the_same_bytes(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        using var bucket = await Bucket.MakeAsync();
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var s3 = await app.Client.CreateDestinationAsync(
            "s3", bucket.Config(new JsonObject { ["keyTemplate"] = "{project}/{date}/{index}-{filename}" }));
        var session = await app.Client.CreateSessionAsync(new JsonObject
        {
            ["destination_ids"] = new JsonArray(webhook, s3),
            ["tags"] = new JsonArray("claim:17"),
            ["metadata"] = new JsonObject { ["floor"] = 2 },
        });

        var index = 0;
        foreach (var (photo, name, type) in new[]
        {
            (Photos.Jpeg(9_000_000, seed: 7), "large.jpg", "image/jpeg"), (Photos.Heic(), "IMG_0001.HEIC", "image/heic"),
        })
        {
            var upload = await app.Client.UploadAsync(session, photo, name);

            var sha256 = Convert.ToHexStringLower(SHA256.HashData(photo));
            Assert.Equal(sha256, (string)upload["sha256"]!);
            var body = JsonNode.Parse((await receiver.NextAsync(TestContext.Current.CancellationToken)).Body)!;
            Assert.Equal(sha256, Convert.ToHexStringLower(SHA256.HashData(Convert.FromBase64String((string)body["data"]!))));
            Assert.Equal(
                (session, (string)upload["id"]!, index, name, type, photo.Length, """["claim:17"]""", """{"floor":2}""", sha256),
                ((string)body["session_id"]!, (string)body["image_id"]!, (int)body["image_index"]!, (string)body["filename"]!,
                    (string)body["mime_type"]!, (int)body["size_bytes"]!, body["tags"]!.ToJsonString(), body["metadata"]!.ToJsonString(),
                    (string)body["sha256"]!));
            var row = await app.Client.UploadBecomesAsync((string)upload["id"]!, "delivered");
            Assert.Equal(2, (int)row["destinationsTotal"]!);
            Assert.Equal(2, (int)row["destinationsDelivered"]!);
            Assert.Equal(0, (int)row["destinationsFailed"]!);
            Assert.Equal("""[{"type":"s3","count":1},{"type":"webhook","count":1}]""", row["destinationsBreakdown"]!.ToJsonString());
            var key = $"Claims/2026-06-12/{index++}-{name}";
            Assert.Contains(key, await bucket.KeysAsync());
            Assert.Equal(sha256, Convert.ToHexStringLower(SHA256.HashData((await bucket.ReadAsync(key)).Bytes)));
        }
    }

    [Theory, AllDatabases]
    public async Task Photo_that_goes_nowhere_makes_nobody_look_for_work(DatabaseKind database)
    {
        var count = new QueryCount();
        await using var app = await AperturApp.StartAsync(database, configure: count.Into);
        var session = await app.Client.CreateSessionAsync();
        await app.Client.UploadAsync(session, Photos.Jpeg());

        var before = count.Queries;
        for (var i = 0; i < 18; i++)
            await app.Client.UploadAsync(session, Photos.Jpeg());

        // Six are its own: the session; the same locked; webhooks; image, session, counts. A look at the queues is two more.
        Assert.InRange(count.Queries - before, 18, 18 * 7);
    }

    [Theory, AllDatabases]
    public async Task Receiver_that_is_down_twice_gets_a_third_attempt(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers(503, 503);
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var upload = await app.Client.UploadAsync(await app.Client.CreateSessionAsync(webhook), Photos.Jpeg());

        for (var attempt = 1; attempt <= 3; attempt++)
        {
            await receiver.NextAsync(TestContext.Current.CancellationToken);
            await app.PassAsync(TimeSpan.FromMinutes(1));
        }

        await app.Client.UploadBecomesAsync((string)upload["id"]!, "delivered");
        Assert.Equal(3, (await app.DeliveriesAsync((string)upload["id"]!)).Single().Attempts);
        Assert.Single(receiver.Requests.Select(request => request["X-APTR-Delivery-ID"]).Distinct());
    }

    [Theory, AllDatabases]
    public async Task One_good_and_one_final_refusal_make_an_upload_partial(DatabaseKind database)
    {
        await using var good = await Receiver.StartAsync();
        await using var gone = await Receiver.StartAsync();
        gone.Answers(410);
        await using var app = await AperturApp.StartAsync(database);
        var first = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = good.Url });
        var second = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = gone.Url });
        var upload = await app.Client.UploadAsync(await app.Client.CreateSessionAsync(first, second), Photos.Png());

        var row = await app.Client.UploadBecomesAsync((string)upload["id"]!, "partial");

        Assert.Equal(1, (int)row["destinationsDelivered"]!);
        Assert.Equal(1, (int)row["destinationsFailed"]!);
        var attempts = (await app.Client.GetAsync($"uploads/{upload["id"]}/destinations/{second}/attempts")).Json["attempts"]!;
        Assert.Equal("give_up", (string)Assert.Single(attempts.AsArray())!["outcome"]!);
        var session = (await app.Client.GetAsync("sessions/recent")).Json[0]!;
        Assert.Equal(1, (int)session["imagesDelivered"]!);
        Assert.Equal(1, (int)session["imagesFailed"]!);
        Assert.Equal(50, (int)(await app.Client.GetAsync("stats")).Json["deliverySuccessRate"]!);
    }

    [Theory, AllDatabases]
    public async Task Delivery_that_failed_for_good_can_be_tried_again_by_hand(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers(410);
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["destination_ids"] = new JsonArray(webhook), ["max_images"] = 1 });
        var id = (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!;
        await app.Client.UploadBecomesAsync(id, "failed");
        Assert.Equal("failed", (string)(await app.Client.GetAsync("sessions/recent")).Json[0]!["status"]!);

        (await app.Client.PostAsync($"uploads/{id}/retry")).Expect(HttpStatusCode.OK);

        await app.Client.UploadBecomesAsync(id, "delivered");
        var row = (await app.Client.GetAsync("sessions/recent")).Json[0]!;
        Assert.Equal("completed", (string)row["status"]!);
        Assert.Equal(0, (int)row["imagesFailed"]!);
        Assert.Equal(100, (int)(await app.Client.GetAsync("stats")).Json["deliverySuccessRate"]!);
    }

    [Theory, AllDatabases]
    public async Task Delivery_that_waits_for_its_next_attempt_is_tried_at_once_when_asked(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.AsksToWait(503, seconds: 3600);
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var id = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(webhook), Photos.Png()))["id"]!;
        await receiver.NextAsync(TestContext.Current.CancellationToken);
        await app.PassAsync(TimeSpan.FromSeconds(1));
        Assert.Equal(DeliveryState.Retrying, (await app.DeliveriesAsync(id)).Single().State);

        var answer = (await app.Client.PostAsync($"uploads/{id}/retry")).Expect(HttpStatusCode.OK);

        Assert.Equal("1 delivery is being tried again.", (string)answer.Json["message"]!);
        await app.Client.UploadBecomesAsync(id, "delivered");
        Assert.Equal(2, (await app.DeliveriesAsync(id)).Single().Attempts);
    }

    [Theory, AllDatabases]
    public async Task Retry_after_is_waited_for(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.AsksToWait(429, seconds: 120);
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var id = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(webhook), Photos.Png()))["id"]!;
        await receiver.NextAsync(TestContext.Current.CancellationToken);

        await app.PassAsync(TimeSpan.FromSeconds(119));
        Assert.Equal(app.Clock.GetUtcNow().AddSeconds(1), (await app.DeliveriesAsync(id)).Single().DueAt, TimeSpan.FromMilliseconds(1));
        await app.PassAsync(TimeSpan.FromSeconds(2));

        await app.Client.UploadBecomesAsync(id, "delivered");
    }

    [Theory, AllDatabases]
    public async Task Schedule_that_is_used_up_ends_in_failure_with_the_last_reason(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers(500, 500, 500);
        await using var app = await AperturApp.StartAsync(database, new Dictionary<string, string?> { ["Delivery:RetrySeconds"] = "1,1" });
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var id = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(webhook), Photos.Png()))["id"]!;

        for (var attempt = 1; attempt <= 3; attempt++)
        {
            await receiver.NextAsync(TestContext.Current.CancellationToken);
            await app.PassAsync(TimeSpan.FromSeconds(5));
        }

        await app.Client.UploadBecomesAsync(id, "failed");
        var delivery = (await app.DeliveriesAsync(id)).Single();
        Assert.Equal(3, delivery.Attempts);
        Assert.Contains("500", delivery.LastError, StringComparison.Ordinal);
    }

    [Theory, AllDatabases]
    public async Task Switched_off_destination_keeps_its_deliveries_until_it_is_switched_on(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers(503);
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var session = await app.Client.CreateSessionAsync(webhook);
        var id = (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!;
        await receiver.NextAsync(TestContext.Current.CancellationToken);
        var path = $"projects/{app.ProjectId}/destinations/{webhook}";

        await app.Client.SendAsync(HttpMethod.Patch, path, new JsonObject { ["isActive"] = false });
        await app.PassAsync(TimeSpan.FromHours(1));
        var later = await app.Client.UploadAsync(session, Photos.Png());
        Assert.Equal(1, (int)later["destinations"]!);
        Assert.Equal("pending", (string)(await app.Client.UploadRowAsync(id))["status"]!);
        Assert.Single(receiver.Requests);
        // It is due, and waits for its turn.
        var due = (await app.DeliveriesAsync(id)).Single().Due;
        Assert.Equal("No delivery of this upload has failed.", (string)(await app.Client.PostAsync($"uploads/{id}/retry")).Json["message"]!);

        await app.Client.SendAsync(HttpMethod.Patch, path, new JsonObject { ["isActive"] = true });
        await app.Client.UploadBecomesAsync(id, "delivered");
        Assert.Equal(due, (await app.DeliveriesAsync(id)).Single().Due);
        await app.Client.UploadBecomesAsync((string)later["id"]!, "delivered");
    }

    [Theory, AllDatabases]
    public async Task Deleted_destination_ends_its_waiting_deliveries_with_a_reason(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers(503, 503);
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var session = await app.Client.CreateSessionAsync(webhook);
        var id = (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!;
        var other = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var waits = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(other), Photos.Png()))["id"]!;
        foreach (var upload in new[] { id, waits })
            await Eventually.Becomes(() => app.DeliveriesAsync(upload), rows => rows.Single().State == DeliveryState.Retrying, "it waits");
        var due = (await app.DeliveriesAsync(waits)).Single().Due;

        var deleted = await app.Client.SendAsync(HttpMethod.Delete, $"projects/{app.ProjectId}/destinations/{webhook}");

        Assert.Equal(HttpStatusCode.NoContent, deleted.Status);
        Assert.Empty(deleted.Bytes);
        Assert.Empty((await app.Client.GetAsync($"upload-sessions/{session}")).Expect(HttpStatusCode.OK).Json["destinations"]!.AsArray());
        await app.Client.UploadBecomesAsync(id, "failed");
        Assert.Contains("deleted", (await app.DeliveriesAsync(id)).Single().LastError, StringComparison.Ordinal);
        Assert.Equal(other, (string)Assert.Single((await app.Client.GetAsync($"projects/{app.ProjectId}/destinations")).Json.AsArray())!["id"]!);
        // What waits for another is not touched.
        Assert.Equal(due, (await app.DeliveriesAsync(waits)).Single().Due);
    }

    [Theory, AllDatabases]
    public async Task Stopping_server_gives_an_unfinished_attempt_back_uncounted(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Hangs();
        await using var app = await AperturApp.StartAsync(database, new Dictionary<string, string?> { ["Delivery:StopSeconds"] = "0" });
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var id = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(webhook), Photos.Png()))["id"]!;
        await receiver.NextAsync(TestContext.Current.CancellationToken);

        await app.RestartAsync();

        await app.Client.UploadBecomesAsync(id, "delivered");
        Assert.Equal(1, (await app.DeliveriesAsync(id)).Single().Attempts);
    }

    [Theory, AllDatabases]
    public async Task Destination_that_is_down_is_left_alone_and_then_probed_by_one(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Otherwise = context =>
        {
            context.Response.StatusCode = 500;
            return Task.CompletedTask;
        };
        await using var app = await AperturApp.StartAsync(database, configure: services => services.WithoutLoopOf<Pump>());
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var session = await app.Client.CreateSessionAsync(webhook);
        for (var image = 0; image < 12; image++)
            await app.Client.UploadAsync(session, Photos.Png());
        var pump = app.Services.GetRequiredService<Pump>();
        while (await pump.RunOnceAsync(TestContext.Current.CancellationToken) > 0)
            await Eventually.Arrives(pump.DrainAsync());
        Assert.NotNull((await app.DestinationAsync(webhook)).Breaker.OpenUntil);

        // Everything is due, nothing is tried.
        app.Clock.Jump(TimeSpan.FromSeconds(14));
        Assert.Equal(0, await pump.RunOnceAsync(TestContext.Current.CancellationToken));

        receiver.Otherwise = null;
        var started = new List<int>();
        for (var round = 0; round < 60 && started.Sum() < 12; round++)
        {
            // Less than a receiver may take.
            app.Clock.Jump(TimeSpan.FromSeconds(20));
            started.Add(await pump.RunOnceAsync(TestContext.Current.CancellationToken));
            await Eventually.Arrives(pump.DrainAsync());
        }

        Assert.Equal(1, started[0]);
        Assert.Null((await app.DestinationAsync(webhook)).Breaker.LaneLimit);
        var uploads = (await app.Client.GetAsync("uploads?pageSize=100")).Json["data"]!.AsArray();
        Assert.All(uploads, row => Assert.Equal("delivered", (string)row!["status"]!));
    }
}
