using System.Net;
using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Server.ProjectData;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Storage;

/// <summary>What <c>fsck</c> finds in counts and keys, and what <c>--repair</c> mends beside running servers.</summary>
public sealed class FsckTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, AllDatabases]
    public async Task Every_count_is_right_after_all_that_counts(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        await using var good = await Receiver.StartAsync();
        await using var gone = await Receiver.StartAsync();
        gone.Answers([.. Enumerable.Repeat(410, 20)]);
        var (taken, refused) = (await ToAsync(app, good), await ToAsync(app, gone));
        var session = await app.Client.CreateSessionAsync(taken, refused);
        var ids = new List<string>();
        for (var i = 0; i < 4; i++)
            ids.Add((string)(await app.Client.UploadAsync(session, Photos.Jpeg(20_000, i)))["id"]!);
        foreach (var id in ids)
            await app.Client.UploadBecomesAsync(id, "partial");
        await app.Client.UploadAsync(await app.Client.CreateSessionAsync(), Photos.Png());
        (await app.Client.SendAsync(HttpMethod.Delete, $"uploads/{ids[0]}")).Expect(HttpStatusCode.NoContent);
        (await app.Client.PostAsync($"uploads/{ids[1]}/retry")).Expect(HttpStatusCode.OK);
        await app.Client.UploadBecomesAsync(ids[1], "partial");
        // Another project's, whose removal is under way.
        var (other, _, key) = await app.CreateOtherProjectAsync();
        var left = await app.ClientOf(key, other).CreateSessionAsync();
        var going = Guid.Parse((string)(await app.ClientOf(key, other).UploadAsync(left, Photos.Png()))["id"]!);
        var removed = Guid.Parse((string)(await app.ClientOf(key, other).UploadAsync(left, Photos.Png()))["id"]!);
        File.Delete(app.Services.GetRequiredService<BlobStore>().PathOf(going));
        await app.WriteAsync(async db =>
        {
            await db.Uploads.Where(upload => upload.Id == removed).ExecuteDeleteAsync(Cancellation);
            await db.Projects.Where(project => project.Id == other).ExecuteUpdateAsync(p => p.SetProperty(x => x.DeletedAt, app.Clock.GetUtcNow()), Cancellation);
        });

        var found = await app.CommandAsync("fsck");

        Assert.Empty(found["miscounted"]!["sessions"]!.AsArray());
        Assert.Empty(found["miscounted"]!["days"]!.AsArray());
        Assert.Empty(found["unreadableSecrets"]!.AsObject());
    }

    [Theory, AllDatabases]
    public async Task Wrong_counts_are_found_and_put_right_while_photos_come_in(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        await using var receiver = await Receiver.StartAsync();
        var webhook = await ToAsync(app, receiver);
        var sessions = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            sessions.Add(await app.Client.CreateSessionAsync(webhook));
            await app.Client.UploadBecomesAsync((string)(await app.Client.UploadAsync(sessions[i], Photos.Jpeg(20_000, i)))["id"]!, "delivered");
        }

        var right = await CountsAsync(app);
        var (first, second) = (Guid.Parse(sessions[0]), Guid.Parse(sessions[1]));
        await app.WriteAsync(async db =>
        {
            await db.Uploads.Where(u => u.SessionId == first).ExecuteUpdateAsync(
                u => u.SetProperty(x => x.DestinationsDelivered, 0).SetProperty(x => x.DestinationsTotal, 7), Cancellation);
            await db.Sessions.Where(s => s.Id == second).ExecuteUpdateAsync(
                s => s.SetProperty(x => x.ImagesCount, 5).SetProperty(x => x.NextIndex, 0).SetProperty(x => x.DeliveriesOpen, -1), Cancellation);
            await db.DailyCounts.ExecuteDeleteAsync(Cancellation);
            await db.MinuteCounts.ExecuteUpdateAsync(m => m.SetProperty(x => x.Images, 9), Cancellation);
        });
        var (code, output, _) = await app.TryCommandAsync("fsck");
        Assert.Equal(2, code);
        var miscounted = JsonNode.Parse(output)!["miscounted"]!;
        Assert.Equal(sessions[..2].Order(), miscounted["sessions"]!.AsArray().Select(id => (string)id!).Order());
        Assert.Single(miscounted["days"]!.AsArray());
        Assert.NotEqual(right, await CountsAsync(app));

        using var repaired = new CancellationTokenSource();
        var coming = ComeInAsync(app, sessions[2], repaired.Token);
        var runs = await Task.WhenAll(app.CommandAsync("fsck", "--repair"), app.CommandAsync("fsck", "--repair"));
        await repaired.CancelAsync();
        var came = await coming;

        Assert.All(runs, run => Assert.True((bool)run["repaired"]!));
        foreach (var id in came)
            await app.Client.UploadBecomesAsync(id, "delivered");
        Assert.Empty((await app.CommandAsync("fsck"))["miscounted"]!["sessions"]!.AsArray());
        foreach (var id in came)
            (await app.Client.SendAsync(HttpMethod.Delete, $"uploads/{id}")).Expect(HttpStatusCode.NoContent);
        Assert.Equal(right, await CountsAsync(app));
        await app.Client.UploadAsync(sessions[1], Photos.Png());
    }

    [Theory, AllDatabases]
    public async Task Each_count_that_is_wrong_is_found_by_itself_and_put_right_alone(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        await using var good = await Receiver.StartAsync();
        await using var gone = await Receiver.StartAsync();
        gone.Answers(410);
        var session = await app.Client.CreateSessionAsync(await ToAsync(app, good), await ToAsync(app, gone));
        var id = (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!;
        await app.Client.UploadBecomesAsync(id, "partial");
        // Beside it another environment, another project and another day.
        var tests = app.ClientOf(app.TestKey);
        await tests.UploadAsync(await tests.CreateSessionAsync(), Photos.Png());
        var (other, _, key) = await app.CreateOtherProjectAsync();
        await app.ClientOf(key, other).UploadAsync(await app.ClientOf(key, other).CreateSessionAsync(), Photos.Png());
        var today = DailyCount.DayOf(app.Clock.GetUtcNow());
        app.Clock.Jump(TimeSpan.FromDays(1));
        await app.Client.UploadAsync(await app.Client.CreateSessionAsync(), Photos.Png());
        var right = await CountsAsync(app);
        var check = app.Services.GetRequiredService<CountCheck>();

        var mine = $"project_id = '{app.ProjectId}' AND env = 'live'";
        foreach (var (table, rows, columns) in new (string, string, string[])[]
        {
            ("uploads", $"id = '{id}'", ["destinations_total", "destinations_delivered", "destinations_failed"]),
            ("sessions", $"id = '{session}'", ["images_count", "images_dispatched", "images_delivered", "images_failed", "deliveries_open", "next_index"]),
            ("daily_counts", $"{mine} AND day = {today}", ["sessions", "images", "images_delivered", "sent", "failed", "stored_images", "stored_bytes"]),
            ("minute_counts", $"{mine} AND minute < {(today + 1) * 1440}", ["sessions", "images"]),
        })
        {
            foreach (var column in columns)
            {
                // An index that nobody has used is none that is missing.
                var wrong = $"UPDATE {table} SET {column} = {column} {(column == "next_index" ? "-" : "+")} 1 WHERE {rows}";
                await app.WriteAsync(db => db.Database.ExecuteSqlRawAsync(wrong, Cancellation));

                var found = await check.RunAsync(Cancellation);
                Assert.Equal((column, table is "uploads" or "sessions"), (column, found.Sessions.Contains(Guid.Parse(session))));
                if (found.Sessions.Count == 0)
                    Assert.Equal((column, today), (column, Assert.Single(found.Days).Day));
                await check.RepairAsync(found, Cancellation);

                Assert.True((await check.RunAsync(Cancellation)).IsRight, column);
                Assert.Equal(right, await CountsAsync(app));
            }
        }
    }

    [Theory, AllDatabases]
    public async Task Repair_notes_what_is_damaged_and_what_is_right_again(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        var ids = new List<string>();
        for (var i = 0; i < 3; i++)
            ids.Add((string)(await app.Client.UploadAsync(session, Photos.Jpeg(20_000, i)))["id"]!);
        var paths = ids.ConvertAll(id => app.Services.GetRequiredService<BlobStore>().PathOf(Guid.Parse(id)));
        File.Delete(paths[0]);
        await File.WriteAllBytesAsync(paths[1], [1, 2, 3], Cancellation);
        Assert.Equal(2, (await app.TryCommandAsync("fsck")).ExitCode);
        Assert.Equal([null, null, null], await DamageAsync());

        Assert.Equal(2, (await app.TryCommandAsync("fsck", "--repair")).ExitCode);

        Assert.Equal([ImageFault.Missing, ImageFault.Truncated, null], await DamageAsync());
        await File.WriteAllBytesAsync(paths[0], Photos.Jpeg(20_000, 0), Cancellation);
        await File.WriteAllBytesAsync(paths[1], Photos.Jpeg(20_000, 1), Cancellation);
        Assert.Equal(0, (await app.TryCommandAsync("fsck", "--repair")).ExitCode);
        Assert.Equal([null, null, null], await DamageAsync());

        async Task<ImageFault?[]> DamageAsync()
        {
            await using var db = app.Services.GetRequiredService<Database>().Open();
            return await db.Uploads.OrderBy(upload => upload.ImageIndex).Select(upload => upload.Damage).ToArrayAsync(Cancellation);
        }
    }

    [Fact]
    public async Task Repair_sets_old_files_without_a_row_aside_and_deletes_nothing()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var id = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(), Photos.Png()))["id"]!;
        // The command goes by the machine's clock. A project that is older than the files, which are a day and an hour old.
        var yesterday = TimeProvider.System.GetUtcNow().AddHours(-25);
        await app.WriteAsync(db => db.Projects.ExecuteUpdateAsync(p => p.SetProperty(x => x.CreatedAt, yesterday.AddDays(-1)), Cancellation));
        var (old, young) = (Guid.CreateVersion7(yesterday), Guid.CreateVersion7(TimeProvider.System.GetUtcNow()));
        foreach (var orphan in new[] { old, young })
        {
            var path = app.Services.GetRequiredService<BlobStore>().PathOf(orphan);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            await File.WriteAllBytesAsync(path, Photos.Jpeg(), Cancellation);
        }

        File.SetLastWriteTimeUtc(app.Services.GetRequiredService<BlobStore>().PathOf(old), yesterday.UtcDateTime);

        var found = await app.CommandAsync("fsck", "--repair");

        Assert.Equal(1, (int)found["setAside"]!);
        Assert.Equal([(old, true), (young, false)], found["orphaned"]!.AsArray()
            .Select(file => (Guid.Parse((string)file!["id"]!), file["quarantinedOn"] is not null)).OrderBy(file => file.Item1 == young));
        Assert.Equal(Photos.Png(), (await app.Client.GetAsync($"uploads/{id}/download")).Expect(HttpStatusCode.OK).Bytes);
        Assert.Equal(2, Directory.GetFiles(Path.Combine(app.DataFolder, "images"), $"*", SearchOption.AllDirectories)
            .Count(path => path.EndsWith($"{old}", StringComparison.Ordinal) || path.EndsWith($"{young}", StringComparison.Ordinal)));
    }

    [Theory, AllDatabases]
    public async Task Secrets_that_the_keys_here_cannot_read_are_told(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = "https://example.com/" });
        await using var another = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var keys = Path.Combine(app.DataFolder, "keys");
        Directory.Move(keys, keys + "-away");
        Directory.Move(Path.Combine(another.DataFolder, "keys"), keys);

        var (code, output, _) = await app.TryCommandAsync("fsck");

        Assert.Equal(2, code);
        Assert.Equal((1, 1), ((int)JsonNode.Parse(output)!["unreadableSecrets"]!["destinations.config"]!, (int)JsonNode.Parse(output)!["unreadableSecrets"]!["projects.webhook_secret"]!));
        Directory.Move(keys, Path.Combine(another.DataFolder, "keys"));
        Directory.Move(keys + "-away", keys);
        await app.CommandAsync("fsck");
    }

    private static Task<string> ToAsync(AperturApp app, Receiver receiver) =>
        app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });

    private static async Task<List<string>> ComeInAsync(AperturApp app, string session, CancellationToken enough)
    {
        var came = new List<string>();
        while (!enough.IsCancellationRequested && came.Count < 15)
            came.Add((string)(await app.Client.UploadAsync(session, Photos.Jpeg(20_000, 100 + came.Count)))["id"]!);
        return came;
    }

    /// <summary>Every count that is kept.</summary>
    private static async Task<IReadOnlyList<string>> CountsAsync(AperturApp app)
    {
        await using var db = app.Services.GetRequiredService<Database>().Open();
        var uploads = await db.Uploads.Select(u => new { u.Id, u.DestinationsTotal, u.DestinationsDelivered, u.DestinationsFailed }).ToListAsync(Cancellation);
        var sessions = await db.Sessions
            .Select(s => new { s.Id, s.ImagesCount, s.ImagesDispatched, s.ImagesDelivered, s.ImagesFailed, s.DeliveriesOpen }).ToListAsync(Cancellation);
        var days = await db.DailyCounts
            .Select(d => new { d.Day, d.Env, d.Sessions, d.Images, d.ImagesDelivered, d.Sent, d.Failed, d.StoredImages, d.StoredBytes }).ToListAsync(Cancellation);
        var minutes = await db.MinuteCounts.Select(m => new { m.Minute, m.Env, m.Sessions, m.Images }).ToListAsync(Cancellation);
        return
        [
            .. uploads.Select(row => $"{row}").Concat(sessions.Select(row => $"{row}")).Concat(days.Select(row => $"{row}"))
                .Concat(minutes.Select(row => $"{row}")).Order(StringComparer.Ordinal),
        ];
    }
}
