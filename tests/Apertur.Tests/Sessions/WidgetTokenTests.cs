using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server.Sessions;
using Apertur.Tests.Support;

namespace Apertur.Tests.Sessions;

/// <summary>What a page of the session's owner may look on at, and nobody else.</summary>
public sealed class WidgetTokenTests
{
    private static readonly Dictionary<string, string?> _thumbnails = new() { ["Thumbnails:AtOnce"] = "2" };

    [Theory, AllDatabases]
    public async Task Token_shows_photos_and_thumbnails_of_its_session_and_of_no_other(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database, _thumbnails);
        var (session, token) = await SessionAsync(app);
        var (other, otherToken) = await SessionAsync(app);
        var photo = (string)(await app.Client.UploadAsync(session, Photos.Jpeg(), "a.jpg"))["id"]!;
        var browser = app.ClientOf(null);

        var shown = (await browser.GetAsync($"upload/{session}/images?token={token}")).Expect(HttpStatusCode.OK).Json;
        Assert.Equal(("active", photo, "a.jpg", true), (
            (string)shown["status"]!, (string)shown["images"]![0]!["id"]!, (string)shown["images"]![0]!["filename"]!, (bool)shown["images"]![0]!["hasThumbnail"]!));
        var thumbnail = (await browser.GetAsync($"upload/{session}/images/{photo}/thumbnail?token={token}")).Expect(HttpStatusCode.OK);
        Assert.Equal([0xff, 0xd8], thumbnail.Bytes[..2]);

        (await browser.GetAsync($"upload/{other}/images/{photo}/thumbnail?token={otherToken}")).Expect(HttpStatusCode.NotFound);
        foreach (var wrong in new[] { "", "?token=", "?token=made-up", $"?token={otherToken}" })
        {
            foreach (var path in new[] { "images", $"images/{photo}/thumbnail", "events" })
            {
                // The link alone opens the events of a session without a password, and no more.
                if (path != "events" || wrong != "")
                    (await browser.GetAsync($"upload/{session}/{path}{wrong}")).Expect(HttpStatusCode.Unauthorized);
            }
        }
    }

    [Theory, AllDatabases]
    public async Task Token_stands_for_the_password_to_look_on_but_not_to_send(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var (session, token) = await SessionAsync(app, new JsonObject { ["password"] = "open sesame" });
        var browser = app.ClientOf(null);

        (await browser.GetAsync($"upload/{session}/images?token={token}")).Expect(HttpStatusCode.OK);
        (await browser.PostAsync($"upload/{session}/complete?token={token}")).Expect(HttpStatusCode.Unauthorized);
        await using var events = await EventReader.OpenAsync(app, $"/api/v1/upload/{session}/events?token={token}");
        Assert.Equal("connected", (await events.NextAsync()).Name);
    }

    [Theory, AllDatabases]
    public async Task Token_is_told_again_later_and_counts_until_a_day_after_the_session(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var request = new JsonObject { ["expires_in_hours"] = 1 };
        var create = () => app.Client.SendAsync(HttpMethod.Post, "upload-sessions", request, ("Idempotency-Key", "once"));
        var first = (await create()).Json;
        Assert.Equal((string)first["widget_token"]!, (string)(await create()).Json["widget_token"]!);
        var details = (await app.Client.GetAsync($"upload-sessions/{first["id"]}")).Json;
        Assert.Equal((string)first["widget_token"]!, (string)details["widgetToken"]!);
        var path = $"upload/{first["id"]}/images?token={first["widget_token"]}";

        app.Clock.Jump(TimeSpan.FromHours(1) + WidgetTokens.Grace - TimeSpan.FromMinutes(1));
        Assert.Equal("expired", (string)(await app.ClientOf(null).GetAsync(path)).Expect(HttpStatusCode.OK).Json["status"]!);
        app.Clock.Jump(TimeSpan.FromMinutes(1));
        (await app.ClientOf(null).GetAsync(path)).Expect(HttpStatusCode.Unauthorized);
    }

    [Theory, AllDatabases]
    public async Task Stream_for_a_token_tells_who_is_there_without_being_somebody(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var (session, token) = await SessionAsync(app);
        var phone = Guid.NewGuid();
        await using var events = await EventReader.OpenAsync(app, $"/api/v1/upload/{session}/events?token={token}");
        Assert.Equal("connected", (await events.NextAsync()).Name);
        Assert.Equal(("session:visitors", 0), await VisitorsAsync(events));

        await using (var page = await EventReader.OpenAsync(app, $"/api/v1/upload/{session}/events?visitor={phone}"))
        {
            await page.NextAsync();
            Assert.Equal(("session:visitors", 1), await VisitorsAsync(events));
        }

        Assert.Equal(("session:visitors", 0), await VisitorsAsync(events));
        await app.Client.UploadAsync(session, Photos.Jpeg());
        Assert.Equal("image:ready", (await events.NextAsync()).Name);
        // What the page shows counts as nobody's: Done of the only visitor ends the session.
        (await app.ClientOf(null).PostAsync($"upload/{session}/complete")).Expect(HttpStatusCode.OK);
        Assert.Equal("session:completed", (await events.NextAsync()).Name);
    }

    private static async Task<(string Name, int Visitors)> VisitorsAsync(EventReader events)
    {
        var next = await events.NextAsync();
        return (next.Name, (int?)next.Data["visitors"] ?? -1);
    }

    private static async Task<(string Session, string Token)> SessionAsync(AperturApp app, JsonObject? request = null)
    {
        var made = (await app.Client.PostAsync("upload-sessions", request ?? [])).Expect(HttpStatusCode.Created).Json;
        return ((string)made["id"]!, (string)made["widget_token"]!);
    }
}
