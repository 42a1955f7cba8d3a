using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Server.Queue;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Events;

/// <summary>What is told, and when.</summary>
public sealed class EventContentTests
{
    [Theory, AllDatabases]
    public async Task Photo_that_arrives_everywhere_is_told_twice_with_a_link_to_its_bytes(DatabaseKind database)
    {
        await using var events = await Receiver.StartAsync();
        await using var images = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.ListenAsync(events, "project.upload.*");
        var destination = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = images.Url });
        var session = await app.Client.CreateSessionAsync(new JsonObject
        {
            ["destination_ids"] = new JsonArray(destination),
            ["tags"] = new JsonArray("order:7"),
            ["metadata"] = new JsonObject { ["claim"] = 4711 },
        });
        var photo = Photos.Jpeg(50_000, seed: 3);

        var upload = await app.Client.UploadAsync(session, photo, "Küche.jpg");

        var told = new[] { await events.NextAsync(), await events.NextAsync() };
        Assert.Equal(
            ["project.upload.completed", "project.upload.started"], told.Select(request => (string)request.Json()["event"]!).Order());
        foreach (var request in told)
        {
            var body = request.Json();
            Assert.Equal((string)body["event"]!, (string)body["topic"]!);
            Assert.Equal(app.ProjectId.ToString(), (string)body["project_id"]!);
            Assert.Equal("2026-06-12T09:44:41.919Z", (string)body["timestamp"]!);
            var data = body["data"]!;
            Assert.Equal((string)upload["id"]!, (string)data["id"]!);
            Assert.Equal("Küche.jpg", (string)data["filename"]!);
            Assert.Equal(photo.Length, (int)data["size_bytes"]!);
            Assert.Equal("image/jpeg", (string)data["mime_type"]!);
            Assert.Equal(session, (string)data["session_id"]!);
            Assert.Equal("""["order:7"]""", data["tags"]!.ToJsonString());
            Assert.Equal("""{"claim":4711}""", data["metadata"]!.ToJsonString());
            Assert.Equal((string)upload["sha256"]!, (string)data["sha256"]!);
            Assert.Equal(
                ("live", "2026-06-12T09:44:41.919Z", "camera"), ((string)data["env"]!, (string)data["created_at"]!, (string)data["source"]!));
            Assert.Equal((destination, "webhook"), ((string)data["destinations"]![0]!["id"]!, (string)data["destinations"]![0]!["type"]!));
            Assert.Null(data["failed_destination"]);
            var link = new Uri((string)data["download_url"]!).PathAndQuery;
            Assert.Equal(photo, (await app.ClientOf(null).GetAsync(link)).Expect(HttpStatusCode.OK).Bytes);
            Assert.Equal(request.HmacOf(webhook), request["X-Apertur-Signature"]);
            var entry = await app.Client.GetAsync($"{app.WebhooksPath()}/{webhook["id"]}/deliveries/{request["X-APTR-Delivery-ID"]}");
            Assert.Equal(Encoding.UTF8.GetString(request.Body), (string)entry.Expect(HttpStatusCode.OK).Json["payload"]!);
            Assert.Equal("application/json; charset=utf-8", request["Content-Type"]);
            Assert.Equal("Apertur-Webhook/1.0", request["User-Agent"]);
        }

        var completed = told.Single(request => (string)request.Json()["event"]! == "project.upload.completed").Json();
        Assert.Equal("sent", (string)completed["data"]!["destinations"]![0]!["status"]!);

        // What was said of a photo goes with it.
        var history = $"{app.WebhooksPath()}/{webhook["id"]}/deliveries/{told[0]["X-APTR-Delivery-ID"]}";
        Assert.Equal("no-store", (await app.Client.GetAsync(history))["Cache-Control"]);
        foreach (var removedAt in new DateTimeOffset?[] { app.Clock.GetUtcNow(), null })
        {
            await app.WriteAsync(db => db.Uploads.ExecuteUpdateAsync(u => u.SetProperty(x => x.RemovedAt, removedAt), TestContext.Current.CancellationToken));
            (await app.Client.GetAsync(history)).Expect(removedAt is null ? HttpStatusCode.OK : HttpStatusCode.Gone);
        }

        (await app.Client.SendAsync(HttpMethod.Delete, $"uploads/{upload["id"]}")).Expect(HttpStatusCode.NoContent);
        (await app.Client.GetAsync(history)).Expect(HttpStatusCode.NotFound);
    }

    [Theory, AllDatabases]
    public async Task Delivery_that_fails_for_good_is_told_with_its_destination_and_reason(DatabaseKind database)
    {
        await using var events = await Receiver.StartAsync();
        await using var good = await Receiver.StartAsync();
        await using var gone = await Receiver.StartAsync();
        gone.Answers(410);
        await using var app = await AperturApp.StartAsync(database);
        await app.ListenAsync(events, "project.upload.failed", "project.upload.completed");
        var first = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = good.Url });
        var second = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = gone.Url });
        var third = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = good.Url });

        var upload = await app.Client.UploadAsync(await app.Client.CreateSessionAsync(first, second, third), Photos.Png());

        var body = (await events.NextAsync()).Json();
        Assert.Equal("project.upload.failed", (string)body["event"]!);
        Assert.Equal((string)upload["id"]!, (string)body["data"]!["id"]!);
        Assert.Equal(second, (string)body["data"]!["failed_destination"]!["id"]!);
        Assert.Contains("410", (string)body["data"]!["failed_destination"]!["last_error"]!, StringComparison.Ordinal);
        var deliveries = (await app.DeliveriesAsync((string)upload["id"]!)).OrderBy(row => row.Id.ToString(), StringComparer.Ordinal);
        Assert.Equal(
            deliveries.Select(row => row.DestinationId.ToString()), body["data"]!["destinations"]!.AsArray().Select(row => (string)row!["id"]!));

        // Tried again by hand it arrives, and only then is the upload complete.
        await app.Client.UploadBecomesAsync((string)upload["id"]!, "partial");
        Assert.Single(events.Requests);
        await app.Client.PostAsync($"uploads/{upload["id"]}/retry");
        Assert.Equal("project.upload.completed", (string)(await events.NextAsync()).Json()["event"]!);
    }

    [Theory, AllDatabases]
    public async Task Session_is_told_when_it_is_made_and_when_it_is_full(DatabaseKind database)
    {
        await using var events = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        await app.ListenAsync(events, "project.session.*");

        var session = await app.Client.CreateSessionAsync(new JsonObject
        {
            ["max_images"] = 2,
            ["label"] = "Kitchen",
            ["tags"] = new JsonArray("order:7"),
            ["metadata"] = new JsonObject { ["claim"] = 4711 },
            ["expires_in_hours"] = 24,
        });

        var created = (await events.NextAsync()).Json();
        Assert.Equal("project.session.created", (string)created["event"]!);
        Assert.Equal(session, (string)created["data"]!["id"]!);
        Assert.Equal("pending", (string)created["data"]!["status"]!);
        Assert.Equal("Kitchen", (string)created["data"]!["label"]!);
        Assert.Equal(
            ("""["order:7"]""", """{"claim":4711}""", 2, "live", "2026-06-12T09:44:41.919Z", "2026-06-13T09:44:41.919Z"),
            (created["data"]!["tags"]!.ToJsonString(), created["data"]!["metadata"]!.ToJsonString(), (int)created["data"]!["max_images"]!,
                (string)created["data"]!["env"]!, (string)created["data"]!["created_at"]!, (string)created["data"]!["expires_at"]!));

        await app.Client.UploadAsync(session, Photos.Png());
        await app.Client.UploadAsync(session, Photos.Png());
        (await app.Client.PostImageAsync(session, Photos.Png())).Expect(HttpStatusCode.UnprocessableEntity);

        var completed = (await events.NextAsync()).Json();
        Assert.Equal("project.session.completed", (string)completed["event"]!);
        Assert.Equal("completed", (string)completed["data"]!["status"]!);
        Assert.Equal(2, (int)completed["data"]!["images_count"]!);
        Assert.Equal(2, await app.EventsAsync());

        // Opened again, it is full once more.
        (await app.Client.SendAsync(HttpMethod.Patch, $"upload-sessions/{session}", new JsonObject { ["max_images"] = 3 })).Expect(HttpStatusCode.OK);
        var last = (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!;
        Assert.Equal(3, (int)(await events.NextAsync()).Json()["data"]!["images_count"]!);
        // And after one was taken back.
        (await app.Client.SendAsync(HttpMethod.Delete, $"uploads/{last}")).Expect(HttpStatusCode.NoContent);
        await app.Client.UploadAsync(session, Photos.Png());
        Assert.Equal(3, (int)(await events.NextAsync()).Json()["data"]!["images_count"]!);
    }

    [Theory, AllDatabases]
    public async Task Session_is_told_once_when_it_is_closed_or_its_time_is_up(DatabaseKind database)
    {
        await using var events = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        await app.ListenAsync(events, "project.session.completed", "project.session.expired");
        var closed = await app.Client.CreateSessionAsync();
        var expired = await app.Client.CreateSessionAsync(new JsonObject { ["expires_in_hours"] = 1 });
        // One of another project is over in the same sweep, and told there alone.
        var (project, _, key) = await app.CreateOtherProjectAsync();
        var other = app.ClientOf(key, project);
        await using var others = await Receiver.StartAsync();
        (await other.PostAsync($"projects/{project}/webhooks", new JsonObject { ["url"] = others.Url, ["topics"] = new JsonArray("project.session.expired") }))
            .Expect(HttpStatusCode.Created);
        var theirs = await other.CreateSessionAsync(new JsonObject { ["expires_in_hours"] = 1 });

        (await app.Client.PostAsync($"upload-sessions/{closed}/complete")).Expect(HttpStatusCode.OK);
        (await app.Client.PostAsync($"upload-sessions/{closed}/complete")).Expect(HttpStatusCode.OK);
        await app.PassAsync(TimeSpan.FromSeconds(1));

        var first = (await events.NextAsync()).Json();
        Assert.Equal("project.session.completed", (string)first["event"]!);
        Assert.Equal(closed, (string)first["data"]!["id"]!);

        // After what is under way: an attempt would have taken a day.
        await app.PassAsync(TimeSpan.FromHours(25));
        var sweep = app.Services.GetRequiredService<SessionSweep>();
        await sweep.RunOnceAsync(TestContext.Current.CancellationToken);
        await sweep.RunOnceAsync(TestContext.Current.CancellationToken);
        await app.PassAsync(TimeSpan.FromSeconds(1));

        var second = (await events.NextAsync()).Json();
        Assert.Equal("project.session.expired", (string)second["event"]!);
        Assert.Equal(expired, (string)second["data"]!["id"]!);
        Assert.Equal("expired", (string)second["data"]!["status"]!);
        Assert.Equal(theirs, (string)(await others.NextAsync()).Json()["data"]!["id"]!);
        Assert.Equal(3, await app.EventsAsync());
        await using var db = app.Services.GetRequiredService<Database>().Open();
        Assert.Equal(3, await db.EventDeliveries.CountAsync(TestContext.Current.CancellationToken));

        // Whoever takes a photo back first sees it as well.
        var late = await app.Client.CreateSessionAsync(new JsonObject { ["expires_in_hours"] = 1 });
        var photo = (string)(await app.Client.UploadAsync(late, Photos.Png()))["id"]!;
        app.Clock.Set(TimeSpan.FromHours(2));
        (await app.Client.SendAsync(HttpMethod.Delete, $"uploads/{photo}")).Expect(HttpStatusCode.NoContent);
        Assert.Equal(late, (string)(await events.NextAsync()).Json()["data"]!["id"]!);
    }

    [Theory, AllDatabases]
    public async Task Destination_that_becomes_unusable_is_told_once(DatabaseKind database)
    {
        await using var events = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(
            database, configure: services => services.AddSingleton<IDestinationType>(new Revoked()));
        await app.ListenAsync(events, "project.destination.disabled");
        var destination = await app.Client.CreateDestinationAsync("revoked", []);
        var session = await app.Client.CreateSessionAsync(destination);
        // One that has answered before gets more than one at a time.
        await app.ChangeAsync(db => db.Destinations.Single().Breaker.HasAnswered = true);

        var uploads = new[] { await app.Client.UploadAsync(session, Photos.Png()), await app.Client.UploadAsync(session, Photos.Png()) };

        var data = (await events.NextAsync()).Json()["data"]!;
        Assert.Equal(destination, (string)data["id"]!);
        Assert.Equal(("revoked", (await app.DestinationAsync(destination)).Name), ((string)data["type"]!, (string)data["name"]!));
        Assert.Equal("Access was revoked.", (string)data["reason"]!);
        await app.PassAsync(TimeSpan.FromMinutes(1));
        Assert.Equal(1, await app.EventsAsync());
        Assert.Equal(0, (await app.DestinationAsync(destination)).Breaker.WindowAttempts);
        // Nothing more is tried there.
        var rows = (await app.DeliveriesAsync((string)uploads[0]["id"]!)).Concat(await app.DeliveriesAsync((string)uploads[1]["id"]!));
        Assert.All(rows, row => Assert.Equal((1, DueCause.Parked), (row.AttemptsMade, row.DueCause)));
    }

    [Theory, AllDatabases]
    public async Task Nothing_is_written_when_nobody_listens(DatabaseKind database)
    {
        await using var events = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        await app.ListenAsync(events, "project.session.expired");
        var off = await app.ListenAsync(events, "*");
        await app.ChangeWebhookAsync(off, new JsonObject { ["isActive"] = false });

        await app.Client.UploadAsync(await app.Client.CreateSessionAsync(), Photos.Png());

        Assert.Equal(0, await app.EventsAsync());
    }

    [Theory, AllDatabases]
    public async Task Events_of_many_photos_at_once_are_all_told_and_each_once(DatabaseKind database)
    {
        await using var events = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        await app.ListenAsync(events, "project.upload.started");
        var sessions = new[] { await app.Client.CreateSessionAsync(), await app.Client.CreateSessionAsync() };

        var uploads = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => app.Client.UploadAsync(sessions[i % 2], Photos.Png())));

        var told = new List<string>();
        while (told.Count < 40)
            told.Add((string)(await events.NextAsync()).Json()["data"]!["id"]!);
        Assert.Equal(uploads.Select(upload => (string)upload["id"]!).Order(), told.Order());
        await app.PassAsync(TimeSpan.FromMinutes(1));
        Assert.Equal(40, events.Requests.Count);
    }

    [Theory, AllDatabases]
    public async Task Another_projects_webhook_hears_nothing_and_cannot_be_seen(DatabaseKind database)
    {
        await using var events = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.ListenAsync(events, "*");
        var other = Guid.NewGuid();
        await app.WriteAsync(async db =>
        {
            db.Projects.Add(new() { Id = other, Name = "Other", WebhookSecret = "", CreatedAt = default, UpdatedAt = default });
            await db.SaveChangesAsync(TestContext.Current.CancellationToken);
            await db.Database.ExecuteSqlAsync(
                $"UPDATE event_webhooks SET project_id = {other.ToString()}", TestContext.Current.CancellationToken);
        });

        await app.Client.UploadAsync(await app.Client.CreateSessionAsync(), Photos.Png());

        Assert.Equal(0, await app.EventsAsync());
        foreach (var path in new[] { $"{app.WebhooksPath()}/{webhook["id"]}", $"projects/{other}/webhooks/{webhook["id"]}" })
        {
            (await app.Client.GetAsync(path)).Expect(HttpStatusCode.NotFound);
            (await app.Client.GetAsync(path + "/deliveries")).Expect(HttpStatusCode.NotFound);
            (await app.Client.PostAsync(path + "/test")).Expect(HttpStatusCode.NotFound);
            (await app.Client.SendAsync(HttpMethod.Delete, path)).Expect(HttpStatusCode.NotFound);
        }
    }

    /// <summary>Says so when two photos are on their way.</summary>
    private sealed class Revoked : IDestinationType
    {
        private readonly TaskCompletionSource _both = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _asked;

        public string Type => "revoked";

        public string Label => "Revoked";

        public IReadOnlyList<ConfigField> Fields => [];

        public async Task<DeliveryOutcome> DeliverAsync(Delivery delivery, CancellationToken cancellationToken)
        {
            if (Interlocked.Increment(ref _asked) == 2)
                _both.SetResult();
            await _both.Task.WaitAsync(cancellationToken);
            return new DeliveryOutcome.Broken("Access was revoked.");
        }

        public Task<DeliveryOutcome> TestAsync(DestinationConfig config, CancellationToken cancellationToken) =>
            Task.FromResult<DeliveryOutcome>(new DeliveryOutcome.Broken("Access was revoked."));
    }
}

internal static class EventRows
{
    /// <summary>Events that were written down.</summary>
    public static async Task<int> EventsAsync(this AperturApp app)
    {
        await using var db = app.Services.GetRequiredService<Database>().Open();
        return await db.EventLog.CountAsync();
    }
}
