using System.Collections.Concurrent;
using System.Data.Common;
using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server.Projects;
using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Projects;

/// <summary>Projects with very many rows.</summary>
public sealed class ProjectRemovalTests(ITestOutputHelper output)
{
    private const int Images = 3_000;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, AllDatabases]
    public async Task Rows_go_in_small_steps_and_leave_nothing(DatabaseKind database)
    {
        var steps = new Steps();
        await using var app = await AperturApp.StartAsync(
            database, configure: services => services.ConfigureDbContext<AperturDb>(options => options.AddInterceptors(steps)));
        var owner = await app.SignInAsync();
        var webhook = await app.Client.CreateDestinationAsync("webhook", new() { ["url"] = "http://127.0.0.1:9/" });
        var session = await app.Client.CreateSessionAsync(webhook);
        await FillAsync(app, session, webhook);

        (await owner.Client.SendAsync(HttpMethod.Delete, $"projects/{app.ProjectId}")).Expect(HttpStatusCode.NoContent);
        await Eventually.Becomes(() => app.Services.GetRequiredService<ProjectRemoval>().RunOnceAsync(Cancellation), left => left == 0);

        Assert.InRange(steps.Largest, 10, 2 * SmallSteps.MostRows);
        Assert.InRange(steps.Sum, 2 * Images, (2 * Images) + 100);
        await using var db = app.Services.GetRequiredService<Database>().Open();
        foreach (var table in ProjectRemoval.Tables)
        {
            var count = $"SELECT CAST(count(*) AS INTEGER) AS \"Value\" FROM {table}";
            Assert.Equal((table, 0), (table, await db.Database.SqlQueryRaw<int>(count).SingleAsync(Cancellation)));
        }
    }

    [Theory]
    [AllDatabases("deleted")]
    [AllDatabases("disabled")]
    public async Task Links_of_a_project_that_is_gone_open_nothing_while_its_rows_are_still_there(DatabaseKind database, string how)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        var upload = Guid.Parse((string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!);
        var download = app.Services.GetRequiredService<DownloadLinks>().Create(upload).PathAndQuery;
        var stranger = app.ClientOf(null);
        // Another project goes on.
        await app.CreateOtherProjectAsync();
        await app.WriteAsync(async db => (await db.Sessions.SingleAsync(Cancellation)).ShortCode = "aB3dE6gH");
        (await stranger.GetAsync(download)).Expect(HttpStatusCode.OK);
        (await stranger.GetAsync("/s/aB3dE6gH")).Expect(HttpStatusCode.Redirect);

        await app.WriteAsync(async db =>
        {
            var project = await db.Projects.SingleAsync(p => p.Id == app.ProjectId, Cancellation);
            project.DeletedAt = how == "deleted" ? app.Clock.GetUtcNow() : null;
            project.DisabledAt = how == "disabled" ? app.Clock.GetUtcNow() : null;
        });

        (await stranger.GetAsync(download)).Expect(HttpStatusCode.NotFound);
        (await stranger.GetAsync("/s/aB3dE6gH")).Expect(HttpStatusCode.NotFound);
        (await stranger.GetAsync($"upload/{session}/session")).Expect(HttpStatusCode.NotFound);
        (await stranger.PostImageAsync(session, Photos.Png())).Expect(HttpStatusCode.NotFound);
    }

    [Theory, AllDatabases]
    public async Task Deliveries_of_a_deleted_project_are_not_claimed_any_more(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers(503);
        await using var app = await AperturApp.StartAsync(database);
        var webhook = new JsonObject { ["url"] = receiver.Url };
        var session = await app.Client.CreateSessionAsync(await app.Client.CreateDestinationAsync("webhook", webhook));
        var upload = (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!;
        await Eventually.Becomes(() => app.DeliveriesAsync(upload), rows => rows.Single().State == DeliveryState.Retrying);
        var (project, _, key) = await app.CreateOtherProjectAsync();
        await app.WriteAsync(async db => (await db.Projects.SingleAsync(p => p.Id == app.ProjectId, Cancellation)).DeletedAt = app.Clock.GetUtcNow());

        // What another project uploads then is claimed when this would be.
        app.Clock.Advance(TimeSpan.FromMinutes(1));
        var other = app.ClientOf(key, project);
        session = await other.CreateSessionAsync(await other.CreateDestinationAsync("webhook", (JsonObject)webhook.DeepClone()));
        await other.UploadBecomesAsync((string)(await other.UploadAsync(session, Photos.Png()))["id"]!, "delivered");

        Assert.Equal(2, receiver.Requests.Count);
        Assert.Equal(1, (await app.DeliveriesAsync(upload)).Single().Attempts);
    }

    [Fact]
    public async Task Removal_that_was_broken_off_goes_on_with_rows_and_files_where_it_stopped()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var owner = await app.SignInAsync();
        var session = await app.Client.CreateSessionAsync();
        var image = Guid.Parse((string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!);
        var other = Guid.Parse((string)(await app.Client.UploadAsync(session, Photos.Png(), "2.png"))["id"]!);
        // As after a crash between an image's file and its row.
        await app.Services.GetRequiredService<BlobStore>().DeleteAsync(image, Cancellation);

        (await owner.Client.SendAsync(HttpMethod.Delete, $"projects/{app.ProjectId}")).Expect(HttpStatusCode.NoContent);
        await Eventually.Becomes(() => app.Services.GetRequiredService<ProjectRemoval>().RunOnceAsync(Cancellation), left => left == 0);

        Assert.False(await app.Services.GetRequiredService<BlobStore>().ExistsAsync(other, Cancellation));
    }

    [Fact]
    public async Task Sqlite_file_becomes_smaller_again()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var owner = await app.SignInAsync();
        var webhook = await app.Client.CreateDestinationAsync("webhook", new() { ["url"] = "http://127.0.0.1:9/" });
        var session = await app.Client.CreateSessionAsync(webhook);
        var before = await PagesAsync(app);
        await FillAsync(app, session, webhook);
        Assert.True(await PagesAsync(app) > 2 * before);

        (await owner.Client.SendAsync(HttpMethod.Delete, $"projects/{app.ProjectId}")).Expect(HttpStatusCode.NoContent);

        await Eventually.Becomes(() => PagesAsync(app), pages => pages <= before + 10);
    }

    /// <summary>How long others wait meanwhile; see chaos/README.md.</summary>
    [Fact(Explicit = true)]
    public async Task A_million_rows_go_and_others_notice_nothing()
    {
        var database = Enum.Parse<DatabaseKind>(Environment.GetEnvironmentVariable("CHAOS_DATABASE") ?? nameof(DatabaseKind.Sqlite));
        var rows = int.Parse(Environment.GetEnvironmentVariable("CHAOS_ROWS") ?? "1000000", CultureInfo.InvariantCulture);
        await using var app = await AperturApp.StartAsync(database);
        var owner = await app.SignInAsync();
        var webhook = await app.Client.CreateDestinationAsync("webhook", new() { ["url"] = "http://127.0.0.1:9/" });
        await FillAsync(app, await app.Client.CreateSessionAsync(webhook), webhook, rows / 2);
        Directory.CreateDirectory(Path.Combine(app.DataFolder, "images", "2025-10-20"));
        var (_, _, key) = await app.CreateOtherProjectAsync();
        var file = new FileInfo(Path.Combine(app.DataFolder, "apertur.db"));

        using var quiet = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        output.WriteLine($"{rows} rows, {database}. Uploads of others, quiet: {await UploadAsync(app.ClientOf(key), quiet.Token)}");
        file.Refresh();
        var before = file.Exists ? file.Length >> 20 : 0;

        using var busy = new CancellationTokenSource();
        var others = UploadAsync(app.ClientOf(key), busy.Token);
        var began = TimeProvider.System.GetTimestamp();
        (await owner.Client.SendAsync(HttpMethod.Delete, $"projects/{app.ProjectId}")).Expect(HttpStatusCode.NoContent);
        while (await LeftAsync(app) > 0)
            await Task.Delay(TimeSpan.FromMilliseconds(500), TimeProvider.System, Cancellation);
        var took = TimeProvider.System.GetElapsedTime(began);
        await busy.CancelAsync();
        output.WriteLine($"while it goes, {took.TotalSeconds:F0} s: {await others}");
        if (database == DatabaseKind.Sqlite)
        {
            await Eventually.Becomes(() => PagesAsync(app), pages => pages < before * 128);
            output.WriteLine($"file: {before} MB, then {(await PagesAsync(app)) / 256} MB of pages");
        }
    }

    private static async Task<int> LeftAsync(AperturApp app)
    {
        await using var db = app.Services.GetRequiredService<Database>().Open();
        return await db.Projects.CountAsync(p => p.DeletedAt != null, Cancellation);
    }

    private static async Task<string> UploadAsync(AperturClient client, CancellationToken stop)
    {
        var times = new ConcurrentBag<double>();
        await Task.WhenAll(Enumerable.Range(0, 2).Select(phone => Task.Run(
            async () =>
            {
                var (session, sent) = ("", 0);
                while (!stop.IsCancellationRequested)
                {
                    if (sent++ % 400 == 0)
                        session = await client.CreateSessionAsync(new System.Text.Json.Nodes.JsonObject { ["max_images"] = 500 });
                    var began = TimeProvider.System.GetTimestamp();
                    await client.UploadAsync(session, Photos.Jpeg(20_000, (phone * 1_000_000) + sent));
                    times.Add(TimeProvider.System.GetElapsedTime(began).TotalMilliseconds);
                    await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Cancellation);
                }
            },
            Cancellation)));
        var sorted = times.Order().ToList();
        return string.Create(CultureInfo.InvariantCulture,
            $"{sorted.Count}, p50 {sorted[sorted.Count / 2]:F1} ms, p95 {sorted[sorted.Count * 95 / 100]:F1} ms, longest {sorted[^1]:F0} ms");
    }

    private static async Task<int> PagesAsync(AperturApp app)
    {
        await using var db = app.Services.GetRequiredService<Database>().Open();
        return await db.Database.SqlQueryRaw<int>("SELECT page_count AS \"Value\" FROM pragma_page_count").SingleAsync(Cancellation);
    }

    /// <summary>Images with a delivery each, written by the database itself.</summary>
    private static Task FillAsync(AperturApp app, string session, string destination, int images = Images) =>
        app.Services.GetRequiredService<Database>().WriteAsync(
            async db =>
            {
                db.Database.SetCommandTimeout(TimeSpan.FromMinutes(4));
                if (db.Database.IsNpgsql())
                    await db.Database.ExecuteSqlAsync($"SELECT set_config('statement_timeout', '0', true)", Cancellation);
                await db.Database.ExecuteSqlAsync(
                    $"""
                    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {images})
                    INSERT INTO uploads (id, session_id, project_id, env, image_index, filename, size_bytes, mime_type, source, sha256,
                      is_encrypted, destination_types, destinations_total, created_at)
                    SELECT '019a0000-0000-7000-8000-0000' || CAST(10000000 + n AS TEXT), s.id, s.project_id, s.env, n, 'a.jpg', 1, 'image/jpeg', 'camera', 'x',
                      FALSE, '["webhook"]', 1, 1
                    FROM numbers JOIN sessions s ON s.id = {session}
                    """,
                    Cancellation);
                await db.Database.ExecuteSqlAsync(
                    $"""
                    INSERT INTO deliveries (id, upload_id, session_id, destination_id, destination_type, destination_name, state, due_at, created_at, updated_at)
                    SELECT id, id, session_id, {destination}, 'webhook', 'x', 'sent', 1, 1, 1 FROM uploads
                    """,
                    Cancellation);
            },
            Cancellation);

    /// <summary>Counts the rows that each transaction removes.</summary>
    private sealed class Steps : DbCommandInterceptor
    {
        private readonly Lock _lock = new();
        private readonly Dictionary<Guid, int> _removed = [];

        public int Largest => _removed.Values.Max();

        public int Sum => _removed.Values.Sum();

        public override ValueTask<int> NonQueryExecutedAsync(
            DbCommand command, CommandExecutedEventData eventData, int result, CancellationToken cancellationToken = default)
        {
            if (command.CommandText.StartsWith("DELETE FROM", StringComparison.Ordinal))
            {
                lock (_lock)
                {
                    var transaction = eventData.Context!.Database.CurrentTransaction!.TransactionId;
                    _removed[transaction] = _removed.GetValueOrDefault(transaction) + result;
                }
            }

            return new(result);
        }
    }
}
