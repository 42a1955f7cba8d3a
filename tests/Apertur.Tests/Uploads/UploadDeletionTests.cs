using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Uploads;

public sealed class UploadDeletionTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, AllDatabases]
    public async Task Withdrawn_image_takes_everything_back_that_was_counted_for_it(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers(200, 200, 410);
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var session = await app.Client.CreateSessionAsync(webhook);
        var kept = (string)(await app.Client.UploadAsync(session, Photos.Jpeg()))["id"]!;
        await app.Client.UploadBecomesAsync(kept, "delivered");
        var before = await CountsAsync(app, session);
        var delivered = (string)(await app.Client.UploadAsync(session, Photos.Jpeg()))["id"]!;
        await app.Client.UploadBecomesAsync(delivered, "delivered");
        var failed = (string)(await app.Client.UploadAsync(session, Photos.Jpeg()))["id"]!;
        await app.Client.UploadBecomesAsync(failed, "failed");
        // The day of a withdrawal need not be that of the image.
        app.Clock.Advance(TimeSpan.FromDays(2));

        var changed = await ChangedAsync(app, session);
        foreach (var id in new[] { delivered, failed })
        {
            var answer = (await app.Client.SendAsync(HttpMethod.Delete, $"uploads/{id}")).Expect(HttpStatusCode.NoContent);
            Assert.Empty(answer.Bytes);
            (await app.Client.SendAsync(HttpMethod.Delete, $"uploads/{id}")).Expect(HttpStatusCode.NotFound);
            (await app.Client.GetAsync($"uploads/{id}/download")).Expect(HttpStatusCode.NotFound);
            Assert.False(await app.Services.GetRequiredService<BlobStore>().ExistsAsync(Guid.Parse(id), Cancellation));
            // Whoever follows the session is told.
            Assert.True(string.CompareOrdinal(await ChangedAsync(app, session), changed) > 0);
            changed = await ChangedAsync(app, session);
        }

        Assert.Equal(before, await CountsAsync(app, session));
        Assert.Equal(kept, (string)(await app.Client.GetAsync("uploads")).Json["data"]!.AsArray().Single()!["id"]!);
    }

    [Theory, AllDatabases]
    public async Task Attempt_under_way_ends_without_an_effect(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        var (arrived, release) = (new TaskCompletionSource(), new TaskCompletionSource());
        receiver.Handles(async context =>
        {
            arrived.SetResult();
            await release.Task;
            context.Response.StatusCode = 500;
        });
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var session = await app.Client.CreateSessionAsync(webhook);
        var before = await CountsAsync(app, session);
        var id = (string)(await app.Client.UploadAsync(session, Photos.Jpeg()))["id"]!;
        await Eventually.Arrives(arrived.Task);

        (await app.Client.SendAsync(HttpMethod.Delete, $"uploads/{id}")).Expect(HttpStatusCode.NoContent);
        release.SetResult();
        await Eventually.Arrives(app.Services.GetRequiredService<Pump>().DrainAsync());

        Assert.Equal(before, await CountsAsync(app, session));
        Assert.DoesNotContain(app.Log.Lines, line => line.StartsWith("Error", StringComparison.Ordinal));
    }

    [Theory, AllDatabases]
    public async Task Withdrawn_image_makes_room_and_keeps_its_index(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["max_images"] = 1, ["long_polling"] = true });
        app.Clock.Jump(TimeSpan.FromMinutes(1));
        var id = (string)(await app.Client.UploadAsync(session, Photos.Jpeg()))["id"]!;
        (await app.Client.PostImageAsync(session, Photos.Jpeg())).Expect(HttpStatusCode.UnprocessableEntity);

        (await app.ClientOf(app.TestKey).SendAsync(HttpMethod.Delete, $"uploads/{id}")).Expect(HttpStatusCode.NotFound);
        // Of several who ask at once, all but one are too late.
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => app.Client.SendAsync(HttpMethod.Delete, $"uploads/{id}")));
        Assert.Single(answers, answer => answer.Status == HttpStatusCode.NoContent);
        Assert.Equal(7, answers.Count(answer => answer.Status == HttpStatusCode.NotFound));

        var next = Guid.Parse((string)(await app.Client.UploadAsync(session, Photos.Jpeg()))["id"]!);
        await using var db = app.Services.GetRequiredService<Database>().Open();
        var upload = await db.Uploads.AsNoTracking().SingleAsync(upload => upload.Id == next, Cancellation);
        Assert.Equal(1, upload.ImageIndex);

        var deletion = app.Services.GetRequiredService<UploadDeletion>();
        var row = await db.Sessions.AsNoTracking().SingleAsync(Cancellation);
        Assert.Equal((true, false), (await deletion.RunAsync(upload, Cancellation), await deletion.RunAsync(upload, Cancellation)));
        Assert.Equal((true, false), (await deletion.RunAsync(row, Cancellation), await deletion.RunAsync(row, Cancellation)));
        Assert.False(await deletion.RunAsync(upload, Cancellation));
        // Nor is a minute kept that has nothing in it any more.
        Assert.Empty(await db.MinuteCounts.AsNoTracking().ToListAsync(Cancellation));
    }

    [Theory, AllDatabases]
    public async Task Minute_goes_on_being_counted_while_something_of_it_is_left(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        // A session without its photo, and a photo without the other.
        var session = await app.Client.CreateSessionAsync();
        var first = (string)(await app.Client.UploadAsync(session, Photos.Jpeg()))["id"]!;
        app.Clock.Jump(TimeSpan.FromMinutes(1));
        var second = (string)(await app.Client.UploadAsync(session, Photos.Jpeg()))["id"]!;
        await app.Client.UploadAsync(session, Photos.Jpeg());

        foreach (var id in new[] { first, second })
            (await app.Client.SendAsync(HttpMethod.Delete, $"uploads/{id}")).Expect(HttpStatusCode.NoContent);

        await using var db = app.Services.GetRequiredService<Database>().Open();
        Assert.Equal(
            [(1L, 0L), (0L, 1L)],
            (await db.MinuteCounts.OrderBy(minute => minute.Minute).ToListAsync(Cancellation)).Select(minute => (minute.Sessions, minute.Images)));
        Assert.True((await app.Services.GetRequiredService<CountCheck>().RunAsync(Cancellation)).IsRight);
    }

    [Theory, AllDatabases]
    public async Task Photo_that_comes_in_while_its_session_is_deleted_is_refused_and_leaves_nothing(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        var (phone, otherHalf) = await RawConnection.SendHalfAPhotoAsync(app, session);
        using var connection = phone;

        (await app.Client.SendAsync(HttpMethod.Delete, $"upload-sessions/{session}")).Expect(HttpStatusCode.NoContent);
        await phone.SendAsync(otherHalf);

        Assert.StartsWith("HTTP/1.1 404 ", await phone.ReadAsync(), StringComparison.Ordinal);
        Assert.Empty(Files());

        IEnumerable<string> Files() => Directory.EnumerateFiles(Path.Combine(app.DataFolder, "images"), "*-*", SearchOption.AllDirectories);
    }

    private static async Task<string> ChangedAsync(AperturApp app, string session) =>
        (string)(await app.Client.GetAsync($"upload-sessions/{session}/delivery-status")).Expect(HttpStatusCode.OK).Json["lastChanged"]!;

    /// <summary>What lists, sums and the session say, without what must move: the time of the last change.</summary>
    private static async Task<string> CountsAsync(AperturApp app, string session)
    {
        var stats = (await app.Client.GetAsync("stats")).Expect(HttpStatusCode.OK).Text;
        var total = (await app.Client.GetAsync("uploads")).Json["total"]!.ToJsonString();
        await using var db = app.Services.GetRequiredService<Database>().Open();
        var id = Guid.Parse(session);
        var row = await db.Sessions.AsNoTracking().SingleAsync(s => s.Id == id, Cancellation);
        return $"{stats} {total} {row.ImagesCount} {row.ImagesDispatched} {row.ImagesDelivered} {row.ImagesFailed} {row.DeliveriesOpen}";
    }
}
