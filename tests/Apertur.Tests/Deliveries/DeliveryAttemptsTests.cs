using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server.Deliveries;
using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Deliveries;

/// <summary>What the API tells of the attempts at a delivery: why each was made when it was.</summary>
public sealed class DeliveryAttemptsTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, AllDatabases]
    public async Task Each_attempt_says_why_it_was_made_then(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.AsksToWait(503, seconds: 120).Answers(500);
        await using var app = await AperturApp.StartAsync(database);
        if (database == DatabaseKind.PostgreSql)
            await EndFirstOutcomeAsync(app);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var began = app.Clock.GetUtcNow();
        var upload = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(webhook), Photos.Png()))["id"]!;
        await EndedAsync(app, upload, webhook, 1);
        await app.PassAsync(TimeSpan.FromSeconds(121));
        await EndedAsync(app, upload, webhook, 2);

        (await app.Client.PostAsync($"uploads/{upload}/retry")).Expect(HttpStatusCode.OK);
        await app.Client.UploadBecomesAsync(upload, "delivered");

        var attempts = await EndedAsync(app, upload, webhook, 3);
        Assert.Equal(
            ["3 accepted 200 replayed - ", "2 try_again 500 retry_after - schedule", "1 try_again 503 received - retry_after"],
            attempts.Select(a => $"{a["number"]} {a["outcome"]} {a["status"]} {a["dueCause"]} - {a["nextCause"]}"));
        Assert.Equal(began, (DateTimeOffset)attempts[2]["dueAt"]!, TimeSpan.FromMilliseconds(1));
        Assert.Equal(began.AddSeconds(120), (DateTimeOffset)attempts[1]["dueAt"]!, TimeSpan.FromMilliseconds(1));
        Assert.Equal((string)attempts[1]["dueAt"]!, (string)attempts[2]["nextAt"]!);
        Assert.Equal(began.AddSeconds(121), (DateTimeOffset)attempts[1]["startedAt"]!, TimeSpan.FromMilliseconds(1));
        Assert.StartsWith((string)attempts[0]["dueBy"]!, app.LiveKey, StringComparison.Ordinal);
        Assert.Contains("500", (string)attempts[1]["reason"]!, StringComparison.Ordinal);
        Assert.All(attempts, attempt => Assert.Equal(Node.Name, (string)attempt["node"]!));
        var delivery = (await app.Client.GetAsync($"uploads/{upload}/deliveries")).Json[0]!;
        Assert.Equal(("sent", 3), ((string)delivery["status"]!, (int)delivery["attempts"]!));
        Assert.All(["dueAt", "dueCause", "dueBy", "waitingFor"], field => Assert.Null(delivery[field]));
    }

    /// <summary>Has PostgreSQL end the transaction that writes the first outcome, so that it is run again.</summary>
    private static Task EndFirstOutcomeAsync(AperturApp app) => app.WriteAsync(db => db.Database.ExecuteSqlRawAsync(
        """
        CREATE SEQUENCE outcomes;
        CREATE FUNCTION end_first() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          -- What a sequence has given is not rolled back.
          IF nextval('outcomes') = 1 THEN RAISE EXCEPTION USING ERRCODE = 'serialization_failure'; END IF;
          RETURN NEW;
        END $$;
        CREATE TRIGGER end_first BEFORE INSERT ON delivery_attempts FOR EACH ROW EXECUTE FUNCTION end_first();
        """, Cancellation));

    [Theory, AllDatabases]
    public async Task Attempt_that_takes_its_time_says_when_it_began_and_when_it_ended(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        var (arrived, release) = (new TaskCompletionSource(), new TaskCompletionSource());
        receiver.Handles(_ =>
        {
            arrived.SetResult();
            return release.Task;
        });
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var upload = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(webhook), Photos.Png()))["id"]!;
        await Eventually.Arrives(arrived.Task);
        var began = app.Clock.GetUtcNow();
        app.Clock.Advance(TimeSpan.FromSeconds(2));
        release.SetResult();

        var attempt = (await EndedAsync(app, upload, webhook, 1)).Single();
        var delivery = (await app.Client.GetAsync($"uploads/{upload}/deliveries")).Json[0]!;
        Assert.Equal((began, 2000, began.AddSeconds(2)), ((DateTimeOffset)attempt["startedAt"]!, (int)attempt["durationMs"]!, (DateTimeOffset)delivery["updatedAt"]!));
    }

    [Theory, AllDatabases]
    public async Task Who_asked_for_an_attempt_is_named_by_that_one_only(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers(500, 500);
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var upload = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(webhook), Photos.Png()))["id"]!;
        await EndedAsync(app, upload, webhook, 1);
        (await app.Client.PostAsync($"uploads/{upload}/retry")).Expect(HttpStatusCode.OK);
        await EndedAsync(app, upload, webhook, 2);
        await app.PassAsync(TimeSpan.FromMinutes(10));

        var attempts = await EndedAsync(app, upload, webhook, 3);
        Assert.Equal([("schedule", false), ("replayed", true), ("received", false)], attempts.Select(a => ((string)a["dueCause"]!, a["dueBy"] is not null)));
    }

    [Theory, AllDatabases]
    public async Task Attempt_that_opens_the_breaker_is_followed_by_none_before_that_lets_one_through(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers([.. Enumerable.Repeat(500, Breaker.MinAttempts)]);
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var session = await app.Client.CreateSessionAsync(webhook);
        var causes = new List<string>();
        var last = new JsonObject();
        for (var photo = 0; photo < Breaker.MinAttempts; photo++)
        {
            var upload = (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!;
            await EndedAsync(app, upload, webhook, 1);
            last = (await app.Client.GetAsync($"uploads/{upload}/deliveries")).Json[0]!.AsObject();
            causes.Add((string)last["dueCause"]!);
        }

        Assert.Equal([.. Enumerable.Repeat("schedule", Breaker.MinAttempts - 1), "breaker_open"], causes);
        Assert.Equal(app.Clock.GetUtcNow().AddSeconds(15), (DateTimeOffset)last["dueAt"]!, TimeSpan.FromMilliseconds(1));
    }

    [Theory, AllDatabases]
    public async Task Whoever_asks_for_a_try_gets_one_from_a_destination_that_is_left_alone_and_leaves_others_alone(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.AsksToWait(503, seconds: 3600);
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var other = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var session = await app.Client.CreateSessionAsync(webhook);
        var upload = (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!;
        await EndedAsync(app, upload, webhook, 1);
        var open = app.Clock.GetUtcNow().AddMinutes(5);
        await app.ChangeAsync(db =>
        {
            foreach (var destination in db.Destinations)
                (destination.Breaker.OpenUntil, destination.Breaker.LaneLimit, destination.Breaker.OpenedCount) = (open, 1, 1);
        });
        Assert.Contains("left alone", (string)(await app.Client.GetAsync($"uploads/{upload}/deliveries")).Json[0]!["waitingFor"]!, StringComparison.Ordinal);

        (await app.Client.PostAsync($"uploads/{upload}/retry")).Expect(HttpStatusCode.OK);

        await app.Client.UploadBecomesAsync(upload, "delivered");
        Assert.Equal(open, (await app.DestinationAsync(other)).Breaker.OpenUntil);
    }

    [Theory, AllDatabases]
    public async Task Delivery_that_waits_says_for_what_and_its_attempt_that_it_was_resumed(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var session = await app.Client.CreateSessionAsync(webhook);
        await SwitchAsync(app, webhook, on: false);
        var upload = (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!;
        await app.PassAsync(TimeSpan.FromMinutes(3));

        var waiting = (await app.Client.GetAsync($"uploads/{upload}/deliveries")).Json[0]!;
        await SwitchAsync(app, webhook, on: true);
        var resumed = app.Clock.GetUtcNow();

        Assert.Equal(
            ("pending", "received", "The destination is switched off."),
            ((string)waiting["status"]!, (string)waiting["dueCause"]!, (string)waiting["waitingFor"]!));
        var attempt = (await EndedAsync(app, upload, webhook, 1)).Single();
        Assert.Equal("resumed", (string)attempt["dueCause"]!);
        Assert.Equal(resumed, (DateTimeOffset)attempt["dueAt"]!, TimeSpan.FromMilliseconds(1));
    }

    [Theory, AllDatabases]
    public async Task Attempt_that_a_stopping_server_broke_off_is_told_too(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Hangs();
        await using var app = await AperturApp.StartAsync(database, new Dictionary<string, string?> { ["Delivery:StopSeconds"] = "0" });
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var upload = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(webhook), Photos.Png()))["id"]!;
        await receiver.NextAsync(Cancellation);

        await app.RestartAsync();

        Assert.Equal(
            ["2 accepted stopped - ", "1 stopped received - stopped"],
            (await EndedAsync(app, upload, webhook, 2)).Select(a => $"{a["number"]} {a["outcome"]} {a["dueCause"]} - {a["nextCause"]}"));
        // It says nothing of its destination.
        Assert.Equal(1, (await app.DestinationAsync(webhook)).Breaker.WindowAttempts);
    }

    [Theory, AllDatabases]
    public async Task Delivery_whose_attempt_was_broken_off_waits_as_it_did_before(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database, new Dictionary<string, string?> { ["Delivery:StopSeconds"] = "0" });
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        receiver.Hangs();
        var upload = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(webhook), Photos.Png()))["id"]!;

        Assert.Equal("pending 0 stopped ", await BreakOffAsync());
        receiver.Answers(500);
        await SwitchAsync(app, webhook, on: true);
        await EndedAsync(app, upload, webhook, 2);
        await receiver.NextAsync(Cancellation);
        receiver.Hangs();
        await app.PassAsync(TimeSpan.FromMinutes(10));

        Assert.Equal("retrying 1 stopped The destination answered 500 Internal Server Error.", await BreakOffAsync());
        Assert.Equal(
            ["", "The destination answered 500 Internal Server Error.", ""],
            (await EndedAsync(app, upload, webhook, 3)).Select(attempt => (string?)attempt["reason"] ?? ""));

        // The owner has switched it off meanwhile, so that it stays as it is.
        async Task<string> BreakOffAsync()
        {
            await receiver.NextAsync(Cancellation);
            await SwitchAsync(app, webhook, on: false);
            await app.RestartAsync();
            var delivery = (await app.Client.GetAsync($"uploads/{upload}/deliveries")).Json[0]!;
            return $"{delivery["status"]} {delivery["attempts"]} {delivery["dueCause"]} {delivery["lastError"]}";
        }
    }

    [Theory, AllDatabases]
    public async Task Attempt_whose_process_died_is_told_with_its_node(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers(503);
        await using var good = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var other = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = good.Url });
        var upload = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(webhook, other), Photos.Png()))["id"]!;
        await EndedAsync(app, upload, webhook, 1);
        await EndedAsync(app, upload, other, 1);
        var (claimed, ended) = (app.Clock.GetUtcNow().AddMinutes(-2), app.Clock.GetUtcNow().AddSeconds(-1));
        var id = Guid.Parse(webhook);
        await app.Services.GetRequiredService<Database>().WriteAsync(
            db => db.Deliveries.Where(row => row.DestinationId == id).ExecuteUpdateAsync(
                row => row.SetProperty(r => r.State, DeliveryState.Sending).SetProperty(r => r.LeaseNode, "another")
                    .SetProperty(r => r.LeaseToken, Guid.NewGuid()).SetProperty(r => r.LeaseUntil, ended)
                    .SetProperty(r => r.UpdatedAt, claimed).SetProperty(r => r.DueBy, "somebody"),
                Cancellation),
            Cancellation);
        var due = (await app.DeliveriesAsync(upload)).Single(row => row.DestinationId == id).DueAt;

        await app.Services.GetServices<IQueue>().OfType<DeliveryQueue>().Single().ReleaseAbandonedAsync(all: false, Cancellation);
        var released = app.Clock.GetUtcNow();
        await app.PassAsync(TimeSpan.FromSeconds(1));

        var attempts = await EndedAsync(app, upload, webhook, 3);
        Assert.Equal(
            ["3 accepted abandoned", "2 abandoned schedule", "1 try_again received"],
            attempts.Select(a => $"{a["number"]} {a["outcome"]} {a["dueCause"]}"));
        Assert.Equal(
            ("another", "somebody", IQueueRow.Abandoned, "abandoned"),
            ((string)attempts[1]["node"]!, (string)attempts[1]["dueBy"]!, (string)attempts[1]["reason"]!, (string)attempts[1]["nextCause"]!));
        Assert.Equal(
            (due, claimed, released),
            ((DateTimeOffset)attempts[1]["dueAt"]!, (DateTimeOffset)attempts[1]["startedAt"]!, (DateTimeOffset)attempts[1]["nextAt"]!));
        Assert.Single(await EndedAsync(app, upload, other, 1));
        Assert.Single(good.Requests);
    }

    [Theory, AllDatabases]
    public async Task Of_very_many_attempts_the_last_fifty_are_kept_and_all_are_counted(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers(503);
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        await using var good = await Receiver.StartAsync();
        var other = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = good.Url });
        var upload = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(webhook, other), Photos.Png()))["id"]!;
        await EndedAsync(app, upload, webhook, 1);
        await EndedAsync(app, upload, other, 1);
        await app.ChangeAsync(db =>
        {
            var delivery = db.Deliveries.Single(row => row.DestinationId == Guid.Parse(webhook));
            var first = db.DeliveryAttempts.Single(attempt => attempt.DeliveryId == delivery.Id);
            delivery.AttemptsMade = 60;
            db.DeliveryAttempts.AddRange(Enumerable.Range(2, 59).Select(number => new DeliveryAttempt
            {
                DeliveryId = first.DeliveryId,
                Number = number,
                DueAt = first.DueAt,
                DueCause = first.DueCause,
                StartedAt = first.StartedAt,
                Outcome = first.Outcome,
            }));
        });

        Assert.Equal(50, (await EndedAsync(app, upload, webhook, 60)).Count);
        (await app.Client.PostAsync($"uploads/{upload}/retry")).Expect(HttpStatusCode.OK);
        await app.Client.UploadBecomesAsync(upload, "delivered");

        var answer = (await app.Client.GetAsync($"uploads/{upload}/destinations/{webhook}/attempts")).Json;
        Assert.Equal(61, (int)answer["total"]!);
        Assert.Equal(Enumerable.Range(12, 50).Reverse(), answer["attempts"]!.AsArray().Select(attempt => (int)attempt!["number"]!));
        await using var read = app.Services.GetRequiredService<Database>().Open();
        Assert.Equal(50 + 1, await read.DeliveryAttempts.CountAsync(Cancellation));
        (await app.Client.SendAsync(HttpMethod.Delete, $"uploads/{upload}")).Expect(HttpStatusCode.NoContent);
        Assert.Equal(0, await read.DeliveryAttempts.CountAsync(Cancellation));
    }

    /// <summary>Waits until so many attempts have ended, and gives them, newest first.</summary>
    private static async Task<List<JsonNode>> EndedAsync(AperturApp app, string upload, string destination, int attempts)
    {
        var answer = await Eventually.Becomes(
            async () => (await app.Client.GetAsync($"uploads/{upload}/destinations/{destination}/attempts")).Expect(HttpStatusCode.OK).Json,
            answer => (int)answer["total"]! >= attempts, $"{attempts} attempts have ended");
        return [.. answer["attempts"]!.AsArray().Select(attempt => attempt!)];
    }

    private static async Task SwitchAsync(AperturApp app, string destination, bool on) =>
        (await app.Client.SendAsync(
            HttpMethod.Patch, $"projects/{app.ProjectId}/destinations/{destination}", new JsonObject { ["isActive"] = on })).Expect(HttpStatusCode.OK);
}
