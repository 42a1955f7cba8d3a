using System.IO.Compression;
using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Apertur.Tests.Encryption;
using Apertur.Tests.Support;
using Microsoft.AspNetCore.Http;

namespace Apertur.Tests.Fetching;

/// <summary>Photos that the server fetches by their address.</summary>
public sealed class FetchTests
{
    private const int Megabyte = 1024 * 1024;

    private static readonly byte[] _photo = Photos.Jpeg(700_000, seed: 11);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, AllDatabases]
    public async Task Photo_that_is_fetched_is_an_upload_as_any_other(DatabaseKind database)
    {
        await using var source = await Receiver.StartAsync();
        await using var webhook = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var destination = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = webhook.Url, ["format"] = "binary" });
        var session = await app.Client.CreateSessionAsync(new JsonObject
        {
            ["destination_ids"] = new JsonArray(destination),
            ["allow_captions"] = true,
            ["ask"] = new JsonArray(new JsonObject { ["field"] = "name", ["required"] = true }),
        });
        var visitor = Guid.NewGuid().ToString();
        source.Otherwise = Gives(_photo);

        var request = new JsonObject { ["url"] = source.Url, ["visitor"] = visitor, ["caption"] = "The dent" };
        Assert.Equal("name", (string)(await FetchAsync(app, session, request)).Expect(HttpStatusCode.BadRequest).Json["errors"]![0]!["field"]!);
        request["name"] = "Ann";
        var answer = (await FetchAsync(app, session, request)).Expect(HttpStatusCode.Created);

        var hash = Convert.ToHexStringLower(SHA256.HashData(_photo));
        Assert.Equal((hash, _photo.Length, 64), ((string)answer.Json["sha256"]!, (int)answer.Json["size_bytes"]!, (int)answer.Json["width"]!));
        var id = (string)answer.Json["id"]!;
        Assert.Equal($"/api/v1/uploads/{id}/download", answer.Headers.Location!.ToString());
        var row = await app.Client.UploadBecomesAsync(id, "delivered");
        Assert.Equal(("url", visitor, "The dent", "Ann"), ((string)row["source"]!, (string)row["visitor"]!, (string)row["caption"]!, (string)row["answers"]!["name"]!));
        Assert.Equal(_photo, (await webhook.NextAsync(Cancellation)).Body);
        Assert.Equal(_photo, (await app.Client.GetAsync($"uploads/{id}/download")).Bytes);
    }

    [Fact]
    public async Task Name_is_what_the_request_says_or_the_answer_or_the_address()
    {
        await using var source = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        foreach (var (path, disposition, filename, expected) in new[]
        {
            ("/a/K%C3%BCche.jpg?size=large", null, null, "Küche.jpg"), ("/a%2F..%2Fb.png", null, null, "b.jpg"), ("/share/9f3kSecret", null, null, "photo.jpg"), ("/", null, null, "photo.jpg"),
            ("/a.jpg", "attachment; filename=\"roof.jpeg\"", null, "roof.jpeg"), ("/a.jpg", "inline; filename*=UTF-8''d%C3%A9.jpg", null, "dé.jpg"),
            ("/a.jpg", "attachment; filename=\"../../roof.jpg\"", "mine.jpg", "mine.jpg"),
        })
        {
            source.Otherwise = Gives(Photos.Jpeg(), disposition);
            var request = new JsonObject { ["url"] = new Uri(new Uri(source.Url), path).AbsoluteUri, ["filename"] = filename };

            Assert.Equal(expected, (string)(await FetchAsync(app, session, request)).Expect(HttpStatusCode.Created).Json["filename"]!);
        }
    }

    [Fact]
    public async Task Session_decides_about_what_is_fetched_as_about_what_is_sent()
    {
        await using var source = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        source.Otherwise = Gives(_photo);
        var request = new JsonObject { ["url"] = source.Url };
        var stripped = await app.Client.CreateSessionAsync(new JsonObject { ["strip"] = "all" });
        var locked = await app.Client.CreateSessionAsync(new JsonObject { ["password"] = "open sesame" });
        var picky = await app.Client.CreateSessionAsync(new JsonObject { ["allowed_mime_types"] = new JsonArray("image/png") });
        var one = await app.Client.CreateSessionAsync(new JsonObject { ["max_images"] = 1 });

        var clean = (await FetchAsync(app, stripped, request)).Expect(HttpStatusCode.Created).Json;
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(_photo)), (string)clean["original_sha256"]!);
        (await FetchAsync(app, locked, request)).Expect(HttpStatusCode.Unauthorized);
        (await FetchAsync(app, locked, request, ("x-session-password", "open sesame"))).Expect(HttpStatusCode.Created);
        Assert.Equal("UNSUPPORTED_IMAGE_TYPE", await RefusalAsync(app, picky, request));
        (await FetchAsync(app, one, request)).Expect(HttpStatusCode.Created);
        source.Otherwise = _ => throw new InvalidOperationException("Nothing is fetched for a session that takes nothing.");
        Assert.Equal("SESSION_FULL", await RefusalAsync(app, one, request));
    }

    [Fact]
    public async Task What_is_no_photo_is_refused_in_words_and_nothing_stays_of_it()
    {
        await using var source = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["max_image_size_mb"] = 1 });
        using var bomb = new MemoryStream();
        await using (var gzip = new GZipStream(bomb, CompressionLevel.Fastest, leaveOpen: true))
            await gzip.WriteAsync((byte[])[.. Photos.Jpeg(), .. new byte[3 * Megabyte]], Cancellation);
        var large = Photos.Jpeg(Megabyte + 1, seed: 2);
        foreach (var (answer, code) in new (Func<HttpContext, Task>, string)[]
        {
            (Answers(404), "SOURCE_REFUSED"), (Answers(403), "SOURCE_REFUSED"), (Answers(503), "SOURCE_REFUSED"), (Answers(304), "SOURCE_REFUSED"),
            (Gives("<html>secret of the house"u8.ToArray(), type: "image/jpeg"), "UNSUPPORTED_IMAGE_TYPE"),
            (Gives([], type: "image/jpeg"), "SOURCE_REFUSED"), (Answers(204), "SOURCE_REFUSED"), (Gives(_photo[..60]), "UNSUPPORTED_IMAGE_TYPE"),
            // Not unpacked: what comes is what counts.
            (context => { context.Response.Headers.ContentEncoding = "gzip"; return Gives(bomb.ToArray())(context); }, "UNSUPPORTED_IMAGE_TYPE"),
            // Refused for what is announced: it never comes.
            (async context => { context.Response.ContentLength = 1L << 40; await context.Response.Body.FlushAsync(Cancellation); await Receiver.GoneAsync(context); }, "IMAGE_TOO_LARGE"),
            (Gives(large), "IMAGE_TOO_LARGE"),
        })
        {
            source.Otherwise = context => answer(context);
            var refused = await FetchAsync(app, session, new JsonObject { ["url"] = source.Url });
            Assert.Equal(code, (string)refused.Json["code"]!);
            Assert.DoesNotContain("secret", refused.Text, StringComparison.Ordinal);
        }

        Assert.Equal(0, (int)(await app.Client.GetAsync("uploads")).Json["total"]!);
        Assert.Empty(Directory.GetFiles(Path.Combine(app.DataFolder, "images"), "*-*", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task Answer_without_an_end_is_cut_off_and_one_without_its_end_is_none()
    {
        var sent = 0L;
        await using var source = RawReceiver.Start(async (connection, number) =>
        {
            await connection.ReadHeadersAsync();
            if (number == 1)
            {
                await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n0123456789");
                return;
            }

            await connection.SendAsync("HTTP/1.1 200 OK\r\n\r\n");
            await connection.Socket.SendAsync(Photos.Jpeg(), Cancellation);
            // Until the other end has closed.
            while (true)
                sent += await connection.Socket.SendAsync(new byte[64 * 1024], Cancellation);
        });
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["max_image_size_mb"] = 1 });
        var request = new JsonObject { ["url"] = source.Url };

        Assert.Equal("SOURCE_UNREACHABLE", await RefusalAsync(app, session, request));
        Assert.Equal("IMAGE_TOO_LARGE", await RefusalAsync(app, session, request));

        // What the system keeps of a connection comes on top of the megabyte.
        Assert.InRange(sent, 1, 32 * Megabyte);
        Assert.Empty(Directory.GetFiles(Path.Combine(app.DataFolder, "images"), "*-*", SearchOption.AllDirectories));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2000)]
    public async Task What_comes_too_slowly_is_given_up(int bytes)
    {
        await using var source = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        var asked = new TaskCompletionSource();
        source.Otherwise = async context =>
        {
            if (bytes > 0)
                await context.Response.Body.WriteAsync(_photo.AsMemory(0, bytes), Cancellation);
            asked.SetResult();
            await Receiver.GoneAsync(context);
        };

        var fetching = FetchAsync(app, session, new JsonObject { ["url"] = source.Url });
        await Eventually.Arrives(asked.Task);
        app.Clock.Advance(TimeSpan.FromSeconds(31));

        var refused = (await Eventually.Arrives(fetching)).Expect(HttpStatusCode.UnprocessableEntity);
        Assert.Equal("SOURCE_TOO_SLOW", (string)refused.Json["code"]!);
    }

    [Fact]
    public async Task Fetch_ends_when_nobody_waits_for_it()
    {
        await using var source = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        var (asked, gone) = (new TaskCompletionSource(), new TaskCompletionSource());
        source.Otherwise = async context =>
        {
            asked.SetResult();
            await Receiver.GoneAsync(context);
            gone.SetResult();
        };

        using (var connection = await RawConnection.OpenAsync(app.Url))
        {
            var body = new JsonObject { ["url"] = source.Url }.ToJsonString();
            await connection.SendAsync($"POST /api/v1/upload/{session}/images/from-url HTTP/1.1\r\nHost: localhost\r\nContent-Length: {body.Length}\r\n\r\n{body}");
            await Eventually.Arrives(asked.Task);
        }

        await Eventually.Arrives(gone.Task);
    }

    [Fact]
    public async Task Redirects_are_followed_a_few_times()
    {
        await using var source = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        foreach (var (hops, status, code) in new[] { (5, 302, null), (1, 301, null), (1, 303, null), (1, 307, null), (1, 308, null), (6, 302, "SOURCE_UNREACHABLE") })
        {
            var left = hops;
            source.Otherwise = context =>
            {
                if (left-- <= 0)
                    return Gives(Photos.Jpeg())(context);
                context.Response.StatusCode = status;
                context.Response.Headers.Location = $"/{left}/beach.jpg";
                return Task.CompletedTask;
            };

            var answer = await FetchAsync(app, session, new JsonObject { ["url"] = source.Url });
            Assert.Equal((code, code is null ? "beach.jpg" : null), ((string?)answer.Json["code"], (string?)answer.Json["filename"]));
        }
    }

    [Theory, AllDatabases]
    public async Task Repeat_gets_the_first_answer_and_asks_nobody(DatabaseKind database)
    {
        await using var source = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["max_images"] = 1 });
        var asked = 0;
        source.Otherwise = context =>
        {
            // Another photo each time.
            asked++;
            return Gives(Photos.Jpeg(2000, seed: asked))(context);
        };
        var (request, key) = (new JsonObject { ["url"] = source.Url }, ("Idempotency-Key", "one"));

        var first = (await FetchAsync(app, session, request, key)).Expect(HttpStatusCode.Created);
        var again = (await FetchAsync(app, session, request, key)).Expect(HttpStatusCode.Created);

        Assert.Equal(first.Text, again.Text);
        Assert.Equal(1, asked);
        var other = await FetchAsync(app, session, new JsonObject { ["url"] = source.Url + "?other" }, key);
        Assert.Equal("IDEMPOTENCY_CONFLICT", (string)other.Json["code"]!);
        Assert.Equal("IDEMPOTENCY_CONFLICT", (string)(await app.Client.PostImageAsync(session, Photos.Png(), headers: key)).Json["code"]!);
    }

    [Fact]
    public async Task Two_at_once_under_one_key_are_one_photo()
    {
        await using var source = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        var (asked, both) = (0, new TaskCompletionSource());
        source.Otherwise = async context =>
        {
            var number = Interlocked.Increment(ref asked);
            if (number == 2)
                both.SetResult();
            await both.Task;
            await Gives(Photos.Jpeg(2000, seed: number))(context);
        };
        var (request, key) = (new JsonObject { ["url"] = source.Url }, ("Idempotency-Key", "one"));

        var answers = await Eventually.Arrives(Task.WhenAll(FetchAsync(app, session, request, key), FetchAsync(app, session, request, key)));

        Assert.Equal(answers[0].Expect(HttpStatusCode.Created).Text, answers[1].Expect(HttpStatusCode.Created).Text);
        Assert.Equal(1, (int)(await app.Client.GetAsync("uploads")).Json["total"]!);
    }

    [Theory]
    [InlineData("Sources:FetchesAtOnce", false)]
    [InlineData("Sources:FetchesPerSession", true)]
    [InlineData("Sources:FetchesPerAddress", false)]
    public async Task Only_so_many_are_fetched_at_once(string setting, bool othersMay)
    {
        await using var source = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite, new Dictionary<string, string?> { [setting] = "1" });
        var (session, other) = (await app.Client.CreateSessionAsync(), await app.Client.CreateSessionAsync());
        var (asked, goOn) = (new TaskCompletionSource(), new TaskCompletionSource());
        source.Handles(async context =>
        {
            asked.SetResult();
            await goOn.Task;
            await Gives(Photos.Jpeg())(context);
        });
        source.Otherwise = Gives(Photos.Jpeg());
        var request = new JsonObject { ["url"] = source.Url };

        var first = FetchAsync(app, session, request);
        await Eventually.Arrives(asked.Task);
        var second = (await FetchAsync(app, session, request)).Expect(HttpStatusCode.TooManyRequests);
        Assert.Equal(("RATE_LIMIT", "3"), ((string)second.Json["code"]!, second["Retry-After"]));
        Assert.Equal(othersMay ? HttpStatusCode.Created : HttpStatusCode.TooManyRequests, (await FetchAsync(app, other, request)).Status);
        goOn.SetResult();
        (await Eventually.Arrives(first)).Expect(HttpStatusCode.Created);

        // A refusal gives its place back too.
        source.Answers(404);
        (await FetchAsync(app, session, request)).Expect(HttpStatusCode.UnprocessableEntity);
        (await FetchAsync(app, session, request)).Expect(HttpStatusCode.Created);
    }

    [Fact]
    public async Task Server_fetches_only_what_is_offered()
    {
        await using var source = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        foreach (var name in new[] { "camera", "google_drive", "instagram" })
            Assert.Equal("SOURCE_NOT_OFFERED", await RefusalAsync(app, session, new JsonObject { ["url"] = source.Url, ["source"] = name }));
        Assert.Equal("VALIDATION_ERROR", await RefusalAsync(app, session, new JsonObject { ["url"] = source.Url, ["source"] = "moon" }));
        Assert.Equal("VALIDATION_ERROR", await RefusalAsync(app, session, new JsonObject { ["url"] = source.Url, ["visitor"] = 5 }));

        app.Set("Sources:Url", "false");
        await app.RestartAsync();
        Assert.Equal("SOURCE_NOT_OFFERED", await RefusalAsync(app, session, new JsonObject { ["url"] = source.Url }));
        app.Set("Sources:Url", "true");
        await app.RestartAsync();
        using var owner = RSA.Create(2048);
        await EndToEndTests.SetKeyAsync(app, owner.ExportSubjectPublicKeyInfoPem());
        Assert.Equal("SOURCE_NOT_OFFERED", await RefusalAsync(app, session, new JsonObject { ["url"] = source.Url }));
        Assert.Empty(source.Requests);
    }

    [Fact]
    public async Task Digest_of_what_is_fetched_is_checked()
    {
        await using var source = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        source.Otherwise = Gives(_photo);

        Assert.Equal("DIGEST_MISMATCH", await RefusalAsync(app, session, new JsonObject { ["url"] = source.Url, ["sha256"] = new string('0', 64) }));
        var request = new JsonObject { ["url"] = source.Url, ["sha256"] = Convert.ToHexString(SHA256.HashData(_photo)) };
        (await FetchAsync(app, session, request)).Expect(HttpStatusCode.Created);
    }

    internal static Task<Answer> FetchAsync(AperturApp app, string session, JsonObject request, params (string, string)[] headers) =>
        app.ClientOf(null).SendAsync(HttpMethod.Post, $"upload/{session}/images/from-url", JsonContent.Create(request), headers);

    private static async Task<string> RefusalAsync(AperturApp app, string session, JsonObject request) =>
        (string)(await FetchAsync(app, session, request)).Json["code"]!;

    private static Func<HttpContext, Task> Gives(byte[] bytes, string? disposition = null, string type = "application/octet-stream") => async context =>
    {
        context.Response.ContentType = type;
        context.Response.ContentLength = bytes.Length;
        if (disposition is not null)
            context.Response.Headers.ContentDisposition = disposition;
        await context.Response.Body.WriteAsync(bytes, Cancellation);
    };

    private static Func<HttpContext, Task> Answers(int status) => context =>
    {
        context.Response.StatusCode = status;
        return status is 204 or 304 ? Task.CompletedTask : context.Response.WriteAsync("secret", Cancellation);
    };
}
