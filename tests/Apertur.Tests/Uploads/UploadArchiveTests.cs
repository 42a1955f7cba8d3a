using System.IO.Compression;
using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server.Uploads;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Tests.Uploads;

/// <summary>Many photos in one file.</summary>
public sealed class UploadArchiveTests
{
    [Theory, AllDatabases]
    public async Task Selection_comes_as_one_archive_or_says_why_not(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        var photos = new (string Name, byte[] Bytes)[]
        {
            ("Roof.jpg", Photos.Jpeg(40_000, 1)), ("roof.jpg", Photos.Jpeg(200_000, 2)), ("roof.png", Photos.Png()), ("tür.jpg", Photos.Jpeg()),
        };
        var ids = new List<string>();
        foreach (var (name, bytes) in photos)
            ids.Add((string)(await app.Client.UploadAsync(session, bytes, name))["id"]!);

        var answer = (await PostAsync(app.Client, ids)).Expect(HttpStatusCode.OK);
        Assert.Equal("application/zip", answer["Content-Type"]);
        Assert.Equal("attachment; filename=\"photos.zip\"", answer["Content-Disposition"]);
        using var archive = new ZipArchive(new MemoryStream(answer.Bytes));
        Assert.Equal(["Roof.jpg", "roof (2).jpg", "roof.png", "tür.jpg"], archive.Entries.Select(entry => entry.FullName));
        foreach (var (entry, photo) in archive.Entries.Zip(photos))
        {
            Assert.Equal(entry.Length, entry.CompressedLength);
            using var bytes = new MemoryStream();
            await (await entry.OpenAsync(TestContext.Current.CancellationToken)).CopyToAsync(bytes, TestContext.Current.CancellationToken);
            Assert.Equal(photo.Bytes, bytes.ToArray());
        }

        using var twice = new ZipArchive(new MemoryStream((await PostAsync(app.Client, [ids[0], ids[0]])).Expect(HttpStatusCode.OK).Bytes));
        Assert.Equal(app.Clock.GetUtcNow().Date, Assert.Single(twice.Entries).LastWriteTime.Date);
        (await PostAsync(app.Client, [])).Expect(HttpStatusCode.BadRequest);
        (await app.Client.PostAsync("uploads/archive", new JsonObject())).Expect(HttpStatusCode.BadRequest);
        (await PostAsync(app.Client, Enumerable.Range(0, 501).Select(_ => Guid.NewGuid().ToString()))).Expect(HttpStatusCode.BadRequest);
        (await PostAsync(app.Client, Enumerable.Range(0, 500).Select(_ => Guid.NewGuid().ToString()))).Expect(HttpStatusCode.NotFound);
        (await PostAsync(app.Client, [ids[0], Guid.NewGuid().ToString()])).Expect(HttpStatusCode.NotFound);
        (await PostAsync(app.ClientOf(app.TestKey), [ids[0]])).Expect(HttpStatusCode.NotFound);

        await RemoveAsync(1);
        var rest = (await PostAsync(app.Client, ids)).Expect(HttpStatusCode.OK);
        Assert.Equal("1", rest["Apertur-Left-Out"]);
        using (var partial = new ZipArchive(new MemoryStream(rest.Bytes)))
        {
            Assert.Equal(["roof.jpg", "roof.png", "tür.jpg", "left-out.txt"], partial.Entries.Select(entry => entry.FullName));
            using var list = new StreamReader(await partial.Entries[^1].OpenAsync(TestContext.Current.CancellationToken));
            Assert.StartsWith($"{ids[0]}, number 1 of session ", await list.ReadToEndAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        }

        Assert.Equal(1, (int)(await PostAsync(app.Client, ids, "-ticket")).Expect(HttpStatusCode.OK).Json["leftOut"]!);
        await RemoveAsync(4);
        (await PostAsync(app.Client, ids)).Expect(HttpStatusCode.Gone);
        (await PostAsync(app.Client, ids, "-ticket")).Expect(HttpStatusCode.Gone);
        await RemoveAsync(0);

        await SizeAsync(UploadArchive.MostBytes);
        Assert.Contains("2 GB", (string)(await PostAsync(app.Client, ids)).Expect(HttpStatusCode.BadRequest).Json["message"]!, StringComparison.Ordinal);
        // What is left out has no size.
        await RemoveAsync(2);
        (await PostAsync(app.Client, ids)).Expect(HttpStatusCode.OK);
        await RemoveAsync(0);
        // One that is not what was received: nothing comes that could be taken for an archive.
        await SizeAsync(199_999);
        await Assert.ThrowsAnyAsync<Exception>(async () => (await PostAsync(app.Client, ids)).Expect(HttpStatusCode.OK));
        Assert.Contains(app.Log.Lines, line => line.Contains("image.damaged", StringComparison.Ordinal));

        Task RemoveAsync(int first)
        {
            var removed = ids.Take(first).Select(Guid.Parse).ToList();
            var now = app.Clock.GetUtcNow();
            return app.WriteAsync(db => db.Uploads.ExecuteUpdateAsync(
                row => row.SetProperty(upload => upload.RemovedAt, upload => removed.Contains(upload.Id) ? now : null), TestContext.Current.CancellationToken));
        }

        Task SizeAsync(long bytes)
        {
            var second = Guid.Parse(ids[1]);
            return app.WriteAsync(db => db.Uploads.Where(upload => upload.Id == second)
                .ExecuteUpdateAsync(row => row.SetProperty(upload => upload.SizeBytes, bytes), TestContext.Current.CancellationToken));
        }
    }

    [Theory, AllDatabases]
    public async Task Browser_gets_the_archive_by_a_ticket_that_counts_for_a_minute(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        async Task<string> SendAsync(byte[] photo, string name) => (string)(await app.Client.UploadAsync(session, photo, name))["id"]!;
        string[] ids = [await SendAsync(Photos.Jpeg(), "a.jpg"), await SendAsync(Photos.Png(), "b.png")];
        (await PostAsync(app.ClientOf(app.TestKey), ids, "-ticket")).Expect(HttpStatusCode.NotFound);
        var given = (await PostAsync(app.Client, ids, "-ticket")).Expect(HttpStatusCode.OK).Json;
        var ticket = (string)given["ticket"]!;

        var archive = (await FollowAsync(ticket)).Expect(HttpStatusCode.OK);

        Assert.Equal(0, (int)given["leftOut"]!);
        Assert.Equal("attachment; filename=\"photos.zip\"", archive["Content-Disposition"]);
        Assert.Equal((await PostAsync(app.Client, ids)).Expect(HttpStatusCode.OK).Bytes, archive.Bytes);
        // Its time, an id, or the signature alone is another.
        foreach (var other in new[] { "", "A", Forged(8), Forged(20), Forged(ticket.Length - 5), ticket + "AAAA", ticket[..^4] })
            (await FollowAsync(other)).Expect(HttpStatusCode.NotFound);
        (await app.ClientOf(null).PostAsync("downloads/archive")).Expect(HttpStatusCode.NotFound);
        await SwitchOffAsync(app.Clock.GetUtcNow());
        (await FollowAsync(ticket)).Expect(HttpStatusCode.NotFound);
        await SwitchOffAsync(null);
        app.Clock.Jump(TimeSpan.FromSeconds(60));
        (await FollowAsync(ticket)).Expect(HttpStatusCode.OK);
        app.Clock.Jump(TimeSpan.FromSeconds(1));
        (await FollowAsync(ticket)).Expect(HttpStatusCode.NotFound);

        string Forged(int at) => ticket[..at] + (ticket[at] == 'A' ? 'B' : 'A') + ticket[(at + 1)..];
        Task<Answer> FollowAsync(string with) => app.ClientOf(null).SendAsync(
            HttpMethod.Post, "downloads/archive", new FormUrlEncodedContent(new Dictionary<string, string> { ["ticket"] = with }));
        Task SwitchOffAsync(DateTimeOffset? at) => app.WriteAsync(db => db.Projects.ExecuteUpdateAsync(
            row => row.SetProperty(project => project.DisabledAt, at), TestContext.Current.CancellationToken));
    }

    private static Task<Answer> PostAsync(AperturClient client, IEnumerable<string> ids, string what = "") =>
        client.PostAsync("uploads/archive" + what, new JsonObject { ["uploadIds"] = new JsonArray([.. ids.Select(id => JsonValue.Create(id))]) });
}
