using System.Net;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Server;
using Apertur.Server.Encryption;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Apertur.Tests.Destinations;
using Apertur.Tests.Encryption;
using Apertur.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Apertur.Tests.Scenarios;

/// <summary>Nodes that share a PostgreSQL and an object store, and nothing else.</summary>
public sealed class NodesApartTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Photo_that_one_node_takes_in_is_delivered_by_another_and_fetched_from_either()
    {
        using var bucket = await Bucket.MakeAsync();
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.PostgreSql, Apart(bucket), role: NodeRole.Web);
        using var folder = new TempFolder();
        await using var second = await SecondNode.StartApartAsync(app, folder);
        using var http = new OutboundHttp(allowPrivateNetworks: true);
        var other = new AperturClient(http, second.Urls.Single(), app.ProjectId, app.LiveKey);

        // The one encrypts the destination's configuration, the other decrypts it.
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject
        {
            ["url"] = receiver.Url,
            ["headers"] = new JsonObject { ["Authorization"] = "Bearer planted" },
        });
        var session = await app.Client.CreateSessionAsync(webhook);
        var photo = Photos.Jpeg(200_000, seed: 1);
        var id = (string)(await app.Client.UploadAsync(session, photo))["id"]!;
        await DeliveredAsync(app, id);
        Assert.Equal("Bearer planted", (await receiver.NextAsync(Cancellation)).Headers["Authorization"]);

        // Signed by the one, and by the other.
        var link = app.Services.GetRequiredService<DownloadLinks>();
        var elsewhere = second.Services.GetRequiredService<DownloadLinks>();
        foreach (var client in new[] { app.ClientOf(null), new AperturClient(http, second.Urls.Single(), app.ProjectId, null) })
        {
            foreach (var links in new[] { link, elsewhere })
            {
                var path = links.Create(Guid.Parse(id)).PathAndQuery;
                Assert.Equal(photo, (await client.GetAsync(path)).Expect(HttpStatusCode.OK).Bytes);
            }
        }

        Assert.Equal(photo, (await other.GetAsync($"uploads/{id}/download")).Expect(HttpStatusCode.OK).Bytes);
        var owner = await app.SignInAsync();
        var token = new AperturClient(http, second.Urls.Single(), app.ProjectId, owner.Token);
        (await token.GetAsync("projects")).Expect(HttpStatusCode.OK);

        // Encrypted to the key that the one gives out, opened by the other.
        var envelope = Sealed.Here(await app.ServerKeyAsync(), photo);
        Assert.Equal(await app.ServerKeyAsync(), second.Services.GetRequiredService<ServerKeyPair>().PublicKey);
        var opened = await other.SendAsync(HttpMethod.Post, $"upload/{session}/images", envelope, ("X-Aptr-Encrypted", "default"));
        Assert.Equal(photo, (await app.Client.GetAsync($"uploads/{opened.Expect(HttpStatusCode.Created).Json["id"]}/download")).Bytes);

        foreach (var data in new[] { app.DataFolder, folder.Path })
        {
            Assert.False(Directory.Exists(Path.Combine(data, "keys")));
            Assert.DoesNotContain(Directory.GetFiles(data, "*", SearchOption.AllDirectories), path => path.Contains("/images/", StringComparison.Ordinal));
        }

        await second.StopAsync(Cancellation);
    }

    [Fact]
    public async Task Worker_delivers_and_answers_its_supervisor_only()
    {
        using var bucket = await Bucket.MakeAsync();
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.PostgreSql, Apart(bucket), role: NodeRole.Web);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var id = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(webhook), Photos.Png()))["id"]!;
        Assert.Equal("pending", (string)(await app.Client.UploadRowAsync(id))["status"]!);

        using var folder = new TempFolder();
        await using var worker = await SecondNode.StartApartAsync(app, folder, NodeRole.Worker);

        await DeliveredAsync(app, id);
        using var http = new OutboundHttp(allowPrivateNetworks: true);
        var client = new AperturClient(http, worker.Urls.Single(), app.ProjectId, app.LiveKey);
        (await client.GetAsync("/healthz")).Expect(HttpStatusCode.OK);
        (await client.GetAsync("/readyz")).Expect(HttpStatusCode.OK);
        (await client.GetAsync("uploads")).Expect(HttpStatusCode.NotFound);
        await worker.StopAsync(Cancellation);
    }

    [Fact]
    public async Task Node_that_only_answers_requests_removes_from_its_own_disk_what_a_crash_left_there()
    {
        using var bucket = await Bucket.MakeAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.PostgreSql, Apart(bucket), role: NodeRole.Web);
        var spool = Directory.CreateDirectory(Path.Combine(app.DataFolder, "images", "partial")).FullName;
        var (left, current) = (Path.Combine(spool, $"{Guid.CreateVersion7()}.0"), Path.Combine(spool, $"{Guid.CreateVersion7()}.0"));
        foreach (var (file, hours) in new[] { (left, 25), (current, 23) })
        {
            await File.WriteAllTextAsync(file, "x", Cancellation);
            File.SetLastWriteTimeUtc(file, app.Clock.GetUtcNow().UtcDateTime.AddHours(-hours));
        }

        await app.Services.GetServices<IHostedService>().OfType<OrphanCleanup>().Single().RunOnceAsync(Cancellation);

        Assert.Equal([current], Directory.GetFiles(spool));
    }

    [Fact]
    public async Task Keys_in_a_folder_go_into_the_database_by_themselves_and_everything_stays_readable()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.PostgreSql);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = "https://example.com/planted" });
        var id = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(), Photos.Png()))["id"]!;
        var link = app.Services.GetRequiredService<DownloadLinks>().Create(Guid.Parse(id)).PathAndQuery;
        var publicKey = await app.ServerKeyAsync();
        app.Set("Keys:Place", "Database");
        app.Set("Keys:WrappingKey", NewKey());
        var keys = Path.Combine(app.DataFolder, "keys");

        // A node that does not have them must not begin others.
        await app.RestartAsync(() =>
        {
            Directory.Move(keys, keys + "-away");
            var refused = Assert.Throws<InvalidOperationException>(() => StartKeys(app));
            Assert.Contains("Start that node first", refused.Message, StringComparison.Ordinal);
            Directory.Move(keys + "-away", keys);
            return Task.CompletedTask;
        });
        await app.RestartAsync(() =>
        {
            Directory.Delete(keys, recursive: true);
            return Task.CompletedTask;
        });

        Assert.Equal("https://example.com/planted", (string)(await app.Client.GetAsync($"projects/{app.ProjectId}/destinations/{webhook}")).Json["config"]!["url"]!);
        Assert.Equal(Photos.Png(), (await app.ClientOf(null).GetAsync(link)).Expect(HttpStatusCode.OK).Bytes);
        Assert.Equal(publicKey, await app.ServerKeyAsync());
        Assert.False(Directory.Exists(keys));
        // Whoever reads the database alone reads no key.
        Assert.DoesNotContain(await app.TextsAsync(), text => text.Text.Contains("<key ", StringComparison.Ordinal));
        Assert.NotEmpty((string)(await app.CommandAsync("encryption-keys", "rotate"))["key"]!);
        await app.RestartAsync();

        app.Set("Keys:WrappingKey", NewKey());
        var wrong = Assert.Throws<InvalidOperationException>(() => StartKeys(app));
        Assert.Contains("is not what it was wrapped with", wrong.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Wrapping_key_may_be_in_a_file_and_must_be_a_key()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseKind.PostgreSql);
        using var folder = new TempFolder();
        await File.WriteAllTextAsync(folder.File("wrapping"), NewKey() + "\n", Cancellation);
        var settings = new Dictionary<string, string?>
        {
            ["Database:Provider"] = nameof(DatabaseProvider.PostgreSql),
            ["Database:ConnectionString"] = database.ConnectionString,
            ["Keys:Place"] = "Database",
            ["Keys:WrappingKeyFile"] = folder.File("wrapping"),
        };
        Assert.Equal(32, Settings.Load(folder.Path, settings).Keys.ReadWrappingKey().Length);

        await File.WriteAllTextAsync(folder.File("wrapping"), "c2hvcnQ=", Cancellation);
        Assert.Contains("at least 32 bytes", Assert.Throws<InvalidOperationException>(() => Settings.Load(folder.Path, settings).Keys.ReadWrappingKey()).Message, StringComparison.Ordinal);
        settings["Keys:WrappingKey"] = NewKey();
        Assert.Throws<InvalidOperationException>(() => Settings.Load(folder.Path, settings));
        Assert.Throws<InvalidOperationException>(() => Settings.Load(folder.Path, [new("Keys:Place", "Database"), new("Keys:WrappingKey", NewKey())]));
    }

    private static async Task DeliveredAsync(AperturApp app, string id)
    {
        var delivered = app.Client.UploadBecomesAsync(id, "delivered");
        await SecondNode.PassUntilAsync(app, delivered);
        await delivered;
    }

    private static void StartKeys(AperturApp app)
    {
        var services = new ServiceCollection().AddLogging();
        AperturServer.AddStorage(services, Settings.Load(app.DataFolder, app.SharedSettings));
        using var provider = services.BuildServiceProvider();
        provider.GetRequiredService<DerivedKeys>().Key("anything");
    }

    private static Dictionary<string, string?> Apart(Bucket bucket) => new(bucket.StorageSettings())
    {
        ["Keys:Place"] = "Database",
        ["Keys:WrappingKey"] = NewKey(),
    };

    private static string NewKey() => Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
}
