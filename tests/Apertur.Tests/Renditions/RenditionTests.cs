using System.Net;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Apertur.Server.Queue;
using Apertur.Server.Retention;
using Apertur.Server.Storage;
using Apertur.Tests.Destinations;
using Apertur.Tests.Encryption;
using Apertur.Tests.Events;
using Apertur.Tests.Metadata;
using Apertur.Tests.Support;
using Apertur.Tests.Support.Fakes;
using Apertur.Tests.Thumbnails;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Apertur.Tests.Renditions;

/// <summary>Destinations that get a JPEG in place of the original.</summary>
public sealed class RenditionTests
{
    [Theory, AllDatabases]
    public async Task Heic_with_its_place_goes_to_one_destination_as_a_jpeg_without_it_and_to_another_as_it_is(DatabaseKind database)
    {
        // Not the program is needed, but the library that is installed with it.
        Components.Program("vipsthumbnail");
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync(
            await HookAsync(app, $"{receiver.Url}/jpeg", new() { ["format"] = "jpeg" }), await HookAsync(app, $"{receiver.Url}/original", null));
        var photo = LocatedPhotos.Heic(0);
        Assert.True(Located.IsIn(photo));

        await app.Client.UploadAsync(session, photo, "IMG_1.HEIC");

        var sent = new[] { await receiver.NextAsync(), await receiver.NextAsync() }.ToDictionary(each => each.Path.Split('/')[^1], each => each.Json());
        var (jpeg, original) = (sent["jpeg"], sent["original"]);
        Assert.Equal(photo, BytesOf(original));
        Assert.Equal(("IMG_1.HEIC", "image/heic", Sha256(photo), null), DescribedIn(original));
        Assert.Equal(("IMG_1.jpg", "image/jpeg", Sha256(BytesOf(jpeg)), Sha256(photo)), DescribedIn(jpeg));
        Assert.Equal((Photos.Width, Photos.Height), Pictures.SizeOf(BytesOf(jpeg)));
        Assert.False(Located.IsIn(BytesOf(jpeg)));
        var tags = ExifTool.Tags((await ExifTool.ReadAsync([("a.jpg", BytesOf(jpeg))])).Values.Single());
        Assert.All(tags, tag => Assert.Contains(tag.Split(':')[0], (string[])["JFIF", "Composite"]));
    }

    [Fact]
    public async Task Every_kind_of_photo_becomes_a_jpeg_turned_upright_in_srgb_on_white()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync(await HookAsync(app, receiver.Url, new() { ["format"] = "jpeg" }));
        var wide = await File.ReadAllBytesAsync(Path.Combine(AppContext.BaseDirectory, "Photos", "wide-gamut.jpg"), TestContext.Current.CancellationToken);
        foreach (var (name, photo, size, colour) in new (string, byte[], (int, int)?, double[]?)[]
        {
            ("photo.jpg", Photos.Jpeg(), (Photos.Width, Photos.Height), null),
            ("photo.webp", Photos.WebP(), (Photos.Width, Photos.Height), null),
            ("nothing.png", Pictures.Transparent(), (300, 200), [255, 255, 255]),
            // Display P3 184, 55, 49.
            ("wide.jpg", wide, null, [200, 38, 41]),
            ("ink.jpeg", Pictures.Cmyk(0, 255, 255, 0), (120, 80), [237, 28, 36]),
            ("deep.png", Pictures.Deep(), (120, 80), [128, 0, 255]),
            ("turned.jpg", Pictures.OnItsSide(".jpg"), (400, 640), null),
            ("turned.webp", Pictures.OnItsSide(".webp"), (400, 640), null),
        })
        {
            await app.Client.UploadAsync(session, photo, name);

            var payload = (await receiver.NextAsync()).Json();
            var jpeg = BytesOf(payload);
            Assert.True(jpeg is [0xFF, 0xD8, 0xFF, ..], name);
            var called = name == "ink.jpeg" ? name : Path.ChangeExtension(name, ".jpg");
            Assert.Equal((called, "image/jpeg", Sha256(jpeg), Sha256(photo)), DescribedIn(payload));
            if (size is not null)
                Assert.Equal(size, Pictures.SizeOf(jpeg));
            if (colour is not null)
                Assert.All(Pictures.ColourOf(jpeg).Zip(colour), pair => Assert.InRange(pair.First, pair.Second - 20, pair.Second + 20));
        }
    }

    [Fact]
    public async Task It_has_no_more_pixels_than_asked_for_and_as_many_as_it_may()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync(
            await HookAsync(app, receiver.Url, new() { ["format"] = "jpeg", ["maxPixels"] = 100_501, ["quality"] = 30 }));

        await app.Client.UploadAsync(session, Pictures.OnItsSide(".jpg"));
        var large = BytesOf((await receiver.NextAsync()).Json());
        await app.Client.UploadAsync(session, Pictures.Transparent());
        var small = BytesOf((await receiver.NextAsync()).Json());

        // 400 × 640, of which 401 × 250.6 would be as many, and 300 × 200.
        Assert.Equal((250, 400), Pictures.SizeOf(large));
        Assert.Equal((300, 200), Pictures.SizeOf(small));
    }

    [Fact]
    public async Task What_it_tells_beside_the_picture_is_chosen()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        List<string> hooks = [];
        foreach (var strip in new[] { "none", "location", "all" })
            hooks.Add(await HookAsync(app, $"{receiver.Url}/{strip}", new() { ["format"] = "jpeg", ["strip"] = strip }));
        var session = await app.Client.CreateSessionAsync([.. hooks]);
        List<(string Name, byte[] File)> made = [];
        // XMP in each of the ways that it is written in.
        for (var number = 0; number < 3; number++)
        {
            await app.Client.UploadAsync(session, LocatedPhotos.Jpeg(number));
            foreach (var _ in hooks)
            {
                var sent = await receiver.NextAsync();
                made.Add(($"{sent.Path.Split('/')[^1]}{number}.jpg", BytesOf(sent.Json())));
            }
        }

        Assert.All(made, jpeg => Assert.Equal(jpeg.Name.StartsWith("none", StringComparison.Ordinal), Located.IsIn(jpeg.File)));
        foreach (var (name, tags) in await ExifTool.ReadAsync(made))
        {
            Assert.Equal(name.StartsWith("none", StringComparison.Ordinal), ExifTool.Places(tags).Count > 0);
            // Turned already.
            Assert.DoesNotContain("Rotate", tags.ToJsonString(), StringComparison.Ordinal);
            if (name.StartsWith("all", StringComparison.Ordinal))
                Assert.DoesNotContain("Camera works", tags.ToJsonString(), StringComparison.Ordinal);
            else if (name.EndsWith("0.jpg", StringComparison.Ordinal))
                Assert.Contains("Camera works", tags.ToJsonString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Every_type_of_destination_gets_its_name_type_and_hash()
    {
        await using var clouds = await FakeClouds.StartAsync();
        using var bucket = await Bucket.MakeAsync();
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite, clouds.Settings);
        clouds.Google.Clock = app.Clock;
        var rendition = new JsonObject { ["format"] = "jpeg" };
        var drive = await app.Client.CreateDestinationAsync("google_drive", new() { ["rendition"] = rendition.DeepClone() });
        var dropbox = await app.Client.CreateDestinationAsync("dropbox", new() { ["rendition"] = rendition.DeepClone() });
        await clouds.ConnectAsync(app, drive);
        await clouds.ConnectAsync(app, dropbox);
        var session = await app.Client.CreateSessionAsync(
            drive, dropbox,
            await app.Client.CreateDestinationAsync("s3", bucket.Config(new() { ["rendition"] = rendition.DeepClone() })),
            await app.Client.CreateDestinationAsync("gcs", new()
            {
                ["bucket"] = FakeGoogle.BucketName,
                ["serviceAccountJson"] = clouds.Google.ServiceAccountJson,
                ["rendition"] = rendition.DeepClone(),
            }),
            await app.Client.CreateDestinationAsync("webhook", new() { ["url"] = receiver.Url, ["format"] = "binary", ["rendition"] = rendition }));
        var photo = Photos.Png();

        var upload = await app.Client.UploadAsync(session, photo, "photo.png");
        await app.Client.UploadBecomesAsync((string)upload["id"]!, "delivered");

        var hook = await receiver.NextAsync();
        var (jpeg, sha256) = (hook.Body, Sha256(hook.Body));
        Assert.Equal(("photo.jpg", "image/jpeg", sha256, Sha256(photo)),
            (hook["X-Aptr-Filename"], hook["X-Aptr-Mime-Type"], hook["X-Aptr-Sha256"], hook["X-Aptr-Original-Sha256"]));
        var key = Assert.Single(await bucket.KeysAsync());
        var stored = await bucket.ReadAsync(key);
        Assert.EndsWith("/0-photo.jpg", key, StringComparison.Ordinal);
        Assert.Equal(jpeg, stored.Bytes);
        Assert.Equal(("image/jpeg", sha256, Sha256(photo)),
            (stored.ContentType, stored.Metadata["x-amz-meta-apertur-sha256"], stored.Metadata["x-amz-meta-apertur-original-sha256"]));
        var gcs = Assert.Single(clouds.Google.Objects);
        Assert.EndsWith("/0-photo.jpg", gcs.Name, StringComparison.Ordinal);
        Assert.Equal(jpeg, gcs.Bytes);
        Assert.Equal(("image/jpeg", sha256, Sha256(photo)),
            ((string)gcs.Resource["contentType"]!, (string)gcs.Resource["metadata"]!["sha256"]!, (string)gcs.Resource["metadata"]!["original_sha256"]!));
        var file = Assert.Single(clouds.Google.Files);
        Assert.Equal(("0-photo.jpg", "image/jpeg", Sha256(photo)),
            (file.Name, (string)file.Resource["mimeType"]!, (string)file.Resource["appProperties"]!["aperturOriginalSha256"]!));
        Assert.Equal(jpeg, file.Bytes);
        var dropped = Assert.Single(clouds.Dropbox.Files);
        Assert.EndsWith("/0-photo.jpg", dropped.Path, StringComparison.Ordinal);
        Assert.Equal(jpeg, dropped.Bytes);
        Assert.Equal(1, Made(app));
    }

    [Theory, AllDatabases]
    public async Task Another_try_sends_the_same_bytes_and_leads_to_one_object(DatabaseKind database)
    {
        await using var clouds = await FakeClouds.StartAsync();
        using var bucket = await Bucket.MakeAsync();
        await using var relay = await Relay.StartAsync(bucket.Endpoint);
        await using var app = await AperturApp.StartAsync(database, clouds.Settings);
        clouds.Google.Clock = app.Clock;
        var rendition = new JsonObject { ["format"] = "jpeg" };
        var session = await app.Client.CreateSessionAsync(
            await app.Client.CreateDestinationAsync("s3", bucket.Config(new() { ["endpoint"] = relay.Endpoint, ["rendition"] = rendition.DeepClone() })),
            await app.Client.CreateDestinationAsync("gcs", new()
            {
                ["bucket"] = FakeGoogle.BucketName,
                ["serviceAccountJson"] = clouds.Google.ServiceAccountJson,
                ["rendition"] = rendition,
            }));
        // One took it, and its answer was lost; the other one refused it.
        relay.LoseReply(request => request.Method == "PUT");
        clouds.Google.Refuse("POST /upload/storage", 500);

        var id = (string)(await app.Client.UploadAsync(session, Photos.Png(), "photo.png"))["id"]!;
        await Eventually.Becomes(
            async () => (await app.Client.GetAsync($"uploads/{id}/deliveries")).Json,
            deliveries => deliveries.ToJsonString().Split("\"retrying\"").Length == 3, "both are tried again");
        (await app.Client.PostAsync($"uploads/{id}/retry")).Expect(HttpStatusCode.OK);
        await app.Client.UploadBecomesAsync(id, "delivered");

        var bytes = (await bucket.ReadAsync(Assert.Single(await bucket.KeysAsync()))).Bytes;
        Assert.Equal(bytes, Assert.Single(clouds.Google.Objects).Bytes);
        Assert.Equal(1, Made(app));
    }

    [Fact]
    public async Task Renditions_and_original_of_one_photo_stand_beside_each_other_under_one_name()
    {
        using var bucket = await Bucket.MakeAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync(
            await app.Client.CreateDestinationAsync("s3", bucket.Config()),
            await app.Client.CreateDestinationAsync("s3", bucket.Config(new() { ["rendition"] = new JsonObject { ["format"] = "jpeg" } })),
            await app.Client.CreateDestinationAsync("s3", bucket.Config(new() { ["rendition"] = new JsonObject { ["format"] = "jpeg", ["quality"] = 20 } })));
        var photo = Photos.Jpeg(60_000, seed: 7);

        var id = (string)(await app.Client.UploadAsync(session, photo))["id"]!;
        await app.Client.UploadBecomesAsync(id, "delivered");

        List<byte[]> stored = [];
        foreach (var key in await bucket.KeysAsync())
            stored.Add((await bucket.ReadAsync(key)).Bytes);
        Assert.Equal(3, stored.Select(Sha256).Distinct().Count());
        Assert.Contains(stored, bytes => bytes.AsSpan().SequenceEqual(photo));
    }

    [Fact]
    public async Task Photo_of_which_no_jpeg_can_be_made_fails_there_at_once_and_goes_elsewhere()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite, new Dictionary<string, string?> { ["Thumbnails:HeicLibrary"] = "" });
        var jpeg = await HookAsync(app, $"{receiver.Url}/jpeg", new() { ["format"] = "jpeg" });
        var session = await app.Client.CreateSessionAsync(jpeg, await HookAsync(app, $"{receiver.Url}/original", null));
        var noise = Photos.Png();
        new Random(1).NextBytes(noise.AsSpan(40));
        foreach (var (photo, reason) in new (byte[], string)[]
        {
            (Photos.Heic(), "has to install libvips"), (noise, "cannot be decoded"), (Photos.Jpeg()[..^200], "cannot be decoded"),
            (Pictures.Huge(), "too many pixels"),
        })
        {
            var id = (string)(await app.Client.UploadAsync(session, photo))["id"]!;
            await app.Client.UploadBecomesAsync(id, "partial");

            Assert.Equal(photo, BytesOf((await receiver.NextAsync()).Json()));
            var failed = await DeliveryAsync(app, session, id, jpeg);
            Assert.Equal(("failed", 1), ((string)failed["status"]!, (int)failed["attempts"]!));
            Assert.Contains(reason, (string)failed["last_error"]!, StringComparison.Ordinal);
        }

        Assert.All(receiver.Requests, request => Assert.EndsWith("/original", request.Path, StringComparison.Ordinal));
        Assert.Null((string?)(await app.Client.GetAsync($"projects/{app.ProjectId}/destinations/{jpeg}")).Json["problem"]);
        Assert.Empty(Kept(app));
    }

    [Fact]
    public async Task Server_that_is_short_of_time_or_memory_tries_again_and_blames_no_destination()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Found by Linux's list of processes.");
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(
            DatabaseKind.Sqlite, new Dictionary<string, string?> { ["Renditions:AtOnce"] = "1", ["Renditions:CpuSeconds"] = "43" });
        var hook = await HookAsync(app, receiver.Url, new() { ["format"] = "jpeg" });
        var session = await app.Client.CreateSessionAsync(hook);
        // One that has answered gets several at once.
        await app.Client.UploadBecomesAsync((string)(await app.Client.UploadAsync(session, Photos.Jpeg()))["id"]!, "delivered");
        var slow = (string)(await app.Client.UploadAsync(session, Pictures.ScanBomb()))["id"]!;
        await PictureChild.FindAsync(43);
        for (var photo = 0; photo < 4; photo++)
            await app.Client.UploadAsync(session, Photos.Jpeg());
        await using var db = app.Services.GetRequiredService<Database>().Open();
        await Eventually.Becomes(
            () => db.Deliveries.CountAsync(row => row.State == DeliveryState.Sending, TestContext.Current.CancellationToken), count => count == 5);

        // Longer than an attempt may take, for those that wait for the one before them.
        app.Clock.Jump(TimeSpan.FromMinutes(16));
        await Eventually.Arrives(app.Services.GetRequiredService<Pump>().DrainAsync());

        Assert.Equal("retrying", (string)(await DeliveryAsync(app, session, slow, hook))["status"]!);
        Assert.Equal((0, null), ((await app.DestinationAsync(hook)).Breaker.FailuresInRow, (await app.DestinationAsync(hook)).Breaker.OpenUntil));
    }

    [Fact]
    public async Task Photo_that_is_damaged_on_disk_is_not_passed_on_as_a_jpeg_either()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var jpeg = await HookAsync(app, receiver.Url, new() { ["format"] = "jpeg" });
        var session = await app.Client.CreateSessionAsync(jpeg);
        await SwitchAsync(app, jpeg, isActive: false);
        var id = (string)(await app.Client.UploadAsync(session, Photos.Jpeg()))["id"]!;
        var path = Directory.GetFiles(Path.Combine(app.DataFolder, "images"), id, SearchOption.AllDirectories).Single();
        var whole = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
        var damaged = whole.ToArray();
        damaged[^100] ^= 1;
        await File.WriteAllBytesAsync(path, damaged, TestContext.Current.CancellationToken);

        await SwitchAsync(app, jpeg, isActive: true);
        await Eventually.Becomes(() => DeliveryAsync(app, session, id, jpeg), delivery => (string)delivery["status"]! == "retrying");
        Assert.Contains("damaged", (string)(await DeliveryAsync(app, session, id, jpeg))["last_error"]!, StringComparison.Ordinal);
        Assert.Empty(Kept(app));
        await File.WriteAllBytesAsync(path, whole, TestContext.Current.CancellationToken);
        (await app.Client.PostAsync($"uploads/{id}/retry")).Expect(HttpStatusCode.OK);

        await app.Client.UploadBecomesAsync(id, "delivered");
        Assert.Single(receiver.Requests);
    }

    [Fact]
    public async Task Link_in_a_payload_leads_to_the_rendition_and_to_nothing_else()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var hook = await app.Client.CreateDestinationAsync(
            "webhook", new() { ["url"] = receiver.Url, ["format"] = "link", ["rendition"] = new JsonObject { ["format"] = "jpeg" } });
        await app.Client.UploadAsync(await app.Client.CreateSessionAsync(hook), Photos.Png(), "photo.png");
        var payload = (await receiver.NextAsync()).Json();
        var link = new Uri((string)payload["download_url"]!).PathAndQuery;

        var answer = (await app.ClientOf(null).GetAsync(link)).Expect(HttpStatusCode.OK);

        Assert.Equal((string)payload["sha256"]!, Sha256(answer.Bytes));
        Assert.Equal(("image/jpeg", "photo.jpg"), (answer.ContentHeaders.ContentType!.MediaType, answer.ContentHeaders.ContentDisposition!.FileName));
        (await app.ClientOf(null).GetAsync(link.Replace("rendition=jpeg-0-85-all&", "", StringComparison.Ordinal))).Expect(HttpStatusCode.NotFound);
        (await app.ClientOf(null).GetAsync(link.Replace("-all", "-none", StringComparison.Ordinal))).Expect(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task Photo_that_only_its_owner_can_read_stays_as_it_is()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        using var owner = RSA.Create(2048);
        var pem = owner.ExportSubjectPublicKeyInfoPem();
        await EndToEndTests.SetKeyAsync(app, pem);
        var session = await app.Client.CreateSessionAsync(await HookAsync(app, receiver.Url, new() { ["format"] = "jpeg" }));
        var envelope = Sealed.Here(pem, Photos.Png()).Bytes();

        (await app.PostFormAsync(session, envelope, "a.png.enc", "e2e")).Expect(HttpStatusCode.Created);

        var payload = (await receiver.NextAsync()).Json();
        Assert.Equal(envelope, BytesOf(payload));
        Assert.Equal(("a.png.enc.json", "application/json", Sha256(envelope), null), DescribedIn(payload));
    }

    [Theory, AllDatabases]
    public async Task It_is_made_again_when_it_was_lost_and_goes_with_its_photo(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var later = await HookAsync(app, receiver.Url, new() { ["format"] = "jpeg" });
        var session = await app.Client.CreateSessionAsync(await HookAsync(app, receiver.Url, new() { ["format"] = "jpeg" }), later);
        await SwitchAsync(app, later, isActive: false);
        var id = (string)(await app.Client.UploadAsync(session, Photos.WebP(), "photo.webp"))["id"]!;
        var first = BytesOf((await receiver.NextAsync()).Json());
        // One that is damaged is no better than none.
        await File.WriteAllBytesAsync(Assert.Single(Kept(app)), first[..^1], TestContext.Current.CancellationToken);

        await SwitchAsync(app, later, isActive: true);
        Assert.Equal(first, BytesOf((await receiver.NextAsync()).Json()));
        await app.Client.UploadBecomesAsync(id, "delivered");
        Assert.Equal(2, Made(app));
        Assert.Single(Kept(app));

        (await app.Client.SendAsync(HttpMethod.Delete, $"uploads/{id}")).Expect(HttpStatusCode.NoContent);
        Assert.Empty(Kept(app));
    }

    [Fact]
    public async Task It_is_in_the_bucket_where_photos_are_and_goes_when_their_time_is_up()
    {
        using var bucket = await Bucket.MakeAsync();
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite, bucket.StorageSettings());
        async Task<int> KeptAsync() => (await bucket.KeysAsync()).Count(key => key.StartsWith("photos/renditions/", StringComparison.Ordinal));
        var session = await app.Client.CreateSessionAsync(await HookAsync(app, receiver.Url, new() { ["format"] = "jpeg" }));
        var id = (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!;
        await app.Client.UploadBecomesAsync(id, "delivered");
        Assert.Equal("photo.jpg", (string)(await receiver.NextAsync()).Json()["filename"]!);
        await SweepAsync(app);
        Assert.Equal(1, await KeptAsync());

        await app.WriteAsync(db => db.Projects.ExecuteUpdateAsync(row => row.SetProperty(project => project.RetentionDays, 0)));
        await app.Services.GetServices<IHostedService>().OfType<PhotoRetention>().Single().RunOnceAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, await KeptAsync());
    }

    [Theory, AllDatabases]
    public async Task What_a_crash_left_of_it_is_swept(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync(await HookAsync(app, receiver.Url, new() { ["format"] = "jpeg" }));
        var id = (string)(await app.Client.UploadAsync(session, Photos.Jpeg()))["id"]!;
        await app.Client.UploadBecomesAsync(id, "delivered");
        var kept = Assert.Single(Kept(app));
        var (stray, young) = (Beside(kept), Beside(kept));
        foreach (var (path, age) in new[] { (stray, 25), (young, 1), (kept, 25) })
        {
            await File.AppendAllTextAsync(path, "", TestContext.Current.CancellationToken);
            File.SetLastWriteTimeUtc(path, app.Clock.GetUtcNow().AddHours(-age).UtcDateTime);
        }

        await SweepAsync(app);
        Assert.Equal(new[] { kept, young }.Order(StringComparer.Ordinal), Kept(app).Order(StringComparer.Ordinal));

        var upload = Guid.Parse(id);
        await app.WriteAsync(db => db.Deliveries.Where(row => row.UploadId == upload).ExecuteDeleteAsync());
        await app.WriteAsync(db => db.Uploads.Where(row => row.Id == upload).ExecuteDeleteAsync());
        await SweepAsync(app);
        Assert.Equal(young, Assert.Single(Kept(app)));
        await using var db = app.Services.GetRequiredService<Database>().Open();
        Assert.Empty(await db.Renditions.ToListAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task What_is_no_rendition_is_refused()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        foreach (var (rendition, field) in new[]
        {
            ("""{ "format": "exe" }""", "rendition.format"),
            ("{}", "rendition.format"),
            ("""{ "format": "jpeg", "maxPixels": -1 }""", "rendition.maxPixels"),
            ("""{ "format": "jpeg", "maxPixels": 0 }""", "rendition.maxPixels"),
            ("""{ "format": "jpeg", "maxPixels": "1e9" }""", "rendition.maxPixels"),
            ("""{ "format": "jpeg", "quality": 101 }""", "rendition.quality"),
            ("""{ "format": "jpeg", "strip": "gps" }""", "rendition.strip"),
            ("""{ "format": "jpeg", "stripp": "none" }""", "rendition.stripp"),
            ("""{ "format": "jpeg", "rendition": { "format": "jpeg" } }""", "rendition.rendition"),
            ("\"jpeg\"", "rendition"),
            ("[]", "rendition"),
        })
        {
            var config = new JsonObject { ["url"] = "https://example.com/", ["rendition"] = JsonNode.Parse(rendition) };
            var answer = await app.Client.PostAsync($"projects/{app.ProjectId}/destinations", new JsonObject { ["type"] = "webhook", ["config"] = config });
            var error = Assert.Single(answer.Expect(HttpStatusCode.BadRequest).Json["errors"]!.AsArray())!;
            Assert.Equal($"config.{field}", (string)error["field"]!);
        }
    }

    [Fact]
    public async Task Side_given_for_an_area_is_told()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        foreach (var (pixels, warnings) in new[] { (65_535, 1), (65_536, 0) })
        {
            var config = new JsonObject { ["url"] = "https://example.com/", ["rendition"] = new JsonObject { ["format"] = "jpeg", ["maxPixels"] = pixels } };
            var answer = await app.Client.PostAsync($"projects/{app.ProjectId}/destinations", new JsonObject { ["type"] = "webhook", ["config"] = config });
            Assert.Equal(warnings, answer.Expect(HttpStatusCode.Created).Json["warnings"]?.AsArray().Count ?? 0);
        }
    }

    [Fact]
    public async Task It_is_chosen_changed_and_taken_back()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var path = $"projects/{app.ProjectId}/destinations/{await HookAsync(app, "https://example.com/", new() { ["format"] = "jpeg", ["maxPixels"] = 2_000_000 })}";
        async Task<JsonNode?> ChangeAsync(JsonObject config) =>
            (await app.Client.SendAsync(HttpMethod.Patch, path, new JsonObject { ["config"] = config })).Expect(HttpStatusCode.OK).Json["config"]!["rendition"];

        Assert.Equal(2_000_000, (int)(await ChangeAsync(new() { ["format"] = "link" }))!["maxPixels"]!);
        Assert.Equal("{\"format\":\"jpeg\"}", (await ChangeAsync(new() { ["rendition"] = new JsonObject { ["format"] = "jpeg", ["maxPixels"] = null } }))!.ToJsonString());
        Assert.Null(await ChangeAsync(new() { ["rendition"] = null }));
        Assert.All(
            (await app.Client.GetAsync("destination-types")).Json.AsArray(),
            type => Assert.Equal("group", (string)type!["fields"]!.AsArray().Single(field => (string)field!["name"]! == "rendition")!["kind"]!));
    }

    private static string Beside(string path) => Path.Combine(Path.GetDirectoryName(path)!, $"{Guid.CreateVersion7()}");

    private static Task<string> HookAsync(AperturApp app, string url, JsonObject? rendition) =>
        app.Client.CreateDestinationAsync("webhook", new() { ["url"] = url, ["rendition"] = rendition });

    private static Task SwitchAsync(AperturApp app, string destination, bool isActive) =>
        app.Client.SendAsync(HttpMethod.Patch, $"projects/{app.ProjectId}/destinations/{destination}", new JsonObject { ["isActive"] = isActive });

    private static async Task<JsonNode> DeliveryAsync(AperturApp app, string session, string upload, string destination) =>
        (await app.Client.GetAsync($"upload-sessions/{session}/delivery-status")).Json["files"]!.AsArray()
            .Single(file => (string)file!["record_id"]! == upload)!["destinations"]!.AsArray()
            .Single(each => (string)each!["destination_id"]! == destination)!;

    private static Task SweepAsync(AperturApp app) =>
        app.Services.GetServices<IHostedService>().OfType<OrphanCleanup>().Single().RunOnceAsync(TestContext.Current.CancellationToken);

    private static string[] Kept(AperturApp app) =>
        Path.Combine(app.DataFolder, "images", "renditions") is var folder && Directory.Exists(folder) ? Directory.GetFiles(folder) : [];

    private static int Made(AperturApp app) => app.Log.Lines.Count(line => line.Contains("rendition.made", StringComparison.Ordinal));

    private static byte[] BytesOf(JsonNode payload) => Convert.FromBase64String((string)payload["data"]!);

    private static (string Filename, string MimeType, string Sha256, string? Original) DescribedIn(JsonNode payload)
    {
        Assert.Equal(BytesOf(payload).Length, (int)payload["size_bytes"]!);
        return ((string)payload["filename"]!, (string)payload["mime_type"]!, (string)payload["sha256"]!, (string?)payload["original_sha256"]);
    }

    private static string Sha256(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));
}
