using System.Net;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Apertur.Tests.Storage;

/// <summary>What becomes of files that no row names.</summary>
public sealed class OrphanCleanupTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, AllDatabases]
    public async Task File_without_a_row_is_set_aside_after_a_day_and_deleted_after_a_month(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        // How old the database is the oldest project tells, wherever its row stands.
        await app.CreateOtherProjectAsync();
        await app.WriteAsync(db => db.Projects.Where(project => project.Id == app.ProjectId).ExecuteUpdateAsync(
            project => project.SetProperty(p => p.CreatedAt, app.Clock.GetUtcNow().AddDays(1)), Cancellation));
        // Two, which share a folder where they are set aside.
        var orphan = Plant(app, app.Clock.GetUtcNow().AddMinutes(1));
        Plant(app, app.Clock.GetUtcNow().AddMinutes(1));
        app.Clock.Jump(TimeSpan.FromHours(23));
        await CleanUpAsync(app);
        Assert.True(File.Exists(orphan));

        app.Clock.Jump(TimeSpan.FromHours(2));
        await CleanUpAsync(app);
        await Eventually.True(() => Quarantined(app).Length == 2);
        Assert.False(File.Exists(orphan));
        Assert.Equal(Photos.Png(), await File.ReadAllBytesAsync(Quarantined(app)[0], Cancellation));
        await Eventually.True(() => app.Log.Lines.Any(line => line.Contains("orphans.quarantined ", StringComparison.Ordinal)));

        app.Clock.Jump(TimeSpan.FromDays(30));
        await CleanUpAsync(app);
        Assert.Equal(2, Quarantined(app).Length);
        app.Clock.Jump(TimeSpan.FromDays(1));
        await CleanUpAsync(app);
        await Eventually.True(() => Quarantined(app).Length == 0);
    }

    [Theory, AllDatabases]
    public async Task Photo_that_is_older_than_the_database_stays_where_it_is(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var older = Plant(app, app.Clock.GetUtcNow().AddDays(-30));
        app.Clock.Jump(TimeSpan.FromHours(26));

        await CleanUpAsync(app);

        Assert.True(File.Exists(older));
    }

    [Theory, AllDatabases]
    public async Task Photo_whose_row_is_back_gets_its_file_back(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        var one = Guid.Parse((string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!);
        var two = Guid.Parse((string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!);
        var blobs = app.Services.GetRequiredService<BlobStore>();
        var quarantine = app.Services.GetRequiredService<Quarantine>();
        // As the sweep of an older database did, before the newer one came back.
        Assert.True(await quarantine.AddAsync(one, app.Clock.GetUtcNow(), Cancellation));
        Assert.True(await quarantine.AddAsync(two, app.Clock.GetUtcNow(), Cancellation));

        // Whoever wants it does not wait for the sweep, and nobody is alarmed.
        Assert.Equal(Photos.Png(), (await app.Client.GetAsync($"uploads/{one}/download")).Expect(HttpStatusCode.OK).Bytes);
        Assert.False(await blobs.ExistsAsync(two, Cancellation));
        app.Clock.Jump(TimeSpan.FromDays(60));
        await CleanUpAsync(app);

        await Eventually.Becomes(() => blobs.ExistsAsync(two, Cancellation), isThere => isThere);
        await Eventually.True(() => Quarantined(app).Length == 0);
        Assert.DoesNotContain(app.Log.Lines, line => line.Contains("image.damaged", StringComparison.Ordinal));
    }

    [Theory, AllDatabases]
    public async Task Nothing_is_touched_in_a_folder_that_belongs_to_another_database_by_now(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var orphan = Plant(app, app.Clock.GetUtcNow().AddMinutes(1));
        await app.Services.GetRequiredService<Database>().WriteAsync(
            db => db.ImagesOwnership.ExecuteUpdateAsync(own => own.SetProperty(o => o.Id, Guid.NewGuid()), Cancellation), Cancellation);
        app.Clock.Jump(TimeSpan.FromHours(26));

        await CleanUpAsync(app);

        Assert.True(File.Exists(orphan));
        Assert.Contains(app.Log.Lines, line => line.Contains("orphans.foreign", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Thumbnail_that_a_crash_left_half_written_goes_after_a_day()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        await app.Client.UploadAsync(await app.Client.CreateSessionAsync(), Photos.Png());
        var day = Directory.GetDirectories(Path.Combine(app.DataFolder, "images")).Single();
        var (old, young) = (Path.Combine(day, $"{Guid.NewGuid()}.jpg.1.tmp"), Path.Combine(day, $"{Guid.NewGuid()}.jpg.2.tmp"));
        await File.WriteAllTextAsync(old, "", Cancellation);
        await File.WriteAllTextAsync(young, "", Cancellation);
        File.SetLastWriteTimeUtc(old, app.Clock.GetUtcNow().AddHours(-25).UtcDateTime);
        File.SetLastWriteTimeUtc(young, app.Clock.GetUtcNow().AddHours(-1).UtcDateTime);

        await CleanUpAsync(app);

        Assert.False(File.Exists(old));
        Assert.True(File.Exists(young));
    }

    private static Task CleanUpAsync(AperturApp app) =>
        app.Services.GetServices<IHostedService>().OfType<OrphanCleanup>().Single().RunOnceAsync(Cancellation);

    private static string[] Quarantined(AperturApp app) => Directory.Exists(Path.Combine(app.DataFolder, "images", "quarantine"))
        ? Directory.GetFiles(Path.Combine(app.DataFolder, "images", "quarantine"), "*", SearchOption.AllDirectories)
        : [];

    /// <summary>A file without a row, written at that time.</summary>
    private static string Plant(AperturApp app, DateTimeOffset written)
    {
        var path = app.Services.GetRequiredService<BlobStore>().PathOf(Guid.CreateVersion7(written));
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, Photos.Png());
        File.SetLastWriteTimeUtc(path, written.UtcDateTime);
        return path;
    }
}
