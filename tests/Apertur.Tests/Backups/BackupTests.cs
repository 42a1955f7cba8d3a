using System.Net;
using System.Reflection;
using System.Runtime.Versioning;
using System.Text.Json.Nodes;
using Apertur.Server;
using Apertur.Server.Backups;
using Apertur.Server.Blobs;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Backups;

/// <summary>What <c>backup</c> makes, and what <c>restore</c> makes of it.</summary>
public sealed class BackupTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, AllDatabases]
    public async Task Everything_that_a_database_can_hold_is_the_same_after_a_restore(DatabaseKind database)
    {
        // Nothing is delivered meanwhile.
        await using var app = await AperturApp.StartAsync(database, role: NodeRole.Web);
        // What a CSV file has to tell apart, and secrets.
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = "https://example.com/planted" });
        var session = await app.Client.CreateSessionAsync(new JsonObject
        {
            ["label"] = "Two\nlines, a \"quote\" and \\N",
            ["metadata"] = new JsonObject { ["ключ"] = "", ["null"] = "NULL" },
            ["destination_ids"] = new JsonArray(webhook),
        });
        await app.Client.UploadAsync(session, Photos.Png(), "ein, Bild.png");
        await app.Client.PostAsync($"projects/{app.ProjectId}/webhooks", new JsonObject { ["url"] = "https://example.com/", ["topics"] = new JsonArray("*") });
        using var folder = new TempFolder();
        await app.CommandAsync("backup", folder.Path);
        var before = await RowsAsync(app.Services.GetRequiredService<Database>());

        await using var elsewhere = await Machine.MakeAsync(database);
        await elsewhere.RunAsync("restore", folder.Path);

        using var restored = elsewhere.Services();
        Assert.Equal(before, await RowsAsync(restored.GetRequiredService<Database>()));
        await using (var db = restored.GetRequiredService<Database>().Open())
            Assert.Empty(db.Workers);
        await using var server = await AperturProcess.ServeAsync(elsewhere.Data, installation: null);
        var client = server.ClientOf(app.LiveKey, app.ProjectId);
        Assert.Equal("https://example.com/planted", (string)(await client.GetAsync($"projects/{app.ProjectId}/destinations/{webhook}")).Json["config"]!["url"]!);
    }

    [Theory, AllDatabases]
    public async Task Photo_is_copied_once_however_many_backups_have_it(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        using var folder = new TempFolder();
        var first = await UploadAsync(app, session, 2);
        Assert.Equal((2, 2), Counts(await app.CommandAsync("backup", folder.Path)));
        await UploadAsync(app, session, 1, seed: 10);

        var second = await app.CommandAsync("backup", folder.Path);

        Assert.Equal((3, 1), Counts(second));
        Assert.Equal(3, Directory.GetFiles(folder.File("photos"), "*", SearchOption.AllDirectories).Length);
        // And of both: sha256sum knows nothing of this program.
        foreach (var backup in Directory.GetDirectories(folder.Path, "20*"))
            await Shell.RunAsync($"cd {backup} && sha256sum --check --strict --quiet SHA256SUMS");
        // The older one goes, and with it the photo that only it has.
        (await app.Client.SendAsync(HttpMethod.Delete, $"uploads/{first[0]}")).Expect(HttpStatusCode.NoContent);
        var third = await app.CommandAsync("backup", folder.Path, "--keep", "1");
        Assert.Equal((2, 0, 2), ((int)third["photos"]!, (int)third["copied"]!, (int)third["removed"]!));
        Assert.Equal((string)third["path"]!, Directory.GetDirectories(folder.Path, "20*").Single());
        Assert.Equal(2, Directory.GetFiles(folder.File("photos"), "*", SearchOption.AllDirectories).Length);
        await app.CommandAsync("backup", folder.Path, "--verify");
    }

    [Theory, AllDatabases]
    public async Task Photo_that_goes_between_the_database_and_its_turn_is_gone_after_the_restore_too(DatabaseKind database)
    {
        // First as if it had not come yet when photos were copied; then it goes when its turn comes.
        IBlobs? meddling = null;
        await using var app = await AperturApp.StartAsync(database, configure: services => services.AddSingleton(provider =>
            new BlobStore(meddling = MeddlingBlobs.Around(provider.GetRequiredService<FolderBlobs>()))));
        var session = await app.Client.CreateSessionAsync();
        var ids = await UploadAsync(app, session, 3);
        var opened = 0;
        ((MeddlingBlobs)(object)meddling!).BeforeOpening = async key =>
        {
            if (!key.EndsWith(ids[1], StringComparison.Ordinal))
                return;
            if (++opened == 2)
                (await app.Client.SendAsync(HttpMethod.Delete, $"uploads/{ids[1]}")).Expect(HttpStatusCode.NoContent);
            throw new FileNotFoundException();
        };
        using var folder = new TempFolder();
        BackupReport made;
        using (var backups = BackupFolder.Open(folder.Path))
            made = await app.Services.GetRequiredService<Backup>().RunAsync(backups, withPhotos: true, withKeys: true, Cancellation);

        Assert.Equal((2, 1, 0), (made.Photos, made.Deleted, made.Damaged.Count));
        await using var elsewhere = await Machine.MakeAsync(database);
        await elsewhere.RunAsync("restore", folder.Path);
        Assert.Equal(2, (int)(await elsewhere.RunAsync("fsck", "--hashes"))["photos"]!);
        using var restored = elsewhere.Services();
        await using var db = restored.GetRequiredService<Database>().Open();
        Assert.Equal(2, db.Sessions.Single().ImagesCount);
        Assert.Equal(2, db.DailyCounts.Single().StoredImages);
    }

    [Theory, AllDatabases]
    public async Task Backup_without_a_damaged_photo_is_made_and_says_so(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var ids = await UploadAsync(app, await app.Client.CreateSessionAsync(), 3);
        File.Delete(app.PathOf(ids[0]));
        await File.AppendAllTextAsync(app.PathOf(ids[1]), "more", Cancellation);
        using var folder = new TempFolder();

        var (code, output, _) = await app.TryCommandAsync("backup", folder.Path);

        Assert.Equal(2, code);
        Assert.Equal(ids[..2].Order(), JsonNode.Parse(output)!["damaged"]!.AsArray().Select(id => (string)id!));
        await using var elsewhere = await Machine.MakeAsync(database);
        var (found, restored, _) = await elsewhere.TryAsync("restore", folder.Path);
        Assert.Equal(2, found);
        Assert.Equal(
            ids[..2].Order().Select(id => (id, "missing")),
            JsonNode.Parse(restored)!["fsck"]!["damaged"]!.AsArray().Select(photo => ((string)photo!["id"]!, (string)photo["damage"]!)).Order());
    }

    [Fact]
    public async Task File_that_cannot_be_read_ends_no_backup_no_restore_and_no_verification()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Elsewhere there is no file that cannot be read.");
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var ids = await UploadAsync(app, await app.Client.CreateSessionAsync(), 3);
        using var folder = new TempFolder();
        UnreadableFile.Put(app.PathOf(ids[0]));
        var orphan = Guid.CreateVersion7(app.Clock.GetUtcNow());
        UnreadableFile.Put(app.PathOf($"{orphan}"));

        var (backedUp, made, _) = await app.TryCommandAsync("backup", folder.Path);
        Assert.Equal((2, 2), (backedUp, (int)JsonNode.Parse(made)!["photos"]!));
        Assert.Equal(ids[0], (string)JsonNode.Parse(made)!["damaged"]!.AsArray().Single()!);
        var (looked, found, _) = await app.TryCommandAsync("fsck");
        Assert.Equal(2, looked);
        var lone = JsonNode.Parse(found)!["orphaned"]!.AsArray().Single()!;
        Assert.Equal($"{orphan}", (string)lone["id"]!);
        Assert.Null(lone["sha256"]);

        var copy = Path.Combine(folder.Path, "photos", BlobStore.KeyOf(Guid.Parse(ids[1])));
        UnreadableFile.Put(copy);
        await using var elsewhere = await Machine.MakeAsync(DatabaseKind.Sqlite);
        var (restored, there, _) = await elsewhere.TryAsync("restore", folder.Path);
        Assert.Equal((2, 1, ids[1]), (restored, (int)JsonNode.Parse(there)!["photos"]!, (string)JsonNode.Parse(there)!["damaged"]!.AsArray().Single()!));
        var (verified, damaged, _) = await app.TryCommandAsync("backup", folder.Path, "--verify");
        Assert.Equal((2, copy), (verified, (string)JsonNode.Parse(damaged)!["damaged"]!.AsArray().Single()!));
    }

    [Theory, AllDatabases]
    public async Task Commands_make_no_database_and_bring_none_up_to_date(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        using var folder = new TempFolder();
        var kept = (string)(await app.CommandAsync("backup", folder.Path))["path"]!;
        string[][] commands = [["backup", folder.Path, "--without-photos", "--keep", "1"], ["fsck"], ["project", "list"]];

        await using var lost = await Machine.MakeAsync(database);
        Directory.CreateDirectory(Path.Combine(lost.Data, "keys"));
        await RefuseAsync("There is no database", lost.TryAsync);
        Assert.False(File.Exists(Path.Combine(lost.Data, "apertur.db")));
        // A new one in the place of the lost one knows nothing of the photos.
        await AperturProcess.InitAsync(lost.Data);
        Directory.CreateDirectory(Path.Combine(lost.Data, "images"));
        await File.WriteAllTextAsync(Path.Combine(lost.Data, "images", "owner"), "the lost one", Cancellation);
        Assert.Contains("does not belong to this database", (await lost.TryAsync(commands[0])).Errors, StringComparison.Ordinal);

        await WriteAsync("DELETE FROM schema_scripts WHERE number = (SELECT max(number) FROM schema_scripts)");
        await RefuseAsync("of an older version", app.TryCommandAsync);
        await WriteAsync("INSERT INTO schema_scripts (number, name) VALUES (9999, 'later')");
        await RefuseAsync("by a newer version", app.TryCommandAsync);
        Assert.Equal(kept, Directory.GetDirectories(folder.Path, "20*").Single());

        Task WriteAsync(string sql) => app.Services.GetRequiredService<Database>().WriteAsync(db => db.Database.ExecuteSqlRawAsync(sql, Cancellation), Cancellation);

        async Task RefuseAsync(string why, Func<string[], Task<(int Code, string Output, string Errors)>> tryAsync)
        {
            foreach (var command in commands)
            {
                var (code, output, errors) = await tryAsync(command);
                Assert.Equal((1, ""), (code, output));
                Assert.Contains(why, errors, StringComparison.Ordinal);
            }
        }
    }

    [Theory, AllDatabases]
    public async Task Photo_whose_copy_has_rotted_is_copied_again(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var ids = await UploadAsync(app, await app.Client.CreateSessionAsync(), 3);
        using var folder = new TempFolder();
        await app.CommandAsync("backup", folder.Path);
        string Copy(string id) => Path.Combine(folder.Path, "photos", BlobStore.KeyOf(Guid.Parse(id)));
        // Its length shows it to the next backup; what has the right length is shown by verification.
        await File.WriteAllBytesAsync(Copy(ids[0]), new byte[100], Cancellation);
        await File.WriteAllBytesAsync(Copy(ids[1]), new byte[20_000], Cancellation);

        Assert.Equal((3, 1), Counts(await app.CommandAsync("backup", folder.Path)));
        var (code, output, _) = await app.TryCommandAsync("backup", folder.Path, "--verify");
        Assert.Equal((2, 1), (code, (int)JsonNode.Parse(output)!["setAside"]!));
        Assert.Equal(Copy(ids[1]), (string)JsonNode.Parse(output)!["damaged"]!.AsArray().Single()!);
        Assert.Equal(new byte[20_000], await File.ReadAllBytesAsync(Copy(ids[1]) + ".damaged", Cancellation));
        Assert.Equal((3, 1), Counts(await app.CommandAsync("backup", folder.Path)));
        await app.CommandAsync("backup", folder.Path, "--verify");
    }

    [Fact]
    public async Task Backup_that_was_made_just_now_stays_when_others_are_of_the_future()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        await UploadAsync(app, await app.Client.CreateSessionAsync(), 1);
        using var folder = new TempFolder();
        // The clock was ahead.
        var ahead = folder.File("2199-01-01T000000.000Z");
        Directory.Move((string)(await app.CommandAsync("backup", folder.Path))["path"]!, ahead);

        var (code, output, errors) = await app.TryCommandAsync("backup", folder.Path, "--keep", "2");
        Assert.Equal((0, 0), (code, (int)JsonNode.Parse(output)!["removed"]!));
        Assert.Contains(ahead, errors, StringComparison.Ordinal);
        var made = await app.CommandAsync("backup", folder.Path, "--keep", "1");

        Assert.Equal((string)made["path"]!, Directory.GetDirectories(folder.Path, "2*").Single());
        await app.CommandAsync("backup", folder.Path, "--verify");
    }

    [Fact]
    public async Task Backup_that_cannot_be_completed_is_not_there_and_the_next_one_is()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var ids = await UploadAsync(app, await app.Client.CreateSessionAsync(), 2);
        using var folder = new TempFolder();
        // A file where the folder of a day has to be.
        Directory.CreateDirectory(folder.File("photos"));
        var day = Path.Combine(folder.File("photos"), BlobStore.KeyOf(Guid.Parse(ids[0])).Split('/')[0]);
        await File.WriteAllTextAsync(day, "", Cancellation);

        var (code, _, errors) = await app.TryCommandAsync("backup", folder.Path);

        Assert.Equal(1, code);
        Assert.StartsWith("The backup cannot be made", errors, StringComparison.Ordinal);
        Assert.Empty(Directory.GetDirectories(folder.Path, "20*"));
        File.Delete(day);
        // What a run leaves that was killed.
        Directory.CreateDirectory(folder.File("2026-01-01T000000.000Z.partial/database"));
        Directory.CreateDirectory(folder.File("photos/incoming"));
        await File.WriteAllTextAsync(folder.File($"photos/incoming/{ids[0]}"), "half", Cancellation);
        Assert.Equal((2, 2), Counts(await app.CommandAsync("backup", folder.Path)));
        Assert.Single(Directory.GetDirectories(folder.Path, "20*"));
        await app.CommandAsync("backup", folder.Path, "--verify");
    }

    [Fact]
    public async Task Verification_names_every_file_that_is_missing_or_damaged()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var ids = await UploadAsync(app, await app.Client.CreateSessionAsync(), 3);
        using var folder = new TempFolder();
        var backup = (string)(await app.CommandAsync("backup", folder.Path))["path"]!;
        string Copy(string id) => Path.Combine(folder.Path, "photos", BlobStore.KeyOf(Guid.Parse(id)));
        var sums = Path.Combine(backup, "SHA256SUMS");
        var lines = await File.ReadAllLinesAsync(sums, Cancellation);

        await FindsAsync();
        File.Delete(Copy(ids[0]));
        await File.AppendAllTextAsync(Copy(ids[1]), "more", Cancellation);
        await File.AppendAllTextAsync(Path.Combine(backup, "keys/server-secret"), "more", Cancellation);
        await FindsAsync(Copy(ids[0]), Copy(ids[1]), Path.Combine(backup, "keys/server-secret"));
        await File.WriteAllLinesAsync(sums, lines.SkipLast(2), Cancellation);
        await FindsAsync(sums);

        // Nothing is restored from it.
        await using var elsewhere = await Machine.MakeAsync(DatabaseKind.Sqlite);
        Assert.Contains("The backup is damaged", (await elsewhere.TryAsync("restore", backup)).Errors, StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(elsewhere.Data, "apertur.db")));

        async Task FindsAsync(params string[] expected)
        {
            var (code, output, _) = await app.TryCommandAsync("backup", folder.Path, "--verify");
            Assert.Equal(expected.Length > 0 ? 2 : 0, code);
            var found = JsonNode.Parse(output)!["damaged"]!.AsArray().Select(path => (string)path!).ToList();
            Assert.Subset(found.ToHashSet(), expected.ToHashSet());
            Assert.Equal(expected.Length > 0, found.Count > 0);
        }
    }

    [Theory, AllDatabases]
    public async Task Restore_refuses_what_is_not_empty_and_goes_on_where_one_was_broken_off(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var ids = await UploadAsync(app, await app.Client.CreateSessionAsync(), 2);
        using var folder = new TempFolder();
        await app.CommandAsync("backup", folder.Path);
        // Onto itself, beside its running server.
        var (code, _, errors) = await app.TryCommandAsync("restore", folder.Path, "--existing-photos");
        Assert.Equal(1, code);
        Assert.Contains("database", errors, StringComparison.Ordinal);

        await using var elsewhere = await Machine.MakeAsync(database);
        await RefusesAsync("There is no backup in", elsewhere.Data);
        var images = Directory.CreateDirectory(Path.Combine(elsewhere.Data, "images", "2026-01-01")).FullName;
        var foreign = Path.Combine(images, $"{Guid.CreateVersion7(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero))}");
        await File.WriteAllTextAsync(foreign, "somebody's", Cancellation);
        await RefusesAsync("is not empty", folder.Path);
        File.Delete(foreign);
        var keys = Directory.CreateDirectory(Path.Combine(elsewhere.Data, "keys")).FullName;
        await File.WriteAllTextAsync(Path.Combine(keys, "server-secret"), "another", Cancellation);
        await RefusesAsync("keys of another installation", folder.Path);
        File.Delete(Path.Combine(keys, "server-secret"));

        // One photo is there, one only by half, from a restore that was killed.
        foreach (var (id, bytes) in ids.Zip(new[] { 20_000, 10 }))
        {
            var path = Path.Combine(elsewhere.Data, "images", BlobStore.KeyOf(Guid.Parse(id)));
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            await File.WriteAllBytesAsync(path, (await File.ReadAllBytesAsync(app.PathOf(id), Cancellation))[..bytes], Cancellation);
        }

        var restored = await elsewhere.RunAsync("restore", folder.Path);
        Assert.Equal((1, 1), ((int)restored["photos"]!, (int)restored["alreadyThere"]!));
        Assert.Equal(2, (int)(await elsewhere.RunAsync("fsck", "--hashes"))["photos"]!);

        async Task RefusesAsync(string why, string path)
        {
            var (code, output, errors) = await elsewhere.TryAsync("restore", path);
            Assert.Equal((1, ""), (code, output));
            Assert.Contains(why, errors, StringComparison.Ordinal);
        }
    }

    [Theory, AllDatabases]
    public async Task Restore_that_was_broken_off_after_its_database_was_there_is_taken_up_and_no_server_starts_before(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        await UploadAsync(app, await app.Client.CreateSessionAsync(), 2);
        using var folder = new TempFolder();
        await app.CommandAsync("backup", folder.Path);
        await using var elsewhere = await Machine.MakeAsync(database);
        await Shell.RunAsync($"cp -a {app.DataFolder}/keys {elsewhere.Data}/");
        var backup = BackupContent.Find(folder.Path);
        using (var there = elsewhere.Services())
        {
            if (database == DatabaseKind.Sqlite)
                SqliteCopy.Load(Settings.Load(elsewhere.Data), backup.PathOf(BackupContent.Database), backup.About);
            else
                await PostgresCopy.LoadAsync(there.GetRequiredService<Database>(), backup.PathOf(BackupContent.Database), backup.About, Cancellation);
        }

        foreach (var command in new[] { "fsck", "init --email a@example.com --project x --password correct-horse" })
        {
            var (code, _, errors) = await elsewhere.TryAsync(command.Split(' '));
            Assert.Equal(1, code);
            Assert.Contains("A restore into this database was broken off", errors, StringComparison.Ordinal);
        }

        Assert.Equal(2, (int)(await elsewhere.RunAsync("restore", folder.Path))["photos"]!);
        Assert.Equal(2, (int)(await elsewhere.RunAsync("fsck", "--hashes"))["photos"]!);
        Assert.Contains("There is a database already", (await elsewhere.TryAsync("restore", folder.Path)).Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Backup_of_a_newer_version_changes_nothing()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        await UploadAsync(app, await app.Client.CreateSessionAsync(), 1);
        using var folder = new TempFolder();
        var manifest = Path.Combine((string)(await app.CommandAsync("backup", folder.Path))["path"]!, "manifest.json");
        var about = JsonNode.Parse(await File.ReadAllTextAsync(manifest, Cancellation))!;
        about["schemaScripts"]!.AsArray().Add(9999);
        await File.WriteAllTextAsync(manifest, about.ToJsonString(), Cancellation);
        await using var elsewhere = await Machine.MakeAsync(DatabaseKind.Sqlite);

        Assert.Contains("made by a newer version", (await elsewhere.TryAsync("restore", folder.Path)).Errors, StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(elsewhere.Data, "apertur.db")));
        Assert.Empty(Directory.GetFiles(Path.Combine(elsewhere.Data, "images"), "*", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task Backup_of_one_database_is_not_restored_into_the_other()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        using var folder = new TempFolder();
        await app.CommandAsync("backup", folder.Path);
        await using var elsewhere = await Machine.MakeAsync(DatabaseKind.PostgreSql);

        Assert.Contains("of a Sqlite database", (await elsewhere.TryAsync("restore", folder.Path)).Errors, StringComparison.Ordinal);
    }

    [Theory, AllDatabases]
    public async Task Photos_and_keys_may_be_left_to_other_means_and_have_to_be_there_then(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var ids = await UploadAsync(app, await app.Client.CreateSessionAsync(), 1);
        using var folder = new TempFolder();
        var made = await app.CommandAsync("backup", folder.Path, "--without-photos", "--without-keys");
        Assert.Null(made["photos"]);
        Assert.DoesNotContain(
            Directory.GetFileSystemEntries(folder.Path, "*", SearchOption.AllDirectories),
            path => path.EndsWith("/keys", StringComparison.Ordinal) || path.EndsWith("apertur.json", StringComparison.Ordinal) || path.Contains(ids[0], StringComparison.Ordinal));
        await using var elsewhere = await Machine.MakeAsync(database);

        Assert.Contains("--existing-photos", (await elsewhere.TryAsync("restore", folder.Path)).Errors, StringComparison.Ordinal);
        Assert.Contains("The keys are not in this backup", (await elsewhere.TryAsync("restore", folder.Path, "--existing-photos")).Errors, StringComparison.Ordinal);
        await Shell.RunAsync($"cp -a {app.DataFolder}/images {app.DataFolder}/keys {elsewhere.Data}/");
        await elsewhere.RunAsync("restore", folder.Path, "--existing-photos");
        Assert.Equal(1, (int)(await elsewhere.RunAsync("fsck", "--hashes"))["photos"]!);
    }

    [Fact]
    [UnsupportedOSPlatform("windows")]
    public async Task Nobody_else_can_read_a_backup()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such modes.");
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        await UploadAsync(app, await app.Client.CreateSessionAsync(), 1);
        using var parent = new TempFolder();
        await app.CommandAsync("backup", parent.File("made"));

        var made = Directory.GetFileSystemEntries(parent.Path, "*", SearchOption.AllDirectories);

        Assert.Contains("server-secret", made.Select(Path.GetFileName));
        Assert.DoesNotContain(made, path => (File.GetUnixFileMode(path) & (UnixFileMode)0b111_111) != 0);
    }

    private static (int Photos, int Copied) Counts(JsonNode made) => ((int)made["photos"]!, (int)made["copied"]!);

    private static async Task<string[]> UploadAsync(AperturApp app, string session, int count, int seed = 0)
    {
        var ids = new string[count];
        for (var i = 0; i < count; i++)
            ids[i] = (string)(await app.Client.UploadAsync(session, Photos.Jpeg(20_000, seed + i)))["id"]!;
        return ids;
    }

    /// <summary>Every row of every table but those that say whose servers run where.</summary>
    private static async Task<IReadOnlyList<string>> RowsAsync(Database database)
    {
        await using var db = database.Open();
        await db.Database.OpenConnectionAsync(Cancellation);
        var rows = new List<string>();
        foreach (var table in db.Model.GetEntityTypes().Select(entity => entity.GetTableName()!).Distinct().Except(["workers", "images_owner"]))
        {
            await using var command = db.Database.GetDbConnection().CreateCommand();
            command.CommandText = $"SELECT * FROM {table}";
            await using var reader = await command.ExecuteReaderAsync(Cancellation);
            while (await reader.ReadAsync(Cancellation))
                rows.Add($"{table}: {string.Join('|', Enumerable.Range(0, reader.FieldCount).Select(column => $"{reader.GetName(column)}={reader.GetValue(column)}"))}");
        }

        Assert.True(rows.Count > 10);
        return [.. rows.Order(StringComparer.Ordinal)];
    }
}

file static class Extensions
{
    public static string PathOf(this AperturApp app, string id) => app.Services.GetRequiredService<BlobStore>().PathOf(Guid.Parse(id));

    /// <summary>Opens what is there as a command does.</summary>
    public static ServiceProvider Services(this Machine machine)
    {
        var services = new ServiceCollection().AddLogging();
        AperturServer.AddStorage(services, Settings.Load(machine.Data));
        return services.BuildServiceProvider();
    }
}

/// <summary>A store of photos with something that happens before one is opened.</summary>
public class MeddlingBlobs : DispatchProxy
{
    private IBlobs? _inner;

    public Func<string, Task>? BeforeOpening { get; set; }

    /// <summary>How often somebody has asked what is in it.</summary>
    public int Listings { get; private set; }

    internal static IBlobs Around(IBlobs inner)
    {
        var proxy = Create<IBlobs, MeddlingBlobs>();
        ((MeddlingBlobs)(object)proxy)._inner = inner;
        return proxy;
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        if (targetMethod!.Name == nameof(IBlobs.ListAsync))
            Listings++;
        return targetMethod.Name == nameof(IBlobs.OpenReadAsync) && BeforeOpening is { } before
            ? OpenAsync(before, (string)args![0]!, (long)args[1]!, (CancellationToken)args[2]!)
            : targetMethod.Invoke(_inner, BindingFlags.DoNotWrapExceptions, binder: null, args, culture: null);
    }

    private async Task<Stream> OpenAsync(Func<string, Task> before, string key, long position, CancellationToken cancellationToken)
    {
        await before(key);
        return await _inner!.OpenReadAsync(key, position, cancellationToken);
    }
}
