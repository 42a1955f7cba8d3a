using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Server.Queue;
using Apertur.Server.Replays;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Apertur.Tests.Events;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace Apertur.Tests.Replays;

/// <summary>Delivering again, and for the first time what came before a destination.</summary>
public sealed class ReplayTests(ITestOutputHelper output)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, AllDatabases]
    public async Task Destination_added_today_receives_once_what_came_before_it(DatabaseKind database)
    {
        await using var old = await Receiver.StartAsync();
        await using var young = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database, configure: services => services.AddSingleton<IDestinationType>(new Archive()));
        var first = await WebhookAsync(app, old);
        var ids = new List<string>();
        foreach (var session in new[] { await app.Client.CreateSessionAsync(), await app.Client.CreateSessionAsync(first) })
        {
            for (var photo = 0; photo < 5; photo++)
                ids.Add((string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!);
            app.Clock.Jump(TimeSpan.FromSeconds(1));
        }

        foreach (var id in ids[5..])
            await app.Client.UploadBecomesAsync(id, "delivered");
        // The older ones are those that were written last.
        await app.WriteAsync(db => db.Uploads.Where(upload => upload.DestinationsTotal == 0)
            .ExecuteUpdateAsync(upload => upload.SetProperty(u => u.CaptionChanges, 1), Cancellation));
        app.Clock.Jump(TimeSpan.FromDays(30));
        var destination = await WebhookAsync(app, young);
        var before = (await app.Client.GetAsync("stats")).Json;
        var request = new { status = "never_dispatched", destinationId = destination };
        var dry = (await PostAsync(app, new { request.status, request.destinationId, dryRun = true })).Expect(HttpStatusCode.OK).Json;
        Assert.Equal((true, 10), ((bool)dry["dryRun"]!, (int)dry["total"]!));
        Assert.Empty((await app.Client.GetAsync(Path(app))).Json.AsArray());

        var done = await RunAsync(app, await PostAsync(app, request));

        Assert.Equal(("completed", 10, 10, 10, 0), Progress(done));
        Assert.Equal(ids.Order(), young.Requests.Select(sent => sent["X-Aptr-Image-Id"]).Order());
        Assert.Equal(5, old.Requests.Count);
        foreach (var id in ids)
            Assert.Equal("delivered", (string)(await app.Client.GetAsync($"uploads/{id}")).Json["status"]!);
        var after = (await app.Client.GetAsync("stats")).Json;
        Assert.Equal((10, (int)before["imagesUploaded"]!), ((int)after["imagesDelivered"]!, (int)after["imagesUploaded"]!));

        var again = await RunAsync(app, await PostAsync(app, request));
        Assert.Equal(("completed", 0, 0, 0, 0), Progress(again));
        Assert.Equal(10, young.Requests.Count);
        Assert.Equal(10, (int)(await app.Client.GetAsync($"uploads?destinationId={destination}")).Json["total"]!);

        var archive = await app.Client.CreateDestinationAsync("archive", []);
        var one = new { request.status, destinationId = archive, uploadIds = ids[..1] };
        Assert.Equal(("completed", 1, 1, 1, 0), Progress(await RunAsync(app, await PostAsync(app, one))));
        Assert.Equal(
            """[{"type":"archive","count":1},{"type":"webhook","count":1}]""",
            (await app.Client.GetAsync($"uploads/{ids[0]}")).Json["destinationsBreakdown"]!.ToJsonString());
        await CountsAreRightAsync(app);
    }

    [Theory, AllDatabases]
    public async Task Failed_deliveries_are_listed_chosen_by_their_error_and_tried_again_with_a_new_schedule(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var destination = await WebhookAsync(app, receiver);
        var session = await app.Client.CreateSessionAsync(destination);
        receiver.Answers(410, 415);
        var gone = (string)(await app.Client.UploadAsync(session, Photos.Png(), "gone.png"))["id"]!;
        await app.Client.UploadBecomesAsync(gone, "failed");
        app.Clock.Jump(TimeSpan.FromSeconds(1));
        var refused = (string)(await app.Client.UploadAsync(session, Photos.Png(), "refused.png"))["id"]!;
        await app.Client.UploadBecomesAsync(refused, "failed");

        var letters = (await app.Client.GetAsync($"projects/{app.ProjectId}/deliveries?status=failed&pageSize=1")).Expect(HttpStatusCode.OK).Json;
        Assert.Equal((2, 2), ((int)letters["total"]!, (int)letters["totalPages"]!));
        Assert.Equal((refused, "refused.png"), ((string)letters["data"]![0]!["uploadId"]!, (string)letters["data"]![0]!["filename"]!));
        Assert.Single(letters["data"]!.AsArray());
        var next = (await app.Client.GetAsync($"projects/{app.ProjectId}/deliveries?status=failed&pageSize=1&page=2")).Json;
        Assert.Equal(gone, (string)Assert.Single(next["data"]!.AsArray())!["uploadId"]!);
        Assert.Equal(0, (int)(await app.Client.GetAsync($"projects/{app.ProjectId}/deliveries?destinationId={Guid.NewGuid()}")).Json["total"]!);
        Assert.Equal(2, (int)(await app.Client.GetAsync($"projects/{app.ProjectId}/deliveries?destinationId={destination}")).Json["total"]!);
        Assert.Equal(0, (int)(await app.Client.GetAsync($"projects/{app.ProjectId}/deliveries?status=retrying")).Json["total"]!);
        (await app.Client.GetAsync($"projects/{app.ProjectId}/deliveries?status=sent")).Expect(HttpStatusCode.BadRequest);

        // It fails once more, and has a schedule again.
        receiver.Answers(500);
        var made = await PostAsync(app, new { errorContains = "410" });
        await Eventually.Becomes(
            async () =>
            {
                await app.Services.GetRequiredService<ReplayQueue>().RunOnceAsync(Cancellation);
                return (await app.DeliveriesAsync(gone))[0];
            },
            row => row is { State: DeliveryState.Retrying, Attempts: 1 }, "it failed once more");
        Assert.Equal((1, 1), ((int)made.Json["total"]!, receiver.Requests.Count(sent => sent["X-Aptr-Image-Id"] == gone) - 1));
        await app.PassAsync(TimeSpan.FromMinutes(1));
        await app.Client.UploadBecomesAsync(gone, "delivered");

        Assert.Equal(("completed", 1, 1, 1, 0), Progress(await RunAsync(app, made)));
        Assert.Equal("failed", (string)(await app.Client.GetAsync($"uploads/{refused}")).Json["status"]!);
        var stats = (await app.Client.GetAsync("stats")).Json;
        Assert.Equal(50, (int)stats["deliverySuccessRate"]!);
        Assert.Equal(1, (int)(await app.Client.GetAsync("sessions")).Json["data"]![0]!["imagesFailed"]!);

        // What waits once more has not ended.
        await SwitchAsync(app, destination, on: false);
        app.Clock.Jump(TimeSpan.FromSeconds(1));
        var changed = await ChangedAsync(app, session);
        made = await PostAsync(app, new { errorContains = "415" });
        await app.Services.GetRequiredService<ReplayQueue>().RunOnceAsync(Cancellation);
        var now = app.Clock.GetUtcNow();
        var open = (await app.DeliveriesAsync(refused)).Single();
        Assert.Equal((DeliveryState.Retrying, 0, null, now, now), (open.State, open.Attempts, open.EndedAt, open.DueAt, open.UpdatedAt));
        Assert.True(string.CompareOrdinal(await ChangedAsync(app, session), changed) > 0);
        await CountsAreRightAsync(app);

        // One whose deliveries fail for good is over, too.
        receiver.Answers(415);
        await SwitchAsync(app, destination, on: true);
        Assert.Equal(("completed", 1, 1, 0, 1), Progress(await RunAsync(app, made)));
        await CountsAreRightAsync(app);
    }

    [Theory, AllDatabases]
    public async Task What_was_sent_is_sent_again_under_the_same_id(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        // Half of one lane is one, too.
        await using var app = await AperturApp.StartAsync(database, new Dictionary<string, string?> { ["Delivery:LanesPerDestination"] = "1" });
        var webhook = await WebhookAsync(app, receiver);
        var session = await app.Client.CreateSessionAsync(webhook);
        var first = (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!;
        await app.Client.UploadBecomesAsync(first, "delivered");
        app.Clock.Jump(TimeSpan.FromHours(1));
        var second = (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!;
        await app.Client.UploadBecomesAsync(second, "delivered");
        var third = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(webhook), Photos.Png()))["id"]!;
        await app.Client.UploadBecomesAsync(third, "delivered");
        var stats = (await app.Client.GetAsync("stats")).Text;

        foreach (var (request, id) in new (object, string)[]
        {
            (new { status = "sent", uploadIds = new[] { first } }, first),
            (new { status = "sent", sessionId = session, from = app.Clock.GetUtcNow().AddMinutes(-1) }, second),
            (new { status = "sent", to = app.Clock.GetUtcNow().AddMinutes(-1) }, first),
        })
        {
            var known = receiver.Requests.Count;
            Assert.Equal(("completed", 1, 1, 1, 0), Progress(await RunAsync(app, await PostAsync(app, request))));
            await app.Client.UploadBecomesAsync(id, "delivered");
            Assert.Equal(known + 1, receiver.Requests.Count);
        }

        Assert.Equal(3, receiver.Requests.Select(sent => sent["X-APTR-Delivery-ID"]).Distinct().Count());
        Assert.Equal(stats, (await app.Client.GetAsync("stats")).Text);
        await CountsAreRightAsync(app);
    }

    [Theory, AllDatabases]
    public async Task Replay_can_be_paused_resumed_and_cancelled_and_keeps_few_in_the_queue(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        for (var photo = 0; photo < 12; photo++)
            await app.Client.UploadAsync(session, Photos.Png());
        var destination = await WebhookAsync(app, receiver);
        await SwitchAsync(app, destination, on: false);
        // What waits for another destination takes no place in the queue.
        var elsewhere = await WebhookAsync(app, receiver);
        var waits = await app.Client.CreateSessionAsync(elsewhere);
        await SwitchAsync(app, elsewhere, on: false);
        for (var photo = 0; photo < 4; photo++)
            await app.Client.UploadAsync(waits, Photos.Png());
        var received = app.Clock.GetUtcNow();
        var changed = await ChangedAsync(app, session);
        app.Clock.Jump(TimeSpan.FromSeconds(1));
        var queue = app.Services.GetRequiredService<ReplayQueue>();
        var made = (await PostAsync(app, new { status = "never_dispatched", destinationId = destination, sessionId = session })).Json;
        var id = (string)made["id"]!;
        Assert.Equal(12, (int)made["total"]!);

        for (var i = 0; i < 5; i++)
            await queue.RunOnceAsync(Cancellation);
        Assert.Equal(4, (int)(await GetAsync(app, id))["queued"]!);
        Assert.True(string.CompareOrdinal(await ChangedAsync(app, session), changed) > 0);
        await using (var db = app.Services.GetRequiredService<Database>().Open())
        {
            var (to, now) = (Guid.Parse(destination), app.Clock.GetUtcNow());
            var rows = await db.Deliveries.Where(row => row.DestinationId == to).ToListAsync(Cancellation);
            Assert.Equal(
                Enumerable.Repeat((received, now, now, now), 4), rows.Select(row => (row.ReceivedAt, row.CreatedAt, row.UpdatedAt, row.DueAt)));
        }

        // Nor is one more put there after the lanes have become fewer.
        using var fewer = WithTwoLanes(app);
        Assert.Equal(0, await fewer.RunOnceAsync(Cancellation));
        Assert.Equal(4, (int)(await GetAsync(app, id))["queued"]!);
        app.Clock.Jump(TimeSpan.FromSeconds(1));
        var paused = await ActAsync(app, id, "pause");
        Assert.Equal(("paused", app.Clock.GetUtcNow()), ((string)paused["state"]!, (DateTimeOffset)paused["updatedAt"]!));
        await SwitchAsync(app, destination, on: true);
        await Eventually.Becomes(() => GetAsync(app, id), replay => (int)replay["sent"]! == 4);
        await queue.RunOnceAsync(Cancellation);
        Assert.Equal(4, (int)(await GetAsync(app, id))["queued"]!);
        await SwitchAsync(app, destination, on: false);
        Assert.Equal("running", (string)(await ActAsync(app, id, "resume"))["state"]!);
        for (var i = 0; i < 5; i++)
            await queue.RunOnceAsync(Cancellation);
        Assert.Equal("cancelled", (string)(await ActAsync(app, id, "cancel"))["state"]!);
        Assert.Equal("cancelled", (string)(await ActAsync(app, id, "resume"))["state"]!);
        await queue.RunOnceAsync(Cancellation);

        Assert.Equal((8, 4), ((int)(await GetAsync(app, id))["queued"]!, (int)(await GetAsync(app, id))["sent"]!));
        // No photo is older than that.
        var other = await PostAsync(app, new { status = "never_dispatched", destinationId = destination, from = "1960-01-01T00:00:00Z" });
        Assert.Null((string?)other.Json["from"]);
        (await app.Client.SendAsync(HttpMethod.Delete, $"projects/{app.ProjectId}/destinations/{destination}")).Expect(HttpStatusCode.NoContent);
        var ended = await RunAsync(app, other);
        Assert.Equal(("cancelled", "The destination was deleted."), ((string)ended["state"]!, (string)ended["reason"]!));
    }

    [Theory]
    [AllDatabases(0)]
    [AllDatabases(1)]
    public async Task Replay_that_is_cancelled_while_it_goes_on_stays_as_it_is(DatabaseKind database, int photos)
    {
        await using var receiver = await Receiver.StartAsync();
        var count = new QueryCount();
        await using var app = await AperturApp.StartAsync(database, configure: services =>
        {
            count.Into(services);
            services.WithoutLoopOf<ReplayQueue>();
        });
        var session = await app.Client.CreateSessionAsync();
        for (var photo = 0; photo < photos; photo++)
            await app.Client.UploadAsync(session, Photos.Png());
        var made = await PostAsync(app, new { status = "never_dispatched", destinationId = await WebhookAsync(app, receiver) });
        var id = Guid.Parse((string)made.Expect(HttpStatusCode.Created).Json["id"]!);

        var round = Task.FromResult(0);
        await app.WriteAsync(async db =>
        {
            var replay = await app.Services.GetRequiredService<Database>().Locked(db.Replays, [id]).SingleAsync(Cancellation);
            replay.End(ReplayState.Cancelled, app.Clock.GetUtcNow(), "Somebody did it.");
            await db.SaveChangesAsync(Cancellation);
            var before = count.Queries;
            round = app.Services.GetRequiredService<ReplayQueue>().RunOnceAsync(Cancellation);
            // It has looked for replays, for what is under way, for the destination and for photos.
            await Eventually.True(() => count.Queries >= before + 4);
        });
        await round;

        var ended = await GetAsync(app, id.ToString());
        Assert.Equal(("cancelled", "Somebody did it.", 0), ((string)ended["state"]!, (string)ended["reason"]!, (int)ended["queued"]!));
    }

    [Theory, AllDatabases]
    public async Task Events_that_a_webhook_did_not_take_are_told_again(DatabaseKind database)
    {
        await using var events = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.CreateWebhookAsync(events, new JsonObject { ["maxRetries"] = 0 }, "project.session.created");
        events.Answers(500, 500);
        await app.Client.CreateSessionAsync();
        await app.NewestBecomesAsync(webhook, "failed");
        app.Clock.Jump(TimeSpan.FromSeconds(1));
        await app.Client.CreateSessionAsync();
        await app.NewestBecomesAsync(webhook, "failed");

        // Where one fails for good once more, that is the end of it, too.
        events.Answers(500);
        var request = new { webhookId = (string)webhook["id"]! };
        Assert.Equal(("completed", 2, 2, 1, 1), Progress(await RunAsync(app, await PostAsync(app, request))));
        Assert.Equal(("completed", 1, 1, 1, 0), Progress(await RunAsync(app, await PostAsync(app, request))));
        var told = events.Requests.Select(sent => (string)sent.Json()["data"]!["id"]!).ToList();
        Assert.Equal((5, 2), (told.Count, told.Distinct().Count()));

        // What arrived is told again where that is asked for, each once.
        Assert.Equal(("completed", 2, 2, 2, 0), Progress(await RunAsync(app, await PostAsync(app, new { request.webhookId, status = "sent" }))));
        Assert.Equal(7, events.Requests.Count);
        // The schedule of each began anew.
        Assert.All((await app.HistoryAsync(webhook))["deliveries"]!.AsArray(), row => Assert.Equal(1, (int)row!["attempts"]!));
    }

    [Theory, AllDatabases]
    public async Task Replay_takes_up_what_it_names_and_nothing_of_others(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Otherwise = context =>
        {
            context.Response.StatusCode = 410;
            return Task.CompletedTask;
        };
        await using var app = await AperturApp.StartAsync(database);
        var (first, second) = (await WebhookAsync(app, receiver), await WebhookAsync(app, receiver));
        var session = await app.Client.CreateSessionAsync(first, second);
        var (mine, removed) = (await FailAsync(app.Client, session), await FailAsync(app.Client, session));
        await FailAsync(app.ClientOf(app.TestKey), await app.ClientOf(app.TestKey).CreateSessionAsync(first));
        var (otherId, _, otherKey) = await app.CreateOtherProjectAsync();
        var other = app.ClientOf(otherKey, otherId);
        await FailAsync(other, await other.CreateSessionAsync(await WebhookAsync(other, receiver)));
        await app.WriteAsync(async db => (await db.Uploads.FindAsync([Guid.Parse(removed)], Cancellation))!.Remove(app.Clock.GetUtcNow()));

        var reason = (string)(await app.Client.GetAsync($"uploads/{mine}/deliveries")).Json[0]!["lastError"]!;
        Assert.Equal(1, await TotalAsync(app.Client, new { dryRun = true }));
        Assert.Equal(1, await TotalAsync(app.Client, new { dryRun = true, errorContains = reason.ToUpperInvariant() }));
        Assert.Equal(1, await TotalAsync(app.ClientOf(app.TestKey), new { dryRun = true }));
        var owner = (await app.SignInAsync()).Client;
        Assert.Equal(1, await TotalAsync(owner, new { dryRun = true }));
        Assert.Equal(2, await TotalAsync(owner, new { dryRun = true }, "?env=all"));
        Assert.Equal(1, await TotalAsync(other, new { dryRun = true }));
        Assert.Equal(0, await TotalAsync(app.Client, new { dryRun = true, status = "sent" }));
        Assert.Equal((1, 2), await CountedAsync(app, AllThatFailed(app)));
        foreach (var (client, failed) in new[] { (app.Client, 4), (app.ClientOf(app.TestKey), 1), (other, 1) })
            Assert.Equal(failed, (int)(await client.GetAsync($"projects/{client.ProjectId}/deliveries")).Expect(HttpStatusCode.OK).Json["total"]!);
        receiver.Otherwise = null;

        // One of its two destinations.
        Assert.Equal(("completed", 1, 1, 1, 0), Progress(await RunAsync(app, await PostAsync(app, new { destinationId = second }))));
        Assert.Equal([("failed", first), ("sent", second)], await StatesAsync());
        Assert.Single(receiver.Requests);
        Assert.Equal(1, await TotalAsync(app.Client, new { dryRun = true, status = "sent" }));
        Assert.Equal(0, await TotalAsync(app.Client, new { dryRun = true, destinationId = second }));
        // What is left of it goes nowhere any more.
        (await app.Client.SendAsync(HttpMethod.Delete, $"projects/{app.ProjectId}/destinations/{first}")).Expect(HttpStatusCode.NoContent);
        Assert.Equal(0, await TotalAsync(app.Client, new { dryRun = true }));

        async Task<IEnumerable<(string, string)>> StatesAsync() =>
            (await app.Client.GetAsync($"uploads/{mine}/deliveries")).Json.AsArray()
                .Select(row => ((string)row!["status"]!, (string)row["destinationId"]!)).OrderBy(row => row.Item1);

        static async Task<string> FailAsync(AperturClient client, string session)
        {
            var id = (string)(await client.UploadAsync(session, Photos.Png()))["id"]!;
            await client.UploadBecomesAsync(id, "failed");
            return id;
        }
    }

    [Theory, AllDatabases]
    public async Task Events_are_told_again_to_the_webhook_that_is_named_and_of_the_time_that_is_named(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers([.. Enumerable.Repeat(500, 4)]);
        await using var app = await AperturApp.StartAsync(database, new Dictionary<string, string?> { ["Delivery:LanesPerDestination"] = "2" });
        var webhook = await app.CreateWebhookAsync(receiver, new JsonObject { ["maxRetries"] = 0 }, "project.session.created");
        var other = await app.CreateWebhookAsync(receiver, new JsonObject { ["maxRetries"] = 0 }, "project.session.created");
        var id = (string)webhook["id"]!;
        for (var i = 0; i < 2; i++)
        {
            await app.Client.CreateSessionAsync();
            await app.NewestBecomesAsync(webhook, "failed");
            await app.NewestBecomesAsync(other, "failed");
            app.Clock.Jump(TimeSpan.FromHours(1));
        }

        var middle = app.Clock.GetUtcNow().AddMinutes(-90);
        Assert.Equal(2, await TotalAsync(app.Client, new { dryRun = true, webhookId = id }));
        Assert.Equal(1, await TotalAsync(app.Client, new { dryRun = true, webhookId = id, from = middle }));
        Assert.Equal(1, await TotalAsync(app.Client, new { dryRun = true, webhookId = id, to = middle }));
        Assert.Equal(2, await TotalAsync(app.Client, new { dryRun = true, webhookId = id, errorContains = "ANSWERED 500" }));
        Assert.Equal(0, await TotalAsync(app.Client, new { dryRun = true, webhookId = id, errorContains = "answered 501" }));
        Assert.Equal(0, await TotalAsync(app.Client, new { dryRun = true, webhookId = id, status = "sent" }));
        Assert.Equal((1, 2), await CountedAsync(app, AllThatFailed(app, Guid.Parse(id))));

        // What waits for another webhook takes no place in the queue.
        var (others, tomorrow) = (Guid.Parse((string)other["id"]!), app.Clock.GetUtcNow().AddDays(1));
        await app.WriteAsync(db => db.EventDeliveries.Where(row => row.WebhookId == others).ExecuteUpdateAsync(
            row => row.SetProperty(r => r.State, DeliveryState.Retrying).SetProperty(r => r.DueAt, tomorrow), Cancellation));
        Assert.Equal(("completed", 1, 1, 1, 0), Progress(await RunAsync(app, await PostAsync(app, new { webhookId = id, to = middle }))));
        Assert.Equal(5, receiver.Requests.Count);
        Assert.Equal(["failed", "sent"], (await app.HistoryAsync(webhook))["deliveries"]!.AsArray().Select(row => (string)row!["status"]!));
    }

    [Theory, AllDatabases]
    public async Task Replays_of_a_project_go_one_after_the_other_and_each_is_over_when_what_it_queued_has_ended(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers([.. Enumerable.Repeat(500, 6)]);
        await using var app = await AperturApp.StartAsync(database, configure: services => services.WithoutLoopOf<ReplayQueue>());
        var webhook = await app.CreateWebhookAsync(receiver, new JsonObject { ["maxRetries"] = 0 }, "project.session.created");
        await app.ListenAsync(receiver, "project.session.expired");
        var session = "";
        for (var i = 0; i < 6; i++)
        {
            session = await app.Client.CreateSessionAsync();
            await app.NewestBecomesAsync(webhook, "failed");
            app.Clock.Jump(TimeSpan.FromSeconds(1));
        }

        await app.Client.UploadAsync(session, Photos.Png());
        var destination = await WebhookAsync(app, receiver);
        await SwitchAsync(app, destination, on: false);
        await app.ChangeWebhookAsync(webhook, new JsonObject { ["isActive"] = false });
        var events = (string)(await PostAsync(app, new { webhookId = (string)webhook["id"]! })).Json["id"]!;
        app.Clock.Jump(TimeSpan.FromSeconds(1));
        var photos = (string)(await PostAsync(app, new { status = "never_dispatched", destinationId = destination })).Json["id"]!;

        // Half of an endpoint's eight lanes.
        await StepAsync();
        Assert.Equal(("running", 6, 4, 0, 0), Progress(await GetAsync(app, events)));
        Assert.Equal(("running", 1, 0, 0, 0), Progress(await GetAsync(app, photos)));
        var now = app.Clock.GetUtcNow();
        Assert.Equal(now, (DateTimeOffset)(await GetAsync(app, events))["updatedAt"]!);
        var waiting = (await app.HistoryAsync(webhook, "?status=retrying"))["deliveries"]!.AsArray();
        Assert.Equal(
            Enumerable.Repeat((now, now), 4), waiting.Select(row => ((DateTimeOffset)row!["updatedAt"]!, (DateTimeOffset)row["nextRetryAt"]!)));
        // Nor are there more after the lanes have become fewer.
        using var fewer = WithTwoLanes(app);
        Assert.Equal(0, await fewer.RunOnceAsync(Cancellation));
        Assert.Equal(("running", 6, 4, 0, 0), Progress(await GetAsync(app, events)));
        app.Clock.Jump(TimeSpan.FromSeconds(1));
        await app.ChangeWebhookAsync(webhook, new JsonObject { ["isActive"] = true });
        Assert.Equal(("completed", 6, 6, 6, 0), Progress(await RunAsync(app, events)));
        await StepAsync();
        Assert.Equal(("running", 1, 1, 0, 0), Progress(await GetAsync(app, photos)));
        Assert.Equal(app.Clock.GetUtcNow(), (DateTimeOffset)(await GetAsync(app, photos))["updatedAt"]!);
        await SwitchAsync(app, destination, on: true);
        Assert.Equal(("completed", 1, 1, 1, 0), Progress(await RunAsync(app, photos)));

        // Who may not see the photos does not see what becomes of them.
        Assert.Equal([photos, events], (await app.Client.GetAsync(Path(app))).Json.AsArray().Select(replay => (string)replay!["id"]!));
        Assert.Empty((await app.ClientOf(app.TestKey).GetAsync(Path(app))).Json.AsArray());
        (await app.ClientOf(app.TestKey).GetAsync($"{Path(app)}/{events}")).Expect(HttpStatusCode.NotFound);
        Assert.Equal(2, (await (await app.SignInAsync()).Client.GetAsync(Path(app))).Json.AsArray().Count);

        var last = await PostAsync(app, new { webhookId = (string)webhook["id"]!, status = "sent" });
        (await app.Client.SendAsync(HttpMethod.Delete, $"{app.WebhooksPath()}/{webhook["id"]}")).Expect(HttpStatusCode.NoContent);
        var ended = await RunAsync(app, last);
        Assert.Equal(("cancelled", "The event webhook was deleted."), ((string)ended["state"]!, (string)ended["reason"]!));

        async Task StepAsync()
        {
            for (var i = 0; i < 5; i++)
                await app.Services.GetRequiredService<ReplayQueue>().RunOnceAsync(Cancellation);
        }
    }

    [Theory, AllDatabases]
    public async Task Replay_on_the_command_line_is_done_by_the_running_server(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        await app.Client.UploadAsync(await app.Client.CreateSessionAsync(), Photos.Png());
        var destination = await WebhookAsync(app, receiver);
        var project = app.ProjectId.ToString();
        string[] start = ["replay", "start", "--project", project, "--destination", destination, "--status", "never_dispatched"];

        Assert.Equal(1, (int)(await app.CommandAsync([.. start, "--dry-run"]))["total"]!);
        Assert.Equal(1, (await app.TryCommandAsync("replay", "start", "--project", project, "--status", "never_dispatched")).ExitCode);
        var id = (string)(await app.CommandAsync(start))["id"]!;
        Assert.Equal("paused", (string)(await app.CommandAsync("replay", "pause", "--project", project, "--replay", id))["state"]!);
        Assert.Equal("running", (string)(await app.CommandAsync("replay", "resume", "--project", project, "--replay", id))["state"]!);

        await Eventually.Becomes(
            async () =>
            {
                await WorkAsync(app);
                return (string)(await app.CommandAsync("replay", "list", "--project", project))[0]!["state"]!;
            },
            state => state == "completed");
        Assert.Single(receiver.Requests);
        Assert.Equal("cancelled", (string)(await app.CommandAsync("replay", "cancel", "--project", project, "--replay", (string)(await app.CommandAsync(start))["id"]!))["state"]!);
    }

    [Theory, AllDatabases]
    public async Task What_cannot_be_replayed_is_refused_in_words(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        await using var receiver = await Receiver.StartAsync();
        var (otherId, _, otherKey) = await app.CreateOtherProjectAsync();
        var theirs = await WebhookAsync(app.ClientOf(otherKey, otherId), receiver);
        var deleted = await WebhookAsync(app, receiver);
        (await app.Client.SendAsync(HttpMethod.Delete, $"projects/{app.ProjectId}/destinations/{deleted}")).Expect(HttpStatusCode.NoContent);
        var mine = await WebhookAsync(app, receiver);
        var webhookId = (string)(await app.ListenAsync(receiver, "*"))["id"]!;
        var listens = new { url = receiver.Url, topics = new[] { "*" } };
        var theirWebhook = (string)(await app.ClientOf(otherKey, otherId).PostAsync($"projects/{otherId}/webhooks", listens))
            .Expect(HttpStatusCode.Created).Json["id"]!;
        foreach (var (field, request) in new (string, object)[]
        {
            ("destinationId", new { destinationId = theirs }),
            ("destinationId", new { destinationId = deleted }),
            ("webhookId", new { webhookId = theirWebhook }),
            ("webhookId", new { webhookId, status = "never_dispatched", destinationId = mine }),
            ("webhookId", new { webhookId, destinationId = mine }),
            ("webhookId", new { webhookId, sessionId = Guid.NewGuid() }),
            ("webhookId", new { webhookId, uploadIds = new[] { Guid.NewGuid() } }),
            ("uploadIds", new { uploadIds = Enumerable.Range(0, 1001).Select(_ => Guid.NewGuid()) }),
            ("errorContains", new { errorContains = "" }),
            ("errorContains", new { errorContains = new string('x', 201) }),
            ("status", new { status = "lost" }),
            ("destinationId", new { status = "never_dispatched" }),
            ("destinationId", new { destinationId = Guid.NewGuid() }),
            ("webhookId", new { webhookId = Guid.NewGuid() }),
            ("uploadIds", new { uploadIds = Array.Empty<Guid>() }),
            ("errorContains", new { status = "sent", errorContains = "x" }),
            ("to", new { from = "2026-02-01T00:00:00Z", to = "2026-01-01T00:00:00Z" }),
        })
        {
            var answer = (await PostAsync(app, request)).Expect(HttpStatusCode.BadRequest).Json;
            Assert.Contains(answer["errors"]!.AsArray(), error => (string)error!["field"]! == field);
        }
    }

    [Theory, AllDatabases]
    public async Task Newest_hundred_replays_are_listed_those_of_one_instant_in_one_order(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var replays = Enumerable.Range(0, 101).Select(_ => AllThatFailed(app)).ToList();
        replays.ForEach(replay => replay.End(ReplayState.Completed, app.Clock.GetUtcNow()));
        await app.WriteAsync(db =>
        {
            db.Replays.AddRange(replays);
            return Task.CompletedTask;
        });

        // They are of both environments.
        Assert.Empty((await app.Client.GetAsync(Path(app))).Expect(HttpStatusCode.OK).Json.AsArray());
        var listed = (await (await app.SignInAsync()).Client.GetAsync($"{Path(app)}?env=all")).Expect(HttpStatusCode.OK).Json.AsArray();
        Assert.Equal(
            replays.Select(replay => $"{replay.Id}").OrderDescending(StringComparer.Ordinal).Take(100), listed.Select(replay => (string)replay!["id"]!));
    }

    [Fact]
    public async Task Backfill_that_is_killed_again_and_again_brings_each_photo_once() => await BackfillAsync(photos: 200, kills: 3);

    [Theory, AllDatabases]
    public async Task Batches_grow_while_the_destination_keeps_up(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["max_images"] = 40 });
        for (var photo = 0; photo < 40; photo++)
            await app.Client.UploadAsync(session, Photos.Png());
        var destination = await WebhookAsync(app, receiver);
        var id = (string)(await PostAsync(app, new { status = "never_dispatched", destinationId = destination })).Json["id"]!;
        var queue = app.Services.GetRequiredService<ReplayQueue>();

        foreach (var together in new[] { 4, 12 })
        {
            await queue.RunOnceAsync(Cancellation);
            Assert.Equal(together, (int)(await GetAsync(app, id))["queued"]!);
            await Eventually.Becomes(() => GetAsync(app, id), replay => (int)replay["sent"]! == together);
        }

        // Behind what waits, no more comes; and after it no more than at first.
        await SwitchAsync(app, destination, on: false);
        await queue.RunOnceAsync(Cancellation);
        await queue.RunOnceAsync(Cancellation);
        Assert.Equal(28, (int)(await GetAsync(app, id))["queued"]!);
        await SwitchAsync(app, destination, on: true);
        await Eventually.Becomes(() => GetAsync(app, id), replay => (int)replay["sent"]! == 28);
        await queue.RunOnceAsync(Cancellation);
        Assert.Equal(32, (int)(await GetAsync(app, id))["queued"]!);
    }

    /// <summary>See chaos/README.md.</summary>
    [Fact(Explicit = true)]
    public async Task Figures() => await BackfillAsync(
        int.Parse(Environment.GetEnvironmentVariable("CHAOS_PHOTOS")!, CultureInfo.InvariantCulture), kills: 3);

    /// <summary>A backfill whose server is killed, while photos for another destination come in.</summary>
    private async Task BackfillAsync(int photos, int kills)
    {
        await using var live = await Receiver.StartAsync();
        await using var receiver = await Receiver.StartAsync();
        receiver.KeepsBodies = false;
        var arrivals = new ConcurrentDictionary<string, long>();
        live.Otherwise = context =>
        {
            arrivals.TryAdd(context.Request.Headers["X-Aptr-Image-Id"].ToString(), TimeProvider.System.GetTimestamp());
            return Task.CompletedTask;
        };
        using var data = new TempFolder();
        var installation = await AperturProcess.InitAsync(data.Path);
        var server = await AperturProcess.ServeAsync(data.Path, installation);
        try
        {
            for (var photo = 0; photo < photos; photo += 500)
            {
                var old = await server.Client.CreateSessionAsync(new JsonObject { ["max_images"] = 500 });
                await Parallel.ForEachAsync(
                    Enumerable.Range(0, Math.Min(500, photos - photo)), new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = Cancellation },
                    async (_, _) => await server.Client.UploadAsync(old, Photos.Png()));
            }

            var destination = await server.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
            var others = await server.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = live.Url });
            var measured = Math.Min(photos / 20, 100);
            var quiet = await LatenciesAsync(server, others, arrivals, measured);
            var path = $"projects/{server.Client.ProjectId}/replays";
            var request = new { status = "never_dispatched", destinationId = destination };
            var id = (string)(await server.Client.PostAsync(path, request)).Json["id"]!;
            var meanwhile = new List<TimeSpan>();
            for (var kill = 1; kill <= kills; kill++)
            {
                await ComesAsync(() => StateAsync(server), replay => (int)replay["queued"]! >= photos * kill / (kills + 1));
                meanwhile.AddRange(await LatenciesAsync(server, others, arrivals, measured));
                await server.KillAsync();
                await server.DisposeAsync();
                server = await AperturProcess.ServeAsync(data.Path, installation);
                // A program that has just begun is slower, replay or not.
                await LatenciesAsync(server, others, arrivals, Math.Min(photos / 20, 20));
            }

            var done = await ComesAsync(() => StateAsync(server), replay => replay["endedAt"] is not null);
            // Those of the live session were never to go there either, but came before the replay or after it.
            var total = (int)done["total"]!;
            Assert.Equal(("completed", total, total, 0), ((string)done["state"]!, (int)done["queued"]!, (int)done["sent"]!, (int)done["failed"]!));
            var told = receiver.Requests.GroupBy(sent => sent["X-Aptr-Image-Id"]).ToList();
            Assert.Equal((photos + measured, total), (total, told.Count));
            Assert.All(told, of => Assert.Single(of.Select(sent => sent["X-APTR-Delivery-ID"]).Distinct()));
            var second = (await server.Client.PostAsync(path, new { request.status, request.destinationId, dryRun = true, to = done["to"] })).Json;
            Assert.Equal(0, (int)second["total"]!);
            output.WriteLine(
                $"{total} photos that were there before, {kills} kills: each at the new destination, {told.Count(of => of.Count() > 1)} told of more than once and under one "
                + $"id; a second replay would add {second["total"]}. Live photos to another destination, from their 201 to their arrival: p95 "
                + $"{P95(quiet):F1} ms before ({quiet.Count}), {P95(meanwhile):F1} ms meanwhile ({meanwhile.Count}).");

            async Task<JsonNode> StateAsync(AperturProcess of) => (await of.Client.GetAsync($"{path}/{id}")).Expect(HttpStatusCode.OK).Json;
        }
        finally
        {
            await server.DisposeAsync();
        }
    }

    /// <summary>Waits until a replay has come so far, for as long as it goes on.</summary>
    private static async Task<JsonNode> ComesAsync(Func<Task<JsonNode>> read, Func<JsonNode, bool> isSo)
    {
        for (var replay = await read(); ;)
        {
            if (isSo(replay))
                return replay;
            var sent = (int)replay["sent"]!;
            replay = await Eventually.Becomes(read, next => isSo(next) || (int)next["sent"]! > sent, "the replay goes on");
        }
    }

    /// <summary>Sends photos one after the other, and says how long each took from its answer to its arrival.</summary>
    private static async Task<List<TimeSpan>> LatenciesAsync(
        AperturProcess server, string destination, ConcurrentDictionary<string, long> arrivals, int photos)
    {
        var session = await server.Client.CreateSessionAsync(
            new JsonObject { ["destination_ids"] = new JsonArray(destination), ["max_images"] = photos });
        var took = new List<TimeSpan>();
        for (var photo = 0; photo < photos; photo++)
        {
            var id = (string)(await server.Client.UploadAsync(session, Photos.Png()))["id"]!;
            var received = TimeProvider.System.GetTimestamp();
            await Eventually.True(() => arrivals.ContainsKey(id));
            took.Add(arrivals[id] > received ? TimeProvider.System.GetElapsedTime(received, arrivals[id]) : TimeSpan.Zero);
        }

        return took;
    }

    private static double P95(List<TimeSpan> times) => times.Count == 0 ? 0 : times.Order().ElementAt(times.Count * 95 / 100).TotalMilliseconds;

    /// <summary>How many photos or events a replay would take up.</summary>
    private static async Task<int> TotalAsync(AperturClient client, object request, string query = "") =>
        (int)(await client.PostAsync($"projects/{client.ProjectId}/replays{query}", request)).Expect(HttpStatusCode.OK).Json["total"]!;

    /// <summary>All of a project, and of both environments.</summary>
    private static Replay AllThatFailed(AperturApp app, Guid? webhook = null) => new()
    {
        Id = Guid.NewGuid(),
        ProjectId = app.ProjectId,
        WebhookId = webhook,
        Status = ReplayStatus.Failed,
        Since = DateTimeOffset.UnixEpoch,
        Until = app.Clock.GetUtcNow().AddSeconds(1),
        Place = DateTimeOffset.UnixEpoch,
        CreatedBy = "a test",
        CreatedAt = app.Clock.GetUtcNow(),
        UpdatedAt = app.Clock.GetUtcNow(),
    };

    /// <summary>How many it takes up, of at most one and of at most nine.</summary>
    private static async Task<(int, int)> CountedAsync(AperturApp app, Replay replay)
    {
        await using var db = app.Services.GetRequiredService<Database>().Open();
        return (await ReplayMatches.CountAsync(db, replay, 1, Cancellation), await ReplayMatches.CountAsync(db, replay, 9, Cancellation));
    }

    /// <summary>The queue as a node has it whose destinations have two lanes.</summary>
    private static ReplayQueue WithTwoLanes(AperturApp app) => new(
        app.Services.GetRequiredService<Database>(),
        app.Services.GetRequiredService<ImageIntake>(),
        Server.Settings.Load(app.DataFolder, new Dictionary<string, string?> { ["Delivery:LanesPerDestination"] = "2" }),
        app.Clock, NullLogger<ReplayQueue>.Instance);

    private static async Task<string> ChangedAsync(AperturApp app, string session) =>
        (string)(await app.Client.GetAsync($"upload-sessions/{session}/delivery-status")).Expect(HttpStatusCode.OK).Json["lastChanged"]!;

    private static async Task CountsAreRightAsync(AperturApp app) =>
        Assert.True((await app.Services.GetRequiredService<CountCheck>().RunAsync(Cancellation)).IsRight);

    private static string Path(AperturApp app) => $"projects/{app.ProjectId}/replays";

    private static Task<Answer> PostAsync(AperturApp app, object request) => app.Client.PostAsync(Path(app), request);

    private static async Task<JsonNode> GetAsync(AperturApp app, string id) =>
        (await app.Client.GetAsync($"{Path(app)}/{id}")).Expect(HttpStatusCode.OK).Json;

    private static async Task<JsonNode> ActAsync(AperturApp app, string id, string act) =>
        (await app.Client.PostAsync($"{Path(app)}/{id}/{act}")).Expect(HttpStatusCode.OK).Json;

    private static async Task<JsonNode> RunAsync(AperturApp app, Answer made) =>
        await RunAsync(app, (string)made.Expect(HttpStatusCode.Created).Json["id"]!);

    /// <summary>Has the server work until a replay has ended.</summary>
    private static Task<JsonNode> RunAsync(AperturApp app, string id) => Eventually.Becomes(
        async () =>
        {
            await WorkAsync(app);
            return await GetAsync(app, id);
        },
        replay => replay["endedAt"] is not null, "the replay ended");

    private static async Task WorkAsync(AperturApp app)
    {
        var pump = app.Services.GetRequiredService<Pump>();
        for (var i = 0; i < 50; i++)
        {
            await app.Services.GetRequiredService<ReplayQueue>().RunOnceAsync(Cancellation);
            await pump.RunOnceAsync(Cancellation);
            await pump.DrainAsync();
        }
    }

    private static (string State, int Total, int Queued, int Sent, int Failed) Progress(JsonNode replay) => (
        (string)replay["state"]!, (int)replay["total"]!, (int)replay["queued"]!, (int)replay["sent"]!, (int)replay["failed"]!);

    private static Task<string> WebhookAsync(AperturApp app, Receiver receiver) => WebhookAsync(app.Client, receiver);

    private static Task<string> WebhookAsync(AperturClient client, Receiver receiver) =>
        client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });

    private static async Task SwitchAsync(AperturApp app, string destination, bool on) =>
        (await app.Client.SendAsync(HttpMethod.Patch, $"projects/{app.ProjectId}/destinations/{destination}", new JsonObject { ["isActive"] = on }))
            .Expect(HttpStatusCode.OK);

    /// <summary>Takes everything.</summary>
    private sealed class Archive : IDestinationType
    {
        public string Type => "archive";

        public string Label => "Archive";

        public IReadOnlyList<ConfigField> Fields => [];

        public Task<DeliveryOutcome> DeliverAsync(Delivery delivery, CancellationToken cancellationToken) =>
            Task.FromResult<DeliveryOutcome>(new DeliveryOutcome.Accepted());

        public Task<DeliveryOutcome> TestAsync(DestinationConfig config, CancellationToken cancellationToken) =>
            Task.FromResult<DeliveryOutcome>(new DeliveryOutcome.Accepted());
    }
}
