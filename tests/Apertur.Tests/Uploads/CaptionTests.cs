using System.Net;
using System.Text.Json.Nodes;
using Apertur.Tests.Events;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Tests.Uploads;

/// <summary>What is said of a photo: only where its session takes that, and by whoever sent it until their Done.</summary>
public sealed class CaptionTests
{
    private static readonly string _ann = Guid.NewGuid().ToString();
    private static readonly string _ben = Guid.NewGuid().ToString();

    [Theory, AllDatabases]
    public async Task Session_that_takes_no_captions_reads_none(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        var image = await SendAsync(app, session, "The dent");
        Assert.Null((await app.Client.UploadRowAsync(image))["caption"]);
        Assert.Equal(HttpStatusCode.Forbidden, (await ChangeAsync(app, session, image, _ann, "The dent")).Status);

        (await app.Client.SendAsync(HttpMethod.Patch, $"upload-sessions/{session}", new JsonObject { ["allowCaptions"] = true })).Expect(HttpStatusCode.OK);
        Assert.True((bool)(await app.Client.GetAsync($"upload/{session}/session")).Json["allowCaptions"]!);
        Assert.Equal("The dent", (string?)(await app.Client.UploadRowAsync(await SendAsync(app, session, "The dent")))["caption"]);
    }

    [Theory, AllDatabases]
    public async Task Caption_is_changed_by_whoever_sent_the_photo_until_their_done(DatabaseKind database)
    {
        await using var listener = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        await app.ListenAsync(listener, "project.upload.captioned");
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["allow_captions"] = true, ["done"] = "visitor" });
        var image = await SendAsync(app, session, null);
        var before = (string)(await app.Client.GetAsync($"upload-sessions/{session}/delivery-status")).Json["lastChanged"]!;

        Assert.Equal(HttpStatusCode.NotFound, (await ChangeAsync(app, session, image, _ben, "mine")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await ChangeAsync(app, session, image, null, "mine")).Status);
        Assert.Equal("The dent", (string?)(await ChangeAsync(app, session, image, _ann, " The \u202Edent\n")).Expect(HttpStatusCode.OK).Json["caption"]);
        // The same again is no news.
        (await ChangeAsync(app, session, image, _ann, "The dent")).Expect(HttpStatusCode.OK);
        Assert.Equal("The dent", (string?)(await app.Client.UploadRowAsync(image))["caption"]);
        Assert.NotEqual(before, (string)(await app.Client.GetAsync($"upload-sessions/{session}/delivery-status")).Json["lastChanged"]!);
        Assert.Null((await ChangeAsync(app, session, image, _ann, null)).Expect(HttpStatusCode.OK).Json["caption"]);

        // Which of two events arrives first is not promised.
        var told = new[] { (await listener.NextAsync()).Json()["data"]!, (await listener.NextAsync()).Json()["data"]! };
        Assert.All(told, data => Assert.Equal(image, (string)data["id"]!));
        Assert.Equal([null, "The dent"], told.Select(data => (string?)data["caption"]).Order());

        (await app.ClientOf(null).PostAsync($"upload/{session}/complete?visitor={_ann}")).Expect(HttpStatusCode.OK);
        Assert.Equal("TOO_LATE", (string)(await ChangeAsync(app, session, image, _ann, "late")).Expect(HttpStatusCode.Conflict).Json["code"]!);
    }

    [Theory, AllDatabases]
    public async Task Caption_that_is_too_long_is_refused_however_it_comes(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["allow_captions"] = true });
        var longest = new string('ø', 500);
        var image = await SendAsync(app, session, longest);
        Assert.Equal(longest, (string?)(await app.Client.UploadRowAsync(image))["caption"]);

        foreach (var answer in new[] { await PostAsync(app, session, longest + "x"), await ChangeAsync(app, session, image, _ann, longest + "x") })
            Assert.Equal("caption", (string)answer.Expect(HttpStatusCode.BadRequest).Json["errors"]![0]!["field"]!);
    }

    [Theory, AllDatabases]
    public async Task Caption_is_changed_a_hundred_times_at_most_since_each_is_told(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["allow_captions"] = true });
        var image = await SendAsync(app, session, null);
        await app.WriteAsync(db => db.Uploads.ExecuteUpdateAsync(row => row.SetProperty(upload => upload.CaptionChanges, 99)));

        (await ChangeAsync(app, session, image, _ann, "The dent")).Expect(HttpStatusCode.OK);
        Assert.Equal("TOO_LATE", (string)(await ChangeAsync(app, session, image, _ann, "Another")).Expect(HttpStatusCode.Conflict).Json["code"]!);
        Assert.Equal("The dent", (string?)(await app.Client.UploadRowAsync(image))["caption"]);
    }

    private static async Task<string> SendAsync(AperturApp app, string session, string? caption) =>
        (string)(await PostAsync(app, session, caption)).Expect(HttpStatusCode.Created).Json["id"]!;

    private static async Task<Answer> PostAsync(AperturApp app, string session, string? caption)
    {
        using var form = new MultipartFormDataContent { { new StringContent(_ann), "visitor" }, { new ByteArrayContent(Photos.Png()), "file", "a.png" } };
        if (caption is not null)
            form.Add(new StringContent(caption), "caption");
        return await app.ClientOf(null).PostAsync($"upload/{session}/images", form);
    }

    private static Task<Answer> ChangeAsync(AperturApp app, string session, string image, string? visitor, string? caption) =>
        app.ClientOf(null).SendAsync(
            HttpMethod.Patch, $"upload/{session}/images/{image}" + (visitor is null ? "" : $"?visitor={visitor}"), new JsonObject { ["caption"] = caption });
}
