using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Apertur.Server.Destinations;
using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Apertur.Tests.Destinations;
using Apertur.Tests.Events;
using Apertur.Tests.Support;
using Apertur.Tests.Support.Fakes;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Scenarios;

/// <summary>
/// Photos that a disk has damaged on their way to every type of destination and in every format of webhook: none counts as sent with other
/// bytes, and each is told.
/// </summary>
public sealed class DamagedPhotoTests(ITestOutputHelper output)
{
    private const int PhotosInWave = 25;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, AllDatabases]
    public Task No_destination_gets_damaged_bytes_and_every_damaged_photo_is_told(DatabaseKind database) =>
        RunAsync(database, damaged: 14, sound: 4, largest: 9_500_000, seed: 1);

    /// <summary>The same with five hundred; see chaos/README.md.</summary>
    [Fact(Explicit = true)]
    public Task Five_hundred_damaged_photos_are_told_and_never_delivered() => RunAsync(
        Enum.Parse<DatabaseKind>(Environment.GetEnvironmentVariable("CHAOS_DATABASE") ?? nameof(DatabaseKind.Sqlite)),
        int.Parse(Environment.GetEnvironmentVariable("CHAOS_PHOTOS") ?? "500", CultureInfo.InvariantCulture),
        sound: 100, largest: 20_000_000, int.Parse(Environment.GetEnvironmentVariable("CHAOS_SEED") ?? "1", CultureInfo.InvariantCulture));

    private async Task RunAsync(DatabaseKind database, int damaged, int sound, int largest, int seed)
    {
        var started = TimeProvider.System.GetTimestamp();
        await using var world = await World.StartAsync(database);
        await using var ears = await Receiver.StartAsync();
        await world.App.ListenAsync(ears, "project.upload.damaged");
        var random = new Random(seed);
        var kinds = new Dictionary<string, int>();
        var photos = new List<Photo>();
        for (var done = 0; done < damaged + sound; done += PhotosInWave)
        {
            var count = Math.Min(PhotosInWave, damaged + sound - done);
            await world.SuspendAsync();
            var wave = new List<Photo>();
            for (var i = 0; i < count; i++)
                wave.Add(await world.UploadAsync(done + i, Size(random, largest)));
            // Every fifth or so stays whole; half of the others are damaged while they are being delivered.
            var toDamage = wave.Where((_, i) => (done + i) * damaged / (damaged + sound) != (done + i + 1) * damaged / (damaged + sound)).ToList();
            var before = toDamage.Where((_, i) => i % 2 == 0).ToList();
            foreach (var photo in before)
                Count(kinds, photo.Damage(world.PathOf(photo), random));
            await world.ResumeAsync();
            foreach (var photo in toDamage.Except(before))
                Count(kinds, photo.Damage(world.PathOf(photo), random));
            await world.SettleAsync(wave, before);
            photos.AddRange(wave);
        }

        // What was delivered before it was damaged shows when all files are compared.
        var report = await world.App.Services.GetRequiredService<StorageCheck>().RunAsync(compareHashes: true, repair: false, Cancellation);
        await world.AssertAsync(photos);
        Assert.Equal(damaged, report.Damaged.Count);
        Assert.Equal(
            photos.Where(photo => photo.IsDamaged).Select(photo => photo.Id).Order(),
            report.Damaged.Select(found => found.Upload.Id.ToString()).Order());
        var problem = (await world.App.ClientOf(null).GetAsync("/readyz")).Expect(HttpStatusCode.OK).Json["problems"]![0]!;
        Assert.Contains($": {damaged}.", (string)problem["detail"]!, StringComparison.Ordinal);
        await world.App.PassAsync(TimeSpan.FromSeconds(1));
        await Eventually.True(() => ears.Requests.Count >= damaged);
        Assert.Equal(damaged, ears.Requests.Select(request => (string)request.Json()["data"]!["id"]!).Distinct().Count());
        Assert.Equal(damaged, ears.Requests.Count);
        Assert.All(
            ears.Requests, request => Assert.Contains((string)request.Json()["data"]!["damage"]!, new[] { "missing", "truncated", "extended", "altered" }));

        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"> {database}: {photos.Count} photos, {photos.Sum(photo => (long)photo.Bytes) / 1e6:F0} MB, 5 types of destination and 4 formats of "
            + $"webhook; {damaged} damaged ({string.Join(", ", kinds.OrderBy(kind => kind.Key).Select(kind => $"{kind.Value} {kind.Key}"))}): "
            + $"{world.WrongBytes} arrived with other bytes, {ears.Requests.Count} told once, {sound} sound ones arrived everywhere; "
            + $"{TimeProvider.System.GetElapsedTime(started).TotalSeconds:F0} s."));
    }

    private static void Count(Dictionary<string, int> kinds, string kind) => kinds[kind] = kinds.GetValueOrDefault(kind) + 1;

    private static int Size(Random random, int largest) => (int)(5_000 * Math.Pow(largest / 5_000.0, Math.Pow(random.NextDouble(), 2)));

    /// <summary>One photo as it was sent, made again from its number whenever its bytes are needed.</summary>
    private sealed record Photo(string Id, int Number, int Bytes)
    {
        public bool IsDamaged { get; private set; }

        public byte[] Original() => Photos.Jpeg(Bytes, Number);

        /// <summary>Does to its file what disks, and people, do.</summary>
        public string Damage(string path, Random random)
        {
            IsDamaged = true;
            switch (random.Next(5))
            {
                case 0:
                    File.Delete(path);
                    return "missing";
                case 1:
                    using (var file = File.OpenHandle(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
                        RandomAccess.SetLength(file, random.NextInt64(Bytes));
                    return "truncated";
                case 2:
                    using (var file = File.OpenHandle(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
                        RandomAccess.Write(file, new byte[random.Next(1, 5000)], Bytes);
                    return "extended";
                default:
                    using (var file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite))
                    {
                        var at = random.NextInt64(Bytes);
                        var flipped = new byte[1];
                        RandomAccess.Read(file, flipped, at);
                        flipped[0] ^= (byte)(1 << random.Next(8));
                        RandomAccess.Write(file, flipped, at);
                    }

                    return "with a flipped bit";
            }
        }
    }

    /// <summary>A server with every type of destination and every format of webhook, and the places where photos arrive.</summary>
    private sealed class World : IAsyncDisposable
    {
        private readonly FakeClouds _clouds;
        private readonly Bucket _bucket;
        private readonly List<Receiver> _hooks = [];
        private readonly List<string> _destinations = [];
        private readonly ConcurrentDictionary<int, Photo> _photos = [];
        private string _session = "";
        private int _wrong;

        private World(AperturApp app, FakeClouds clouds, Bucket bucket) => (App, _clouds, _bucket) = (app, clouds, bucket);

        public AperturApp App { get; }

        public int WrongBytes => _wrong;

        public static async Task<World> StartAsync(DatabaseKind database)
        {
            var clouds = await FakeClouds.StartAsync();
            var settings = clouds.Settings;
            settings["Limits:MaxImagesPerSession"] = "2000";
            var app = await AperturApp.StartAsync(database, settings);
            clouds.Google.Clock = app.Clock;
            var world = new World(app, clouds, await Bucket.MakeAsync());
            foreach (var format in new[] { "json_base64", "multipart", "binary", "link" })
            {
                var hook = await Receiver.StartAsync();
                hook.Otherwise = context => world.ReceiveAsync(context, format);
                world._hooks.Add(hook);
                world._destinations.Add(await app.Client.CreateDestinationAsync("webhook", new() { ["url"] = hook.Url, ["format"] = format }));
            }

            world._destinations.Add(await app.Client.CreateDestinationAsync("s3", world._bucket.Config()));
            world._destinations.Add(await app.Client.CreateDestinationAsync(
                "gcs", new() { ["bucket"] = FakeGoogle.BucketName, ["serviceAccountJson"] = clouds.Google.ServiceAccountJson }));
            world._destinations.Add(await clouds.ConnectedAsync(app, "google_drive"));
            world._destinations.Add(await clouds.ConnectedAsync(app, "dropbox"));
            world._session = await app.Client.CreateSessionAsync(new JsonObject
            {
                ["max_images"] = 2000,
                ["destination_ids"] = new JsonArray([.. world._destinations.Select(id => JsonValue.Create(id))]),
            });
            return world;
        }

        public Task SuspendAsync() => App.Services.GetRequiredService<Database>().WriteAsync(
            async db =>
            {
                foreach (var destination in await db.Destinations.ToListAsync(Cancellation))
                    DestinationSuspension.Suspend(destination, "It waits.");
            },
            Cancellation);

        public async Task ResumeAsync()
        {
            foreach (var id in _destinations)
            {
                (await App.Client.SendAsync(
                    HttpMethod.Patch, $"projects/{App.ProjectId}/destinations/{id}", new JsonObject { ["isActive"] = true })).Expect(HttpStatusCode.OK);
            }
        }

        public async Task<Photo> UploadAsync(int number, int bytes)
        {
            var answer = await App.Client.UploadAsync(_session, Photos.Jpeg(bytes, number), $"IMG_{number}.jpg");
            var photo = new Photo((string)answer["id"]!, number, bytes);
            _photos[number] = photo;
            return photo;
        }

        public string PathOf(Photo photo) => App.Services.GetRequiredService<BlobStore>().PathOf(Guid.Parse(photo.Id));

        /// <summary>Waits until each of a wave is delivered, or was tried and not delivered because of its file.</summary>
        public async Task SettleAsync(IReadOnlyList<Photo> wave, IReadOnlyList<Photo> damagedBefore)
        {
            foreach (var photo in wave)
            {
                var rows = await Eventually.Becomes(
                    () => App.DeliveriesAsync(photo.Id), rows => rows.All(row => row.State is DeliveryState.Sent or DeliveryState.Retrying),
                    $"photo {photo.Number} was tried everywhere");
                foreach (var row in rows.Where(row => row.State == DeliveryState.Retrying))
                    Assert.Contains("stored image", row.LastError, StringComparison.Ordinal);
                if (!photo.IsDamaged)
                    Assert.All(rows, row => Assert.Equal(DeliveryState.Sent, row.State));
                if (damagedBefore.Contains(photo))
                    Assert.All(rows, row => Assert.Equal(DeliveryState.Retrying, row.State));
            }
        }

        /// <summary>That nothing lies anywhere that was not sent like that, and everything that counts as sent does.</summary>
        public async Task AssertAsync(IReadOnlyList<Photo> photos)
        {
            Assert.Equal(0, _wrong);
            var originals = photos.ToDictionary(photo => Hash(photo.Original()), photo => photo.Id);
            var s3 = new List<byte[]>();
            foreach (var key in await _bucket.KeysAsync())
                s3.Add((await _bucket.ReadAsync(key)).Bytes);
            await AssertStoreAsync("s3", s3);
            await AssertStoreAsync("gcs", _clouds.Google.Objects.Select(stored => stored.Bytes));
            await AssertStoreAsync("google_drive", _clouds.Google.Files.Select(stored => stored.Bytes));
            await AssertStoreAsync("dropbox", _clouds.Dropbox.Files.Select(stored => stored.Bytes));

            async Task AssertStoreAsync(string type, IEnumerable<byte[]> stored)
            {
                await using var db = App.Services.GetRequiredService<Database>().Open();
                var sent = await db.Deliveries.Where(row => row.DestinationType == type && row.State == DeliveryState.Sent)
                    .Select(row => row.UploadId).ToListAsync(Cancellation);
                var there = stored.Select(Hash).ToList();
                Assert.All(there, hash => Assert.True(originals.ContainsKey(hash), $"{type} holds bytes that nobody sent."));
                Assert.Equal(sent.Select(id => id.ToString()).Order(), there.Select(hash => originals[hash]).Order());
            }
        }

        public async ValueTask DisposeAsync()
        {
            await App.DisposeAsync();
            foreach (var hook in _hooks)
                await hook.DisposeAsync();
            _bucket.Dispose();
            await _clouds.DisposeAsync();
        }

        /// <summary>Takes what arrives whole, and counts what is not the photo that it says it is.</summary>
        private async Task ReceiveAsync(HttpContext context, string format)
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body, context.RequestAborted);
            var original = _photos[int.Parse(context.Request.Headers["X-Aptr-Image-Index"]!, CultureInfo.InvariantCulture)].Original();
            var isRight = format switch
            {
                "binary" => body.ToArray().AsSpan().SequenceEqual(original),
                "multipart" => body.ToArray().AsSpan().IndexOf(original) >= 0,
                "json_base64" => body.ToArray().AsSpan().IndexOf(Encoding.ASCII.GetBytes(Convert.ToBase64String(original))) >= 0,
                // The address gives the photo or nothing, which has tests of its own.
                _ => true,
            };
            if (!isRight)
                Interlocked.Increment(ref _wrong);
        }

        private static string Hash(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));
    }
}
