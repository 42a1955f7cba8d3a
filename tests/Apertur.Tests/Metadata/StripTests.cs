using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Apertur.Tests.Destinations;
using Apertur.Tests.Encryption;
using Apertur.Tests.Events;
using Apertur.Tests.Support;
using Apertur.Tests.Tus;

namespace Apertur.Tests.Metadata;

/// <summary>What a session or its project has removed from photos is nowhere, by whichever way they come in and go out.</summary>
public sealed class StripTests
{
    private static readonly byte[] _photo = LocatedPhotos.Jpeg(0);

    [Theory, AllDatabases]
    public async Task A_hundred_photos_are_stored_without_their_place_and_untouched_where_nothing_is_removed(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await SessionAsync(app, "location", ("max_images", 100));
        var untouched = await SessionAsync(app, null, ("max_images", 100));
        List<(string Name, byte[] File)> stored = [];
        foreach (var photo in LocatedPhotos.All)
        {
            var upload = await app.Client.UploadAsync(session, photo.File, photo.Name);
            var file = await DownloadAsync(app, upload);
            Assert.False(IsLocated(file), photo.Name);
            Assert.Equal(Sha256(photo.File), (string)upload["original_sha256"]!);
            Assert.Equal(Sha256(file), (string)upload["sha256"]!);
            Assert.Equal(file.Length, (long)upload["size_bytes"]!);
            stored.Add((photo.Name, file));

            var kept = await app.Client.UploadAsync(untouched, photo.File, photo.Name);
            Assert.Equal(photo.File, await DownloadAsync(app, kept));
            Assert.Equal(Sha256(photo.File), (string)kept["sha256"]!);
            Assert.Null(kept["original_sha256"]);
            Assert.Equal((kept["width"]!.ToString(), kept["height"]!.ToString()), (upload["width"]!.ToString(), upload["height"]!.ToString()));
        }

        Assert.All(await ExifTool.ReadAsync(stored), photo => Assert.Empty(ExifTool.Places(photo.Value)));
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(app.DataFolder, "images", "partial")));
    }

    [Theory, AllDatabases]
    public async Task Place_is_removed_by_every_way_in(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await SessionAsync(app, "location");
        var phone = app.ClientOf(null);
        var sha256 = Sha256(_photo);
        var digest = $"sha-256=:{Convert.ToBase64String(SHA256.HashData(_photo))}:";
        using var form = new MultipartFormDataContent();
        form.Add(new StringContent(sha256), "sha256");
        var part = new ByteArrayContent(_photo);
        part.Headers.Add("Content-Digest", digest);
        form.Add(part, "file", "photo.jpg");
        var envelope = Sealed.Here(await app.ServerKeyAsync(), _photo);
        var begun = await phone.BeginAsync(session, _photo.Length, TusClient.Metadata(("filename", "photo.jpg"), ("sha256", sha256)));
        (await phone.PatchAsync(begun, _photo[..1000], 0)).Expect(HttpStatusCode.NoContent);

        Answer[] answers =
        [
            await phone.PostAsync($"upload/{session}/images", form),
            await app.PostJsonAsync(session, envelope.ToJsonString()),
            await app.PostFormAsync(session, envelope.Bytes(), "photo.jpg.enc"),
            await phone.TusAsync(
                HttpMethod.Post, $"/api/v1/upload/{session}/tus", _photo, ("Upload-Length", $"{_photo.Length}"),
                ("Upload-Metadata", TusClient.Metadata(("sha256", sha256)))),
        ];
        (await phone.PatchAsync(begun, _photo[1000..], 1000)).Expect(HttpStatusCode.NoContent);
        using var page = new MultipartFormDataContent { { new ByteArrayContent(_photo), "file", "photo.jpg" } };
        (await phone.PostAsync($"/u/{session}", page)).Expect(HttpStatusCode.OK);

        Assert.All(answers, answer => Assert.Equal(sha256, (string)answer.Expect(HttpStatusCode.Created).Json["original_sha256"]!));
        var rows = (await app.Client.GetAsync("uploads/recent")).Json.AsArray();
        Assert.Equal(6, rows.Count);
        foreach (var row in rows)
            Assert.False(IsLocated(await DownloadAsync(app, row!)));
        Assert.False(IsAnywhere(app));
    }

    [Theory, AllDatabases]
    public async Task Hash_of_what_was_sent_goes_along_wherever_photos_are_told_of(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var listener = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        await app.ListenAsync(listener, "project.upload.started");
        List<string> destinations = [];
        foreach (var format in new[] { "json_base64", "link", "multipart", "binary" })
            destinations.Add(await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = $"{receiver.Url}/{format}", ["format"] = format }));
        destinations.Add(await app.Client.CreateDestinationAsync("odoo", new JsonObject { ["url"] = $"{receiver.Url}/odoo", ["secret"] = "s" }));
        var session = await SessionAsync(
            app, "all", ("long_polling", true), ("destination_ids", new JsonArray([.. destinations.Select(id => JsonValue.Create(id))])));

        var upload = await app.Client.UploadAsync(session, _photo);

        var (expected, id) = (Sha256(_photo), (string)upload["id"]!);
        Assert.Equal(expected, (string)(await app.Client.GetAsync($"uploads/{id}")).Json["originalSha256"]!);
        Assert.Equal(expected, (string)(await app.Client.GetAsync($"upload-sessions/{session}/poll")).Json["images"]![0]!["original_sha256"]!);
        Assert.Equal(expected, (string)(await listener.NextAsync()).Json()["data"]!["original_sha256"]!);
        for (var count = 0; count < destinations.Count; count++)
        {
            var sent = await receiver.NextAsync();
            var (told, file) = sent.Path.Split('/')[^1] switch
            {
                "binary" => (sent["X-Aptr-Original-Sha256"], sent.Body),
                "multipart" => (Encoding.UTF8.GetString(sent.Body).Split("name=\"original_sha256\"\r\n\r\n")[1].Split("\r\n")[0], sent.Body),
                "odoo" => ((string?)sent.Json()["data"]!["original_sha256"], []),
                "link" => ((string?)sent.Json()["original_sha256"], []),
                _ => ((string?)sent.Json()["original_sha256"], Convert.FromBase64String((string)sent.Json()["data"]!)),
            };
            Assert.Equal(expected, told);
            Assert.False(IsLocated(file));
        }
    }

    [Theory, AllDatabases]
    public async Task Photo_sent_again_under_its_key_is_known_by_what_was_sent(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await SessionAsync(app, "location");
        Task<Answer> SendAsync(byte[] photo) => app.Client.PostImageAsync(session, photo, headers: ("Idempotency-Key", "one"));

        var first = (await SendAsync(_photo)).Expect(HttpStatusCode.Created).Json;
        Assert.Equal(first.ToJsonString(), (await SendAsync(_photo)).Expect(HttpStatusCode.Created).Json.ToJsonString());
        // The same without its place is another photo.
        (await SendAsync(await DownloadAsync(app, first))).Expect(HttpStatusCode.Conflict);
        Assert.Single((await app.Client.GetAsync("uploads/recent")).Json.AsArray());
    }

    [Theory, AllDatabases]
    public async Task Photo_that_cannot_be_freed_of_its_place_is_refused_and_nothing_of_it_stays(DatabaseKind database)
    {
        // One that was refused keeps nobody waiting.
        await using var app = await AperturApp.StartAsync(database, new Dictionary<string, string?> { ["Limits:EnvelopesAtOnce"] = "1" });
        var session = await SessionAsync(app, "location");
        byte[] photo = [.. LocatedPhotos.Heic(1), .. Located.Bytes(Located.Place)];

        var refused = (await app.Client.PostImageAsync(session, photo)).Expect(HttpStatusCode.UnsupportedMediaType).Json;
        var tus = await app.ClientOf(null).TusAsync(HttpMethod.Post, $"/api/v1/upload/{session}/tus", photo, ("Upload-Length", $"{photo.Length}"));
        (await app.Client.PostImageAsync(session, Located.Bytes(Located.Place))).Expect(HttpStatusCode.UnsupportedMediaType);

        // What is sent is too large, whatever would be left of it.
        var large = Located.JpegWith(Enumerable.Repeat(Located.Segment(0xE6, "GPRO", [.. Located.Bytes(Located.Place), .. new byte[60_000]]), 20));
        (await app.Client.PostImageAsync(await SessionAsync(app, "all", ("max_image_size_mb", 1)), large)).Expect(HttpStatusCode.RequestEntityTooLarge);

        Assert.Equal("UNSUPPORTED_IMAGE_TYPE", (string)refused["code"]!);
        Assert.Contains("cannot be found for certain", (string)refused["message"]!, StringComparison.Ordinal);
        tus.Expect(HttpStatusCode.UnsupportedMediaType);
        Assert.Empty((await app.Client.GetAsync("uploads/recent")).Json.AsArray());
        Assert.False(IsAnywhere(app));
        (await app.Client.PostImageAsync(await SessionAsync(app, "none"), photo)).Expect(HttpStatusCode.Created);
    }

    [Theory, AllDatabases]
    public async Task Photo_that_comes_in_while_a_session_begins_to_remove_is_not_taken_as_it_is(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await SessionAsync(app, null);
        var boundary = "b";
        byte[] body =
        [
            .. Located.Bytes($"--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jpg\"\r\n\r\n"), .. _photo, .. Located.Bytes($"\r\n--{boundary}--\r\n"),
        ];
        using var connection = await RawConnection.OpenAsync(app.Url);
        await connection.SendAsync(
            $"POST /api/v1/upload/{session}/images HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            + $"Content-Type: multipart/form-data; boundary={boundary}\r\nContent-Length: {body.Length}\r\n\r\n");
        await connection.SendAsync(body[..^100]);
        // Then its session has been read.
        await Eventually.True(() => Directory.EnumerateFiles(Path.Combine(app.DataFolder, "images"), "*-*-*-*-*", SearchOption.AllDirectories).Any());
        (await app.Client.SendAsync(HttpMethod.Patch, $"upload-sessions/{session}", new JsonObject { ["strip"] = "location" })).Expect(HttpStatusCode.OK);
        await connection.SendAsync(body[^100..]);

        Assert.Contains(" 503 ", await connection.ReadAsync(), StringComparison.Ordinal);
        Assert.Empty((await app.Client.GetAsync("uploads/recent")).Json.AsArray());
        Assert.False(IsLocated(await DownloadAsync(app, await app.Client.UploadAsync(session, _photo))));
    }

    [Theory, AllDatabases]
    public async Task The_stricter_of_session_and_project_counts(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var owner = await app.SignInAsync();
        async Task<string?> StripOfAsync(string session) =>
            (string?)(await app.ClientOf(null).GetAsync($"upload/{session}/session")).Json["strip"];
        async Task ChangeAsync(string session, JsonObject change) =>
            (await app.Client.SendAsync(HttpMethod.Patch, $"upload-sessions/{session}", change)).Expect(HttpStatusCode.OK);

        var before = await SessionAsync(app, null);
        Assert.Equal("none", await StripOfAsync(before));
        Assert.Equal("none", (string?)(await owner.Client.GetAsync($"projects/{app.ProjectId}")).Json["strip"]);
        var project = (await owner.Client.SendAsync(HttpMethod.Patch, $"projects/{app.ProjectId}", new JsonObject { ["strip"] = "location" })).Expect(HttpStatusCode.OK);
        Assert.Equal("location", (string?)project.Json["strip"]);
        Assert.Equal("location", await StripOfAsync(await SessionAsync(app, null)));
        Assert.Equal("location", await StripOfAsync(await SessionAsync(app, "none")));
        Assert.Equal("all", await StripOfAsync(await SessionAsync(app, "all")));

        Assert.Equal("none", await StripOfAsync(before));
        await ChangeAsync(before, new() { ["max_images"] = 7 });
        Assert.Equal("none", await StripOfAsync(before));
        await ChangeAsync(before, new() { ["strip"] = "none" });
        Assert.Equal("location", await StripOfAsync(before));
        await ChangeAsync(before, new() { ["strip"] = "all", ["password"] = "open sesame" });
        Assert.Null(await StripOfAsync(before));
        Assert.Equal("all", (string?)(await app.Client.GetAsync($"upload-sessions/{before}")).Json["strip"]);
    }

    [Fact]
    public async Task Unknown_words_are_refused()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var owner = await app.SignInAsync();
        var session = await SessionAsync(app, null);
        foreach (var answer in new[]
        {
            await app.Client.PostAsync("upload-sessions", new JsonObject { ["strip"] = "gps" }),
            await app.Client.SendAsync(HttpMethod.Patch, $"upload-sessions/{session}", new JsonObject { ["strip"] = "ALL" }),
            await owner.Client.SendAsync(HttpMethod.Patch, $"projects/{app.ProjectId}", new JsonObject { ["strip"] = "" }),
        })
            Assert.Equal("strip", (string)answer.Expect(HttpStatusCode.BadRequest).Json["errors"]![0]!["field"]!);
    }

    [Fact]
    public async Task Photos_cannot_be_encrypted_end_to_end_where_something_is_removed_and_that_is_said()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var owner = await app.SignInAsync();
        using var key = RSA.Create(2048);
        var pem = key.ExportSubjectPublicKeyInfoPem();
        (await owner.Client.SendAsync(HttpMethod.Patch, $"projects/{app.ProjectId}", new JsonObject { ["e2ePublicKey"] = pem })).Expect(HttpStatusCode.OK);
        var request = new JsonObject { ["strip"] = "location", ["long_polling"] = true };

        var made = (await app.Client.PostAsync("upload-sessions", request)).Expect(HttpStatusCode.Created).Json;
        var session = (string)made["id"]!;

        Assert.Contains("not encrypted end to end", (string)Assert.Single(made["warnings"]!.AsArray())!, StringComparison.Ordinal);
        (await app.Client.SendAsync(HttpMethod.Post, "upload-sessions", request.DeepClone(), ("Apertur-Strict", "true"))).Expect(HttpStatusCode.BadRequest);
        Assert.True((bool)(await app.ClientOf(null).GetAsync($"upload/{session}/session")).Json["e2eDowngraded"]!);
        (await app.PostJsonAsync(session, Sealed.Here(pem, _photo).ToJsonString(), "e2e")).Expect(HttpStatusCode.BadRequest);
        var changed = await app.Client.SendAsync(HttpMethod.Patch, $"upload-sessions/{session}", new JsonObject { ["max_images"] = 3 });
        Assert.Single(changed.Expect(HttpStatusCode.OK).Json["warnings"]!.AsArray());
        var none = (await app.Client.PostAsync("upload-sessions", new JsonObject { ["long_polling"] = true })).Expect(HttpStatusCode.Created).Json;
        Assert.Null(none["warnings"]);
        var stripped = await app.Client.SendAsync(HttpMethod.Patch, $"upload-sessions/{none["id"]}", new JsonObject { ["strip"] = "all" });
        Assert.Single(stripped.Expect(HttpStatusCode.OK).Json["warnings"]!.AsArray());
    }

    [Theory]
    [InlineData(null, "as your phone made them")]
    [InlineData("location", "The place where a photo was taken is removed")]
    [InlineData("all", "all else that a photo tells beside the picture are removed")]
    public async Task Page_says_what_is_passed_on(string? strip, string words)
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var open = await app.ClientOf(null).GetAsync($"/u/{await SessionAsync(app, strip)}?lang=en");
        Assert.Contains(words, open.Text.Split("<script id=")[0], StringComparison.Ordinal);
        var closed = await app.ClientOf(null).GetAsync($"/u/{await SessionAsync(app, strip, ("password", "open sesame"))}?lang=en");
        Assert.Contains("<p id=\"strip\" class=\"hint\"></p>", closed.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Place_is_in_no_bucket_either()
    {
        using var bucket = await Bucket.MakeAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite, bucket.StorageSettings());
        var session = await SessionAsync(app, "location");
        byte[] large = [.. Located.JpegWith(Enumerable.Repeat(Located.Segment(0xE6, "GPRO", [.. Located.Bytes(Located.Place), .. new byte[60_000]]), 160))];
        foreach (var photo in new[] { _photo, large })
        {
            var upload = await app.Client.UploadAsync(session, photo);
            Assert.False(IsLocated(await DownloadAsync(app, upload)));
            Assert.Equal(Sha256(photo), (string)upload["original_sha256"]!);
        }

        Assert.Equal(2, (await bucket.KeysAsync()).Count(key => key is not ("photos/owner" or "photos/probe")));
        Assert.Empty(await bucket.UnfinishedUploadsAsync());
        Assert.False(IsAnywhere(app));
    }

    private static async Task<string> SessionAsync(AperturApp app, string? strip, params (string Name, JsonNode Value)[] more)
    {
        var request = new JsonObject(more.Select(field => KeyValuePair.Create(field.Name, (JsonNode?)field.Value)));
        if (strip is not null)
            request["strip"] = strip;
        return await app.Client.CreateSessionAsync(request);
    }

    private static async Task<byte[]> DownloadAsync(AperturApp app, JsonNode upload) =>
        (await app.Client.GetAsync($"uploads/{upload["id"]}/download")).Expect(HttpStatusCode.OK).Bytes;

    /// <summary>Whether any file of the server, or what it has put aside, holds the place.</summary>
    private static bool IsAnywhere(AperturApp app) =>
        Directory.EnumerateFiles(app.DataFolder, "*", SearchOption.AllDirectories).Any(path => IsLocated(File.ReadAllBytes(path)));

    private static bool IsLocated(byte[] file) => Located.IsIn(file);

    private static string Sha256(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));
}
