using System.Net;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Apertur.Server.Storage;
using Apertur.Tests.Encryption;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Apertur.Tests.Tus;

/// <summary>Photos that come in pieces, by tus 1.0.</summary>
public sealed class TusTests
{
    private static readonly byte[] _photo = Photos.Jpeg(300_000, seed: 7);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, AllDatabases]
    public async Task Photo_in_pieces_is_received_like_any_other_and_once_however_often_its_end_is_repeated(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var phone = app.ClientOf(null);
        var session = await app.Client.CreateSessionAsync();
        var upload = await phone.BeginAsync(
            session, _photo.Length, TusClient.Metadata(("filename", "Küche.jpg"), ("source", "gallery"), ("sha256", Hash(_photo)), ("mood", "fine")));

        Assert.Equal(0, await phone.OffsetAsync(upload));
        Assert.Equal(100_000, (await phone.PatchAsync(upload, _photo[..100_000], 0)).Expect(HttpStatusCode.NoContent).Offset());
        (await phone.PatchAsync(upload, _photo[50_000..], 50_000)).Expect(HttpStatusCode.Conflict);
        Assert.Equal(100_000, await phone.OffsetAsync(upload));
        (await phone.GetAsync(upload)).Expect(HttpStatusCode.NotFound);
        var last = await phone.PatchAsync(upload, _photo[100_000..], 100_000);
        Assert.Equal(_photo.Length, last.Expect(HttpStatusCode.NoContent).Offset());
        (await phone.PatchAsync(upload, _photo[100_000..], 100_000)).Expect(HttpStatusCode.Conflict);
        var head = (await phone.TusAsync(HttpMethod.Head, upload)).Expect(HttpStatusCode.OK);
        (await phone.PatchAsync(upload, [], _photo.Length)).Expect(HttpStatusCode.NoContent);

        Assert.Equal((_photo.Length, $"{_photo.Length}"), (head.Offset(), head.Headers.GetValues("Upload-Length").Single()));
        Assert.Contains("mood ", head.Headers.GetValues("Upload-Metadata").Single(), StringComparison.Ordinal);
        var answer = (await phone.GetAsync(upload)).Expect(HttpStatusCode.OK).Json;
        var row = Assert.Single((await app.Client.GetAsync("uploads/recent")).Json.AsArray())!;
        Assert.Equal(("Küche.jpg", "gallery", (string)answer["id"]!), ((string)row["filename"]!, (string)row["source"]!, (string)row["id"]!));
        Assert.Equal(Hash(_photo), (string)answer["sha256"]!);
        Assert.Equal(_photo, (await app.Client.GetAsync($"uploads/{answer["id"]}/download")).Bytes);
        Assert.Empty(PartFiles(app));
    }

    [Theory, AllDatabases]
    public async Task First_piece_may_come_with_the_creation_and_be_all_of_it(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var phone = app.ClientOf(null);
        var session = await app.Client.CreateSessionAsync();
        Task<Answer> CreateAsync(byte[] body) =>
            phone.TusAsync(HttpMethod.Post, $"/api/v1/upload/{session}/tus", body, ("Upload-Length", $"{_photo.Length}"));

        var part = (await CreateAsync(_photo[..1000])).Expect(HttpStatusCode.Created);
        var whole = (await CreateAsync(_photo)).Expect(HttpStatusCode.Created);

        Assert.Equal((1000, _photo.Length), (part.Offset(), whole.Offset()));
        Assert.Equal(Hash(_photo), (string)whole.Json["sha256"]!);
        (await phone.PatchAsync(part.Headers.Location!.ToString(), _photo[1000..], 1000)).Expect(HttpStatusCode.NoContent);
        Assert.Equal(2, (await app.Client.GetAsync("uploads/recent")).Json.AsArray().Count);
    }

    [Theory, AllDatabases]
    public async Task New_request_takes_over_from_one_that_hangs_and_nothing_of_it_is_sent_again(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var phone = app.ClientOf(null);
        var session = await app.Client.CreateSessionAsync();
        var upload = await phone.BeginAsync(session, _photo.Length);
        using var stuck = await TusClient.HangAsync(app.Url, upload, _photo[..200_000], 0, _photo.Length);
        await Eventually.True(() => PartFiles(app).Sum(file => new FileInfo(file).Length) == 200_000);

        Assert.Equal(200_000, await phone.OffsetAsync(upload));
        Assert.Contains("409", await stuck.ReadAsync(), StringComparison.Ordinal);
        using var next = await TusClient.HangAsync(app.Url, upload, _photo[200_000..250_000], 200_000, 100_000);
        await Eventually.True(() => PartFiles(app).Sum(file => new FileInfo(file).Length) == 250_000);
        (await phone.PatchAsync(upload, _photo[250_000..], 250_000)).Expect(HttpStatusCode.NoContent);

        Assert.Equal(Hash(_photo), (string)(await phone.GetAsync(upload)).Json["sha256"]!);
    }

    [Fact]
    public async Task Writer_on_another_node_that_was_overtaken_adds_nothing_more()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.PostgreSql);
        using var folder = new TempFolder();
        await using var node = await SecondNode.StartAsync(app, folder);
        var phone = app.ClientOf(null);
        var session = await app.Client.CreateSessionAsync();
        var upload = await phone.BeginAsync(session, _photo.Length);
        using var stuck = await TusClient.HangAsync(node.Urls.Single(), upload, _photo[..200_000], 0, _photo.Length);
        await Eventually.True(() => PartFiles(app).Sum(file => new FileInfo(file).Length) == 200_000);

        Assert.Equal(200_000, await phone.OffsetAsync(upload));
        using var next = await TusClient.HangAsync(app.Url, upload, _photo[200_000..250_000], 200_000, 100_000);
        await Eventually.True(() => PartFiles(app).Sum(file => new FileInfo(file).Length) == 250_000);
        // The other node still believes that it is the one: it writes to the end, and is told where the upload stands.
        await stuck.SendAsync(new byte[100_000]);
        Assert.Contains("Upload-Offset: 200000", await stuck.ReadHeadAsync(), StringComparison.OrdinalIgnoreCase);
        Assert.Equal(250_000, await phone.OffsetAsync(upload));
        (await phone.PatchAsync(upload, _photo[250_000..], 250_000)).Expect(HttpStatusCode.NoContent);

        Assert.Equal(Hash(_photo), (string)(await phone.GetAsync(upload)).Json["sha256"]!);
        Assert.Single((await app.Client.GetAsync("uploads/recent")).Json.AsArray());
        await node.StopAsync(Cancellation);
    }

    [Fact]
    public async Task Server_that_was_killed_still_has_what_came_before()
    {
        using var folder = new TempFolder();
        var installation = await AperturProcess.InitAsync(folder.Path);
        string session, upload;
        await using (var first = await AperturProcess.ServeAsync(folder.Path, installation))
        {
            session = await first.Client.CreateSessionAsync();
            upload = await first.Client.BeginAsync(session, _photo.Length);
            using var sending = await TusClient.HangAsync(first.Url, upload, _photo[..200_000], 0, _photo.Length);
            var partial = Path.Combine(folder.Path, "images", "partial");
            await Eventually.True(() => Directory.Exists(partial) && Directory.GetFiles(partial).Sum(file => new FileInfo(file).Length) == 200_000);
            await first.KillAsync();
        }

        await using var second = await AperturProcess.ServeAsync(folder.Path, installation);
        Assert.Equal(200_000, await second.Client.OffsetAsync(upload));
        (await second.Client.PatchAsync(upload, _photo[200_000..], 200_000)).Expect(HttpStatusCode.NoContent);
        Assert.Equal(Hash(_photo), (string)(await second.Client.GetAsync(upload)).Json["sha256"]!);
    }

    [Theory, AllDatabases]
    public async Task Bytes_with_another_checksum_do_not_count(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var phone = app.ClientOf(null);
        var upload = await phone.BeginAsync(await app.Client.CreateSessionAsync(), _photo.Length);
        (string, string) Checksum(byte[] bytes) => ("Upload-Checksum", $"sha1 {Convert.ToBase64String(CryptographicOperations.HashData(HashAlgorithmName.SHA1, bytes))}");

        (await phone.PatchAsync(upload, _photo[..1000], 0, Checksum(_photo[..999]))).Expect((HttpStatusCode)460);
        Assert.Equal(0, await phone.OffsetAsync(upload));
        (await phone.PatchAsync(upload, _photo[..1000], 0, ("Upload-Checksum", "crc32 AAAA"))).Expect(HttpStatusCode.BadRequest);
        // Broken off, nobody can say whether it was right.
        using (await TusClient.HangAsync(app.Url, upload, _photo[..5000], 0, 9000, "Upload-Checksum: sha256 AAAA\r\n"))
        {
            await Eventually.True(() => PartFiles(app).Any(file => new FileInfo(file).Length == 5000));
            await using var db = app.Services.GetRequiredService<Database>().Open();
            Assert.True(await db.PartialUploads.Select(row => row.IsChecked).SingleAsync(Cancellation));
        }

        Assert.Equal(0, await phone.OffsetAsync(upload));
        (await phone.PatchAsync(upload, _photo, 0, Checksum(_photo))).Expect(HttpStatusCode.NoContent);
        Assert.Equal(Hash(_photo), (string)(await phone.GetAsync(upload)).Json["sha256"]!);
    }

    [Theory, AllDatabases]
    public async Task Every_verb_asks_for_the_password_and_knows_only_uploads_of_its_session(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var phone = app.ClientOf(null);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["password"] = "open sesame" });
        var other = await app.Client.CreateSessionAsync();
        var upload = await phone.BeginAsync(session, _photo.Length, "", ("x-session-password", "open sesame"));
        var elsewhere = upload.Replace(session, other, StringComparison.Ordinal);
        var create = $"/api/v1/upload/{session}/tus";

        foreach (var (method, path, length) in new[]
        {
            (HttpMethod.Post, create, ("Upload-Length", "10")), (HttpMethod.Head, upload, ("Upload-Offset", "0")), (HttpMethod.Get, upload, ("Upload-Offset", "0")),
            (HttpMethod.Patch, upload, ("Upload-Offset", "0")), (HttpMethod.Delete, upload, ("Upload-Offset", "0")),
        })
        {
            var bytes = method == HttpMethod.Patch ? _photo : null;
            Assert.Equal((method, HttpStatusCode.Unauthorized), (method, (await phone.TusAsync(method, path, bytes, length)).Status));
            if (path == upload)
                Assert.Equal((method, HttpStatusCode.NotFound), (method, (await phone.TusAsync(method, elsewhere, bytes, length)).Status));
        }

        (await phone.PatchAsync(upload, _photo, 0, ("x-session-password", "open sesame"))).Expect(HttpStatusCode.NoContent);
    }

    [Theory, AllDatabases]
    public async Task Session_that_is_closed_expired_or_full_takes_no_more_pieces_but_repeats_its_answer(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var phone = app.ClientOf(null);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["max_images"] = 1, ["expires_in_hours"] = 1 });
        var first = await phone.BeginAsync(session, _photo.Length, "", ("Idempotency-Key", "first"));
        var second = await phone.BeginAsync(session, _photo.Length);
        async Task RefusedAsync(HttpStatusCode status)
        {
            (await phone.PatchAsync(second, _photo, 0)).Expect(status);
            (await phone.TusAsync(HttpMethod.Head, second)).Expect(status);
            (await phone.TusAsync(HttpMethod.Post, $"/api/v1/upload/{session}/tus", null, ("Upload-Length", "10"))).Expect(status);
            Assert.Equal(_photo.Length, await phone.OffsetAsync(first));
            Assert.Equal(first, await phone.BeginAsync(session, _photo.Length, "", ("Idempotency-Key", "first")));
        }

        (await phone.PatchAsync(first, _photo, 0)).Expect(HttpStatusCode.NoContent);
        await RefusedAsync(HttpStatusCode.UnprocessableEntity);
        await app.Client.SendAsync(HttpMethod.Patch, $"upload-sessions/{session}", new JsonObject { ["max_images"] = 5 });
        await app.Client.PostAsync($"upload-sessions/{session}/complete");
        await RefusedAsync(HttpStatusCode.Conflict);
        app.Clock.Jump(TimeSpan.FromHours(2));
        (await phone.PatchAsync(second, _photo, 0)).Expect(HttpStatusCode.NotFound);
        Assert.Equal(_photo.Length, await phone.OffsetAsync(first));
    }

    [Theory, AllDatabases]
    public async Task What_a_session_would_not_take_is_refused_as_soon_as_it_shows(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var phone = app.ClientOf(null);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["max_image_size_mb"] = 1 });
        Task<Answer> CreateAsync(params (string, string)[] headers) => phone.TusAsync(HttpMethod.Post, $"/api/v1/upload/{session}/tus", null, headers);

        (await CreateAsync(("Upload-Length", "1048577"))).Expect(HttpStatusCode.RequestEntityTooLarge);
        (await CreateAsync(("Upload-Length", "0"))).Expect(HttpStatusCode.BadRequest);
        (await CreateAsync(("Upload-Length", "10"), ("Upload-Defer-Length", "1"))).Expect(HttpStatusCode.BadRequest);
        (await CreateAsync(("Upload-Length", "10"), ("Upload-Metadata", "source !"))).Expect(HttpStatusCode.BadRequest);
        (await CreateAsync(("Upload-Length", "10"), ("Upload-Metadata", TusClient.Metadata(("source", "moon"))))).Expect(HttpStatusCode.BadRequest);
        var text = await phone.BeginAsync(session, 1_000_000);
        (await phone.PatchAsync(text, [.. Enumerable.Repeat((byte)'x', 500)], 0)).Expect(HttpStatusCode.UnsupportedMediaType);
        (await phone.TusAsync(HttpMethod.Head, text)).Expect(HttpStatusCode.NotFound);
        var other = await phone.BeginAsync(session, _photo.Length, TusClient.Metadata(("sha256", Hash([1]))));
        Assert.Equal("DIGEST_MISMATCH", (string)(await phone.PatchAsync(other, _photo, 0)).Expect(HttpStatusCode.BadRequest).Json["code"]!);
        (await phone.TusAsync(HttpMethod.Head, other)).Expect(HttpStatusCode.NotFound);
        var longer = await phone.BeginAsync(session, 1000);
        (await phone.PatchAsync(longer, _photo[..2000], 0)).Expect(HttpStatusCode.RequestEntityTooLarge);
        Assert.Equal(0, await phone.OffsetAsync(longer));

        Assert.Empty((await app.Client.GetAsync("uploads/recent")).Json.AsArray());
    }

    [Theory, AllDatabases]
    public async Task Key_of_a_photo_is_one_photo_by_every_way_and_goes_on_where_it_was(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var phone = app.ClientOf(null);
        var session = await app.Client.CreateSessionAsync();
        var key = ("Idempotency-Key", "photo-1");

        var upload = await phone.BeginAsync(session, _photo.Length, "", key);
        (await phone.PatchAsync(upload, _photo[..1000], 0)).Expect(HttpStatusCode.NoContent);
        Assert.Equal(upload, await phone.BeginAsync(session, _photo.Length, "", key));
        (await phone.TusAsync(HttpMethod.Post, $"/api/v1/upload/{session}/tus", null, ("Upload-Length", "5"), key)).Expect(HttpStatusCode.Conflict);
        var inOneRequest = (await phone.PostImageAsync(session, _photo, headers: [key])).Expect(HttpStatusCode.Created).Json;
        (await phone.PatchAsync(upload, _photo[1000..], 1000)).Expect(HttpStatusCode.NoContent);

        Assert.Equal((string)inOneRequest["id"]!, (string)(await phone.GetAsync(upload)).Json["id"]!);
        Assert.Single((await app.Client.GetAsync("uploads/recent")).Json.AsArray());
    }

    [Theory, AllDatabases]
    public async Task Answer_that_was_lost_is_given_again_and_its_end_at_once_from_two_places_is_one_photo(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var phone = app.ClientOf(null);
        var session = await app.Client.CreateSessionAsync();
        var upload = await phone.BeginAsync(session, _photo.Length);
        (await phone.PatchAsync(upload, _photo, 0)).Expect(HttpStatusCode.NoContent);
        // As after a crash between the photo's commit and what notes it.
        await app.WriteAsync(db => db.PartialUploads.ExecuteUpdateAsync(u => u.SetProperty(x => x.Answer, (string?)null), Cancellation));
        await WritePartAsync(app, upload);

        var offsets = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => phone.OffsetAsync(upload)));

        Assert.All(offsets, offset => Assert.Equal(_photo.Length, offset));
        Assert.Single((await app.Client.GetAsync("uploads/recent")).Json.AsArray());
    }

    [Theory, AllDatabases]
    public async Task Upload_that_is_not_finished_expires_and_leaves_nothing(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var phone = app.ClientOf(null);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["expires_in_hours"] = 100 });
        var upload = await phone.BeginAsync(session, _photo.Length);
        var patched = (await phone.PatchAsync(upload, _photo[..1000], 0)).Expect(HttpStatusCode.NoContent);
        Assert.Equal(app.Clock.GetUtcNow().AddHours(24).ToString("R"), patched.Headers.GetValues("Upload-Expires").Single());
        Assert.Single(PartFiles(app));
        var stray = Path.Combine(app.DataFolder, "images", "partial", $"{Guid.CreateVersion7()}.0");
        await File.WriteAllTextAsync(stray, "x", Cancellation);
        File.SetLastWriteTimeUtc(stray, app.Clock.GetUtcNow().UtcDateTime.AddDays(-3));

        app.Clock.Jump(TimeSpan.FromHours(25));
        (await phone.TusAsync(HttpMethod.Head, upload)).Expect(HttpStatusCode.NotFound);
        await app.Services.GetServices<IHostedService>().OfType<OrphanCleanup>().Single().RunOnceAsync(Cancellation);

        // By this cleanup, or by the one that has begun by itself: a file goes after its row.
        await Eventually.True(() => PartFiles(app).Length == 0);
        await using var db = app.Services.GetRequiredService<Database>().Open();
        Assert.Empty(await db.PartialUploads.ToListAsync(Cancellation));
    }

    [Theory, AllDatabases]
    public async Task Upload_can_be_given_up(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var phone = app.ClientOf(null);
        var session = await app.Client.CreateSessionAsync();
        var upload = await phone.BeginAsync(session, _photo.Length);
        (await phone.PatchAsync(upload, _photo[..1000], 0)).Expect(HttpStatusCode.NoContent);

        var other = await phone.BeginAsync(session, _photo.Length);
        (await phone.TusAsync(HttpMethod.Delete, upload)).Expect(HttpStatusCode.NoContent);

        (await phone.TusAsync(HttpMethod.Head, upload)).Expect(HttpStatusCode.NotFound);
        Assert.Empty(PartFiles(app));
        Assert.Equal(0, await phone.OffsetAsync(other));
    }

    [Theory, AllDatabases]
    public async Task Nobody_begins_more_uploads_than_twice_what_the_session_takes(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var phone = app.ClientOf(null);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["max_images"] = 1 });
        await phone.BeginAsync(session, 10);
        await phone.BeginAsync(session, 10);

        var third = await phone.TusAsync(HttpMethod.Post, $"/api/v1/upload/{session}/tus", null, ("Upload-Length", "10"));

        third.Expect(HttpStatusCode.TooManyRequests);
    }

    [Theory, AllDatabases]
    public async Task Envelope_in_pieces_is_opened_like_any_other(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var phone = app.ClientOf(null);
        var session = await app.Client.CreateSessionAsync();
        var envelope = Sealed.Here(await app.ServerKeyAsync(), _photo).Bytes();
        var upload = await phone.BeginAsync(
            session, envelope.Length, TusClient.Metadata(("filename", "a.jpg.enc"), ("sha256", Hash(envelope))), ("X-Aptr-Encrypted", "default"));

        (await phone.PatchAsync(upload, envelope[..1000], 0)).Expect(HttpStatusCode.NoContent);
        (await phone.PatchAsync(upload, envelope[1000..], 1000)).Expect(HttpStatusCode.NoContent);

        var answer = (await phone.GetAsync(upload)).Json;
        Assert.Equal((Hash(_photo), "a.jpg"), ((string)answer["sha256"]!, (string)answer["filename"]!));
    }

    [Fact]
    public async Task Protocol_is_what_tus_1_0_says()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var phone = app.ClientOf(null);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["max_image_size_mb"] = 2 });

        var options = (await phone.SendAsync(HttpMethod.Options, $"upload/{session}/tus")).Expect(HttpStatusCode.NoContent);
        Assert.Equal("creation,creation-with-upload,expiration,checksum,termination", string.Join(',', options.Headers.GetValues("Tus-Extension")));
        Assert.Equal("2097152", options.Headers.GetValues("Tus-Max-Size").Single());
        var old = await phone.SendAsync(HttpMethod.Post, $"upload/{session}/tus", null, ("Tus-Resumable", "0.2.2"));
        Assert.Equal(("1.0.0", "1.0.0"), (old.Expect(HttpStatusCode.PreconditionFailed).Headers.GetValues("Tus-Version").Single(), old.Headers.GetValues("Tus-Resumable").Single()));
        var upload = await phone.BeginAsync(session, _photo.Length);
        var json = await phone.SendAsync(HttpMethod.Patch, upload, new { }, ("Tus-Resumable", "1.0.0"), ("Upload-Offset", "0"));
        Assert.Equal("1.0.0", json.Expect(HttpStatusCode.UnsupportedMediaType).Headers.GetValues("Tus-Resumable").Single());
        (await phone.TusAsync(HttpMethod.Post, upload, _photo, ("Upload-Offset", "0"), ("X-HTTP-Method-Override", "PATCH"))).Expect(HttpStatusCode.NoContent);
        var preflight = await phone.SendAsync(
            HttpMethod.Options, upload, null, ("Origin", "https://shop.example"), ("Access-Control-Request-Method", "PATCH"));
        Assert.Contains("PATCH", preflight.Headers.GetValues("Access-Control-Allow-Methods").Single(), StringComparison.Ordinal);
        var crossOrigin = await phone.TusAsync(HttpMethod.Head, upload, null, ("Origin", "https://shop.example"));
        Assert.Contains("Upload-Offset", crossOrigin.Headers.GetValues("Access-Control-Expose-Headers").Single(), StringComparison.Ordinal);
    }

    private static string Hash(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    private static string[] PartFiles(AperturApp app) =>
        Path.Combine(app.DataFolder, "images", "partial") is var folder && Directory.Exists(folder) ? Directory.GetFiles(folder) : [];

    private static Task WritePartAsync(AperturApp app, string upload) => File.WriteAllBytesAsync(
        Path.Combine(app.DataFolder, "images", "partial", upload.Split('/')[^1] + ".0"), _photo, Cancellation);
}
