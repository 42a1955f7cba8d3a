using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server.Projects;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Tests.Sessions;

/// <summary>The stream over everything that a caller may see, and nothing else.</summary>
public sealed class ProjectStreamTests
{
    [Theory, AllDatabases]
    public async Task Stream_tells_of_every_session_of_the_caller_and_of_no_other(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var other = (string)(await (await app.SignInAsync()).Client.PostAsync("projects", new { name = "Other" })).Json["id"]!;
        var person = await app.TokenAsync(await app.AddPersonAsync("viewer@example.com", app.ProjectId, Role.Viewer));
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var (first, second) = (await app.Client.CreateSessionAsync(webhook), await app.Client.CreateSessionAsync(webhook));
        foreach (var credential in new[] { app.LiveKey, person.Token })
        {
            receiver.Answers(200, 410);
            // What changes while the clock stands still is written a little ahead of it, and would be told to who comes then.
            app.Clock.Jump(TimeSpan.FromSeconds(10));
            await using var events = await OpenAsync(app, credential);
            Assert.Equal($$"""{"projectIds":["{{app.ProjectId}}"]}""", (await events.NextAsync()).Data.ToJsonString());
            // What is not the caller's: another project's, and test data.
            var strange = (string)(await (await app.SignInAsync()).Client.PostAsync("upload-sessions", new { project_id = other })).Json["id"]!;
            await app.Client.UploadAsync(strange, Photos.Jpeg());
            await app.Client.UploadAsync(await app.ClientOf(app.TestKey).CreateSessionAsync(), Photos.Jpeg());

            var a = (string)(await app.Client.UploadAsync(first, Photos.Jpeg(), "a.jpg"))["id"]!;
            var seen = await UntilAsync(events, "image:delivered", "image:failed");
            var b = (string)(await app.Client.UploadAsync(second, Photos.Jpeg(), "b.jpg"))["id"]!;
            seen.AddRange(await UntilAsync(events, "image:delivered", "image:failed"));

            Assert.Equal(
                [("image:ready", a), ("image:delivering", a), ("image:delivered", a), ("image:ready", b), ("image:delivering", b), ("image:failed", b)],
                seen.Select(each => (each.Name, (string)each.Data["imageId"]!)));
            Assert.All(seen, each => Assert.Equal(app.ProjectId, (Guid)each.Data["projectId"]!));
            Assert.Equal([first, first, first, second, second, second], seen.Select(each => (string)each.Data["sessionId"]!));
            Assert.Equal(seen.Count, seen.Select(each => each.Id).Distinct().Count());
            Assert.Contains("410", (string)seen[^1].Data["error"]!, StringComparison.Ordinal);
        }
    }

    [Theory, AllDatabases]
    public async Task Who_comes_back_gets_what_was_missed_and_only_the_topics_asked_for(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        string last;
        await using (var events = await OpenAsync(app, app.LiveKey))
            last = (await events.NextAsync()).Id;
        app.Clock.Jump(TimeSpan.FromMinutes(1));
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["max_images"] = 1 });
        await app.Client.UploadAsync(session, Photos.Jpeg());

        await using var all = await OpenAsync(app, app.LiveKey, lastEventId: last);
        await using var ends = await OpenAsync(app, app.LiveKey, "?topic=session:com*,image:failed", last);

        Assert.Equal(["connected", "image:ready", "session:completed"], [(await all.NextAsync()).Name, (await all.NextAsync()).Name, (await all.NextAsync()).Name]);
        Assert.Equal(["connected", "session:completed"], [(await ends.NextAsync()).Name, (await ends.NextAsync()).Name]);
    }

    [Theory, AllDatabases]
    public async Task Stream_ends_for_who_was_taken_away_and_is_refused_then(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var viewer = await app.AddPersonAsync("viewer@example.com", app.ProjectId, Role.Viewer);
        var session = await app.Client.CreateSessionAsync();
        app.Clock.Jump(TimeSpan.FromSeconds(10));
        var signedIn = await app.TokenAsync(viewer);
        await using var events = await OpenAsync(app, signedIn.Token);
        await events.NextAsync();
        await app.WriteAsync(db => db.Members.Where(m => m.UserId == viewer.Id).ExecuteDeleteAsync(TestContext.Current.CancellationToken));

        await app.Client.UploadAsync(session, Photos.Jpeg());

        Assert.Null(await events.FrameAsync());
        (await signedIn.Client.GetAsync($"events?projectId={app.ProjectId}")).Expect(HttpStatusCode.NotFound);
        (await app.ClientOf(null).GetAsync("events")).Expect(HttpStatusCode.Unauthorized);
    }

    private static Task<EventReader> OpenAsync(AperturApp app, string credential, string query = "", string? lastEventId = null) =>
        EventReader.OpenAsync(app, "/api/v1/events" + query, lastEventId, credential: credential);

    private static async Task<List<ServerEvent>> UntilAsync(EventReader events, params string[] last)
    {
        var seen = new List<ServerEvent>();
        do
            seen.Add(await events.NextAsync());
        while (!last.Contains(seen[^1].Name));
        seen.RemoveAll(each => each.Name == "session:changed");
        return seen;
    }
}
