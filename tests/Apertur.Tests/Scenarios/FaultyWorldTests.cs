using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Apertur.Server;
using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Apertur.Tests.Destinations;
using Apertur.Tests.Support;
using Apertur.Tests.Support.Fakes;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Scenarios;

/// <summary>
/// One session with every type of destination at once, and services that fail: of all requests some are refused (429, 500, 503), cut off in
/// the middle, carried out without an answer, or never answered.
/// </summary>
public sealed class FaultyWorldTests(ITestOutputHelper output)
{
    private const double Share = 0.3;
    private const double Hangs = 0.03;

    [Theory, AllDatabases]
    public Task Every_destination_ends_with_exactly_every_photo(DatabaseKind database) =>
        RunAsync(database, photos: 12, smallest: 5_000, largest: 300_000, Share, deadline: TimeSpan.FromMilliseconds(300));

    /// <summary>The same with a thousand large photos; see chaos/README.md.</summary>
    [Fact(Explicit = true)]
    public Task A_thousand_photos_arrive_everywhere_exactly_once() => RunAsync(
        Enum.Parse<DatabaseKind>(Environment.GetEnvironmentVariable("CHAOS_DATABASE") ?? nameof(DatabaseKind.Sqlite)),
        int.Parse(Environment.GetEnvironmentVariable("CHAOS_PHOTOS") ?? "1000", CultureInfo.InvariantCulture),
        100_000, 20_000_000, Share, TimeSpan.FromSeconds(4));

    /// <param name="database">Where rows are kept.</param>
    /// <param name="photos">How many.</param>
    /// <param name="smallest">Bytes of the smallest.</param>
    /// <param name="largest">Bytes of the largest.</param>
    /// <param name="share">Of all requests that meet a fault.</param>
    /// <param name="deadline">How long attempts may run, really, before the clock moves on.</param>
    private async Task RunAsync(DatabaseKind database, int photos, int smallest, int largest, double share, TimeSpan deadline)
    {
        var started = TimeProvider.System.GetTimestamp();
        await using var clouds = await FakeClouds.StartAsync();
        using var bucket = await Bucket.MakeAsync();
        await using var relay = await Relay.StartAsync(bucket.Endpoint);
        await using var receiver = await Receiver.StartAsync();
        var settings = clouds.Settings;
        // Where an attempt takes many requests, most of them fail by chance alone.
        settings["Delivery:RetrySeconds"] = string.Join(',', Enumerable.Repeat(30, 300));
        settings["Limits:MaxImagesPerSession"] = "2000";
        await using var app = await AperturApp.StartAsync(database, settings);
        clouds.Google.Clock = app.Clock;

        var atHook = new Faults(share, seed: 1, Hangs);
        var hook = new Hook(atHook);
        receiver.Otherwise = hook.HandleAsync;
        var session = await app.Client.CreateSessionAsync(new JsonObject
        {
            ["max_images"] = photos,
            ["destination_ids"] = new JsonArray(
                await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url, ["format"] = "binary" }),
                await app.Client.CreateDestinationAsync("s3", bucket.Config(new JsonObject { ["endpoint"] = relay.Endpoint })),
                await app.Client.CreateDestinationAsync(
                    "gcs", new JsonObject { ["bucket"] = FakeGoogle.BucketName, ["serviceAccountJson"] = clouds.Google.ServiceAccountJson }),
                await clouds.ConnectedAsync(app, "google_drive"),
                await clouds.ConnectedAsync(app, "dropbox")),
        });
        var atBucket = new Faults(share, seed: 2, Hangs);
        relay.Misbehave(atBucket);
        var atGoogle = clouds.Google.Misbehave(share, seed: 3, Hangs);
        var atDropbox = clouds.Dropbox.Misbehave(share, seed: 4, Hangs);

        var sent = new ConcurrentBag<string>();
        var bytes = 0L;
        await Parallel.ForAsync(0, photos, new ParallelOptions { MaxDegreeOfParallelism = 4 }, async (i, _) =>
        {
            var photo = Photo(i, Size(i, photos, smallest, largest));
            await app.Client.UploadAsync(session, photo, i % 5 == 4 ? $"IMG_{i % 50}.HEIC" : $"IMG_{i % 50}.jpg");
            sent.Add(Convert.ToHexStringLower(SHA256.HashData(photo)));
            Interlocked.Add(ref bytes, photo.Length);
        });
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"> {photos} photos, {bytes / 1e6:F0} MB, are received."));
        await DeliverAsync(app, deadline);
        output.WriteLine("> All is delivered; what is there is compared.");
        relay.Misbehave(new Faults(0, 0));

        var expected = sent.Order().ToList();
        AssertSame("webhook", expected, hook.Stored.Values);
        AssertSame("s3", expected, await HashesAsync(bucket));
        AssertSame("gcs", expected, clouds.Google.Objects.Select(stored => Hash(stored.Bytes)));
        AssertSame("google_drive", expected, clouds.Google.Files.Select(stored => Hash(stored.Bytes)));
        AssertSame("dropbox", expected, clouds.Dropbox.Files.Select(stored => Hash(stored.Bytes)));
        var (attempts, unfinished) = (await app.AttemptsAsync(), (await bucket.UnfinishedUploadsAsync()).Count);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"> {database}: {photos} photos, {bytes / 1e6:F0} MB, 5 destinations, {attempts} attempts for {5 * photos} deliveries, "
            + $"requests faulted: webhook {atHook}, S3 {atBucket}, Google {atGoogle}, Dropbox {atDropbox}; "
            + $"{TimeProvider.System.GetElapsedTime(started).TotalSeconds:F0} s; every destination holds {photos} of {photos}; "
            // Where the request that gives parts up met a fault as well.
            + $"{unfinished} unfinished multipart uploads are left in the bucket."));
    }

    /// <summary>Lets time pass until every delivery has ended, and sees that every one was sent.</summary>
    private async Task DeliverAsync(AperturApp app, TimeSpan deadline)
    {
        var (told, before, patience) = (0, 0, deadline);
        var pump = app.Services.GetRequiredService<Pump>();
        while (true)
        {
            await using var db = app.Services.GetRequiredService<Database>().Open();
            var states = await db.Deliveries.GroupBy(row => row.State).Select(group => new { group.Key, Count = group.Count() })
                .ToDictionaryAsync(group => group.Key, group => group.Count, TestContext.Current.CancellationToken);
            Assert.DoesNotContain(DeliveryState.Failed, states.Keys);
            var parked = db.Destinations.Where(d => d.ParkedReason != null).Select(d => d.ParkedReason);
            Assert.Empty(await parked.ToListAsync(TestContext.Current.CancellationToken));
            if (states.Keys.All(state => state == DeliveryState.Sent))
                return;
            var (sent, all) = (states.GetValueOrDefault(DeliveryState.Sent), states.Values.Sum());
            if (told < sent * 10 / all)
            {
                told = sent * 10 / all;
                output.WriteLine($"> {sent} of {all} are delivered.");
            }

            // What hangs ends when the clock has moved far enough; what works is given real time first, and more of it where
            // that was too little.
            var drained = pump.DrainAsync();
            var longest = Task.Delay(patience, TimeProvider.System, TestContext.Current.CancellationToken);
            patience = await Task.WhenAny(drained, longest) == drained || sent > before ? deadline : 2 * patience;
            before = sent;
            app.Clock.Jump(TimeSpan.FromSeconds(31));
            app.Services.GetRequiredService<AsyncAutoResetEvent>().Set();
        }
    }

    /// <summary>From the smallest to the largest, with many small ones: the sizes of a phone's photos are spread like that.</summary>
    private static int Size(int index, int photos, int smallest, int largest) =>
        (int)(smallest * Math.Pow((double)largest / smallest, Math.Pow((index * 7919 % photos + 1) / (double)photos, 3)));

    private static byte[] Photo(int index, int size)
    {
        if (index % 5 != 4)
            return Photos.Jpeg(size, seed: index);

        // A HEIC may hold a box that nobody looks into (ISO/IEC 14496-12, 8.1.2).
        var heic = Photos.Heic();
        var photo = new byte[heic.Length + size];
        heic.CopyTo(photo, 0);
        BinaryPrimitives.WriteInt32BigEndian(photo.AsSpan(heic.Length), size);
        "free"u8.CopyTo(photo.AsSpan(heic.Length + 4));
        new Random(index).NextBytes(photo.AsSpan(heic.Length + 8));
        return photo;
    }

    private static async Task<IReadOnlyList<string>> HashesAsync(Bucket bucket)
    {
        var hashes = new List<string>();
        foreach (var key in await bucket.KeysAsync())
            hashes.Add(Hash((await bucket.ReadAsync(key)).Bytes));
        return hashes;
    }

    private static void AssertSame(string destination, IReadOnlyList<string> expected, IEnumerable<string> actual)
    {
        var there = actual.Order().ToList();
        var (missing, foreign) = (expected.Except(there).Count(), there.Except(expected).Count());
        var twice = there.Count - there.Distinct().Count();
        Assert.True(
            there.SequenceEqual(expected),
            $"{destination} holds {there.Count} of {expected.Count}: {missing} missing, {foreign} none of ours, {twice} there twice.");
    }

    private static string Hash(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    /// <summary>A receiver as the documentation asks for: a delivery that comes again replaces itself.</summary>
    private sealed class Hook(Faults faults)
    {
        public ConcurrentDictionary<string, string> Stored { get; } = [];

        public Task HandleAsync(HttpContext context) =>
            faults.Next() is { } fault ? fault(context, () => StoreAsync(context)) : StoreAsync(context);

        private async Task StoreAsync(HttpContext context)
        {
            var sha256 = Convert.ToHexStringLower(await SHA256.HashDataAsync(context.Request.Body, context.RequestAborted));
            Stored[context.Request.Headers["X-APTR-Delivery-ID"]!] = sha256;
        }
    }
}
