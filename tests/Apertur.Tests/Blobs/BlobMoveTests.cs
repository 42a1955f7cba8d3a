using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server.Storage;
using Apertur.Tests.Destinations;
using Apertur.Tests.Support;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Blobs;

/// <summary><c>blobs move</c>: photos change their place under a running server.</summary>
public sealed class BlobMoveTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, AllDatabases]
    public async Task Running_installation_moves_to_the_object_store_and_back(DatabaseKind database)
    {
        using var bucket = await Bucket.MakeAsync();
        await using var app = await AperturApp.StartAsync(database, bucket.StorageSettings("Folder"));
        var photos = new Dictionary<string, byte[]>();
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["max_images"] = 100 });
        await SendAsync(5, 100_000);
        await SendAsync(1, 9_000_000);

        var first = await app.CommandAsync("blobs", "move", "--to", "s3");
        Assert.Equal((6, 0), ((int)first["copied"]!, (int)first["alreadyThere"]!));
        // The server does not know yet, and goes on where it was.
        await SendAsync(2, 50_000);
        await AllAreThereAsync();

        await using var receiver = await Receiver.StartAsync();
        var hook = await app.Client.CreateDestinationAsync(
            "webhook", new JsonObject { ["url"] = receiver.Url, ["rendition"] = new JsonObject { ["format"] = "jpeg" } });
        var rendered = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(hook), Photos.Jpeg()))["id"]!;
        await app.Client.UploadBecomesAsync(rendered, "delivered");
        app.Set("Storage:Kind", "S3");
        app.Set("Storage:ReadAlso", "Folder");
        await app.RestartAsync();
        await SendAsync(2, 60_000);
        await AllAreThereAsync();
        (await app.Client.SendAsync(HttpMethod.Delete, $"uploads/{rendered}")).Expect(HttpStatusCode.NoContent);
        Assert.Empty(Directory.GetFiles(Path.Combine(app.DataFolder, "images", "renditions")));
        var deleted = photos.Keys.First();
        (await app.Client.SendAsync(HttpMethod.Delete, $"uploads/{deleted}")).Expect(HttpStatusCode.NoContent);
        photos.Remove(deleted);

        var second = await app.CommandAsync("blobs", "move", "--to", "s3");
        Assert.Equal((2, 5), ((int)second["copied"]!, (int)second["alreadyThere"]!));
        Assert.Equal(7, (int)(await app.CommandAsync("blobs", "move", "--to", "s3", "--remove"))["removed"]!);
        app.Set("Storage:ReadAlso", "");
        await app.RestartAsync();
        await AllAreThereAsync();
        Assert.Equal(["owner"], Directory.GetFiles(Path.Combine(app.DataFolder, "images"), "*", SearchOption.AllDirectories).Select(Path.GetFileName));
        Assert.Equal(0, (await app.TryCommandAsync("fsck", "--hashes")).ExitCode);

        // And back.
        Assert.Equal(9, (int)(await app.CommandAsync("blobs", "move", "--to", "folder"))["copied"]!);
        app.Set("Storage:Kind", "Folder");
        await app.RestartAsync();
        await AllAreThereAsync();
        Assert.Equal(0, (await app.TryCommandAsync("fsck", "--hashes")).ExitCode);

        async Task SendAsync(int count, int bytes)
        {
            for (var i = 0; i < count; i++)
            {
                var photo = Photos.Jpeg(bytes, seed: photos.Count);
                photos[(string)(await app.Client.UploadAsync(session, photo))["id"]!] = photo;
            }
        }

        async Task AllAreThereAsync()
        {
            foreach (var (id, photo) in photos)
                Assert.Equal(photo, (await app.Client.GetAsync($"uploads/{id}/download")).Expect(HttpStatusCode.OK).Bytes);
        }
    }

    [Fact]
    public async Task Move_that_was_cut_off_is_taken_up_and_what_is_damaged_stays_where_it_is()
    {
        using var bucket = await Bucket.MakeAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite, bucket.StorageSettings());
        var session = await app.Client.CreateSessionAsync();
        var ids = new List<Guid>();
        for (var i = 0; i < 4; i++)
            ids.Add(Guid.Parse((string)(await app.Client.UploadAsync(session, Photos.Jpeg(100_000, seed: i)))["id"]!));
        var damaged = (await bucket.ReadAsync($"photos/{BlobStore.KeyOf(ids[3])}")).Bytes;
        damaged[50_000] ^= 1;
        await bucket.WriteAsync($"photos/{BlobStore.KeyOf(ids[3])}", damaged);
        // As a power cut leaves files that were being written: one too short, one of the right length without its bytes.
        var day = Directory.CreateDirectory(Path.Combine(app.DataFolder, "images", BlobStore.KeyOf(ids[0]).Split('/')[0])).FullName;
        await File.WriteAllBytesAsync(Path.Combine(day, $"{ids[0]}"), new byte[10], Cancellation);
        await File.WriteAllBytesAsync(Path.Combine(day, $"{ids[1]}"), new byte[100_000], Cancellation);

        var (code, output, errors) = await app.TryCommandAsync("blobs", "move", "--to", "folder");

        Assert.Equal(1, code);
        var report = JsonNode.Parse(output)!;
        Assert.Equal((3, 0, $"{ids[3]}"), ((int)report["copied"]!, (int)report["alreadyThere"]!, (string)report["damaged"]![0]!));
        Assert.Contains($"{ids[3]}", errors, StringComparison.Ordinal);
        Assert.Equal(ids[..3].Order(), Directory.GetFiles(day).Select(path => Guid.Parse(Path.GetFileName(path))).Order());
        foreach (var (id, seed) in ids[..3].Select((id, seed) => (id, seed)))
            Assert.Equal(Photos.Jpeg(100_000, seed), await File.ReadAllBytesAsync(Path.Combine(day, $"{id}"), Cancellation));
    }

    [Fact]
    public async Task Photo_that_is_right_in_the_new_place_stays_there_whatever_the_old_one_has()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Elsewhere there is no file that cannot be read.");
        using var bucket = await Bucket.MakeAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite, bucket.StorageSettings("Folder"));
        var session = await app.Client.CreateSessionAsync();
        var ids = new List<Guid>();
        for (var i = 0; i < 4; i++)
            ids.Add(Guid.Parse((string)(await app.Client.UploadAsync(session, Photos.Jpeg(100_000, seed: i)))["id"]!));
        var store = app.Services.GetRequiredService<BlobStore>();
        var wrong = new byte[100_000];
        // Cut off, and mended by the operator in the new place.
        await File.WriteAllBytesAsync(store.PathOf(ids[0]), new byte[1000], Cancellation);
        await PutAsync(ids[0], Photos.Jpeg(100_000, seed: 0));
        // Wrong in both places.
        await File.WriteAllBytesAsync(store.PathOf(ids[1]), new byte[1000], Cancellation);
        await PutAsync(ids[1], wrong);
        // Unreadable in the old one; wrong in the new one, but of the right length.
        UnreadableFile.Put(store.PathOf(ids[2]));
        await PutAsync(ids[3], wrong);

        var (code, output, _) = await app.TryCommandAsync("blobs", "move", "--to", "s3");

        Assert.Equal(1, code);
        var report = JsonNode.Parse(output)!;
        Assert.Equal((1, 1), ((int)report["copied"]!, (int)report["alreadyThere"]!));
        Assert.Equal(ids[1..3].Order(), report["damaged"]!.AsArray().Select(id => Guid.Parse((string)id!)).Order());
        Assert.Equal(Photos.Jpeg(100_000, seed: 0), await ReadAsync(ids[0]));
        Assert.Equal(wrong, await ReadAsync(ids[1]));
        Assert.Equal(Photos.Jpeg(100_000, seed: 3), await ReadAsync(ids[3]));

        Task PutAsync(Guid id, byte[] bytes) => bucket.WriteAsync($"photos/{BlobStore.KeyOf(id)}", bytes);
        async Task<byte[]> ReadAsync(Guid id) => (await bucket.ReadAsync($"photos/{BlobStore.KeyOf(id)}")).Bytes;
    }

    [Fact]
    public async Task Move_that_would_lose_photos_is_refused()
    {
        using var bucket = await Bucket.MakeAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite, bucket.StorageSettings("Folder"));
        var id = Guid.Parse((string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(), Photos.Png()))["id"]!);

        // Servers still read and write there.
        Assert.Contains("Storage:Kind", (await app.TryCommandAsync("blobs", "move", "--to", "s3", "--remove")).Errors, StringComparison.Ordinal);
        await bucket.WriteAsync("photos/owner", "The photos in this folder belong to the Apertur database of somebody else");
        Assert.Contains("belongs to another database", (await app.TryCommandAsync("blobs", "move", "--to", "s3")).Errors, StringComparison.Ordinal);

        Assert.Equal(["photos/owner"], await bucket.KeysAsync());
        Assert.True(await app.Services.GetRequiredService<BlobStore>().ExistsAsync(id, Cancellation));
    }
}
