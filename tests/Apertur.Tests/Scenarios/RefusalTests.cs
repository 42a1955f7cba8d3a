using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Apertur.Tests.Support;

namespace Apertur.Tests.Scenarios;

/// <summary>Bad input gets the right status and words to act on, and leaves nothing behind.</summary>
public sealed class RefusalTests
{
    [Theory, AllDatabases]
    public async Task Files_that_are_no_photos_are_refused_and_not_stored(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();

        foreach (var (bytes, name) in new[]
        {
            ("<html>"u8.ToArray(), "page.jpg"),
            ("%PDF-1.7 and so on and so on"u8.ToArray(), "scan.pdf"),
            ("GIF89a..............................."u8.ToArray(), "moving.gif"),
            (new byte[4096], "zeros.jpg"),
        })
        {
            ExpectError(await app.Client.PostImageAsync(session, bytes, name), 415, "UNSUPPORTED_IMAGE_TYPE", "JPEG");
        }

        ExpectError(await app.Client.PostImageAsync(session, Photos.Jpeg()[..40]), 415, "UNSUPPORTED_IMAGE_TYPE", "damaged");
        ExpectError(await app.Client.PostImageAsync(session, []), 400, "VALIDATION_ERROR", "empty");
        await NothingIsStoredAsync(app);
    }

    [Theory, AllDatabases]
    public async Task Photo_over_the_session_limits_is_refused_and_not_stored(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var small = await app.Client.CreateSessionAsync(new JsonObject { ["max_image_size_mb"] = 1 });
        ExpectError(await app.Client.PostImageAsync(small, Photos.Jpeg(1024 * 1024 + 1, seed: 1)), 413, "IMAGE_TOO_LARGE", "1 MB");
        ExpectError(await app.Client.PostImageAsync(small, Photos.Jpeg(5_000_000, seed: 1)), 413, "IMAGE_TOO_LARGE", "1 MB");

        var narrow = await app.Client.CreateSessionAsync(new JsonObject { ["max_image_dimension"] = 1 });
        ExpectError(await app.Client.PostImageAsync(narrow, Photos.Jpeg()), 413, "IMAGE_TOO_LARGE", "pixels");

        // The longer side counts, whichever that is: 33 x 21 and 40 x 64 pixels.
        var low = await app.Client.CreateSessionAsync(new JsonObject { ["max_image_dimension"] = 32 });
        ExpectError(await app.Client.PostImageAsync(low, Photo("plain.jpg")), 413, "IMAGE_TOO_LARGE", "pixels");
        var tall = await app.Client.CreateSessionAsync(new JsonObject { ["max_image_dimension"] = 63 });
        ExpectError(await app.Client.PostImageAsync(tall, Photo("portrait.jpg")), 413, "IMAGE_TOO_LARGE", "pixels");

        var pngOnly = await app.Client.CreateSessionAsync(new JsonObject { ["allowed_mime_types"] = new JsonArray("image/png") });
        ExpectError(await app.Client.PostImageAsync(pngOnly, Photos.Jpeg()), 415, "UNSUPPORTED_IMAGE_TYPE", "PNG");
        await NothingIsStoredAsync(app);
        var exact = await app.Client.CreateSessionAsync(new JsonObject { ["max_image_dimension"] = 64 });
        (await app.Client.PostImageAsync(exact, Photo("portrait.jpg"))).Expect(HttpStatusCode.Created);
    }

    [Theory, AllDatabases]
    public async Task Full_and_expired_and_unknown_sessions_take_no_photo(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var one = await app.Client.CreateSessionAsync(new JsonObject { ["max_images"] = 1, ["expires_in_hours"] = 1 });
        await app.Client.UploadAsync(one, Photos.Png());

        ExpectError(await app.Client.PostImageAsync(one, Photos.Png()), 422, "SESSION_FULL", "1 photo");
        Assert.Equal("completed", (string)(await app.Client.GetAsync($"upload/{one}/session")).Json["status"]!);
        var other = await app.Client.CreateSessionAsync(new JsonObject { ["expires_in_hours"] = 1 });
        app.Clock.Jump(TimeSpan.FromHours(1));
        ExpectError(await app.Client.PostImageAsync(other, Photos.Png()), 410, "SESSION_EXPIRED", "expired");
        Assert.Equal("expired", (string)(await app.Client.GetAsync($"upload/{other}/session")).Json["status"]!);
        ExpectError(await app.Client.PostImageAsync(Guid.NewGuid().ToString(), Photos.Png()), 404, "NOT_FOUND", "no such thing");
        ExpectError(await app.Client.PostImageAsync("not-an-id", Photos.Png()), 404, "NOT_FOUND", "no such thing");
    }

    [Theory, AllDatabases]
    public async Task Of_several_reasons_that_a_session_takes_no_photo_the_one_that_lasts_is_told(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var closed = await app.Client.CreateSessionAsync(new JsonObject { ["max_images"] = 2, ["expires_in_hours"] = 1 });
        var full = await app.Client.CreateSessionAsync(new JsonObject { ["max_images"] = 1, ["expires_in_hours"] = 1 });
        await app.Client.UploadAsync(closed, Photos.Png());
        await app.Client.UploadAsync(full, Photos.Png());
        await app.Client.PostAsync($"upload-sessions/{closed}/complete");
        await app.Client.SendAsync(HttpMethod.Patch, $"upload-sessions/{closed}", new JsonObject { ["max_images"] = 1 });

        ExpectError(await app.Client.PostImageAsync(closed, Photos.Png()), 409, "SESSION_COMPLETED", "closed");
        app.Clock.Jump(TimeSpan.FromHours(2));
        ExpectError(await app.Client.PostImageAsync(closed, Photos.Png()), 409, "SESSION_COMPLETED", "closed");
        ExpectError(await app.Client.PostImageAsync(full, Photos.Png()), 410, "SESSION_EXPIRED", "expired");
    }

    [Theory, AllDatabases]
    public async Task Photo_that_began_to_come_in_before_its_session_expired_is_taken(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var end = app.Clock.GetUtcNow().AddMinutes(1).UtcDateTime.ToString("O", CultureInfo.InvariantCulture);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["expires_at"] = end });
        var (phone, otherHalf) = await RawConnection.SendHalfAPhotoAsync(app, session);
        using var connection = phone;

        app.Clock.Jump(TimeSpan.FromMinutes(2));
        await phone.SendAsync(otherHalf);

        Assert.StartsWith("HTTP/1.1 201 ", await phone.ReadAsync(), StringComparison.Ordinal);
        ExpectError(await app.Client.PostImageAsync(session, Photos.Png()), 410, "SESSION_EXPIRED", "expired");
    }

    [Theory, AllDatabases]
    public async Task Session_that_is_over_does_not_change_when_its_page_is_opened(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        await app.Client.PostAsync($"upload-sessions/{session}/complete");
        var before = (await app.Client.GetAsync($"upload-sessions/{session}/delivery-status")).Json["lastChanged"]!;
        app.Clock.Jump(TimeSpan.FromMinutes(1));

        await app.ClientOf(null).GetAsync($"/u/{session}");

        var after = (await app.Client.GetAsync($"upload-sessions/{session}/delivery-status")).Json["lastChanged"]!;
        Assert.Equal((string)before!, (string)after!);
    }

    [Theory, AllDatabases]
    public async Task Page_that_is_opened_again_changes_nothing(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        await app.ClientOf(null).GetAsync($"/u/{session}");
        var before = (await app.Client.GetAsync($"upload-sessions/{session}/delivery-status")).Json;
        app.Clock.Jump(TimeSpan.FromMinutes(1));

        await app.ClientOf(null).GetAsync($"/u/{session}");

        Assert.Equal("active", (string)before["status"]!);
        Assert.Equal(before.ToJsonString(), (await app.Client.GetAsync($"upload-sessions/{session}/delivery-status")).Json.ToJsonString());
    }

    [Theory, AllDatabases]
    public async Task Session_takes_no_more_photos_than_it_may_however_many_come_at_once(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["max_images"] = 5 });

        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => app.Client.PostImageAsync(session, Photos.Png())));

        Assert.Equal(5, answers.Count(answer => answer.Status == HttpStatusCode.Created));
        Assert.All(answers.Where(answer => answer.Status != HttpStatusCode.Created), answer => ExpectError(answer, 422, "SESSION_FULL", "5 photos"));
        Assert.Equal(5, (int)(await app.Client.GetAsync("stats")).Json["imagesUploaded"]!);
        Assert.Equal(5, Directory.GetFiles(app.DataFolder + "/images", "*-*", SearchOption.AllDirectories).Length);
    }

    [Theory, AllDatabases]
    public async Task Unknown_source_is_refused_wherever_it_stands(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();

        ExpectError(await app.Client.PostImageAsync(session, Photos.Png(), source: "fax"), 400, "VALIDATION_ERROR", "source");

        using var form = new MultipartFormDataContent();
        using var source = new StringContent("fax");
        using var file = new ByteArrayContent(Photos.Png());
        form.Add(source, "source");
        form.Add(file, "file", "x.png");
        ExpectError(await app.Client.PostAsync($"upload/{session}/images", form), 400, "VALIDATION_ERROR", "source");
        await NothingIsStoredAsync(app);
        foreach (var known in new[] { "camera", "gallery", "url", "google_drive", "google_photos", "dropbox", "onedrive", "box", "instagram" })
            (await app.Client.PostImageAsync(session, Photos.Png(), source: known)).Expect(HttpStatusCode.Created);
    }

    [Theory, AllDatabases]
    public async Task Second_photo_of_a_form_is_refused_with_the_first(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        using var form = new MultipartFormDataContent();
        using var first = new ByteArrayContent(Photos.Png());
        using var second = new ByteArrayContent(Photos.Jpeg());
        form.Add(first, "file", "1.png");
        form.Add(second, "file", "2.jpg");

        ExpectError(await app.Client.PostAsync($"upload/{await app.Client.CreateSessionAsync()}/images", form), 400, "VALIDATION_ERROR", "one photo");
        await NothingIsStoredAsync(app);
    }

    [Theory]
    [AllDatabases("")]
    [AllDatabases("--X\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\nabc")]
    [AllDatabases("--X\r\nContent-Disposition: form-data; name=\"source\"\r\n\r\ncamera\r\n--X--\r\n")]
    [AllDatabases("--X\r\nContent-Type: image/png\r\n\r\nabc\r\n--X--\r\n")]
    [AllDatabases("nonsense")]
    public async Task Malformed_form_is_refused_with_a_reason(DatabaseKind database, string body)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        using var content = new ByteArrayContent(Encoding.ASCII.GetBytes(body));
        content.Headers.TryAddWithoutValidation("Content-Type", "multipart/form-data; boundary=X");

        var answer = await app.Client.PostAsync($"upload/{session}/images", content);

        Assert.True(answer.Status is HttpStatusCode.BadRequest or HttpStatusCode.UnsupportedMediaType, answer.Text);
        Assert.NotEmpty((string)answer.Json["message"]!);
        await NothingIsStoredAsync(app);
    }

    [Theory]
    [AllDatabases("{", 400)]
    [AllDatabases("nonsense", 400)]
    [AllDatabases("[1]", 400)]
    [AllDatabases("{\"expires_in_hours\":\"24\"}", 400)]
    [AllDatabases("{\"expires_in_hours\":0}", 400)]
    [AllDatabases("{\"expires_in_hours\":169}", 400)]
    [AllDatabases("{\"expires_in_hours\":24,\"expires_at\":\"2040-01-01T00:00:00Z\"}", 400)]
    [AllDatabases("{\"max_images\":501}", 400)]
    [AllDatabases("{\"max_images\":1.5}", 400)]
    [AllDatabases("{\"tags\":\"a\"}", 400)]
    [AllDatabases("{\"tags\":[null]}", 400)]
    [AllDatabases("{\"metadata\":[1]}", 400)]
    [AllDatabases("{\"label\":\"a\\u0000b\"}", 400)]
    [AllDatabases("{\"label\":\"a\\\\\\u0000b\"}", 400)]
    [AllDatabases("{\"label\":\"a\\ud800b\"}", 400)]
    [AllDatabases("{\"metadata\":{\"a\":1,\"a\":2}}", 400)]
    [AllDatabases("{\"metadata\":{\"a\":\"\\ud800\"}}", 400)]
    [AllDatabases("{\"allowed_mime_types\":[\"image/gif\"]}", 400)]
    [AllDatabases("{\"destination_ids\":[\"01900000-0000-7000-8000-000000000000\"]}", 400)]
    [AllDatabases("{\"destination_ids\":[\"x\"]}", 400)]
    [AllDatabases("{\"destination_ids\":[null]}", 400)]
    public async Task Session_request_that_cannot_be_meant_is_refused_by_name(DatabaseKind database, string body, int status)
    {
        await using var app = await AperturApp.StartAsync(database);
        using var content = new StringContent(body, Encoding.UTF8, "application/json");

        var answer = await app.Client.PostAsync("upload-sessions", content);

        ExpectError(answer, status, "VALIDATION_ERROR", body.Contains("destination", StringComparison.Ordinal) ? "destination" : "");
        Assert.Empty((await app.Client.GetAsync("sessions/recent")).Json.AsArray());
    }

    [Theory, AllDatabases]
    public async Task Request_without_options_makes_a_session_in_every_shape_clients_send(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        foreach (var (body, type) in new (string?, string?)[]
        {
            (null, null), ("", "application/json"), ("{}", "application/json"), ("[]", "application/json"), ("", "application/x-www-form-urlencoded"),
            ("{\"unknown\":1}", "application/json; charset=utf-8"), (" null ", "application/json"), ("\uFEFF{}", "application/json"),
            ("{\"label\":\"a backslash and \\\\u0000\"}", "application/json"),
        })
        {
            using var content = body is null ? null : new ByteArrayContent(Encoding.UTF8.GetBytes(body));
            if (type is not null)
                content!.Headers.TryAddWithoutValidation("Content-Type", type);

            var answer = (await app.Client.PostAsync("upload-sessions", content)).Expect(HttpStatusCode.Created);

            Assert.Equal((string)answer.Json["id"]!, (string)answer.Json["uuid"]!);
        }
    }

    [Theory, AllDatabases]
    public async Task Key_that_is_missing_or_wrong_opens_nothing(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        foreach (var key in new[] { null, "", "aptr_live_0000", "x", new string('a', 9000) })
            ExpectError(await app.ClientOf(key).GetAsync("stats"), 401, "AUTHENTICATION_FAILED", "key");
    }

    [Theory, AllDatabases]
    public async Task Unknown_addresses_and_methods_answer_in_the_shape_of_every_error(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        ExpectError(await app.Client.GetAsync("nothing-here"), 404, "NOT_FOUND", "not part");
        ExpectError(await app.Client.GetAsync("/elsewhere"), 404, "NOT_FOUND", "not part");
        ExpectError(await app.Client.SendAsync(HttpMethod.Put, "stats"), 405, "METHOD_NOT_ALLOWED", "method");
        ExpectError(await app.Client.GetAsync("sessions?page=0"), 400, "VALIDATION_ERROR", "page");
        ExpectError(await app.Client.GetAsync("sessions?page=x"), 400, "VALIDATION_ERROR", "page");
        ExpectError(await app.Client.GetAsync("uploads?pageSize=101"), 400, "VALIDATION_ERROR", "pageSize");
        ExpectError(await app.Client.GetAsync("uploads/recent?limit=51"), 400, "VALIDATION_ERROR", "limit");
    }

    private static byte[] Photo(string name) => File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Photos", name));

    private static void ExpectError(Answer answer, int status, string code, string words)
    {
        Assert.True((int)answer.Status == status, $"Expected {status}, got {(int)answer.Status}: {answer.Text}");
        Assert.Equal(status, (int)answer.Json["statusCode"]!);
        Assert.Equal(code, (string)answer.Json["code"]!);
        Assert.NotEmpty((string)answer.Json["error"]!);
        Assert.Contains(words, (string)answer.Json["message"]!, StringComparison.OrdinalIgnoreCase);
    }

    private static async Task NothingIsStoredAsync(AperturApp app)
    {
        Assert.Empty((await app.Client.GetAsync("uploads/recent")).Json.AsArray());
        Assert.Equal(0, (int)(await app.Client.GetAsync("stats")).Json["imagesUploaded"]!);
        Assert.Empty(Directory.GetFiles(app.DataFolder + "/images", "*-*", SearchOption.AllDirectories));
    }
}
