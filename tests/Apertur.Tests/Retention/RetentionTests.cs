using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server.Projects;
using Apertur.Server.Queue;
using Apertur.Server.Retention;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Retention;

/// <summary>What is removed when its time is up, and what is not.</summary>
public sealed class RetentionTests(ITestOutputHelper output)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, AllDatabases]
    public async Task Photo_goes_when_its_time_is_up_and_its_row_keeps_counts_and_hash(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        await KeepAsync(app, days: 7);
        var session = await app.Client.CreateSessionAsync(await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url }));
        var upload = await app.Client.UploadAsync(session, Photos.Png(), "Anna at home.png");
        var id = (string)upload["id"]!;
        await app.Client.UploadBecomesAsync(id, "delivered");
        var stats = (await app.Client.GetAsync("stats")).Text;
        Assert.Equal((1L, Photos.Png().Length), await StoredAsync(app));
        if (database == DatabaseKind.Sqlite)
        {
            // As where many rows were.
            foreach (var statement in new[] { "CREATE TABLE large (bytes)", "INSERT INTO large VALUES (zeroblob(500000))", "DROP TABLE large" })
                await app.WriteAsync(db => db.Database.ExecuteSqlRawAsync(statement, Cancellation));
            Assert.InRange(await FreePagesAsync(app), 100, int.MaxValue);
        }

        await PassAsync(app, TimeSpan.FromDays(7) - TimeSpan.FromMinutes(1));
        (await app.Client.GetAsync($"uploads/{id}/download")).Expect(HttpStatusCode.OK);
        var changed = (await app.Client.GetAsync($"upload-sessions/{session}/delivery-status")).Json["lastChanged"]!;
        await PassAsync(app, TimeSpan.FromMinutes(2));

        var gone = (await app.Client.GetAsync($"uploads/{id}/download")).Expect(HttpStatusCode.Gone);
        Assert.Equal("IMAGE_REMOVED", (string)gone.Json["code"]!);
        (await app.Client.PostAsync($"uploads/{id}/retry")).Expect(HttpStatusCode.Gone);
        Assert.False(await app.Services.GetRequiredService<BlobStore>().ExistsAsync(Guid.Parse(id), Cancellation));
        var row = (await app.Client.GetAsync($"uploads/{id}")).Expect(HttpStatusCode.OK).Json;
        Assert.Equal((string)upload["sha256"]!, (string)row["sha256"]!);
        Assert.Equal(("removed", "delivered"), ((string)row["filename"]!, (string)row["status"]!));
        Assert.NotNull((string?)row["removedAt"]);
        Assert.Equal(stats, (await app.Client.GetAsync("stats")).Text);
        Assert.Equal((0L, 0L), await StoredAsync(app));
        var status = (await app.Client.GetAsync($"upload-sessions/{session}/delivery-status")).Json;
        Assert.True(string.CompareOrdinal((string)status["lastChanged"]!, (string)changed!) > 0);
        Assert.False((bool)status["files"]![0]!["has_thumbnail"]!);
        Assert.DoesNotContain(await app.TextsAsync(), text => text.Place.StartsWith("uploads", StringComparison.Ordinal) && text.Text.Contains("Anna", StringComparison.Ordinal));
        await CleanAsync(app);
        Assert.DoesNotContain(app.Log.Lines, line => line.Contains("retention.removed 0 ", StringComparison.Ordinal));
        // The round that the clock began gives pages back as well.
        if (database == DatabaseKind.Sqlite)
            await Eventually.Becomes(() => FreePagesAsync(app), pages => pages == 0);
    }

    [Theory, AllDatabases]
    public async Task Photo_whose_delivery_is_open_stays_however_old_it_is_and_goes_at_once_after_it(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        await KeepAsync(app, days: 0);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var session = await app.Client.CreateSessionAsync(webhook);
        var done = (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!;
        await app.Client.UploadBecomesAsync(done, "delivered");
        await SwitchAsync(app, webhook, on: false);
        var id = (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!;

        await PassAsync(app, TimeSpan.FromDays(400));
        // Another of the same session goes all the same.
        (await app.Client.GetAsync($"uploads/{done}/download")).Expect(HttpStatusCode.Gone);
        (await app.Client.GetAsync($"uploads/{id}/download")).Expect(HttpStatusCode.OK);
        await SwitchAsync(app, webhook, on: true);
        await app.Client.UploadBecomesAsync(id, "delivered");
        await PassAsync(app, TimeSpan.FromSeconds(1));

        (await app.Client.GetAsync($"uploads/{id}/download")).Expect(HttpStatusCode.Gone);
        Assert.Equal(2, receiver.Requests.Count);
    }

    [Theory, AllDatabases]
    public async Task Photo_that_waits_to_be_fetched_stays_until_it_was_acknowledged(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        await KeepAsync(app, days: 1);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["long_polling"] = true });
        var id = (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!;
        var stored = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(), Photos.Png()))["id"]!;

        await PassAsync(app, TimeSpan.FromDays(30));
        (await app.Client.GetAsync($"uploads/{stored}/download")).Expect(HttpStatusCode.Gone);
        Assert.Equal(id, (string)Assert.Single((await app.Client.GetAsync($"upload-sessions/{session}/poll")).Json["images"]!.AsArray())!["id"]!);
        (await app.Client.PostAsync($"upload-sessions/{session}/images/{id}/ack")).Expect(HttpStatusCode.OK);
        await PassAsync(app, TimeSpan.FromHours(23));
        (await app.Client.GetAsync($"uploads/{id}/download")).Expect(HttpStatusCode.OK);
        await PassAsync(app, TimeSpan.FromHours(2));

        (await app.Client.GetAsync($"uploads/{id}/download")).Expect(HttpStatusCode.Gone);
    }

    [Theory]
    [AllDatabases(true)]
    [AllDatabases(false)]
    public async Task Photo_that_is_wanted_again_while_its_removal_begins_stays_and_one_that_is_removed_meanwhile_is_so_once(
        DatabaseKind database, bool isWanted)
    {
        var count = new QueryCount();
        await using var app = await AperturApp.StartAsync(database, configure: services =>
        {
            count.Into(services);
            services.WithoutLoopOf<PhotoRetention>();
        });
        await KeepAsync(app, days: 0);
        var session = Guid.Parse(await app.Client.CreateSessionAsync());
        var id = (string)(await app.Client.UploadAsync($"{session}", Photos.Png()))["id"]!;
        app.Clock.Jump(TimeSpan.FromDays(1));

        var round = Task.FromResult(0L);
        await app.WriteAsync(async db =>
        {
            await app.Services.GetRequiredService<Database>().Locked(db.Sessions, [session]).ToListAsync(Cancellation);
            if (isWanted)
            {
                await db.Sessions.ExecuteUpdateAsync(row => row.SetProperty(s => s.LongPolling, true), Cancellation);
            }
            else
            {
                var upload = await db.Uploads.SingleAsync(Cancellation);
                upload.Remove(app.Clock.GetUtcNow());
                db.Counts.For(upload.ProjectId, upload.Env, upload.CreatedAt).Unstore(upload);
            }

            var before = count.Queries;
            round = app.Services.GetRequiredService<PhotoRetention>().RunOnceAsync(Cancellation);
            // It has looked for photos that are leaving, for projects and for photos whose time is up.
            await Eventually.True(() => count.Queries >= before + 3);
        });
        await round;

        (await app.Client.GetAsync($"uploads/{id}/download")).Expect(isWanted ? HttpStatusCode.OK : HttpStatusCode.Gone);
        Assert.Equal((isWanted ? 1L : 0L, isWanted ? (long)Photos.Png().Length : 0L), await StoredAsync(app));
        // Nor is it found again once its file is gone.
        await app.Services.GetRequiredService<PhotoRetention>().RunOnceAsync(Cancellation);
        Assert.Equal(0, await app.Services.GetRequiredService<PhotoRetention>().RunOnceAsync(Cancellation));
    }

    [Theory, AllDatabases]
    public async Task Only_photos_of_the_project_that_says_so_go(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        await KeepAsync(app, days: 1, rows: "remove");
        var (otherId, _, key) = await app.CreateOtherProjectAsync();
        var other = app.ClientOf(key, otherId);
        var mine = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(), Photos.Png()))["id"]!;
        var theirs = (string)(await other.UploadAsync(await other.CreateSessionAsync(), Photos.Png()))["id"]!;
        var theirRemoved = (string)(await other.UploadAsync(await other.CreateSessionAsync(), Photos.Png()))["id"]!;
        await app.WriteAsync(async db => (await db.Uploads.FindAsync([Guid.Parse(theirRemoved)], Cancellation))!.Remove(app.Clock.GetUtcNow()));

        await PassAsync(app, TimeSpan.FromDays(30));

        (await app.Client.GetAsync($"uploads/{mine}")).Expect(HttpStatusCode.NotFound);
        (await other.GetAsync($"uploads/{theirs}/download")).Expect(HttpStatusCode.OK);
        (await other.GetAsync($"uploads/{theirRemoved}")).Expect(HttpStatusCode.OK);
        // Nor does a project that is on its way out: its rows and photos go by another way.
        await app.WriteAsync(async db =>
        {
            var project = await db.Projects.SingleAsync(p => p.Id == otherId, Cancellation);
            (project.RetentionDays, project.DeletedAt) = (0, app.Clock.GetUtcNow());
        });
        await PassAsync(app, TimeSpan.Zero);
        Assert.True(await app.Services.GetRequiredService<BlobStore>().ExistsAsync(Guid.Parse(theirs), Cancellation));
    }

    [Theory, AllDatabases]
    public async Task Photo_that_arrived_late_stays_its_days_from_then_and_its_delivery_forgets_its_name(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        await KeepAsync(app, days: 7);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var session = await app.Client.CreateSessionAsync(webhook);
        await SwitchAsync(app, webhook, on: false);
        var id = (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!;
        var later = Guid.Parse((string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!);
        await PassAsync(app, TimeSpan.FromDays(5));
        await SwitchAsync(app, webhook, on: true);
        await app.Client.UploadBecomesAsync(id, "delivered");
        await app.Client.UploadBecomesAsync($"{later}", "delivered");
        await app.WriteAsync(db => db.Deliveries.ExecuteUpdateAsync(
            row => row.SetProperty(r => r.Reference, "Anna at home.png").SetProperty(r => r.Resume, "where it stood"), Cancellation));

        await PassAsync(app, TimeSpan.FromDays(6));
        (await app.Client.GetAsync($"uploads/{id}/download")).Expect(HttpStatusCode.OK);
        Assert.Equal("Anna at home.png", (await app.DeliveriesAsync(id)).Single().Reference);
        await app.WriteAsync(db => db.Deliveries.Where(row => row.UploadId == later).ExecuteUpdateAsync(
            row => row.SetProperty(r => r.UpdatedAt, app.Clock.GetUtcNow()), Cancellation));
        await PassAsync(app, TimeSpan.FromDays(2));

        (await app.Client.GetAsync($"uploads/{id}/download")).Expect(HttpStatusCode.Gone);
        var row = (await app.DeliveriesAsync(id)).Single();
        Assert.Equal((null, null), (row.Reference, row.Resume));
        var kept = (await app.DeliveriesAsync($"{later}")).Single();
        Assert.Equal(("Anna at home.png", "where it stood"), (kept.Reference, kept.Resume));
    }

    [Theory, AllDatabases]
    public async Task Session_that_was_closed_early_stays_known_until_its_link_has_expired_for_as_long(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database, new Dictionary<string, string?> { ["Retention:SessionDays"] = "3" });
        var closed = await app.Client.CreateSessionAsync(new JsonObject { ["expires_in_hours"] = 168 });
        await app.Client.PostAsync($"upload-sessions/{closed}/complete");
        var used = await app.Client.CreateSessionAsync();
        await app.Client.UploadAsync(used, Photos.Png());
        var open = await app.Client.CreateSessionAsync(new JsonObject { ["password"] = "open sesame", ["expires_in_hours"] = 168 });
        await app.ClientOf(null).PostAsync($"upload/{open}/event-ticket", new { password = "open sesame" });
        await HistoryAsync(app);
        Assert.Equal(1, await TicketsAsync());

        app.Clock.Jump(TimeSpan.FromDays(6));
        await app.Services.GetRequiredService<SessionSweep>().RunOnceAsync(Cancellation);
        await HistoryAsync(app);
        Assert.Equal(3, (int)(await app.Client.GetAsync("sessions")).Json["total"]!);
        Assert.Equal(0, await TicketsAsync());
        app.Clock.Jump(TimeSpan.FromDays(5));
        await app.Services.GetRequiredService<SessionSweep>().RunOnceAsync(Cancellation);
        await HistoryAsync(app);

        // One that holds a photo stays with it; one that has only just been seen to be over stays its days from then.
        Assert.Equal(
            new[] { open, used }.Order(), (await app.Client.GetAsync("sessions")).Json["data"]!.AsArray().Select(row => (string)row!["id"]!).Order());

        async Task<int> TicketsAsync()
        {
            await using var db = app.Services.GetRequiredService<Database>().Open();
            return await db.EventTickets.CountAsync(Cancellation);
        }
    }

    [Theory, AllDatabases]
    public async Task Rows_go_too_where_the_project_says_so_and_then_the_empty_session(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        await KeepAsync(app, days: 1, rows: "remove");
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        // Longer than it takes to be closed and emptied.
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["destination_ids"] = new JsonArray(webhook), ["expires_in_hours"] = 72 });
        var id = (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!;
        await app.Client.UploadBecomesAsync(id, "delivered");

        await PassAsync(app, TimeSpan.FromHours(23));
        (await app.Client.PostAsync($"upload-sessions/{session}/complete")).Expect(HttpStatusCode.OK);
        await PassAsync(app, TimeSpan.FromDays(2));
        (await app.Client.GetAsync($"uploads/{id}")).Expect(HttpStatusCode.NotFound);
        Assert.Equal(0, (int)(await app.Client.GetAsync("uploads")).Json["total"]!);
        var stats = (await app.Client.GetAsync("stats")).Json;
        Assert.Equal((0, 0, 1), ((int)stats["imagesUploaded"]!, (int)stats["imagesDelivered"]!, (int)stats["sessionsTotal"]!));
        Assert.Equal((0L, 0L), await StoredAsync(app));
        Assert.Equal(0, (int)(await app.Client.GetAsync("sessions")).Json["data"]![0]!["imagesCount"]!);
        await CleanAsync(app);

        app.Clock.Jump(TimeSpan.FromDays(362));
        await HistoryAsync(app);
        Assert.Equal(1, (int)(await app.Client.GetAsync("sessions")).Json["total"]!);
        app.Clock.Jump(TimeSpan.FromDays(4));
        await HistoryAsync(app);
        Assert.Equal(0, (int)(await app.Client.GetAsync("sessions")).Json["total"]!);
        Assert.Equal(0, (int)(await app.Client.GetAsync("stats")).Json["sessionsTotal"]!);
    }

    [Theory, AllDatabases]
    public async Task Rows_that_go_make_no_room_for_others_while_their_session_is_open(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        await KeepAsync(app, days: 0, rows: "remove");
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["max_images"] = 2 });
        var id = (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!;
        await PassAsync(app, TimeSpan.FromSeconds(1));

        Assert.NotNull((string?)(await app.Client.GetAsync($"uploads/{id}")).Expect(HttpStatusCode.OK).Json["removedAt"]);
        await app.Client.UploadAsync(session, Photos.Png());
        (await app.Client.PostImageAsync(session, Photos.Png())).Expect(HttpStatusCode.UnprocessableEntity);
        await PassAsync(app, TimeSpan.FromSeconds(1));
        (await app.Client.PostImageAsync(session, Photos.Png())).Expect(HttpStatusCode.UnprocessableEntity);
        var changed = (string)(await app.Client.GetAsync($"upload-sessions/{session}/delivery-status")).Json["lastChanged"]!;
        await PassAsync(app, TimeSpan.FromDays(2));
        (await app.Client.GetAsync($"uploads/{id}")).Expect(HttpStatusCode.NotFound);
        var status = (await app.Client.GetAsync($"upload-sessions/{session}/delivery-status")).Expect(HttpStatusCode.OK).Json;
        Assert.True(string.CompareOrdinal((string)status["lastChanged"]!, changed) > 0);
        await CleanAsync(app);
    }

    [Theory, AllDatabases]
    public async Task Removal_that_a_crash_interrupted_is_finished(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        await KeepAsync(app, days: null);
        var session = await app.Client.CreateSessionAsync();
        var first = Guid.Parse((string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!);
        var second = Guid.Parse((string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!);
        var blobs = app.Services.GetRequiredService<BlobStore>();

        // Out of reach, with what was found of it, and no further.
        await app.WriteAsync(async db =>
        {
            var upload = await db.Uploads.SingleAsync(u => u.Id == first, Cancellation);
            (upload.DamagedAt, upload.Damage) = (app.Clock.GetUtcNow(), Apertur.Destinations.ImageFault.Altered);
            (upload.ThumbnailFailure, upload.ThumbnailFailedBy) = ("no picture", "a build");
            upload.Remove(app.Clock.GetUtcNow());
            Assert.True((upload.DamagedAt, upload.Damage, upload.ThumbnailFailure, upload.ThumbnailFailedBy) is (null, null, null, null));
        });
        (await app.Client.GetAsync($"uploads/{first}/download")).Expect(HttpStatusCode.Gone);
        Assert.True(await blobs.ExistsAsync(first, Cancellation));
        await PassAsync(app, TimeSpan.FromSeconds(1));

        Assert.Equal((false, true), (await blobs.ExistsAsync(first, Cancellation), await blobs.ExistsAsync(second, Cancellation)));
        // A power cut brings the file back, of which the row says that it is gone.
        File.Copy(blobs.PathOf(second), blobs.PathOf(first));
        File.SetLastWriteTimeUtc(blobs.PathOf(first), app.Clock.GetUtcNow().UtcDateTime);
        app.Clock.Jump(TimeSpan.FromDays(2));
        await app.Services.GetServices<Microsoft.Extensions.Hosting.IHostedService>().OfType<OrphanCleanup>().Single().RunOnceAsync(Cancellation);
        Assert.Equal((false, true), (await blobs.ExistsAsync(first, Cancellation), await blobs.ExistsAsync(second, Cancellation)));
    }

    [Theory, AllDatabases]
    public async Task Deleted_session_is_gone_with_photos_deliveries_and_counts(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var other = await app.Client.CreateSessionAsync();
        await app.Client.UploadAsync(other, Photos.Png());
        var before = (await app.Client.GetAsync("stats")).Text;
        Assert.Equal(1, await MinutesAsync(app));
        app.Clock.Jump(TimeSpan.FromMinutes(1));
        var session = await app.Client.CreateSessionAsync(webhook);
        var delivered = (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!;
        await app.Client.UploadBecomesAsync(delivered, "delivered");
        await SwitchAsync(app, webhook, on: false);
        var waiting = (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!;
        var seen = (string)(await app.Client.GetAsync($"upload-sessions/{session}/delivery-status")).Json["lastChanged"]!;
        var timers = app.Clock.WaitingTimers;
        var held = app.Client.GetAsync($"upload-sessions/{session}/delivery-status?pollFrom={seen}");
        await Eventually.True(() => app.Clock.WaitingTimers > timers);

        (await app.Client.SendAsync(HttpMethod.Delete, $"upload-sessions/{session}")).Expect(HttpStatusCode.NoContent);

        (await Eventually.Arrives(held)).Expect(HttpStatusCode.NotFound);
        (await app.Client.SendAsync(HttpMethod.Delete, $"upload-sessions/{session}")).Expect(HttpStatusCode.NotFound);
        (await app.Client.GetAsync($"upload-sessions/{session}")).Expect(HttpStatusCode.NotFound);
        (await app.Client.PostImageAsync(session, Photos.Png())).Expect(HttpStatusCode.NotFound);
        foreach (var id in new[] { delivered, waiting })
        {
            (await app.Client.GetAsync($"uploads/{id}")).Expect(HttpStatusCode.NotFound);
            Assert.False(await app.Services.GetRequiredService<BlobStore>().ExistsAsync(Guid.Parse(id), Cancellation));
        }

        Assert.Equal(before, (await app.Client.GetAsync("stats")).Text);
        Assert.Equal(1, await MinutesAsync(app));
        await SwitchAsync(app, webhook, on: true);
        await PassAsync(app, TimeSpan.FromMinutes(1));
        Assert.Single(receiver.Requests);
        await CleanAsync(app);
    }

    [Theory, AllDatabases]
    public async Task History_goes_at_its_age_and_attempts_of_open_deliveries_stay(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database, new Dictionary<string, string?>
        {
            ["Retention:AuditDays"] = "10",
            ["Retention:AttemptDays"] = "5",
            ["Retention:IdempotencyHours"] = "48",
        });
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var session = await app.Client.CreateSessionAsync(webhook);
        var sent = (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!;
        await app.Client.UploadBecomesAsync(sent, "delivered");
        receiver.Answers(410, 500);
        var failed = (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!;
        await app.Client.UploadBecomesAsync(failed, "failed");
        var open = (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!;
        await Eventually.Becomes(() => app.DeliveriesAsync(open), rows => rows[0].State == DeliveryState.Retrying, "it is tried again");
        await SwitchAsync(app, webhook, on: false);
        await app.Client.SendAsync(HttpMethod.Post, "upload-sessions", null, ("Idempotency-Key", "k"));

        Assert.Equal((2, 1, 2, 1), await HistoryCountsAsync(app, open));
        app.Clock.Jump(TimeSpan.FromDays(1.9));
        await HistoryAsync(app);
        Assert.Equal((2, 1, 2, 1), await HistoryCountsAsync(app, open));
        app.Clock.Jump(TimeSpan.FromDays(4));
        await HistoryAsync(app);
        Assert.Equal((0, 1, 2, 0), await HistoryCountsAsync(app, open));
        app.Clock.Jump(TimeSpan.FromDays(5));
        await HistoryAsync(app);
        Assert.Equal((0, 1, 0, 0), await HistoryCountsAsync(app, open));
    }

    [Theory, AllDatabases]
    public async Task Retention_is_set_by_the_api_and_on_the_command_line(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var owner = await app.SignInAsync();
        var path = $"projects/{app.ProjectId}";

        Assert.Equal((null, "keep"), Of((await owner.Client.GetAsync(path)).Json));
        Assert.Equal((0, "remove"), Of((await owner.Client.SendAsync(HttpMethod.Patch, path, new { retentionDays = 0, retentionRows = "remove" })).Json));
        foreach (var wrong in new object[] { new { retentionDays = -1 }, new { retentionDays = 3651 }, new { retentionRows = "some" } })
            (await owner.Client.SendAsync(HttpMethod.Patch, path, wrong)).Expect(HttpStatusCode.BadRequest);
        await app.CommandAsync("project", "retention", "--project", app.ProjectId.ToString(), "--days", "30", "--rows", "keep");
        Assert.Equal((30, "keep"), Of((await owner.Client.GetAsync(path)).Json));
        await app.CommandAsync("project", "retention", "--project", app.ProjectId.ToString());
        Assert.Equal((null, "keep"), Of((await owner.Client.GetAsync(path)).Json));
        Assert.Equal(1, (await app.TryCommandAsync("project", "retention", "--project", app.ProjectId.ToString(), "--days", "4000")).ExitCode);

        static (int?, string) Of(JsonNode project) => ((int?)project["retentionDays"], (string)project["retentionRows"]!);
    }

    [Theory, AllDatabases]
    public async Task Over_many_days_exactly_the_right_photos_go(DatabaseKind database) => await ManyDaysAsync(database, days: 12, photos: 120, sweeps: true);

    /// <summary>See chaos/README.md.</summary>
    [Theory(Explicit = true), AllDatabases]
    public async Task Figures(DatabaseKind database)
    {
        Assert.SkipUnless(
            database.ToString() == (Environment.GetEnvironmentVariable("CHAOS_DATABASE") ?? nameof(DatabaseKind.Sqlite)), "Another database was asked for.");
        var photos = int.Parse(Environment.GetEnvironmentVariable("CHAOS_PHOTOS")!, CultureInfo.InvariantCulture);
        await ManyDaysAsync(database, days: 90, photos, sweeps: Environment.GetEnvironmentVariable("CHAOS_WITHOUT_SWEEP") is null);
    }

    /// <summary>Photos of every kind come in day by day; what must be there is worked out here, apart from the server's code.</summary>
    private async Task ManyDaysAsync(DatabaseKind database, int days, int photos, bool sweeps)
    {
        const int Kept = 3;
        await using var receiver = await Receiver.StartAsync();
        receiver.Otherwise = context =>
        {
            context.Response.StatusCode = context.Request.Path == "/refuses" ? 410 : 200;
            return Task.CompletedTask;
        };
        await using var app = await AperturApp.StartAsync(database, configure: services => services.WithoutLoopOf<PhotoRetention>());
        await KeepAsync(app, Kept);
        var accepts = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url + "/accepts" });
        var refuses = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url + "/refuses" });
        var parked = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url + "/parked" });
        var parkedId = Guid.Parse(parked);
        await app.WriteAsync(async db => (await db.Destinations.SingleAsync(d => d.Id == parkedId, Cancellation)).ParkedReason = "It waits for its owner.");
        var blobs = app.Services.GetRequiredService<BlobStore>();
        var image = Photos.Png();
        var done = new Dictionary<Guid, int?>();   // the day on which everything of a photo was done; null while something is open
        var flat = 0L;
        for (var day = 0; day < days; day++)
        {
            var sessions = new (string Session, bool IsOpen)[5];
            for (var photo = 0; photo < photos / days; photo++)
            {
                if (photo % 400 == 0)
                {
                    sessions =
                    [
                        (await SessionAsync(), false), (await SessionAsync(accepts), false), (await SessionAsync(accepts, refuses), false),
                        (await SessionAsync(accepts, parked), true), (await SessionAsync(["pull"]), true),
                    ];
                }

                // Few of those that stay, so that what is flat shows.
                var kind = photo % 20 == 3 ? 3 : photo % 10 == 4 ? 4 : photo % 3;
                var (session, isOpen) = sessions[kind];
                var id = (string)(await app.Client.UploadAsync(session, image))["id"]!;
                var acknowledged = kind == 4 && photo % 20 == 4;
                if (acknowledged)
                    (await app.Client.PostAsync($"images/{id}/ack")).Expect(HttpStatusCode.OK);
                done[Guid.Parse(id)] = isOpen && !acknowledged ? null : day;
            }

            await QuietAsync(app, parked);
            app.Clock.Jump(TimeSpan.FromDays(1));
            if (sweeps)
                await app.Services.GetRequiredService<PhotoRetention>().RunOnceAsync(Cancellation);
            // What was done on a day is gone when as many days have passed since.
            var expected = done.Where(photo => photo.Value is not { } at || day + 1 - at < Kept).Select(photo => photo.Key).ToHashSet();
            var there = await blobs.EnumerateAsync(Cancellation).Select(blob => blob.Id).ToHashSetAsync(cancellationToken: Cancellation);
            Assert.True(expected.SetEquals(there), $"day {day}: {expected.Except(there).Count()} photos too many are gone, {there.Except(expected).Count()} are still there");
            var passing = there.Count(id => done[id] is not null) * (long)image.Length;
            flat = day == Kept ? passing : flat;
            Assert.True(day <= Kept || passing <= flat, $"day {day}: {passing} bytes of photos that pass, {flat} on day {Kept}");
        }

        // A session of 500 photos for these destinations, or for whoever fetches them.
        Task<string> SessionAsync(params string[] to) => app.Client.CreateSessionAsync(new JsonObject
        {
            ["max_images"] = 500,
            ["long_polling"] = to is ["pull"],
            ["destination_ids"] = to is ["pull"] ? [] : new JsonArray([.. to.Select(id => JsonValue.Create(id))]),
        });

        var stored = await StoredAsync(app);
        var lengths = await blobs.EnumerateAsync(Cancellation).Select(blob => blob.Length).ToListAsync(Cancellation);
        Assert.Equal((lengths.Count, lengths.Sum()), stored);
        await CleanAsync(app);
        output.WriteLine(
            $"{database}: {days} days, {done.Count} photos: {done.Count(photo => photo.Value is null)} with something open all there, exactly the right "
            + $"{done.Count - stored.Images} gone, {flat} bytes of the others on day {Kept} and never more; fsck clean.");
    }

    /// <summary>Waits until nothing waits but for the destination that is parked.</summary>
    private static Task QuietAsync(AperturApp app, string parked)
    {
        var waits = Guid.Parse(parked);
        return Eventually.Becomes(
            async () =>
            {
                await using var db = app.Services.GetRequiredService<Database>().Open();
                return await db.Deliveries.CountAsync(
                    row => row.DestinationId != waits && row.State != DeliveryState.Sent && row.State != DeliveryState.Failed, Cancellation);
            },
            open => open == 0);
    }

    private static Task KeepAsync(AperturApp app, int? days, string rows = "keep") => app.WriteAsync(
        async db =>
        {
            var project = await db.Projects.SingleAsync(p => p.Id == app.ProjectId, Cancellation);
            (project.RetentionDays, project.RetentionRows) = (days, rows == "keep" ? RetentionRows.Keep : RetentionRows.Remove);
        });

    private static async Task PassAsync(AperturApp app, TimeSpan time)
    {
        await app.PassAsync(time);
        await app.Services.GetRequiredService<PhotoRetention>().RunOnceAsync(Cancellation);
    }

    private static Task HistoryAsync(AperturApp app) => app.Services.GetRequiredService<HistoryRetention>().RunOnceAsync(Cancellation);

    private static async Task<(int Ended, int Open, int Audit, int Repeats)> HistoryCountsAsync(AperturApp app, string open)
    {
        var waits = (await app.DeliveriesAsync(open)).Single().Id;
        await using var db = app.Services.GetRequiredService<Database>().Open();
        return (
            await db.DeliveryAttempts.CountAsync(attempt => attempt.DeliveryId != waits, Cancellation),
            await db.DeliveryAttempts.CountAsync(attempt => attempt.DeliveryId == waits, Cancellation),
            await db.AuditLog.CountAsync(Cancellation),
            await db.IdempotentAnswers.CountAsync(Cancellation));
    }

    /// <summary>Minutes in which there was something that is still there.</summary>
    private static async Task<int> MinutesAsync(AperturApp app)
    {
        await using var db = app.Services.GetRequiredService<Database>().Open();
        return await db.MinuteCounts.CountAsync(Cancellation);
    }

    private static async Task<int> FreePagesAsync(AperturApp app)
    {
        await using var db = app.Services.GetRequiredService<Database>().Open();
        return await db.Database.SqlQueryRaw<int>("SELECT freelist_count AS \"Value\" FROM pragma_freelist_count").SingleAsync(Cancellation);
    }

    private static async Task<(long Images, long Bytes)> StoredAsync(AperturApp app)
    {
        var stored = (await app.Client.GetAsync($"projects/{app.ProjectId}")).Expect(HttpStatusCode.OK).Json["stored"]!;
        return ((long)stored["images"]!, (long)stored["bytes"]!);
    }

    private static async Task CleanAsync(AperturApp app)
    {
        var report = await app.Services.GetRequiredService<StorageCheck>().RunAsync(compareHashes: true, repair: false, Cancellation);
        Assert.Empty(report.Damaged);
        Assert.Empty(report.Orphaned);
    }

    private static async Task SwitchAsync(AperturApp app, string destination, bool on) =>
        (await app.Client.SendAsync(HttpMethod.Patch, $"projects/{app.ProjectId}/destinations/{destination}", new JsonObject { ["isActive"] = on }))
            .Expect(HttpStatusCode.OK);
}
