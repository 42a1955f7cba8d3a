using System.Net;
using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Server.Sessions;
using Apertur.Tests.Support;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Sessions;

public sealed class DeliveryStatusTests
{
    /// <summary>How long a request is held.</summary>
    private static readonly TimeSpan _longest = TimeSpan.FromMinutes(5);

    [Theory, AllDatabases]
    public async Task Snapshot_has_every_image_and_where_it_is(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers(200, 410);
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var session = await app.Client.CreateSessionAsync(webhook);
        var sent = (string)(await app.Client.UploadAsync(session, Photos.Jpeg(), "a.jpg"))["id"]!;
        await app.Client.UploadBecomesAsync(sent, "delivered");
        var failed = (string)(await app.Client.UploadAsync(session, Photos.Png(), "b.png"))["id"]!;
        await app.Client.UploadBecomesAsync(failed, "failed");

        var status = await StatusAsync(app, session);

        var changed = (string)status["lastChanged"]!;
        var error = (string)status["files"]![1]!["destinations"]![0]!["last_error"]!;
        var name = (string)status["files"]![0]!["destinations"]![0]!["name"]!;
        Assert.NotEmpty(error);
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(
            $$"""
            { "status": "active", "lastChanged": "{{changed}}", "files": [
              { "record_id": "{{sent}}", "filename": "a.jpg", "size_bytes": {{Photos.Jpeg().Length}}, "has_thumbnail": false, "destinations": [
                { "destination_id": "{{webhook}}", "type": "webhook", "name": "{{name}}", "status": "sent", "attempts": 1, "last_error": null } ] },
              { "record_id": "{{failed}}", "filename": "b.png", "size_bytes": {{Photos.Png().Length}}, "has_thumbnail": false, "destinations": [
                { "destination_id": "{{webhook}}", "type": "webhook", "name": "{{name}}", "status": "failed", "attempts": 1, "last_error": {{JsonValue.Create(error).ToJsonString()}} } ] } ] }
            """), status), status.ToJsonString());
    }

    [Theory, AllDatabases]
    public async Task Held_request_answers_with_each_next_change(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        var release = new TaskCompletionSource();
        receiver.Handles(async _ => await release.Task);
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var session = await app.Client.CreateSessionAsync(webhook);
        var seen = (string)(await StatusAsync(app, session))["lastChanged"]!;
        var states = new List<string>();

        var upload = app.Client.UploadAsync(session, Photos.Jpeg());
        while (states.LastOrDefault() != "sent")
        {
            var status = await Eventually.Arrives(StatusAsync(app, session, seen));
            Assert.True(string.CompareOrdinal((string)status["lastChanged"]!, seen) > 0);
            seen = (string)status["lastChanged"]!;
            states.Add((string)status["files"]![0]!["destinations"]![0]!["status"]!);
            if (states[^1] == "sending")
                release.TrySetResult();
        }

        await upload;
        Assert.Contains("sending", states);
    }

    [Theory]
    [AllDatabases("complete")]
    [AllDatabases("ack")]
    [AllDatabases("withdraw")]
    [AllDatabases("update")]
    [AllDatabases("open")]
    public async Task Every_kind_of_change_wakes_a_held_request(DatabaseKind database, string change)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["long_polling"] = true });
        var image = change is "ack" or "withdraw" ? (string)(await app.Client.UploadAsync(session, Photos.Jpeg()))["id"]! : null;
        var seen = (string)(await StatusAsync(app, session))["lastChanged"]!;
        var timers = app.Clock.WaitingTimers;
        var held = StatusAsync(app, session, seen);
        await Eventually.True(() => app.Clock.WaitingTimers > timers);
        Assert.False(held.IsCompleted);

        _ = change switch
        {
            "complete" => (await app.ClientOf(null).PostAsync($"upload/{session}/complete")).Expect(HttpStatusCode.OK),
            "ack" => (await app.Client.PostAsync($"upload-sessions/{session}/images/{image}/ack")).Expect(HttpStatusCode.OK),
            "withdraw" => (await app.Client.SendAsync(HttpMethod.Delete, $"uploads/{image}")).Expect(HttpStatusCode.NoContent),
            "update" => (await app.Client.SendAsync(
                HttpMethod.Patch, $"upload-sessions/{session}", new JsonObject { ["max_images"] = 3 })).Expect(HttpStatusCode.OK),
            _ => (await app.ClientOf(null).GetAsync($"/u/{session}")).Expect(HttpStatusCode.OK),
        };

        Assert.True(string.CompareOrdinal((string)(await Eventually.Arrives(held))["lastChanged"]!, seen) > 0);
    }

    [Theory, AllDatabases]
    public async Task Held_request_answers_as_it_is_after_five_minutes(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        var seen = (string)(await StatusAsync(app, session))["lastChanged"]!;
        var held = StatusAsync(app, session, seen);
        await Eventually.True(() => app.Clock.TimersDueIn(_longest) == 1);

        app.Clock.Advance(TimeSpan.FromSeconds(299));
        Assert.False(held.IsCompleted);
        app.Clock.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal(seen, (string)(await Eventually.Arrives(held))["lastChanged"]!);
        (await app.Client.GetAsync($"upload-sessions/{session}/delivery-status?pollFrom=yesterday"))
            .Expect(HttpStatusCode.BadRequest);
    }

    [Theory, AllDatabases]
    public async Task Thousand_held_requests_ask_the_database_nothing_until_something_changes(DatabaseKind database)
    {
        const int Clients = 1000;
        var count = new QueryCount();
        await using var app = await AperturApp.StartAsync(database, configure: count.Into);
        var session = await app.Client.CreateSessionAsync();
        var seen = (string)(await StatusAsync(app, session))["lastChanged"]!;
        var held = Enumerable.Range(0, Clients).Select(_ => StatusAsync(app, session, seen)).ToList();
        // A request that waits, and no longer looks, has a timer.
        await Eventually.True(() => app.Clock.TimersDueIn(_longest) == Clients);

        var before = count.Queries;
        for (var i = 0; i < 200; i++)
            (await app.ClientOf(null).GetAsync("/healthz")).Expect(HttpStatusCode.OK);
        Assert.Equal(before, count.Queries);
        Assert.DoesNotContain(held, request => request.IsCompleted);

        await app.ClientOf(null).PostAsync($"upload/{session}/complete");
        foreach (var answer in await Task.WhenAll(held))
            Assert.Equal("completed", (string)answer["status"]!);
        Assert.True(count.Queries > before);
        await Eventually.True(() => app.Services.GetRequiredService<SessionNotifier>().Watchers == 0);
    }

    [Theory, AllDatabases]
    public async Task Clients_that_leave_leave_nothing_behind(DatabaseKind database)
    {
        const int Clients = 100;
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        var seen = (string)(await StatusAsync(app, session))["lastChanged"]!;
        var notifier = app.Services.GetRequiredService<SessionNotifier>();
        using var leave = new CancellationTokenSource();
        using var http = new OutboundHttp(allowPrivateNetworks: true);
        var held = Enumerable.Range(0, Clients).Select(async _ =>
        {
            using var request = new HttpRequestMessage(
                HttpMethod.Get, $"{app.Url}/api/v1/upload-sessions/{session}/delivery-status?pollFrom={seen}");
            request.Headers.Authorization = new("Bearer", app.LiveKey);
            using var answer = await http.SendAsync(request, leave.Token);
        }).ToList();
        await Eventually.True(() => app.Clock.TimersDueIn(_longest) == Clients);
        Assert.Equal(Clients, notifier.Watchers);

        await leave.CancelAsync();

        await Eventually.True(() => notifier.Watchers == 0);
        await Eventually.True(() => app.Clock.TimersDueIn(_longest) == 0);
        foreach (var request in held)
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => request);
    }

    private static async Task<JsonNode> StatusAsync(AperturApp app, string session, string? pollFrom = null) =>
        (await app.Client.GetAsync($"upload-sessions/{session}/delivery-status?pollFrom={pollFrom}")).Expect(HttpStatusCode.OK).Json;
}
