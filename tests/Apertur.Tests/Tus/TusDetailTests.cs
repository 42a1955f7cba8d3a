using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Apertur.Server.Retention;
using Apertur.Server.Storage;
using Apertur.Tests.Encryption;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Apertur.Tests.Tus;

/// <summary>Photos in pieces where something is odd: small first pieces, lost parts, two at once, limits.</summary>
public sealed class TusDetailTests
{
    private static readonly byte[] _photo = Photos.Jpeg(300_000, seed: 8);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, AllDatabases]
    public async Task Every_verb_but_get_says_its_version(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var phone = app.ClientOf(null);
        var session = await app.Client.CreateSessionAsync();
        var upload = await phone.BeginAsync(session, _photo.Length);

        foreach (var method in new[] { HttpMethod.Head, HttpMethod.Patch, HttpMethod.Delete })
        {
            var old = await phone.SendAsync(method, upload, null, ("Tus-Resumable", "0.2.2"), ("Upload-Offset", "0"));
            Assert.Equal((method, HttpStatusCode.PreconditionFailed), (method, old.Status));
            Assert.Equal("1.0.0", old.Headers.GetValues("Tus-Version").Single());
        }

        var head = (await phone.TusAsync(HttpMethod.Head, upload)).Expect(HttpStatusCode.OK);
        Assert.True(head.Headers.CacheControl!.NoStore);
        Assert.False(head.Headers.Contains("Tus-Version"));
        Assert.False(head.Headers.Contains("Upload-Metadata"));
    }

    [Fact]
    public async Task Options_tell_algorithms_and_no_limit_of_a_session_with_a_password()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var phone = app.ClientOf(null);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["password"] = "open sesame" });

        var options = (await phone.SendAsync(HttpMethod.Options, $"upload/{session}/tus")).Expect(HttpStatusCode.NoContent);

        Assert.Equal(
            ("1.0.0", "1.0.0", "sha1,sha256,sha512,md5"),
            (options.Headers.GetValues("Tus-Resumable").Single(), options.Headers.GetValues("Tus-Version").Single(),
                string.Join(',', options.Headers.GetValues("Tus-Checksum-Algorithm"))));
        Assert.False(options.Headers.Contains("Tus-Max-Size"));
        (await phone.SendAsync(HttpMethod.Options, $"upload/{Guid.NewGuid()}/tus")).Expect(HttpStatusCode.NotFound);
    }

    [Theory, AllDatabases]
    public async Task Offset_that_is_no_number_is_refused_and_overriding_takes_the_verbs_there_are(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var phone = app.ClientOf(null);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["password"] = "open sesame" });
        var password = ("x-session-password", "open sesame");
        var upload = await phone.BeginAsync(session, _photo.Length, "", password);

        foreach (var offset in new[] { "-1", "+0", "x", "0x0" })
            (await phone.TusAsync(HttpMethod.Patch, upload, _photo, ("Upload-Offset", offset), password)).Expect(HttpStatusCode.BadRequest);
        (await phone.TusAsync(HttpMethod.Patch, upload, _photo, password)).Expect(HttpStatusCode.BadRequest);
        (await phone.TusAsync(HttpMethod.Post, upload, null, ("X-HTTP-Method-Override", "PUT"))).Expect(HttpStatusCode.Unauthorized);
        (await phone.TusAsync(HttpMethod.Post, upload, null, ("X-HTTP-Method-Override", "PUT"), password)).Expect(HttpStatusCode.MethodNotAllowed);
        (await phone.TusAsync(HttpMethod.Post, upload, null, ("X-HTTP-Method-Override", "DELETE"), password)).Expect(HttpStatusCode.NoContent);
        (await phone.TusAsync(HttpMethod.Head, upload, null, password)).Expect(HttpStatusCode.NotFound);
    }

    [Theory, AllDatabases]
    public async Task Key_counts_within_its_session_and_for_one_way_of_encryption(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var phone = app.ClientOf(null);
        var (session, other) = (await app.Client.CreateSessionAsync(), await app.Client.CreateSessionAsync());
        var key = ("Idempotency-Key", "photo-1");
        Task<Answer> CreateAsync(byte[]? body, params (string, string)[] headers) =>
            phone.TusAsync(HttpMethod.Post, $"/api/v1/upload/{session}/tus", body, [("Upload-Length", $"{_photo.Length}"), key, .. headers]);

        var upload = await phone.BeginAsync(session, _photo.Length, "", key);
        var elsewhere = await phone.BeginAsync(other, _photo.Length, "", key);
        Assert.NotEqual(upload.Split('/')[^1], elsewhere.Split('/')[^1]);
        (await CreateAsync(null, ("X-Aptr-Encrypted", "default"))).Expect(HttpStatusCode.Conflict);

        // A first piece that comes again with the creation is passed over: where the upload stands is said.
        using (await TusClient.HangAsync(app.Url, upload, _photo[..1000], 0, 2000))
        {
            await Eventually.True(() => PartFiles(app).Sum(file => new FileInfo(file).Length) == 1000);
            Assert.Equal(1000, (await CreateAsync(_photo[..500])).Expect(HttpStatusCode.Created).Offset());
        }

        Assert.Equal(0, await phone.OffsetAsync(elsewhere));
    }

    [Theory, AllDatabases]
    public async Task Creations_at_once_under_one_key_are_one_upload(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();

        var uploads = await Task.WhenAll(Enumerable.Range(0, 12).Select(
            _ => app.ClientOf(null).BeginAsync(session, _photo.Length, "", ("Idempotency-Key", "photo-1"))));

        Assert.Single(uploads.Distinct());
    }

    [Theory, AllDatabases]
    public async Task Body_of_another_type_is_no_first_piece(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        using var body = new ByteArrayContent(_photo);
        body.Headers.ContentType = new("image/jpeg");

        var made = await app.ClientOf(null).SendAsync(
            HttpMethod.Post, $"upload/{session}/tus", body, ("Tus-Resumable", "1.0.0"), ("Upload-Length", $"{_photo.Length}"));

        Assert.Equal(0, made.Expect(HttpStatusCode.Created).Offset());
    }

    [Theory, AllDatabases]
    public async Task Uploads_that_were_finished_or_are_another_session_s_do_not_count_as_begun(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var phone = app.ClientOf(null);
        var (session, other) = (await app.Client.CreateSessionAsync(new JsonObject { ["max_images"] = 2 }), await app.Client.CreateSessionAsync());
        for (var i = 0; i < 4; i++)
            await phone.BeginAsync(other, 10);
        (await phone.PatchAsync(await phone.BeginAsync(session, _photo.Length), _photo, 0)).Expect(HttpStatusCode.NoContent);

        for (var i = 0; i < 4; i++)
            await phone.BeginAsync(session, 10);

        (await phone.TusAsync(HttpMethod.Post, $"/api/v1/upload/{session}/tus", null, ("Upload-Length", "10"))).Expect(HttpStatusCode.TooManyRequests);
    }

    [Theory, AllDatabases]
    public async Task Type_is_looked_at_when_enough_has_come_to_tell_and_what_is_never_taken_is_forgotten(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var phone = app.ClientOf(null);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["max_image_dimension"] = 1 });
        var open = await app.Client.CreateSessionAsync();
        var good = await phone.BeginAsync(open, _photo.Length);
        (await phone.PatchAsync(good, _photo[..3], 0)).Expect(HttpStatusCode.NoContent);
        (await phone.PatchAsync(good, _photo[3..], 3)).Expect(HttpStatusCode.NoContent);

        foreach (var (refusing, bytes, status) in new[]
        {
            (open, Encoding.ASCII.GetBytes("no photo at all"), HttpStatusCode.UnsupportedMediaType),
            (session, _photo, HttpStatusCode.RequestEntityTooLarge),
        })
        {
            var upload = await phone.BeginAsync(refusing, bytes.Length);
            (await phone.PatchAsync(upload, bytes[..3], 0)).Expect(HttpStatusCode.NoContent);
            (await phone.PatchAsync(upload, bytes[3..], 3)).Expect(status);
            (await phone.TusAsync(HttpMethod.Head, upload)).Expect(HttpStatusCode.NotFound);
        }

        Assert.Single((await app.Client.GetAsync("uploads/recent")).Json.AsArray());
        Assert.Empty(PartFiles(app));
    }

    [Theory, AllDatabases]
    public async Task Piece_that_broke_off_stays(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var phone = app.ClientOf(null);
        var upload = await phone.BeginAsync(await app.Client.CreateSessionAsync(), _photo.Length);
        using (await TusClient.HangAsync(app.Url, upload, _photo[..200_000], 0, _photo.Length))
            await Eventually.True(() => PartFiles(app).Sum(file => new FileInfo(file).Length) == 200_000);
        // Its own request has written down what there is, with nobody asking.
        await Eventually.Becomes(() => UploadAsync(app), row => row is { IsOpen: false, Offset: 200_000 });

        (await phone.PatchAsync(upload, _photo[200_000..], 200_000)).Expect(HttpStatusCode.NoContent);
        Assert.Equal(Hash(_photo), (string)(await phone.GetAsync(upload)).Json["sha256"]!);
    }

    [Theory, AllDatabases]
    public async Task Same_bytes_at_once_from_many_requests_are_one_photo_and_no_error_of_ours(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var phone = app.ClientOf(null);
        var upload = await phone.BeginAsync(await app.Client.CreateSessionAsync(), _photo.Length);

        var answers = await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => phone.PatchAsync(upload, _photo, 0)));

        Assert.All(answers, answer => Assert.True(answer.Status is HttpStatusCode.NoContent or HttpStatusCode.Conflict, answer.Text));
        if (await phone.OffsetAsync(upload) is var offset && offset < _photo.Length)
            (await phone.PatchAsync(upload, _photo[(int)offset..], offset)).Expect(HttpStatusCode.NoContent);
        Assert.Equal(Hash(_photo), (string)(await phone.GetAsync(upload)).Json["sha256"]!);
        Assert.Single((await app.Client.GetAsync("uploads/recent")).Json.AsArray());
    }

    [Theory, AllDatabases]
    public async Task Upload_that_is_given_up_ends_the_request_that_still_sends_it(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var phone = app.ClientOf(null);
        var upload = await phone.BeginAsync(await app.Client.CreateSessionAsync(), _photo.Length);
        using var stuck = await TusClient.HangAsync(app.Url, upload, _photo[..200_000], 0, _photo.Length);
        await Eventually.True(() => PartFiles(app).Sum(file => new FileInfo(file).Length) == 200_000);

        (await phone.TusAsync(HttpMethod.Delete, upload)).Expect(HttpStatusCode.NoContent);

        Assert.Contains("404", await stuck.ReadHeadAsync(), StringComparison.Ordinal);
        Assert.Empty(PartFiles(app));
    }

    [Theory]
    [AllDatabases("gone")]
    [AllDatabases("shorter")]
    public async Task Upload_whose_parts_were_lost_has_to_be_sent_again(DatabaseKind database, string how)
    {
        await using var app = await AperturApp.StartAsync(database);
        var phone = app.ClientOf(null);
        var session = await app.Client.CreateSessionAsync();
        var upload = await phone.BeginAsync(session, _photo.Length);
        (await phone.PatchAsync(upload, _photo[..100_000], 0)).Expect(HttpStatusCode.NoContent);
        var part = PartFiles(app).Single();
        if (how == "gone")
            File.Delete(part);
        else
            await File.WriteAllBytesAsync(part, _photo[..99_999], Cancellation);

        (await phone.PatchAsync(upload, _photo[100_000..], 100_000)).Expect(HttpStatusCode.NotFound);

        (await phone.TusAsync(HttpMethod.Head, upload)).Expect(HttpStatusCode.NotFound);
        Assert.Empty(PartFiles(app));
        Assert.Empty((await app.Client.GetAsync("uploads/recent")).Json.AsArray());
    }

    [Theory, AllDatabases]
    public async Task Part_that_a_crash_left_without_a_file_counts_as_none_and_there_are_two_thousand_at_most(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var phone = app.ClientOf(null);
        var session = await app.Client.CreateSessionAsync();
        var upload = await phone.BeginAsync(session, _photo.Length);

        await PartsAsync(1999);
        (await phone.PatchAsync(upload, _photo[..1000], 0)).Expect(HttpStatusCode.NoContent);
        var refused = (await phone.PatchAsync(upload, _photo[1000..], 1000)).Expect(HttpStatusCode.BadRequest);
        Assert.Contains("2000 pieces", (string)refused.Json["message"]!, StringComparison.Ordinal);

        upload = await phone.BeginAsync(session, _photo.Length);
        await PartsAsync(3, isOpen: true);
        Assert.Equal(0, await phone.OffsetAsync(upload));
        // Nor does one that came with a checksum, of which nobody knows whether it is right.
        await PartsAsync(4, isOpen: true, isChecked: true);
        await File.WriteAllBytesAsync(Path.Combine(app.DataFolder, "images", "partial", upload.Split('/')[^1] + ".4"), _photo[..1000], Cancellation);
        (await phone.PatchAsync(upload, _photo, 0)).Expect(HttpStatusCode.NoContent);
        Assert.Equal(Hash(_photo), (string)(await phone.GetAsync(upload)).Json["sha256"]!);

        Task PartsAsync(int count, bool isOpen = false, bool isChecked = false) => app.WriteAsync(async db =>
        {
            var row = (await db.PartialUploads.FindAsync([Guid.Parse(upload.Split('/')[^1])], Cancellation))!;
            (row.Parts, row.IsOpen, row.IsChecked) = (new long[count], isOpen, isChecked);
        });
    }

    [Theory, AllDatabases]
    public async Task Answer_is_given_as_long_as_the_link_may_be_opened_and_a_day_more(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database, configure: services => services.WithoutLoopOf<HistoryRetention>());
        var phone = app.ClientOf(null);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["expires_in_hours"] = 2 });
        var upload = await phone.BeginAsync(session, _photo.Length);
        (await phone.PatchAsync(upload, _photo, 0)).Expect(HttpStatusCode.NoContent);

        app.Clock.Jump(TimeSpan.FromHours(25));
        Assert.Equal(_photo.Length, await phone.OffsetAsync(upload));
        (await phone.GetAsync(upload)).Expect(HttpStatusCode.OK);
        (await phone.PatchAsync(upload, [], _photo.Length)).Expect(HttpStatusCode.NoContent);
        app.Clock.Jump(TimeSpan.FromHours(1));
        (await phone.GetAsync(upload)).Expect(HttpStatusCode.NotFound);
    }

    [Theory, AllDatabases]
    public async Task Cleanup_leaves_parts_of_uploads_that_go_on_and_those_that_may_be_just_being_made(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var phone = app.ClientOf(null);
        var session = await app.Client.CreateSessionAsync();
        var upload = await phone.BeginAsync(session, _photo.Length);
        (await phone.PatchAsync(upload, _photo[..1000], 0)).Expect(HttpStatusCode.NoContent);
        File.SetLastWriteTimeUtc(PartFiles(app).Single(), app.Clock.GetUtcNow().UtcDateTime.AddDays(-3));
        var young = Path.Combine(app.DataFolder, "images", "partial", $"{Guid.CreateVersion7()}.0");
        await File.WriteAllTextAsync(young, "x", Cancellation);
        File.SetLastWriteTimeUtc(young, app.Clock.GetUtcNow().UtcDateTime.AddHours(-1));
        // What a crash left of one that was received.
        var received = await phone.BeginAsync(session, _photo.Length);
        (await phone.PatchAsync(received, _photo, 0)).Expect(HttpStatusCode.NoContent);
        var left = Path.Combine(app.DataFolder, "images", "partial", received.Split('/')[^1] + ".0");
        await File.WriteAllTextAsync(left, "x", Cancellation);
        File.SetLastWriteTimeUtc(left, app.Clock.GetUtcNow().UtcDateTime.AddDays(-3));

        await app.Services.GetServices<IHostedService>().OfType<OrphanCleanup>().Single().RunOnceAsync(Cancellation);

        Assert.True(File.Exists(young));
        Assert.False(File.Exists(left));
        (await phone.PatchAsync(upload, _photo[1000..], 1000)).Expect(HttpStatusCode.NoContent);
        Assert.Equal(Hash(_photo), (string)(await phone.GetAsync(upload)).Json["sha256"]!);
    }

    [Theory]
    [InlineData("sha1")]
    [InlineData("sha256")]
    [InlineData("sha512")]
    [InlineData("md5")]
    public async Task Each_algorithm_that_is_offered_is_checked(string algorithm)
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var phone = app.ClientOf(null);
        var upload = await phone.BeginAsync(await app.Client.CreateSessionAsync(), _photo.Length);
        (string, string) Checksum(byte[] bytes) => ("Upload-Checksum",
            $"{algorithm} {Convert.ToBase64String(CryptographicOperations.HashData(new HashAlgorithmName(algorithm.ToUpperInvariant()), bytes))}");

        (await phone.PatchAsync(upload, _photo, 0, Checksum([1]))).Expect((HttpStatusCode)460);
        foreach (var wrong in new[] { algorithm, $"{algorithm} !", "sha3 AAAA" })
            (await phone.PatchAsync(upload, _photo, 0, ("Upload-Checksum", wrong))).Expect(HttpStatusCode.BadRequest);
        (await phone.PatchAsync(upload, _photo, 0, Checksum(_photo))).Expect(HttpStatusCode.NoContent);
    }

    [Fact]
    public async Task Metadata_takes_either_name_of_the_file_and_refuses_what_it_cannot_read()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var phone = app.ClientOf(null);
        var session = await app.Client.CreateSessionAsync();
        foreach (var wrong in new[]
        {
            TusClient.Metadata(("a", "1"), ("a", "2")), TusClient.Metadata(("sha256", "00")), "filename =", TusClient.Metadata(("long", new string('x', 13_000))),
        })
        {
            (await phone.TusAsync(HttpMethod.Post, $"/api/v1/upload/{session}/tus", null, ("Upload-Length", "10"), ("Upload-Metadata", wrong)))
                .Expect(HttpStatusCode.BadRequest);
        }

        var upload = await phone.BeginAsync(session, _photo.Length, TusClient.Metadata(("name", "roof.jpg")) + ",is_confidential");
        (await phone.PatchAsync(upload, _photo, 0)).Expect(HttpStatusCode.NoContent);
        Assert.Equal("roof.jpg", (string)(await phone.GetAsync(upload)).Json["filename"]!);
    }

    [Theory, AllDatabases]
    public async Task Envelope_may_be_larger_than_the_photo_in_it_may_be(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var phone = app.ClientOf(null);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["max_image_size_mb"] = 4 });
        var photo = Photos.Jpeg(4 * 1024 * 1024, seed: 9);
        var envelope = Sealed.Here(await app.ServerKeyAsync(), photo).Bytes();
        // The digest may be that of the photo in it.
        var upload = await phone.BeginAsync(session, envelope.Length, TusClient.Metadata(("sha256", Hash(photo))), ("X-Aptr-Encrypted", "default"));

        (await phone.PatchAsync(upload, envelope, 0)).Expect(HttpStatusCode.NoContent);

        Assert.Equal(Hash(photo), (string)(await phone.GetAsync(upload)).Json["sha256"]!);
        (await phone.TusAsync(HttpMethod.Post, $"/api/v1/upload/{session}/tus", null, ("Upload-Length", $"{envelope.Length}")))
            .Expect(HttpStatusCode.RequestEntityTooLarge);
        (await phone.TusAsync(
            HttpMethod.Post, $"/api/v1/upload/{session}/tus", null, ("Upload-Length", $"{2 * envelope.Length}"), ("X-Aptr-Encrypted", "default")))
            .Expect(HttpStatusCode.RequestEntityTooLarge);
    }

    private static async Task<Apertur.Server.Tus.PartialUpload> UploadAsync(AperturApp app)
    {
        await using var db = app.Services.GetRequiredService<Database>().Open();
        return await db.PartialUploads.AsNoTracking().SingleAsync(Cancellation);
    }

    private static string Hash(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    private static string[] PartFiles(AperturApp app) =>
        Path.Combine(app.DataFolder, "images", "partial") is var folder && Directory.Exists(folder) ? Directory.GetFiles(folder) : [];
}
