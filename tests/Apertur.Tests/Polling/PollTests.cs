using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server;
using Apertur.Server.Projects;
using Apertur.Tests.Support;

namespace Apertur.Tests.Polling;

public sealed class PollTests
{
    [Theory, AllDatabases]
    public async Task Images_are_offered_oldest_first_until_they_are_acknowledged(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await LongPollingAsync(app);
        Assert.Equal("""{"images":[]}""", (await PollAsync(app, session)).Text);
        var first = await app.Client.UploadAsync(session, Photos.Jpeg(), "a.jpg", "gallery");
        var second = await app.Client.UploadAsync(session, Photos.Png(), "b.png");
        Assert.True((bool)first["long_polling"]!);

        var images = (await PollAsync(app, session)).Json["images"]!.AsArray();

        Assert.Equal([(string)first["id"]!, (string)second["id"]!], images.Select(image => (string)image!["id"]!));
        Assert.Equal(
            $$"""
            {"id":"{{first["id"]}}","filename":"a.jpg","size_bytes":{{Photos.Jpeg().Length}},"mime_type":"image/jpeg","source":"gallery","created_at":"2026-06-12T09:44:41.919Z"}
            """,
            images[0]!.ToJsonString());
        var bytes = (await app.Client.GetAsync($"upload-sessions/{session}/images/{first["id"]}")).Expect(HttpStatusCode.OK);
        Assert.Equal(Photos.Jpeg(), bytes.Bytes);
        Assert.Equal("image/jpeg", bytes.ContentHeaders.ContentType!.MediaType);

        Assert.Equal("""{"status":"acknowledged"}""", (await AckAsync(app, session, first)).Expect(HttpStatusCode.OK).Text);
        var refused = (await AckAsync(app, session, first)).Expect(HttpStatusCode.Conflict).Json;
        Assert.Equal("ALREADY_ACKNOWLEDGED", (string)refused["code"]!);
        Assert.Equal((string)second["id"]!, (string)(await PollAsync(app, session)).Json["images"]!.AsArray().Single()!["id"]!);
    }

    [Theory, AllDatabases]
    public async Task Two_acknowledgements_at_once_are_one(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await LongPollingAsync(app);
        var image = await app.Client.UploadAsync(session, Photos.Jpeg());

        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => AckAsync(app, session, image)));

        Assert.Single(answers, answer => answer.Status == HttpStatusCode.OK);
        Assert.Equal(7, answers.Count(answer => answer.Status == HttpStatusCode.Conflict));
    }

    [Theory, AllDatabases]
    public async Task Acknowledgement_is_taken_in_every_shape_clients_send(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await LongPollingAsync(app);
        var emptyJson = new ByteArrayContent([]);
        emptyJson.Headers.ContentType = new("application/json");
        HttpContent?[] shapes = [null, new StringContent("{}", System.Text.Encoding.UTF8, "application/json"), emptyJson,
            new FormUrlEncodedContent([])];

        foreach (var shape in shapes)
        {
            var image = await app.Client.UploadAsync(session, Photos.Jpeg());
            (await app.Client.PostAsync($"upload-sessions/{session}/images/{image["id"]}/ack", shape)).Expect(HttpStatusCode.OK);
        }

        Assert.Empty((await PollAsync(app, session)).Json["images"]!.AsArray());
    }

    [Theory, AllDatabases]
    public async Task Poll_with_a_timeout_waits_for_the_first_image(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await LongPollingAsync(app);
        var timers = app.Clock.WaitingTimers;
        var held = PollAsync(app, session, "?timeout=30");
        await Eventually.True(() => app.Clock.WaitingTimers > timers);
        Assert.False(held.IsCompleted);

        var image = await app.Client.UploadAsync(session, Photos.Jpeg());

        Assert.Equal((string)image["id"]!, (string)(await Eventually.Arrives(held)).Json["images"]![0]!["id"]!);
    }

    [Theory]
    [AllDatabases("revoked key")]
    [AllDatabases("signed out")]
    [AllDatabases("suspended")]
    [AllDatabases("removed")]
    [AllDatabases("project disabled")]
    [AllDatabases("project deleted")]
    public async Task Held_requests_of_somebody_who_has_lost_access_tell_nothing_of_what_came_after(DatabaseKind database, string how)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await LongPollingAsync(app);
        var person = await app.AddPersonAsync("member@example.com", app.ProjectId, Role.Viewer);
        var member = await app.TokenAsync(person);
        var client = how is "revoked key" or "project disabled" ? app.Client : member.Client;
        // What they keep elsewhere does not help: another project, another device.
        var other = (await app.CreateOtherProjectAsync()).ProjectId;
        await app.ChangeAsync(db => db.Members.Add(new Member { ProjectId = other, UserId = person.Id, Role = Role.Viewer, CreatedAt = person.CreatedAt }));
        var device = await app.TokenAsync(person);
        var seen = (string)(await client.GetAsync($"upload-sessions/{session}/delivery-status")).Json["lastChanged"]!;
        var held = new[]
        {
            client.GetAsync($"upload-sessions/{session}/poll?timeout=30"),
            client.GetAsync($"upload-sessions/{session}/delivery-status?pollFrom={seen}"),
        };
        Task<Answer>[] elsewhere = how != "signed out" ? [] :
        [
            device.Client.GetAsync($"upload-sessions/{session}/delivery-status?pollFrom={seen}"),
            device.Client.GetAsync($"upload-sessions/{session}/delivery-status?pollFrom={seen}"),
        ];
        await Eventually.True(() =>
            app.Clock.TimersDueIn(TimeSpan.FromSeconds(30)) == 1 && app.Clock.TimersDueIn(TimeSpan.FromMinutes(5)) == 1 + elsewhere.Length);

        await (how switch
        {
            "revoked key" => app.ChangeAsync(db => db.ApiKeys.Single(k => k.Env == Env.Live && k.ProjectId == app.ProjectId).IsActive = false),
            "signed out" => member.Client.PostAsync("auth/logout"),
            "suspended" => app.ChangeAsync(db => db.Users.Single(u => u.Id == member.UserId).DisabledAt = app.Clock.GetUtcNow()),
            "removed" => app.ChangeAsync(db => db.Members.Remove(db.Members.Single(m => m.UserId == member.UserId && m.ProjectId == app.ProjectId))),
            "project disabled" => app.ChangeAsync(db => db.Projects.Single(p => p.Id == app.ProjectId).DisabledAt = app.Clock.GetUtcNow()),
            _ => app.ChangeAsync(db => db.Projects.Single(p => p.Id == app.ProjectId).DeletedAt = app.Clock.GetUtcNow()),
        });
        var changed = Guid.Parse(session);
        await app.ChangeAsync(db => db.Sessions.Single(s => s.Id == changed).Touch(app.Clock.GetUtcNow()));

        foreach (var answer in held)
            (await Eventually.Arrives(answer)).Expect(HttpStatusCode.Unauthorized);
        // Nor does what they lost here end what they have there.
        foreach (var answer in elsewhere)
            (await Eventually.Arrives(answer)).Expect(HttpStatusCode.OK);
    }

    [Theory, AllDatabases]
    public async Task Poll_with_a_timeout_gives_up_when_it_is_over(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await LongPollingAsync(app);
        var timers = app.Clock.WaitingTimers;
        var held = PollAsync(app, session, "?timeout=7");
        await Eventually.True(() => app.Clock.WaitingTimers > timers);

        // The timer may be another's that came just then.
        await Eventually.True(() =>
        {
            app.Clock.Advance(TimeSpan.FromSeconds(7));
            return held.IsCompleted;
        });

        Assert.Equal("""{"images":[]}""", (await held).Expect(HttpStatusCode.OK).Text);
        (await PollAsync(app, session, "?timeout=31")).Expect(HttpStatusCode.BadRequest);
        (await PollAsync(app, session, "?timeout=0")).Expect(HttpStatusCode.BadRequest);
    }

    [Theory, AllDatabases]
    public async Task Session_without_long_polling_says_so(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        var image = await app.Client.UploadAsync(session, Photos.Jpeg());

        var answer = (await PollAsync(app, session)).Expect(HttpStatusCode.BadRequest);
        Assert.Contains("long_polling", (string)answer.Json["message"]!, StringComparison.Ordinal);
        (await AckAsync(app, session, image)).Expect(HttpStatusCode.BadRequest);
        (await app.Client.GetAsync($"upload-sessions/{session}/images/{image["id"]}")).Expect(HttpStatusCode.BadRequest);
    }

    [Theory, AllDatabases]
    public async Task Image_of_another_session_is_not_found(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await LongPollingAsync(app);
        var foreign = await app.Client.UploadAsync(await LongPollingAsync(app), Photos.Jpeg());

        (await AckAsync(app, session, foreign)).Expect(HttpStatusCode.NotFound);
        (await app.Client.GetAsync($"upload-sessions/{session}/images/{foreign["id"]}")).Expect(HttpStatusCode.NotFound);
    }

    private static Task<string> LongPollingAsync(AperturApp app) =>
        app.Client.CreateSessionAsync(new JsonObject { ["long_polling"] = true });

    private static Task<Answer> PollAsync(AperturApp app, string session, string query = "") =>
        app.Client.GetAsync($"upload-sessions/{session}/poll{query}");

    private static Task<Answer> AckAsync(AperturApp app, string session, JsonNode image) =>
        app.Client.PostAsync($"upload-sessions/{session}/images/{image["id"]}/ack");
}
