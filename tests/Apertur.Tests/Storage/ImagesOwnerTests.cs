using Apertur.Server;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Apertur.Tests.Storage;

/// <summary>A folder of images belongs to one database, and no server starts on another's.</summary>
public sealed class ImagesOwnerTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, AllDatabases]
    public async Task Folder_gets_the_mark_of_its_database_at_the_first_start_and_keeps_it(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var mark = await File.ReadAllTextAsync(Mark(app), Cancellation);

        await app.RestartAsync();

        Assert.Matches("belong to the Apertur database [0-9a-f-]{36} \\(", mark);
        Assert.Equal(mark, await File.ReadAllTextAsync(Mark(app), Cancellation));
    }

    [Theory, AllDatabases]
    public async Task Installation_of_before_the_mark_gets_one(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        await UploadAsync(app);
        File.Delete(Mark(app));
        await ChangeAsync(app, db => db.ImagesOwnership.ExecuteDeleteAsync(Cancellation));

        await app.RestartAsync();

        Assert.True(File.Exists(Mark(app)));
    }

    [Theory, AllDatabases]
    public async Task First_start_that_was_cut_off_before_the_mark_is_finished_by_the_next(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        File.Delete(Mark(app));
        await ChangeAsync(app, db => db.ImagesOwnership.ExecuteUpdateAsync(own => own.SetProperty(o => o.IsMarked, false), Cancellation));

        await app.RestartAsync();

        Assert.True(File.Exists(Mark(app)));
    }

    [Theory, AllDatabases]
    public async Task Server_of_another_database_does_not_start_until_the_folder_is_claimed(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        await UploadAsync(app);
        var other = Guid.NewGuid();
        await ChangeAsync(app, db => db.ImagesOwnership.ExecuteUpdateAsync(own => own.SetProperty(o => o.Id, other), Cancellation));

        var refused = await RefusalAsync(app);
        Assert.Contains("belongs to another database", refused, StringComparison.Ordinal);
        Assert.Contains("images claim", refused, StringComparison.Ordinal);

        await app.CommandAsync("images", "claim");
        await app.RestartAsync();
        Assert.Contains(other.ToString(), await File.ReadAllTextAsync(Mark(app), Cancellation), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Copy_of_a_database_is_not_the_one_that_the_folder_belongs_to()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.PostgreSql);
        var original = app.Services.GetRequiredService<Settings>().Database.ConnectionString;
        await using var copy = await TestDatabase.CreateAsync(DatabaseKind.PostgreSql);
        await Shell.RunAsync(
            $"pg_dump {NameOf(original)} | psql -q -v ON_ERROR_STOP=1 {NameOf(copy.ConnectionString)} >/dev/null", Shell.PostgreSql(original));

        Assert.Contains("a copy of the one", await StartOnAsync(app.DataFolder, copy.ConnectionString), StringComparison.Ordinal);
        Assert.Empty(await StartOnAsync(app.DataFolder, original));
    }

    [Theory, AllDatabases]
    public async Task New_database_on_an_old_folder_does_not_start(DatabaseKind database)
    {
        await using var old = await AperturApp.StartAsync(database);
        var photo = await UploadAsync(old);
        await using var app = await AperturApp.StartAsync(database);
        var path = app.Services.GetRequiredService<BlobStore>().PathOf(photo);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.Copy(old.Services.GetRequiredService<BlobStore>().PathOf(photo), path);

        File.Copy(Mark(old), Mark(app), overwrite: true);
        Assert.Contains("another database", await RefusalAsync(app), StringComparison.Ordinal);

        // As it was before there were marks.
        File.Delete(Mark(app));
        await ChangeAsync(app, db => db.ImagesOwnership.ExecuteDeleteAsync(Cancellation));
        Assert.Contains("the database knows none", await RefusalAsync(app), StringComparison.Ordinal);
        Assert.True(File.Exists(path));
    }

    [Theory, AllDatabases]
    public async Task Mark_that_is_gone_is_not_written_again_in_silence(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        await UploadAsync(app);
        File.Delete(Mark(app));

        Assert.Contains("does not carry the mark", await RefusalAsync(app), StringComparison.Ordinal);

        await app.CommandAsync("images", "claim");
        await app.RestartAsync();
    }

    [Fact]
    public async Task Nodes_that_start_at_once_on_one_folder_and_database_agree()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseKind.PostgreSql);
        using var folder = new TempFolder();

        var refusals = await Task.WhenAll(Enumerable.Range(0, 6)
            .Select(_ => Task.Run(() => StartOnAsync(folder.Path, database.ConnectionString), Cancellation)));

        Assert.All(refusals, Assert.Empty);
    }

    [Fact]
    public async Task Of_two_databases_that_start_at_once_on_one_folder_one_is_refused()
    {
        await using var one = await TestDatabase.CreateAsync(DatabaseKind.PostgreSql);
        await using var two = await TestDatabase.CreateAsync(DatabaseKind.PostgreSql);
        using var folder = new TempFolder();

        var refusals = await Task.WhenAll(new[] { one, two }
            .Select(database => Task.Run(() => StartOnAsync(folder.Path, database.ConnectionString), Cancellation)));

        Assert.Single(refusals, refusal => refusal.Length == 0);
        Assert.Single(refusals, refusal => refusal.Contains("belongs to another database", StringComparison.Ordinal));
    }

    private static string Mark(AperturApp app) => Path.Combine(app.DataFolder, "images", "owner");

    private static string NameOf(string connectionString) => new NpgsqlConnectionStringBuilder(connectionString).Database!;

    private static async Task<Guid> UploadAsync(AperturApp app) =>
        Guid.Parse((string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(), Photos.Jpeg()))["id"]!);

    private static Task ChangeAsync(AperturApp app, Func<AperturDb, Task> change) =>
        app.Services.GetRequiredService<Database>().WriteAsync(change, Cancellation);

    private static async Task<string> RefusalAsync(AperturApp app) =>
        (await Assert.ThrowsAsync<InvalidOperationException>(() => app.RestartAsync())).Message;

    /// <summary>Does with a folder what a server does at its start.</summary>
    /// <returns>Why it was refused; empty when it was not.</returns>
    private static async Task<string> StartOnAsync(string dataFolder, string connectionString)
    {
        var services = new ServiceCollection().AddLogging();
        AperturServer.AddStorage(services, Settings.Load(
            dataFolder, [new("Database:Provider", nameof(DatabaseProvider.PostgreSql)), new("Database:ConnectionString", connectionString),
                new("Database:AllowDataLoss", "true")]));
        await using var provider = services.BuildServiceProvider();
        try
        {
            await Migrator.RunAsync(provider.GetRequiredService<Database>(), Cancellation);
            await provider.GetRequiredService<ImagesOwner>().AssertAsync(Cancellation);
            return "";
        }
        catch (InvalidOperationException refused)
        {
            return refused.Message;
        }
    }
}
