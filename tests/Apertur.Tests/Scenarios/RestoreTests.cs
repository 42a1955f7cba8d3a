using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Apertur.Server;
using Apertur.Server.Blobs;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Apertur.Tests.Backups;
using Apertur.Tests.Repository;
using Apertur.Tests.Support;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;

namespace Apertur.Tests.Scenarios;

/// <summary>A backup is put back as <c>docs/operations.md</c> says, command by command, and no photo is lost by it.</summary>
public sealed partial class RestoreTests(ITestOutputHelper output)
{
    private const int Hours = 24;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, AllDatabases]
    public async Task Photos_that_came_after_the_backup_are_adopted_and_delivered(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        using var elsewhere = new TempFolder();
        var webhook = await app.Client.CreateDestinationAsync("webhook", new() { ["url"] = receiver.Url, ["format"] = "binary" });
        var sent = new Dictionary<string, string>();
        await SendAsync(app, await app.Client.CreateSessionAsync(webhook), 3, sent);
        await DocumentedAsync(app, "## Backup", elsewhere.Path, webhook);
        // A day of photos, in a session that the backup does not know.
        var later = new Dictionary<string, string>();
        for (var hour = 0; hour < Hours; hour++)
        {
            app.Clock.Jump(TimeSpan.FromHours(1));
            await SendAsync(app, await app.Client.CreateSessionAsync(webhook), 2, later);
            // An attempt that is under way when an hour passes has taken an hour.
            foreach (var id in later.Keys)
                await app.Client.UploadBecomesAsync(id, "delivered");
        }

        var before = receiver.Requests.Count;

        await app.RestartAsync(() => DocumentedAsync(app, "### Where photos were not lost", elsewhere.Path, webhook));

        Assert.Equal(sent.Concat(later).OrderBy(photo => photo.Key), (await PhotosAsync(app)).OrderBy(photo => photo.Key));
        app.Services.GetRequiredService<AsyncAutoResetEvent>().Set();
        foreach (var (id, sha256) in later)
        {
            await app.Client.UploadBecomesAsync(id, "delivered");
            Assert.Contains(receiver.Requests.Skip(before), request => request["X-Aptr-Image-Id"] == id && request.BodySha256 == sha256);
        }

        // Weeks later nothing of it is gone.
        app.Clock.Jump(TimeSpan.FromDays(60));
        await app.Services.GetServices<IHostedService>().OfType<OrphanCleanup>().Single().RunOnceAsync(Cancellation);
        foreach (var (id, _) in later)
            (await app.Client.GetAsync($"uploads/{id}/download")).Expect(HttpStatusCode.OK);
        Assert.Equal(sent.Count + later.Count, (int)(await app.Client.GetAsync("stats")).Json["imagesUploaded"]!);
        output.WriteLine($"> {database}: {later.Count} photos of 24 hours after the backup: 0 deleted, {later.Count} adopted with equal hashes.");
    }

    [Theory, AllDatabases]
    public async Task Photos_that_nobody_adopted_wait_in_quarantine_and_are_adopted_once(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var photos = new Dictionary<string, string>();
        await SendAsync(app, await app.Client.CreateSessionAsync(), 5, photos);
        var encrypted = await SendEnvelopeAsync(app);
        await ForgetAsync(app);
        app.Clock.Jump(TimeSpan.FromHours(26));
        await QuarantinedAsync(app, 6);

        var listed = (await app.CommandAsync("fsck"))["orphaned"]!.AsArray();
        Assert.Equal(photos.Values.Append(encrypted).Order(), listed.Select(file => (string)file!["sha256"]!).Order());
        Assert.All(listed, file => Assert.Equal($"{app.Clock.GetUtcNow():yyyy-MM-dd}", (string)file!["quarantinedOn"]!));

        // Two at once, as when an operator is impatient.
        string[] adopt = ["fsck", "--adopt", "--project", $"{app.ProjectId}"];
        var runs = await Task.WhenAll(app.CommandAsync(adopt), app.CommandAsync(adopt));
        Assert.Equal(6, runs.Sum(run => run["adopted"]!.AsArray().Sum(made => made!["photos"]!.AsArray().Count)));
        Assert.Empty((await app.CommandAsync(adopt))["adopted"]!.AsArray());

        var rows = (await app.Client.GetAsync("uploads?pageSize=100")).Json["data"]!.AsArray();
        Assert.Equal(photos.Keys.Order(), rows.Where(row => !(bool)row!["isEncrypted"]!).Select(row => (string)row!["id"]!).Order());
        Assert.Equal("application/json", (string)rows.Single(row => (bool)row!["isEncrypted"]!)!["mimeType"]!);
        Assert.All(rows, row => Assert.Equal("stored_only", (string)row!["status"]!));
        foreach (var id in photos.Keys)
            Assert.Equal(photos[id], Hash((await app.Client.GetAsync($"uploads/{id}/download")).Expect(HttpStatusCode.OK).Bytes));
        Assert.Empty((await app.CommandAsync("fsck", "--hashes"))["orphaned"]!.AsArray());
    }

    [Theory, AllDatabases]
    public async Task Adoption_that_was_cut_off_leaves_what_the_next_one_takes_up(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var photos = new Dictionary<string, string>();
        await SendAsync(app, await app.Client.CreateSessionAsync(), 3, photos);
        await ForgetAsync(app);
        app.Clock.Jump(TimeSpan.FromHours(26));
        await QuarantinedAsync(app, 3);
        // Killed after the files were put in place and before the rows were written.
        foreach (var id in photos.Keys)
            Assert.True(await app.Services.GetRequiredService<Quarantine>().ReturnAsync(Guid.Parse(id), Cancellation));

        await app.CommandAsync("fsck", "--adopt", "--project", $"{app.ProjectId}", "--env", "test");

        var rows = (await app.ClientOf(app.TestKey).GetAsync("uploads")).Json["data"]!.AsArray();
        Assert.Equal(photos.Keys.Order(), rows.Select(row => (string)row!["id"]!).Order());
        // Its link takes nothing, whatever becomes of the photos.
        var made = (await app.ClientOf(app.TestKey).GetAsync("sessions")).Json["data"]!.AsArray().Single()!;
        Assert.Equal((string)made["createdAt"]!, (string)made["expiresAt"]!);
    }

    [Fact]
    public async Task Adoption_looks_through_the_quarantine_once_however_much_is_in_it()
    {
        MeddlingBlobs? store = null;
        // Nobody else looks.
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite, role: NodeRole.Web, configure: services => services.AddSingleton(provider =>
        {
            var blobs = MeddlingBlobs.Around(provider.GetRequiredService<FolderBlobs>());
            store = (MeddlingBlobs)(object)blobs;
            return new BlobStore(blobs);
        }));
        var photos = new Dictionary<string, string>();
        await SendAsync(app, await app.Client.CreateSessionAsync(), 5, photos);
        await ForgetAsync(app);
        app.Clock.Jump(TimeSpan.FromHours(26));
        Assert.Equal(5, await app.Services.GetRequiredService<Quarantine>().SetAsideAsync(Cancellation));
        var found = (await app.Services.GetRequiredService<StorageCheck>().RunAsync(false, false, Cancellation)).Orphaned;
        var listings = store!.Listings;

        var adopted = await app.Services.GetRequiredService<Adoption>().RunAsync(found, app.ProjectId, Env.Live, [], Cancellation);

        Assert.Equal(5, adopted.Single().Photos.Count);
        Assert.Equal(listings, store.Listings);
    }

    [Fact]
    public async Task Mistakes_in_adoption_are_told_in_words_and_change_nothing()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var photos = new Dictionary<string, string>();
        await SendAsync(app, await app.Client.CreateSessionAsync(), 1, photos);
        await ForgetAsync(app);

        foreach (var (arguments, said) in new (string[], string)[]
        {
            (["--adopt"], "--adopt needs --project."),
            (["--adopt", "--project", $"{Guid.NewGuid()}"], "There is no project"),
            (["--adopt", "--project", $"{app.ProjectId}", "--destination", $"{Guid.NewGuid()}"], "There is no destination"),
        })
        {
            var (code, output, errors) = await app.TryCommandAsync(["fsck", .. arguments]);
            Assert.Equal((1, ""), (code, output));
            Assert.StartsWith(said, errors, StringComparison.Ordinal);
        }

        Assert.Equal(0, (int)(await app.Client.GetAsync("uploads")).Json["total"]!);
    }

    [Theory, AllDatabases]
    public async Task Fsck_lists_what_is_missing_or_damaged_and_says_so_by_its_exit_code(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var photos = new Dictionary<string, string>();
        await SendAsync(app, await app.Client.CreateSessionAsync(), 4, photos);
        Assert.Equal(0, (await app.TryCommandAsync("fsck", "--hashes")).ExitCode);
        var blobs = app.Services.GetRequiredService<BlobStore>();
        var paths = photos.Keys.Select(id => blobs.PathOf(Guid.Parse(id))).ToList();
        var original = await File.ReadAllBytesAsync(paths[2], Cancellation);
        File.Delete(paths[0]);
        await File.WriteAllBytesAsync(paths[1], [1, 2, 3], Cancellation);
        await File.WriteAllBytesAsync(paths[2], [.. original[..^1], (byte)(original[^1] ^ 1)], Cancellation);

        Assert.Equal(["missing", "truncated"], await FoundAsync());
        Assert.Equal(["altered", "missing", "truncated"], await FoundAsync("--hashes"));
        // What was found is remembered, and forgotten when it is right again.
        Assert.Equal(["altered", "missing", "truncated"], await FoundAsync());
        await File.WriteAllBytesAsync(paths[2], original, Cancellation);
        Assert.Equal(["missing", "truncated"], await FoundAsync("--hashes"));

        async Task<IEnumerable<string>> FoundAsync(params string[] arguments)
        {
            var (code, output, errors) = await app.TryCommandAsync(["fsck", .. arguments]);
            Assert.True(code == 2, errors);
            return JsonNode.Parse(output)!["damaged"]!.AsArray().Select(photo => (string)photo!["damage"]!).Order();
        }
    }

    /// <summary>Waits until the cleanup, which the clock has started, has set so many files aside.</summary>
    private static Task QuarantinedAsync(AperturApp app, int files) => Eventually.Becomes(
        () => app.Services.GetRequiredService<Quarantine>().SettleAsync(Cancellation), found => found.Count == files, $"{files} are set aside");

    /// <summary>Sends photos, and dates their files by the test's clock, as the system's clock would have.</summary>
    private static async Task SendAsync(AperturApp app, string session, int count, Dictionary<string, string> sent)
    {
        for (var i = 0; i < count; i++)
        {
            var answer = await app.Client.UploadAsync(session, Photos.Jpeg(20_000 + (i * 1000), seed: sent.Count));
            sent[(string)answer["id"]!] = (string)answer["sha256"]!;
            Date(app, (string)answer["id"]!);
        }
    }

    private static void Date(AperturApp app, string id) => File.SetLastWriteTimeUtc(
        app.Services.GetRequiredService<BlobStore>().PathOf(Guid.Parse(id)), app.Clock.GetUtcNow().AddMinutes(1).UtcDateTime);

    /// <summary>Stores what an end-to-end encrypted upload leaves.</summary>
    private static async Task<string> SendEnvelopeAsync(AperturApp app)
    {
        var id = Guid.CreateVersion7(app.Clock.GetUtcNow()).ToString();
        var path = app.Services.GetRequiredService<BlobStore>().PathOf(Guid.Parse(id));
        var envelope = """{"encryptedKey":"a2V5","iv":"aXY=","encryptedData":"ZGF0YQ==","algorithm":"RSA-OAEP+AES-256-GCM"}""";
        await File.WriteAllTextAsync(path, envelope, Cancellation);
        Date(app, id);
        return Hash(System.Text.Encoding.UTF8.GetBytes(envelope));
    }

    /// <summary>Takes every photo out of the database, as an older one does that never knew them.</summary>
    private static Task ForgetAsync(AperturApp app) => app.Services.GetRequiredService<Database>().WriteAsync(
        async db =>
        {
            await db.Deliveries.ExecuteDeleteAsync(Cancellation);
            await db.Uploads.ExecuteDeleteAsync(Cancellation);
            await db.Sessions.ExecuteDeleteAsync(Cancellation);
            await db.DailyCounts.ExecuteDeleteAsync(Cancellation);
            await db.MinuteCounts.ExecuteDeleteAsync(Cancellation);
        },
        Cancellation);

    private static async Task<Dictionary<string, string>> PhotosAsync(AperturApp app)
    {
        await using var db = app.Services.GetRequiredService<Database>().Open();
        return await db.Uploads.ToDictionaryAsync(upload => upload.Id.ToString(), upload => upload.Sha256, Cancellation);
    }

    private static string Hash(byte[] bytes) => Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(bytes));

    /// <summary>
    /// Types the commands of a section of the operator's manual, in its order, those of this database, with this test's folders for the
    /// manual's.
    /// </summary>
    private static async Task DocumentedAsync(AperturApp app, string section, string elsewhere, string destination)
    {
        app.WriteSettings();
        var settings = Settings.Load(app.DataFolder).Database;
        var isSqlite = settings.Provider == DatabaseProvider.Sqlite;
        var text = RepositoryFiles.Read("docs/operations.md");
        var from = text.IndexOf($"\n{section}\n", StringComparison.Ordinal);
        var to = text.IndexOf("\n##", from + 4, StringComparison.Ordinal);
        var lines = Block().Matches(text[from..to]).SelectMany(match => match.Groups[1].Value.Split('\n'))
            .Where(line => !line.Contains(isSqlite ? "# PostgreSQL" : "# SQLite", StringComparison.Ordinal)).ToList();
        Assert.InRange(lines.Count, 2, 12);
        var environment = new Dictionary<string, string> { ["PROJECT"] = $"{app.ProjectId}", ["DESTINATION"] = destination };
        var script = string.Join('\n', lines)
            .Replace("/srv/apertur", app.DataFolder, StringComparison.Ordinal)
            .Replace("/backup", elsewhere, StringComparison.Ordinal)
            .Replace("./run ", $"dotnet {Path.Combine(AppContext.BaseDirectory, "apertur.dll")} ", StringComparison.Ordinal);
        if (!isSqlite)
        {
            script = DatabaseName().Replace(script, new NpgsqlConnectionStringBuilder(settings.ConnectionString).Database!);
            foreach (var (name, value) in Shell.PostgreSql(settings.ConnectionString))
                environment[name] = value;
        }

        // A server that was stopped has ended; this process goes on, and holds connections to the database as it was.
        if (section != "## Backup")
            SqliteConnection.ClearAllPools();
        await Shell.RunAsync(script, environment);
        NpgsqlConnection.ClearAllPools();
    }

    [GeneratedRegex(@"```sh\n(.*?)\n```", RegexOptions.Singleline)]
    private static partial Regex Block();

    [GeneratedRegex(@"(?<= )apertur(?=\s|$)", RegexOptions.Multiline)]
    private static partial Regex DatabaseName();
}
