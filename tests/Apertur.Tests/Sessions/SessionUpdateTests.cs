using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Sessions;

public sealed class SessionUpdateTests
{
    [Theory, AllDatabases]
    public async Task Update_changes_what_it_names_and_keeps_the_rest(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync(new JsonObject
        {
            ["max_images"] = 5,
            ["max_image_size_mb"] = 3,
            ["tags"] = new JsonArray("a")
        });

        var info = (await UpdateAsync(app, session,
            """{"max_images":7,"allowed_mime_types":["image/heif"],"unknown":1}""")).Expect(HttpStatusCode.OK).Json;

        Assert.Equal(7, (int)info["effectiveMaxImages"]!);
        Assert.Equal(3, (int)info["effectiveMaxImageSizeMb"]!);
        Assert.Equal("""["image/heic"]""", info["effectiveAllowedMimeTypes"]!.ToJsonString());
        Assert.Equal("""["a"]""", info["tags"]!.ToJsonString());
        Assert.Contains("unknown", (string)info["warnings"]![0]!, StringComparison.Ordinal);
        info.AsObject().Remove("warnings");
        Assert.Equal(info.ToJsonString(), (await app.ClientOf(null).GetAsync($"upload/{session}/session")).Json.ToJsonString());
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, (await app.Client.PostImageAsync(session, Photos.Jpeg())).Status);
    }

    [Theory, AllDatabases]
    public async Task Each_option_is_changed_when_it_is_named_and_kept_when_it_is_not(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        const string all = """
            {"expiresAt":"2026-06-13T10:00:00Z","maxImages":7,"allowedMimeTypes":["image/png"],"maxImageDimension":800,"maxImageSizeMb":3,"done":"never",
            "allowWithdraw":false,"allowCaptions":true,"instructions":"i","thankYou":"t","returnUrl":"https://a.example/","cameraOnly":true,
            "ask":[{"field":"name","required":true}],"strip":"all"}
            """;

        foreach (var change in new[] { all, "{}" })
        {
            var info = (await UpdateAsync(app, session, change)).Expect(HttpStatusCode.OK).Json;
            foreach (var (field, value) in JsonNode.Parse(all)!.AsObject())
            {
                var shown = info["effective" + char.ToUpperInvariant(field[0]) + field[1..]] ?? info[field];
                Assert.Equal((field, field == "expiresAt" ? "\"2026-06-13T10:00:00.000Z\"" : value!.ToJsonString()), (field, shown!.ToJsonString()));
            }
        }
    }

    [Theory, AllDatabases]
    public async Task Key_and_server_bound_what_an_update_may_ask_for(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        await app.WriteAsync(db => db.ApiKeys.ExecuteUpdateAsync(
            key => key
                .SetProperty(k => k.MaxImages, 6)
                .SetProperty(k => k.MaxImageDimension, 100)
                .SetProperty(k => k.AllowedMimeTypes, ["image/png"]),
            TestContext.Current.CancellationToken));

        var info = (await UpdateAsync(app, session,
            """{"max_images":50,"max_image_dimension":4000}""")).Expect(HttpStatusCode.OK).Json;

        Assert.Equal(6, (int)info["effectiveMaxImages"]!);
        Assert.Equal(100, (int)info["effectiveMaxImageDimension"]!);
        (await UpdateAsync(app, session, """{"allowed_mime_types":["image/jpeg"]}""")).Expect(HttpStatusCode.BadRequest);
        (await UpdateAsync(app, session, """{"max_image_size_mb":101}""")).Expect(HttpStatusCode.BadRequest);
    }

    [Theory]
    [AllDatabases("""{"max_images":0}""", "max_images")]
    [AllDatabases("""{"expires_at":"2020-01-01T00:00:00Z"}""", "expires_at")]
    [AllDatabases("""{"password":"abc"}""", "password")]
    [AllDatabases("""{"password":7}""", "password")]
    [AllDatabases("""{"allowed_mime_types":["image/gif"]}""", "allowed_mime_types")]
    public async Task Update_that_cannot_be_meant_is_refused_by_name(DatabaseKind database, string body, string field)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();

        var refusal = (await UpdateAsync(app, session, body)).Expect(HttpStatusCode.BadRequest).Json;

        Assert.Equal("VALIDATION_ERROR", (string)refusal["code"]!);
        Assert.Equal(field, (string)refusal["errors"]![0]!["field"]!);
        Assert.Equal(20, (int)(await app.Client.GetAsync($"upload/{session}/session")).Json["effectiveMaxImages"]!);
    }

    [Fact]
    public async Task What_a_session_is_made_or_changed_with_has_bounds()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var made = await app.Client.CreateSessionAsync();
        var latest = app.Clock.GetUtcNow().AddHours(168);
        foreach (var (field, most, over, isChanged) in new (string, JsonNode, JsonNode, bool)[]
        {
            ("tags", Tags(50, 200), Tags(51, 200), false),
            ("tags", Tags(1, 1), Tags(1, 0), false),
            ("tags", Tags(1, 200), Tags(1, 201), false),
            ("label", Text(200), Text(201), false),
            ("metadata", new JsonObject { ["n"] = Text(8184) }, new JsonObject { ["n"] = Text(8185) }, false),
            ("expires_in", 604_800, 604_801, false),
            ("expires_at", Instant(latest), Instant(latest.AddSeconds(1)), true),
            ("expires_at", Instant(latest), Instant(app.Clock.GetUtcNow()), true),
            ("done", "never", "sometimes", true),
            ("instructions", Text(2000), Text(2001), true),
            ("thank_you", Text(500), Text(501), true),
            ("return_url", "https://a.example/" + Text(1982), "https://a.example/" + Text(1983), true),
            ("return_url", "https://a.example/", "http://a.example/", true),
            ("return_url", "https://a.example/", "https://me@a.example/", true),
        })
        {
            (await app.Client.PostAsync("upload-sessions", new JsonObject { [field] = most.DeepClone() })).Expect(HttpStatusCode.Created);
            Refuses(field, await app.Client.PostAsync("upload-sessions", new JsonObject { [field] = over.DeepClone() }));
            if (!isChanged)
                continue;
            (await UpdateAsync(app, made, new JsonObject { [field] = most.DeepClone() }.ToJsonString())).Expect(HttpStatusCode.OK);
            Refuses(field, await UpdateAsync(app, made, new JsonObject { [field] = over.DeepClone() }.ToJsonString()));
        }

        static void Refuses(string field, Answer answer) =>
            Assert.Equal(field, (string)Assert.Single(answer.Expect(HttpStatusCode.BadRequest).Json["errors"]!.AsArray())!["field"]!);

        static string Text(int length) => new('x', length);
        static string Instant(DateTimeOffset at) => at.UtcDateTime.ToString("O", CultureInfo.InvariantCulture);
        static JsonArray Tags(int count, int length) => [.. Enumerable.Repeat(Text(length), count).Select(tag => (JsonNode)tag)];
    }

    [Theory, AllDatabases]
    public async Task Session_of_another_environment_or_project_cannot_be_found(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        var other = app.ClientOf(app.TestKey);

        (await other.SendAsync(HttpMethod.Patch, $"upload-sessions/{session}", new JsonObject())).Expect(HttpStatusCode.NotFound);
        (await other.PostAsync($"upload-sessions/{session}/complete")).Expect(HttpStatusCode.NotFound);
        (await other.GetAsync($"upload-sessions/{session}/delivery-status")).Expect(HttpStatusCode.NotFound);
        (await other.GetAsync($"upload-sessions/{session}/poll")).Expect(HttpStatusCode.NotFound);
    }

    [Theory]
    [AllDatabases(true)]
    [AllDatabases(false)]
    public async Task Completed_session_takes_no_more_photos(DatabaseKind database, bool byItsOwner)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        await app.Client.UploadAsync(session, Photos.Jpeg());

        var path = byItsOwner ? $"upload-sessions/{session}/complete" : $"upload/{session}/complete";
        var info = (await (byItsOwner ? app.Client : app.ClientOf(null)).PostAsync(path)).Expect(HttpStatusCode.OK).Json;

        Assert.Equal("completed", (string)info["status"]!);
        var refusal = (await app.Client.PostImageAsync(session, Photos.Jpeg())).Expect(HttpStatusCode.Conflict).Json;
        Assert.Equal("SESSION_COMPLETED", (string)refusal["code"]!);
        (await app.Client.PostAsync(path)).Expect(HttpStatusCode.OK);
    }

    [Theory, AllDatabases]
    public async Task Full_session_opens_again_when_it_may_take_more(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["max_images"] = 1 });
        await app.Client.UploadAsync(session, Photos.Jpeg());
        var full = await OverAtAsync(app, session);

        Assert.Equal("active", (string)(await UpdateAsync(app, session, """{"max_images":2}""")).Json["status"]!);

        Assert.NotNull(full);
        Assert.Null(await OverAtAsync(app, session));
        await app.Client.UploadAsync(session, Photos.Jpeg());
        Assert.NotNull(await OverAtAsync(app, session));
    }

    [Theory, AllDatabases]
    public async Task Expiry_is_noticed_once_and_moves_last_changed(DatabaseKind kind)
    {
        await using var app = await AperturApp.StartAsync(kind);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["expires_in_hours"] = 1 });
        var before = await LastChangedAsync(app, session);

        app.Clock.Advance(TimeSpan.FromHours(1));

        var overAt = await Eventually.Becomes(
            () =>
            {
                app.Clock.Advance(TimeSpan.FromSeconds(1));
                return OverAtAsync(app, session);
            },
            at => at is not null);
        Assert.Equal("expired", (string)(await app.Client.GetAsync($"upload/{session}/session")).Json["status"]!);
        Assert.True(await LastChangedAsync(app, session) > before);
        Assert.Equal(0,
            await app.Services.GetRequiredService<SessionSweep>().RunOnceAsync(TestContext.Current.CancellationToken));
        Assert.Equal(overAt, await OverAtAsync(app, session));
        // Nobody is told that it was completed.
        var database = app.Services.GetRequiredService<Database>();
        await using var db = database.Open();
        var id = Guid.Parse(session);
        var row = await db.Sessions.SingleAsync(s => s.Id == id, TestContext.Current.CancellationToken);
        Assert.Empty(await SessionEvents.ReadAsync(database, row, default, app.Clock.GetUtcNow(), TestContext.Current.CancellationToken));
    }

    private static Task<Answer> UpdateAsync(AperturApp app, string session, string json) =>
        app.Client.SendAsync(HttpMethod.Patch, $"upload-sessions/{session}", new StringContent(json));

    private static async Task<DateTimeOffset> LastChangedAsync(AperturApp app, string session) =>
        (DateTimeOffset)(await app.Client.GetAsync($"upload-sessions/{session}/delivery-status")).Json["lastChanged"]!;

    private static async Task<DateTimeOffset?> OverAtAsync(AperturApp app, string session)
    {
        await using var db = app.Services.GetRequiredService<Database>().Open();
        var id = Guid.Parse(session);
        return await db.Sessions.Where(s => s.Id == id).Select(s => s.OverAt).SingleAsync(TestContext.Current.CancellationToken);
    }
}
