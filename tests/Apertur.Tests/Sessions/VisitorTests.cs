using System.Net;
using System.Text.Json.Nodes;
using Apertur.Tests.Support;

namespace Apertur.Tests.Sessions;

/// <summary>Whose Done is whose, and what visitors may take back.</summary>
public sealed class VisitorTests
{
    private static readonly string _ann = Guid.NewGuid().ToString();
    private static readonly string _ben = Guid.NewGuid().ToString();

    [Theory, AllDatabases]
    public async Task Done_closes_the_session_of_whoever_is_alone_and_of_clients_without_visitors(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var alone = await app.Client.CreateSessionAsync();
        await SendAsync(app, alone, _ann);
        var plain = await app.Client.CreateSessionAsync();
        await SendAsync(app, plain, _ann);

        Assert.Equal("completed", await DoneAsync(app, alone, _ann));
        Assert.Equal("completed", await DoneAsync(app, plain, null));
    }

    [Theory, AllDatabases]
    public async Task Done_ends_only_the_visitor_s_part_when_somebody_else_has_sent_or_has_the_link_open(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var sent = await app.Client.CreateSessionAsync();
        await SendAsync(app, sent, _ann);
        await SendAsync(app, sent, _ben);
        var open = await app.Client.CreateSessionAsync();
        await SendAsync(app, open, _ann);

        Assert.Equal("active", await DoneAsync(app, sent, _ann));
        await using (var events = await EventReader.OpenAsync(app, $"/api/v1/upload/{open}/events?visitor={_ben}"))
        {
            await events.NextAsync();
            Assert.Equal("active", await DoneAsync(app, open, _ann));
        }

        await Eventually.Becomes(() => DoneAsync(app, open, _ann), status => status == "completed", "the other page is closed");
    }

    [Theory, AllDatabases]
    public async Task Session_says_what_done_ends(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        foreach (var (done, status) in new[] { ("visitor", "active"), ("session", "completed"), ("never", "active") })
        {
            var session = await app.Client.CreateSessionAsync(new JsonObject { ["done"] = done });
            await SendAsync(app, session, _ann);
            Assert.Equal((done, status), (done, await DoneAsync(app, session, _ann)));
            Assert.Equal(done, (string)(await app.Client.GetAsync($"upload/{session}/session")).Json["done"]!);
        }

        var changed = await app.Client.CreateSessionAsync();
        (await app.Client.SendAsync(HttpMethod.Patch, $"upload-sessions/{changed}", new JsonObject { ["done"] = "never" })).Expect(HttpStatusCode.OK);
        Assert.Equal("pending", await DoneAsync(app, changed, _ann));
        (await app.Client.PostAsync("upload-sessions", new JsonObject { ["done"] = "maybe" })).Expect(HttpStatusCode.BadRequest);
        (await app.ClientOf(null).PostAsync($"upload/{changed}/complete?visitor=me")).Expect(HttpStatusCode.BadRequest);
    }

    [Theory, AllDatabases]
    public async Task Visitor_takes_back_what_is_theirs_until_their_done(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["done"] = "visitor" });
        var first = await SendAsync(app, session, _ann);
        // The same, however it is written.
        var second = await SendAsync(app, session, _ann.ToUpperInvariant());
        var anonymous = (string)(await app.Client.UploadAsync(session, Photos.WebP()))["id"]!;
        app.Clock.Advance(TimeSpan.FromSeconds(1));

        (await WithdrawAsync(app, session, first, _ben)).Expect(HttpStatusCode.NotFound);
        (await WithdrawAsync(app, session, anonymous, null)).Expect(HttpStatusCode.NotFound);
        (await WithdrawAsync(app, session, first, _ann)).Expect(HttpStatusCode.NoContent);
        (await WithdrawAsync(app, session, first, _ann)).Expect(HttpStatusCode.NotFound);
        await DoneAsync(app, session, _ann);
        Assert.Equal("TOO_LATE", (string)(await WithdrawAsync(app, session, second, _ann)).Expect(HttpStatusCode.Conflict).Json["code"]!);
        app.Clock.Advance(TimeSpan.FromSeconds(1));
        var third = await SendAsync(app, session, _ann);
        (await WithdrawAsync(app, session, third, _ann)).Expect(HttpStatusCode.NoContent);
        Assert.Equal(2, (int)(await app.Client.GetAsync($"upload/{session}/session")).Json["imagesCount"]!);
    }

    [Theory, AllDatabases]
    public async Task Nothing_is_taken_back_where_the_session_does_not_allow_it_or_is_closed(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var strict = await app.Client.CreateSessionAsync(new JsonObject { ["allow_withdraw"] = false, ["password"] = "open sesame" });
        var photo = await SendAsync(app, strict, _ann, "open sesame");
        var closed = await app.Client.CreateSessionAsync();
        var late = await SendAsync(app, closed, _ann);
        await app.Client.PostAsync($"upload-sessions/{closed}/complete");

        (await WithdrawAsync(app, strict, photo, _ann)).Expect(HttpStatusCode.Unauthorized);
        (await WithdrawAsync(app, strict, photo, _ann, "open sesame")).Expect(HttpStatusCode.Forbidden);
        (await WithdrawAsync(app, closed, late, _ann)).Expect(HttpStatusCode.Conflict);
    }

    [Theory, AllDatabases]
    public async Task Stream_of_a_visitor_tells_that_the_session_has_changed(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        await using var events = await EventReader.OpenAsync(app, $"/api/v1/upload/{session}/events?visitor={_ann}");
        Assert.Equal("connected", (await events.NextAsync()).Name);

        await app.Client.SendAsync(HttpMethod.Patch, $"upload-sessions/{session}", new JsonObject { ["max_images"] = 2 });

        Assert.Equal("session:changed", (await events.NextAsync()).Name);
    }

    private static async Task<string> SendAsync(AperturApp app, string session, string visitor, string? password = null)
    {
        using var file = new ByteArrayContent(Photos.Png());
        using var form = new MultipartFormDataContent { { file, "file", "a.png" }, { new StringContent(visitor), "visitor" } };
        (string, string)[] headers = password is null ? [] : [("x-session-password", password)];
        return (string)(await app.ClientOf(null).SendAsync(HttpMethod.Post, $"upload/{session}/images", form, headers)).Expect(HttpStatusCode.Created).Json["id"]!;
    }

    private static async Task<string> DoneAsync(AperturApp app, string session, string? visitor) =>
        (string)(await app.ClientOf(null).PostAsync($"upload/{session}/complete" + (visitor is null ? "" : $"?visitor={visitor}"))).Expect(HttpStatusCode.OK).Json["status"]!;

    private static Task<Answer> WithdrawAsync(AperturApp app, string session, string image, string? visitor, string? password = null) =>
        app.ClientOf(null).SendAsync(
            HttpMethod.Delete, $"upload/{session}/images/{image}" + (visitor is null ? "" : $"?visitor={visitor}"), null,
            password is null ? [] : [("x-session-password", password)]);
}
