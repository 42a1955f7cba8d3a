using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server.Queue;
using Apertur.Server.Sessions;
using Apertur.Tests.Support;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Sessions;

public sealed class SessionStreamTests
{
    [Theory, AllDatabases]
    public async Task Stream_tells_of_each_step_in_order(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers(200, 410);
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var session = await app.Client.CreateSessionAsync(webhook);
        await using var events = await EventReader.OpenAsync(app, session);
        Assert.Contains("HTTP/1.1 200 OK", events.Head, StringComparison.Ordinal);
        Assert.Contains("Content-Type: text/event-stream\n", events.Head, StringComparison.Ordinal);
        Assert.Contains("Cache-Control: no-store\n", events.Head, StringComparison.Ordinal);
        Assert.Contains("X-Accel-Buffering: no\n", events.Head, StringComparison.Ordinal);
        var seen = new List<ServerEvent> { await events.NextAsync() };

        var first = (string)(await app.Client.UploadAsync(session, Photos.Jpeg(), "a.jpg"))["id"]!;
        for (var i = 0; i < 3; i++)
            seen.Add(await events.NextAsync());
        var second = (string)(await app.Client.UploadAsync(session, Photos.Png(), "b.png"))["id"]!;
        for (var i = 0; i < 3; i++)
            seen.Add(await events.NextAsync());
        await app.ClientOf(null).PostAsync($"upload/{session}/complete");
        seen.Add(await events.NextAsync());

        var error = (string)seen[6].Data["error"]!;
        Assert.NotEmpty(error);
        Assert.Equal(
            [
                $$"""connected {"sessionId":"{{session}}"}""",
                $$"""image:ready {"imageId":"{{first}}","filename":"a.jpg","sizeBytes":{{Photos.Jpeg().Length}}}""",
                $$"""image:delivering {"imageId":"{{first}}","destinationId":"{{webhook}}"}""",
                $$"""image:delivered {"imageId":"{{first}}","destinationId":"{{webhook}}"}""",
                $$"""image:ready {"imageId":"{{second}}","filename":"b.png","sizeBytes":{{Photos.Png().Length}}}""",
                $$"""image:delivering {"imageId":"{{second}}","destinationId":"{{webhook}}"}""",
                $$"""image:failed {"imageId":"{{second}}","destinationId":"{{webhook}}","error":{{seen[6].Data["error"]!.ToJsonString()}}}""",
                $$"""session:completed {"sessionId":"{{session}}"}""",
            ],
            seen.Select(e => $"{e.Name} {e.Data.ToJsonString()}"));
        Assert.Equal(seen.Count, seen.Select(e => e.Id).Distinct().Count());
    }

    [Theory, AllDatabases]
    public async Task Stream_of_a_project_that_is_disabled_ends(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var timers = app.Clock.WaitingTimers;
        await using var events = await EventReader.OpenAsync(app, await app.Client.CreateSessionAsync());
        await events.NextAsync();
        await Eventually.True(() => app.Clock.WaitingTimers > timers);

        await app.ChangeAsync(db => db.Projects.Single().DisabledAt = app.Clock.GetUtcNow());

        var end = ReadToEndAsync(events);
        await Eventually.True(() =>
        {
            app.Clock.Advance(TimeSpan.FromSeconds(5));
            return end.IsCompleted;
        });
    }

    [Theory, AllDatabases]
    public async Task Client_that_was_away_gets_exactly_what_it_missed_also_after_a_restart(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var session = await app.Client.CreateSessionAsync(webhook);
        string last;
        List<ServerEvent> all = [];
        await using (var events = await EventReader.OpenAsync(app, session))
            last = (await events.NextAsync()).Id;
        for (var i = 0; i < 4; i++)
            await app.Client.UploadBecomesAsync((string)(await app.Client.UploadAsync(session, Photos.Jpeg()))["id"]!,
                "delivered");
        await app.RestartAsync();

        // Each time a client takes one more and is cut off.
        for (var i = 0; i < 12; i++)
        {
            await using var events = await EventReader.OpenAsync(app, session, last);
            Assert.Equal("connected", (await events.NextAsync()).Name);
            all.Add(await events.NextAsync());
            last = all[^1].Id;
        }

        Assert.Equal(
            Enumerable.Repeat<string[]>(["image:ready", "image:delivering", "image:delivered"], 4).SelectMany(names => names),
            all.Select(e => e.Name));
        Assert.Equal(12, all.Select(e => $"{e.Name} {e.Data["imageId"]}").Distinct().Count());

        await using var caughtUp = await EventReader.OpenAsync(app, session, last);
        await caughtUp.NextAsync();
        await app.Client.UploadAsync(session, Photos.Jpeg(), "new.jpg");
        Assert.Equal("new.jpg", (string)(await caughtUp.NextAsync()).Data["filename"]!);
    }

    [Theory, AllDatabases]
    public async Task Nothing_older_than_five_minutes_is_replayed(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        string last;
        await using (var events = await EventReader.OpenAsync(app, session))
            last = (await events.NextAsync()).Id;
        await app.Client.UploadAsync(session, Photos.Jpeg(), "old.jpg");
        app.Clock.Advance(TimeSpan.FromMinutes(5) + TimeSpan.FromSeconds(1));
        await app.Client.UploadAsync(session, Photos.Jpeg(), "new.jpg");

        await using var again = await EventReader.OpenAsync(app, session, last);

        await again.NextAsync();
        Assert.Equal("new.jpg", (string)(await again.NextAsync()).Data["filename"]!);
    }

    [Theory, AllDatabases]
    public async Task Silence_is_broken_by_a_heartbeat_every_fifteen_seconds_on_all_streams_at_once(DatabaseKind database)
    {
        // A node of PostgreSQL gives signs of life as often.
        await using var app = await AperturApp.StartAsync(database, configure: services =>
        {
            if (database == DatabaseKind.PostgreSql)
                services.WithoutLoopOf<WorkerSigns>();
        });
        var session = await app.Client.CreateSessionAsync();
        // To the full second, away from all that began with the server.
        app.Clock.Advance(TimeSpan.FromMilliseconds(1000 - app.Clock.GetUtcNow().Millisecond));
        await using var events = await EventReader.OpenAsync(app, session);
        await events.NextAsync();
        await Eventually.True(() => app.Clock.TimersDueIn(TimeSpan.FromSeconds(15)) == 1);
        app.Clock.Advance(TimeSpan.FromMilliseconds(400));
        await using var later = await EventReader.OpenAsync(app, session);
        await later.NextAsync();

        foreach (var seconds in new[] { 14.6, 15, 15 })
        {
            var silence = TimeSpan.FromSeconds(seconds);
            await Eventually.True(() => app.Clock.TimersDueIn(silence) == 2);
            app.Clock.Advance(silence);
            Assert.Equal(": heartbeat\n\n", await events.FrameAsync());
            Assert.Equal(": heartbeat\n\n", await later.FrameAsync());
        }
    }

    [Theory, AllDatabases]
    public async Task Stream_ends_when_nothing_more_can_come_and_a_browser_is_told_to_stay_away(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        var timers = app.Clock.WaitingTimers;
        await using var events = await EventReader.OpenAsync(app, session);
        await events.NextAsync();
        await app.ClientOf(null).PostAsync($"upload/{session}/complete");
        var last = await events.NextAsync();
        await Eventually.True(() => app.Clock.WaitingTimers > timers);

        app.Clock.Advance(TimeSpan.FromMinutes(4));

        var end = ReadToEndAsync(events);
        Assert.False(end.IsCompleted);
        await Eventually.True(() =>
        {
            app.Clock.Advance(TimeSpan.FromSeconds(5));
            return end.IsCompleted;
        });
        Assert.All(await end, frame => Assert.Equal(": heartbeat\n\n", frame));
        await using var again = await EventReader.OpenAsync(app, session, last.Id);
        Assert.StartsWith("HTTP/1.1 204", again.Head, StringComparison.Ordinal);
        await Eventually.True(() => app.Services.GetRequiredService<SessionNotifier>().Watchers == 0);
    }

    [Theory, AllDatabases]
    public async Task Stopping_server_ends_streams_and_held_requests_at_once(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["long_polling"] = true });
        await using var events = await EventReader.OpenAsync(app, session);
        await events.NextAsync();
        var held = app.Client.GetAsync($"upload-sessions/{session}/poll?timeout=30");
        await Eventually.True(() => app.Services.GetRequiredService<SessionNotifier>().Watchers == 2);

        await Eventually.Arrives(app.RestartAsync());

        Assert.Null(await events.FrameAsync());
        Assert.Equal("""{"images":[]}""", (await Eventually.Arrives(held)).Expect(HttpStatusCode.OK).Text);
    }

    [Theory, AllDatabases]
    public async Task Session_has_at_most_twenty_streams_and_those_that_leave_make_room(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        var notifier = app.Services.GetRequiredService<SessionNotifier>();
        var open = new List<EventReader>();
        for (var i = 0; i < 20; i++)
            open.Add(await EventReader.OpenAsync(app, session));
        await using (var refused = await EventReader.OpenAsync(app, session))
            Assert.StartsWith("HTTP/1.1 429", refused.Head, StringComparison.Ordinal);

        foreach (var stream in open)
            await stream.DisposeAsync();

        await Eventually.True(() => notifier.Watchers == 0);
        await using var next = await EventReader.OpenAsync(app, session);
        Assert.Equal("connected", (await next.NextAsync()).Name);
    }

    [Theory, AllDatabases]
    public async Task Protected_stream_needs_the_password(DatabaseKind database)
    {
        // Sent in the header as the bytes of UTF-8.
        const string Password = "pässwörd ✓";
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["password"] = Password });

        (await app.ClientOf(null).GetAsync($"upload/{session}/events")).Expect(HttpStatusCode.Unauthorized);
        await using var events = await EventReader.OpenAsync(app, session, password: Password);

        Assert.Equal("connected", (await events.NextAsync()).Name);
    }

    private static async Task<List<string>> ReadToEndAsync(EventReader events)
    {
        var frames = new List<string>();
        while (await events.FrameAsync() is { } frame)
            frames.Add(frame);
        return frames;
    }
}
