using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server.Events;
using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Apertur.Tests.Events;

/// <summary>How an event gets to a webhook: attempts, failures, history.</summary>
public sealed class EventDeliveryTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, AllDatabases]
    public async Task Event_is_tried_again_at_the_intervals_of_its_webhook(DatabaseKind database)
    {
        await using var events = await Receiver.StartAsync();
        events.Answers(500, 302);
        await using var app = await AperturApp.StartAsync(database);
        var fields = new JsonObject { ["signatureMethod"] = "svix", ["maxRetries"] = 2, ["retryIntervals"] = new JsonArray(10, 60) };
        var webhook = await app.CreateWebhookAsync(events, fields, "project.session.created");
        await app.Client.CreateSessionAsync();

        var first = await events.NextAsync();
        await app.PassAsync(TimeSpan.FromSeconds(9));
        var row = await app.NewestBecomesAsync(webhook, "retrying");
        Assert.Equal(1, (int)row["attempts"]!);
        Assert.Equal(500, (int)row["responseCode"]!);
        Assert.Equal("2026-06-12T09:44:51.919Z", (string)row["nextRetryAt"]!);
        Assert.Contains("500", (string)row["lastError"]!, StringComparison.Ordinal);
        Assert.Single(events.Requests);

        await app.PassAsync(TimeSpan.FromSeconds(1));
        var second = await events.NextAsync();
        await app.PassAsync(TimeSpan.Zero);
        row = await app.NewestBecomesAsync(webhook, "retrying");
        Assert.Equal(302, (int)row["responseCode"]!);
        Assert.Contains("Redirects are not followed", (string)row["lastError"]!, StringComparison.Ordinal);

        await app.PassAsync(TimeSpan.FromSeconds(60));
        var third = await events.NextAsync();
        row = await app.NewestBecomesAsync(webhook, "sent");
        Assert.Equal(3, (int)row["attempts"]!);
        Assert.Null(row["lastError"]);
        Assert.Null(row["nextRetryAt"]);

        // What identifies and what is told stays; only the time of sending moves.
        Assert.All([second, third], again => Assert.Equal(first.Body, again.Body));
        Assert.All([second, third], again => Assert.Equal(first["svix-id"], again["svix-id"]));
        Assert.All([second, third], again => Assert.Equal(first["X-APTR-Delivery-ID"], again["X-APTR-Delivery-ID"]));
        Assert.Equal((string)row["eventLogId"]!, first["svix-id"]);
        Assert.Equal((string)row["id"]!, first["X-APTR-Delivery-ID"]);
        Assert.Equal(
            [0, 10, 70],
            new[] { first, second, third }.Select(request =>
                long.Parse(request["svix-timestamp"]!, CultureInfo.InvariantCulture) - long.Parse(first["svix-timestamp"]!, CultureInfo.InvariantCulture)));
    }

    [Theory, AllDatabases]
    public async Task Link_to_the_photo_works_in_an_event_that_comes_late(DatabaseKind database)
    {
        await using var events = await Receiver.StartAsync();
        events.Answers(500);
        await using var app = await AperturApp.StartAsync(database);
        await app.CreateWebhookAsync(events, new JsonObject { ["retryIntervals"] = new JsonArray(24 * 3600 + 1) }, "project.upload.started");
        var photo = Photos.Png();
        await app.Client.UploadAsync(await app.Client.CreateSessionAsync(), photo);
        await events.NextAsync();

        await app.PassAsync(TimeSpan.FromSeconds(24 * 3600 + 1));

        var link = new Uri((string)(await events.NextAsync()).Json()["data"]!["download_url"]!).PathAndQuery;
        Assert.Equal(photo, (await app.ClientOf(null).GetAsync(link)).Expect(HttpStatusCode.OK).Bytes);
    }

    [Theory, AllDatabases]
    public async Task Webhook_that_keeps_failing_is_switched_off_until_its_owner_switches_it_on(DatabaseKind database)
    {
        await using var events = await Receiver.StartAsync();
        events.Answers(500, 500, 200, 500, 500, 500);
        await using var app = await AperturApp.StartAsync(database);
        if (database == DatabaseKind.PostgreSql)
            await EndFirstDisablingAsync(app);
        var fields = new JsonObject { ["maxRetries"] = 0, ["disableAfterFailures"] = 3 };
        var webhook = await app.CreateWebhookAsync(events, fields, "project.session.created");

        foreach (var failures in new[] { 1, 2, 0, 1, 2, 3 })
        {
            await app.Client.CreateSessionAsync();
            await events.NextAsync();
            await Eventually.Becomes(
                () => app.WebhookAsync(webhook), now => (int)now["consecutiveFailures"]! == failures, $"{failures} failures are counted");
        }

        var off = await app.WebhookAsync(webhook);
        Assert.False((bool)off["isActive"]!);
        Assert.Equal("2026-06-12T09:44:41.919Z", (string)off["disabledAt"]!);
        await app.Client.CreateSessionAsync();
        Assert.Equal(6, (int)(await app.HistoryAsync(webhook))["total"]!);
        await Eventually.True(() => app.Log.Lines.Any(line => line.Contains("event_webhook.disabled", StringComparison.Ordinal)));

        var on = await app.ChangeWebhookAsync(webhook, new JsonObject { ["isActive"] = true });
        Assert.True((bool)on["isActive"]!);
        Assert.Equal(0, (int)on["consecutiveFailures"]!);
        Assert.Null(on["disabledAt"]);
        await app.Client.CreateSessionAsync();
        await events.NextAsync();
        await Eventually.Becomes(
            () => app.HistoryAsync(webhook), history => history["deliveries"]!.AsArray().Count(row => (string)row!["status"]! == "sent") == 2,
            "another one is sent");
    }

    /// <summary>Has PostgreSQL end the transaction that first switches a webhook off, so that it is run again.</summary>
    private static Task EndFirstDisablingAsync(AperturApp app) => app.WriteAsync(db => db.Database.ExecuteSqlRawAsync(
        """
        CREATE SEQUENCE disablings;
        CREATE FUNCTION end_first() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          -- What a sequence has given is not rolled back.
          IF nextval('disablings') = 1 THEN RAISE EXCEPTION USING ERRCODE = 'serialization_failure'; END IF;
          RETURN NEW;
        END $$;
        CREATE TRIGGER end_first BEFORE UPDATE ON event_webhooks
        FOR EACH ROW WHEN (OLD.disabled_at IS NULL AND NEW.disabled_at IS NOT NULL) EXECUTE FUNCTION end_first();
        """, Cancellation));

    [Theory, AllDatabases]
    public async Task Event_that_waits_for_a_switched_off_webhook_goes_on_when_it_is_switched_on(DatabaseKind database)
    {
        await using var events = await Receiver.StartAsync();
        events.Answers(500);
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.ListenAsync(events, "project.session.*");
        await app.Client.CreateSessionAsync();
        await events.NextAsync();
        await app.NewestBecomesAsync(webhook, "retrying");

        var off = await app.ChangeWebhookAsync(webhook, new JsonObject { ["isActive"] = false });
        Assert.Null(off["disabledAt"]);
        await app.PassAsync(TimeSpan.FromMinutes(1));
        Assert.Equal("The event is sent again when the webhook is switched on.", await app.RetryNewestAsync(webhook));
        var asked = (await app.HistoryAsync(webhook))["deliveries"]![0]!;
        var now = app.Clock.GetUtcNow();
        Assert.Equal((now, now), ((DateTimeOffset)asked["updatedAt"]!, (DateTimeOffset)asked["nextRetryAt"]!));
        await using (var db = app.Services.GetRequiredService<Database>().Open())
        {
            var row = await db.EventDeliveries.SingleAsync(Cancellation);
            Assert.Equal(DueCause.Replayed, row.DueCause);
            Assert.StartsWith(row.DueBy!, app.LiveKey, StringComparison.Ordinal);
        }

        await app.PassAsync(TimeSpan.FromMinutes(1));
        Assert.Single(events.Requests);

        await app.ChangeWebhookAsync(webhook, new JsonObject { ["isActive"] = true });
        await events.NextAsync();
        await app.NewestBecomesAsync(webhook, "sent");
    }

    [Theory, AllDatabases]
    public async Task Event_that_failed_is_sent_again_by_hand(DatabaseKind database)
    {
        await using var events = await Receiver.StartAsync();
        events.Answers(500);
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.CreateWebhookAsync(events, new JsonObject { ["maxRetries"] = 0 }, "project.session.created");
        await app.Client.CreateSessionAsync();
        var first = await events.NextAsync();
        var failed = await app.NewestBecomesAsync(webhook, "failed");

        Assert.Equal("The event is being sent again.", await app.RetryNewestAsync(webhook));

        Assert.Equal(first.Body, (await events.NextAsync()).Body);
        var sent = await app.NewestBecomesAsync(webhook, "sent");
        Assert.Equal((string)failed["id"]!, (string)sent["id"]!);
        Assert.Equal(2, (int)sent["attempts"]!);
        Assert.Equal(0, (int)(await app.WebhookAsync(webhook))["consecutiveFailures"]!);
        // Neither of what there is not, nor by way of another webhook.
        var other = await app.ListenAsync(events, "project.session.expired");
        foreach (var path in new[] { $"{webhook["id"]}/deliveries/{Guid.NewGuid()}", $"{other["id"]}/deliveries/{sent["id"]}" })
        {
            (await app.Client.GetAsync($"{app.WebhooksPath()}/{path}")).Expect(HttpStatusCode.NotFound);
            (await app.Client.PostAsync($"{app.WebhooksPath()}/{path}/retry")).Expect(HttpStatusCode.NotFound);
        }

        Assert.Empty((await app.HistoryAsync(other))["deliveries"]!.AsArray());
    }

    [Theory, AllDatabases]
    public async Task Receiver_that_echoes_its_request_shows_no_custom_header(DatabaseKind database)
    {
        await using var events = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var headers = new JsonObject
        {
            // One is the beginning of another, and one has a space too many.
            ["X-Tenant"] = "secret",
            ["Authorization"] = "Basic dXNl+/pZDp\"YXNz== ",
            ["X-Key"] = "secret-9f8a77",
            ["X-Long"] = new string('k', 3000),
            ["X-Short"] = "1",
        };
        var webhook = await app.CreateWebhookAsync(events, new JsonObject { ["customHeaders"] = headers }, "project.session.created");
        events.Handles(async context =>
        {
            string Echo(string name) => context.Request.Headers[name].ToString();
            var basic = Echo("Authorization");
            await context.Response.WriteAsJsonAsync(new { plain = 1, dotnet = basic });
            await context.Response.WriteAsync($"{Echo("X-Key")} {basic.Replace("/", @"\/", StringComparison.Ordinal)} ");
            await context.Response.WriteAsync(basic.Replace("\"", "\\\"", StringComparison.Ordinal) + " ");
            await context.Response.WriteAsync($"{basic["Basic ".Length..]} {System.Text.Json.JsonSerializer.Serialize(basic)} ");
            // So long that the third is cut off, wherever reading ends.
            await context.Response.WriteAsync(string.Concat(Enumerable.Repeat(Echo("X-Long"), 3)));
        });

        await app.Client.CreateSessionAsync();
        await app.NewestBecomesAsync(webhook, "sent");

        var body = (string)(await app.HistoryAsync(webhook))["deliveries"]![0]!["responseBody"]!;
        Assert.Equal("""{"plain":1,"dotnet":"********"}******** ******** ******** ******** "********" ****************""", body);
    }

    [Theory, AllDatabases]
    public async Task History_has_pages_newest_first_and_the_beginning_of_each_answer(DatabaseKind database)
    {
        await using var events = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.CreateWebhookAsync(events, new JsonObject { ["maxRetries"] = 0 }, "project.session.created");
        for (var i = 0; i < 5; i++)
        {
            var text = i + "\0" + new string('x', 5000) + new string('ü', 5000);
            events.Handles(async context => await context.Response.WriteAsync(text));
            await app.Client.CreateSessionAsync();
            await app.NewestBecomesAsync(webhook, "sent");
            await app.PassAsync(TimeSpan.FromSeconds(1));
        }

        var page = await app.HistoryAsync(webhook, "?page=2&limit=2");

        Assert.Equal(5, (int)page["total"]!);
        Assert.Equal(2, (int)page["page"]!);
        Assert.Equal(2, (int)page["limit"]!);
        Assert.Equal(["2", "1"], page["deliveries"]!.AsArray().Select(row => ((string)row!["responseBody"]!)[..1]));
        var newest = page["deliveries"]![0]!;
        Assert.InRange(((string)newest["responseBody"]!).Length, 2000, EventRequests.MaxAnswerLength);
        Assert.DoesNotContain("\0", (string)newest["responseBody"]!, StringComparison.Ordinal);
        Assert.Equal("project.session.created", (string)newest["topic"]!);
        Assert.Equal(0, (int)newest["durationMs"]!);
        Assert.Empty((await app.HistoryAsync(webhook, "?page=9"))["deliveries"]!.AsArray());
        (await app.Client.GetAsync($"{app.WebhooksPath()}/{webhook["id"]}/deliveries?limit=0")).Expect(HttpStatusCode.BadRequest);

        events.Answers(500, 500);
        await app.Client.CreateSessionAsync();
        await app.NewestBecomesAsync(webhook, "failed");
        await app.ChangeWebhookAsync(webhook, new JsonObject { ["maxRetries"] = 1 });
        await app.PassAsync(TimeSpan.FromSeconds(1));
        await app.Client.CreateSessionAsync();
        await app.NewestBecomesAsync(webhook, "retrying");
        foreach (var (status, count) in new[] { ("sent", 5), ("failed", 1), ("retrying", 1) })
        {
            var those = await app.HistoryAsync(webhook, $"?status={status}");
            Assert.Equal((count, count), ((int)those["total"]!, those["deliveries"]!.AsArray().Count(row => (string)row!["status"]! == status)));
        }

        // Whatever it waits for.
        foreach (var state in new[] { DeliveryState.Pending, DeliveryState.Sending })
        {
            Guid? lease = state == DeliveryState.Sending ? Guid.CreateVersion7() : null;
            await app.WriteAsync(db => db.EventDeliveries.Where(row => row.State != DeliveryState.Sent && row.State != DeliveryState.Failed)
                .ExecuteUpdateAsync(row => row.SetProperty(r => r.State, state).SetProperty(r => r.LeaseToken, lease), Cancellation));
            var waiting = Assert.Single((await app.HistoryAsync(webhook, "?status=retrying"))["deliveries"]!.AsArray())!;
            Assert.Equal((state, "retrying", state == DeliveryState.Pending), (state, (string)waiting["status"]!, waiting["nextRetryAt"] is not null));
        }

        (await app.Client.GetAsync($"{app.WebhooksPath()}/{webhook["id"]}/deliveries?status=odd")).Expect(HttpStatusCode.BadRequest);
    }

    [Theory, AllDatabases]
    public async Task Long_history_is_counted_so_far_and_leafed_through_to_its_end(DatabaseKind database)
    {
        await using var events = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.ListenAsync(events, "project.session.created");
        await app.Client.CreateSessionAsync();
        await app.NewestBecomesAsync(webhook, "sent");
        await app.WriteAsync(db => db.Database.ExecuteSqlAsync(
            $"""
            WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10049)
            INSERT INTO event_deliveries (id, event_id, webhook_id, topic, state, due_at, due_cause, created_at, updated_at)
            SELECT '00000000-0000-7000-8000-' || substr(CAST(1000000000000 + i AS TEXT), 2), event_id, webhook_id, topic, state, due_at, due_cause,
                   created_at - i, updated_at
            FROM event_deliveries, n
            """, TestContext.Current.CancellationToken));

        foreach (var (query, shown, total) in new[]
        {
            ("?limit=100", 100, 10_000), ("?limit=100&page=100", 100, 10_001), ("?limit=100&page=101", 50, 10_050), ("?limit=100&page=102", 0, 10_000),
            ("?limit=100&status=sent&page=101", 50, 10_050), ("?status=failed", 0, 0), ($"?page={int.MaxValue}", 0, 10_000),
        })
        {
            var page = await app.HistoryAsync(webhook, query);
            Assert.Equal((query, shown, total), (query, page["deliveries"]!.AsArray().Count, (int)page["total"]!));
        }
    }

    /// <summary>Its status was there before.</summary>
    [Theory]
    [AllDatabases("breaks off")]
    [AllDatabases("stays away")]
    public async Task Answer_counts_whatever_becomes_of_the_rest_of_its_body(DatabaseKind database, string how)
    {
        var begun = new TaskCompletionSource();
        await using var events = RawReceiver.Start(async (connection, _) =>
        {
            await connection.ReadHeadersAsync();
            await connection.SendAsync("HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\nthe beginning");
            begun.TrySetResult();
            if (how == "stays away")
                await connection.WaitAsync();
        });
        await using var app = await AperturApp.StartAsync(database);
        var fields = new JsonObject { ["url"] = events.Url, ["topics"] = new JsonArray("project.session.created") };
        var webhook = (await app.Client.PostAsync(app.WebhooksPath(), fields)).Expect(HttpStatusCode.Created).Json;
        await app.Client.CreateSessionAsync();
        await Eventually.Arrives(begun.Task);

        var sent = await Eventually.Becomes(
            async () =>
            {
                app.Clock.Advance(TimeSpan.FromSeconds(1));
                return (await app.HistoryAsync(webhook))["deliveries"]![0]!;
            },
            row => (string?)row["status"] == "sent");
        Assert.Equal((202, 1), ((int)sent["responseCode"]!, (int)sent["attempts"]!));
        Assert.StartsWith((string)sent["responseBody"]!, "the beginning", StringComparison.Ordinal);
    }

    [Theory, AllDatabases]
    public async Task Webhook_that_does_not_answer_fails_when_its_time_is_up(DatabaseKind database)
    {
        await using var events = await Receiver.StartAsync();
        events.Hangs();
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.ListenAsync(events, "project.session.created");
        await app.ChangeAsync(db => db.EventWebhooks.Single().Breaker.Timeouts = Breaker.MaxTimeouts - 1);
        await app.Client.CreateSessionAsync();
        await events.NextAsync();
        Assert.Equal("The event is being sent at this moment.", await app.RetryNewestAsync(webhook));

        app.Clock.Advance(TimeSpan.FromSeconds(15));

        var row = await Eventually.Becomes(
            () => app.HistoryAsync(webhook), history => history["deliveries"]![0]!["lastError"] is not null, "the attempt has ended");
        var newest = row["deliveries"]![0]!;
        Assert.Contains("15 s", (string)newest["lastError"]!, StringComparison.Ordinal);
        Assert.Null(newest["responseCode"]);
        Assert.Null(newest["responseBody"]);
        Assert.Equal(15_000, (int)newest["durationMs"]!);
        Assert.Equal(app.Clock.GetUtcNow(), (DateTimeOffset)newest["updatedAt"]!);
        // It is left alone for longer than its schedule says.
        Assert.Equal(Breaker.MaxTimeouts, (await BreakerAsync(app)).Timeouts);
        Assert.Equal(app.Clock.GetUtcNow().AddSeconds(15), (DateTimeOffset)newest["nextRetryAt"]!);
    }

    [Theory, AllDatabases]
    public async Task Webhook_that_answers_again_gets_its_lanes_back_little_by_little(DatabaseKind database)
    {
        await using var events = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        await app.ListenAsync(events, "project.session.created");
        await app.ChangeAsync(db => (db.EventWebhooks.Single().Breaker.LaneLimit, db.EventWebhooks.Single().Breaker.OpenedCount) = (1, 1));

        foreach (int? limit in new int?[] { 2, null })
        {
            await app.Client.CreateSessionAsync();
            await events.NextAsync();
            await Eventually.Becomes(() => BreakerAsync(app), breaker => breaker.LaneLimit == limit);
        }
    }

    [Theory, AllDatabases]
    public async Task Webhooks_that_hang_hold_up_neither_photos_nor_other_webhooks(DatabaseKind database)
    {
        await using var slow = await Receiver.StartAsync();
        slow.Otherwise = Receiver.GoneAsync;
        await using var events = await Receiver.StartAsync();
        await using var images = await Receiver.StartAsync();
        var settings = new Dictionary<string, string?> { ["Delivery:StopSeconds"] = "0" };
        await using var app = await AperturApp.StartAsync(database, settings);
        await app.ListenAsync(slow, "*");
        await app.ListenAsync(events, "project.upload.completed");
        var destination = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = images.Url });
        var session = await app.Client.CreateSessionAsync(destination);

        for (var image = 0; image < 20; image++)
            await app.Client.UploadAsync(session, Photos.Png());

        for (var image = 0; image < 20; image++)
        {
            await images.NextAsync();
            await events.NextAsync();
        }
    }

    [Theory, AllDatabases]
    public async Task Stopping_server_gives_an_unfinished_event_back_uncounted(DatabaseKind database)
    {
        await using var events = await Receiver.StartAsync();
        events.Hangs();
        await using var app = await AperturApp.StartAsync(database, new Dictionary<string, string?> { ["Delivery:StopSeconds"] = "0" });
        var webhook = await app.ListenAsync(events, "project.session.created");
        await app.Client.CreateSessionAsync();
        await events.NextAsync();

        await app.RestartAsync();

        Assert.Equal(1, (int)(await app.NewestBecomesAsync(webhook, "sent"))["attempts"]!);
        await using var db = app.Services.GetRequiredService<Database>().Open();
        Assert.Equal(DueCause.Stopped, await db.EventDeliveries.Select(row => row.DueCause).SingleAsync(Cancellation));
    }

    [Theory, AllDatabases]
    public async Task Event_of_a_server_that_died_is_taken_up_when_its_claim_has_run_out(DatabaseKind database)
    {
        await using var events = await Receiver.StartAsync();
        events.Answers(500);
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.ListenAsync(events, "project.session.created");
        await app.Client.CreateSessionAsync();
        await app.NewestBecomesAsync(webhook, "retrying");
        await events.NextAsync();
        await app.WriteAsync(db => db.Database.ExecuteSqlAsync(
            $"UPDATE event_deliveries SET state = 'sending', lease_token = {Guid.NewGuid().ToString()}, lease_until = 1", Cancellation));

        await app.PassAsync(TimeSpan.FromSeconds(30));

        await events.NextAsync();
        await app.NewestBecomesAsync(webhook, "sent");
    }

    [Theory, AllDatabases]
    public async Task Old_events_leave_the_history(DatabaseKind database)
    {
        await using var events = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.ListenAsync(events, "project.session.created");
        await app.Client.CreateSessionAsync();
        await app.NewestBecomesAsync(webhook, "sent");
        var before = app.Clock.GetUtcNow().AddDays(-30).AddSeconds(-1).ToUnixTimeMilliseconds();
        await app.WriteAsync(async db =>
        {
            await db.Database.ExecuteSqlAsync($"UPDATE event_log SET created_at = {before}", Cancellation);
            await db.Database.ExecuteSqlAsync($"UPDATE event_deliveries SET created_at = {before}", Cancellation);
        });

        await app.Client.CreateSessionAsync();
        Assert.Equal(2, (int)(await app.HistoryAsync(webhook))["total"]!);

        Assert.Equal(1, await app.Services.GetServices<IHostedService>().OfType<EventSweep>().Single().RunOnceAsync(Cancellation));

        Assert.Equal(1, (int)(await app.HistoryAsync(webhook))["total"]!);
        await app.NewestBecomesAsync(webhook, "sent");
        Assert.Equal(1, await app.EventsAsync());
    }

    [Fact]
    public async Task Private_address_is_refused_with_a_reason()
    {
        await using var events = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(
            DatabaseKind.Sqlite, new Dictionary<string, string?> { ["Outbound:AllowPrivateNetworks"] = "false" });
        var webhook = await app.CreateWebhookAsync(events, new JsonObject { ["maxRetries"] = 0 }, "project.session.created");
        await app.Client.CreateSessionAsync();

        var row = await app.NewestBecomesAsync(webhook, "failed");
        Assert.Contains("not on the public internet", (string)row["lastError"]!, StringComparison.Ordinal);
        var test = await app.Client.PostAsync($"{app.WebhooksPath()}/{webhook["id"]}/test");
        Assert.Contains("not on the public internet", (string)test.Expect(HttpStatusCode.OK).Json["message"]!, StringComparison.Ordinal);
        Assert.Empty(events.Requests);

        // A mistake of ours is not taken for one of theirs.
        app.Clock.Jump(TimeSpan.FromSeconds(1));
        await app.ChangeAsync(db => db.EventWebhooks.Single().Url = "nowhere");
        await app.Client.CreateSessionAsync();
        Assert.Equal("The attempt failed for an unexpected reason.", (string)(await app.NewestBecomesAsync(webhook, "failed"))["lastError"]!);

        // What cannot even be put together has a reason too.
        app.Clock.Jump(TimeSpan.FromSeconds(1));
        await app.ChangeAsync(db => db.EventWebhooks.Single().CustomHeaders = "no longer readable");
        await app.Client.CreateSessionAsync();
        Assert.Equal("The attempt failed for an unexpected reason.", (string)(await app.NewestBecomesAsync(webhook, "failed"))["lastError"]!);
    }

    [Theory, AllDatabases]
    public async Task Test_is_sent_at_once_and_says_what_was_answered(DatabaseKind database)
    {
        await using var events = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        events.AnswersWith(context =>
        {
            app.Clock.Jump(TimeSpan.FromSeconds(1));
            context.Response.StatusCode = 204;
        });
        events.Answers(503);
        var webhook = await app.ListenAsync(events, "project.upload.completed");
        var path = $"{app.WebhooksPath()}/{webhook["id"]}/test";

        Assert.Contains("204", (string)(await app.Client.PostAsync(path)).Expect(HttpStatusCode.OK).Json["message"]!, StringComparison.Ordinal);
        Assert.Contains("503", (string)(await app.Client.PostAsync(path)).Expect(HttpStatusCode.OK).Json["message"]!, StringComparison.Ordinal);

        var request = await events.NextAsync();
        Assert.Equal("project.webhook.test", (string)request.Json()["event"]!);
        Assert.Equal(request.HmacOf(webhook), request["X-Apertur-Signature"]);
        var history = (await app.HistoryAsync(webhook))["deliveries"]!.AsArray();
        Assert.Equal(
            [("failed", 503, 1), ("sent", 204, 1)],
            history.Select(row => ((string)row!["status"]!, (int)row["responseCode"]!, (int)row["attempts"]!)));
        Assert.Equal(1_000, (int)history[1]!["durationMs"]!);
        Assert.Equal(TimeSpan.FromSeconds(1), (DateTimeOffset)history[1]!["updatedAt"]! - (DateTimeOffset)history[1]!["createdAt"]!);
        Assert.Equal(0, (int)(await app.WebhookAsync(webhook))["consecutiveFailures"]!);
    }

    private static async Task<Breaker> BreakerAsync(AperturApp app)
    {
        await using var db = app.Services.GetRequiredService<Database>().Open();
        return (await db.EventWebhooks.AsNoTracking().SingleAsync(Cancellation)).Breaker;
    }

    [Theory]
    [InlineData(1, 5)]
    [InlineData(2, 60)]
    [InlineData(3, 60)]
    [InlineData(4, null)]
    public void Last_interval_counts_for_all_that_follow(int attempts, int? seconds)
    {
        var webhook = new EventWebhook
        {
            Id = default,
            ProjectId = default,
            Secret = "",
            MaxRetries = 3,
            RetryIntervals = [5, 60],
            CreatedAt = default,
            UpdatedAt = default,
        };

        Assert.Equal(seconds is null ? null : TimeSpan.FromSeconds(seconds.Value), webhook.WaitAfter(attempts));
    }
}
