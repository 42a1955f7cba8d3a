using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Sessions;

public sealed class SessionPasswordTests
{
    private const string Password = "correct horse";
    private const string Header = "x-session-password";

    [Theory, AllDatabases]
    public async Task Protected_session_tells_hardly_anything_before_its_password(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await ProtectedAsync(app);
        var anybody = app.ClientOf(null);

        var before = (await anybody.GetAsync($"upload/{session}/session")).Expect(HttpStatusCode.OK).Json.AsObject();
        var after = (await InfoAsync(app, session, Password)).Json.AsObject();

        Assert.Equal(after.Select(field => field.Key), before.Select(field => field.Key));
        // Public anyway, and a program that encrypts asks for it here.
        Assert.StartsWith("-----BEGIN PUBLIC KEY-----", (string)before["serverPublicKey"]!, StringComparison.Ordinal);
        before.Remove("serverPublicKey");
        Assert.Equal(
            $$"""
            {"id":"{{session}}","status":"pending","expiresAt":"2026-06-13T09:44:41.919Z","tags":null,"imagesPerSession":0,"effectiveMaxImages":0,"effectiveAllowedMimeTypes":[],"effectiveMaxImageDimension":null,"effectiveMaxImageSizeMb":0,"password_protected":true,"e2eEnabled":false,"e2ePublicKey":null,"e2eDowngraded":false,"imagesCount":0,"projectName":"Claims","label":null,"done":null,"allowWithdraw":false,"allowCaptions":false,"instructions":null,"thankYou":null,"returnUrl":null,"cameraOnly":false,"ask":[],"strip":null}
            """,
            before.ToJsonString());
        Assert.Equal("Roof", (string)after["label"]!);
        Assert.Equal(20, (int)after["effectiveMaxImages"]!);
        (await InfoAsync(app, session, "wrong")).Expect(HttpStatusCode.Unauthorized);
    }

    [Theory, AllDatabases]
    public async Task Protected_session_takes_photos_with_its_password_only(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await ProtectedAsync(app);

        Assert.Equal("AUTHENTICATION_FAILED",
            (string)(await SendAsync(app, session, null)).Expect(HttpStatusCode.Unauthorized).Json["code"]!);
        (await SendAsync(app, session, "wrong")).Expect(HttpStatusCode.Unauthorized);
        (await app.ClientOf(null).PostAsync($"upload/{session}/complete")).Expect(HttpStatusCode.Unauthorized);
        (await SendAsync(app, session, Password)).Expect(HttpStatusCode.Created);
    }

    [Theory, AllDatabases]
    public async Task Verifying_answers_200_either_way(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await ProtectedAsync(app);

        Assert.Equal("""{"valid":true}""", (await VerifyAsync(app, session, Password)).Expect(HttpStatusCode.OK).Text);
        Assert.Equal("""{"valid":false}""", (await VerifyAsync(app, session, "wrong")).Expect(HttpStatusCode.OK).Text);
        Assert.Equal("""{"valid":false}""",
            (await app.ClientOf(null).PostAsync($"upload/{session}/verify-password")).Expect(HttpStatusCode.OK).Text);
        var open = await app.Client.CreateSessionAsync();
        Assert.Equal("""{"valid":true}""", (await VerifyAsync(app, open, "any")).Expect(HttpStatusCode.OK).Text);
    }

    [Theory, AllDatabases]
    public async Task Password_is_set_and_removed_by_update_and_kept_by_one_without_it(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();

        Assert.True((bool)(await UpdateAsync(app, session, """{"password":"first"}""")).Json["password_protected"]!);
        (await SendAsync(app, session, "first")).Expect(HttpStatusCode.Created);
        Assert.True((bool)(await UpdateAsync(app, session, """{"max_images":9}""")).Json["password_protected"]!);
        (await SendAsync(app, session, null)).Expect(HttpStatusCode.Unauthorized);
        await UpdateAsync(app, session, """{"password":"second"}""");
        (await SendAsync(app, session, "first")).Expect(HttpStatusCode.Unauthorized);
        (await SendAsync(app, session, "second")).Expect(HttpStatusCode.Created);
        Assert.False((bool)(await UpdateAsync(app, session, """{"password":null}""")).Json["password_protected"]!);
        (await SendAsync(app, session, null)).Expect(HttpStatusCode.Created);
    }

    [Theory, AllDatabases]
    public async Task Hundred_wrong_passwords_get_at_most_twenty_looked_at_in_the_hour_also_after_a_restart(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await ProtectedAsync(app);
        (await SendAsync(app, session, Password)).Expect(HttpStatusCode.Created);
        var looked = 0;

        // First many at once, then steadily over the hour.
        var burst = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => VerifyAsync(app, session, $"burst {i}")));
        Assert.Equal(5, burst.Count(answer => answer.Status == HttpStatusCode.OK));
        looked += 5;
        for (var i = 0; i < 80; i++)
        {
            if (i == 40)
                await app.RestartAsync();
            app.Clock.Advance(TimeSpan.FromSeconds(44));
            var answer = await VerifyAsync(app, session, $"guess {i}");
            if (answer.Status == HttpStatusCode.OK)
            {
                Assert.Equal("""{"valid":false}""", answer.Text);
                looked++;
            }
            else
            {
                answer.Expect(HttpStatusCode.TooManyRequests);
                Assert.Equal("RATE_LIMIT", (string)answer.Json["code"]!);
                Assert.Equal(answer.Headers.RetryAfter!.Delta!.Value.TotalSeconds, (int)answer.Json["retryAfter"]!);
            }
        }

        Assert.Equal(20, looked);
        (await VerifyAsync(app, session, Password)).Expect(HttpStatusCode.TooManyRequests);
        app.Clock.Advance(TimeSpan.FromHours(1));
        Assert.Equal("""{"valid":true}""", (await VerifyAsync(app, session, Password)).Text);
    }

    [Theory, AllDatabases]
    public async Task Sender_who_is_known_goes_on_while_somebody_else_guesses(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await ProtectedAsync(app);
        // Right passwords are no guesses, however many come at once.
        foreach (var answer in await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => SendAsync(app, session, Password))))
            answer.Expect(HttpStatusCode.Created);
        for (var i = 0; i < 5; i++)
            (await VerifyAsync(app, session, $"guess {i}")).Expect(HttpStatusCode.OK);
        (await VerifyAsync(app, session, "guess 6")).Expect(HttpStatusCode.TooManyRequests);

        (await SendAsync(app, session, Password)).Expect(HttpStatusCode.Created);
    }

    [Theory, AllDatabases]
    public async Task Password_has_4_to_128_characters_and_what_is_shorter_or_longer_is_no_guess(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        foreach (var length in new[] { 3, 129 })
            (await app.Client.PostAsync("upload-sessions", new { password = new string('p', length) })).Expect(HttpStatusCode.BadRequest);
        // No header carries these.
        foreach (var password in new[] { " right", "right ", "ri\u0007ght", "ri\uFFFDght" })
        {
            var refusal = (await app.Client.PostAsync("upload-sessions", new { password })).Expect(HttpStatusCode.BadRequest);
            Assert.Equal("password", (string)refusal.Json["errors"]![0]!["field"]!);
        }

        foreach (var length in new[] { 4, 128 })
        {
            var session = await app.Client.CreateSessionAsync(new JsonObject { ["password"] = new string('p', length) });
            for (var i = 0; i < 6; i++)
                Assert.Equal("""{"valid":false}""", (await VerifyAsync(app, session, new string('p', i % 2 == 0 ? 3 : 129))).Expect(HttpStatusCode.OK).Text);
            Assert.Equal("""{"valid":true}""", (await VerifyAsync(app, session, new string('p', length))).Expect(HttpStatusCode.OK).Text);
        }
    }

    [Theory, AllDatabases]
    public async Task Guesses_that_do_not_count_any_more_are_forgotten(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await ProtectedAsync(app);
        for (var i = 0; i < 3; i++)
            await VerifyAsync(app, session, $"guess {i}");
        Assert.Equal(3, (await GuessesAsync(app)).Length);

        app.Clock.Jump(TimeSpan.FromHours(1));
        await VerifyAsync(app, session, "guess 4");
        Assert.Equal([app.Clock.GetUtcNow().ToUnixTimeMilliseconds()], await GuessesAsync(app));
        app.Clock.Set(TimeSpan.FromHours(-2));
        await VerifyAsync(app, session, "guess 5");
        Assert.Equal([app.Clock.GetUtcNow().ToUnixTimeMilliseconds()], await GuessesAsync(app));
        await VerifyAsync(app, session, Password);
        Assert.Single(await GuessesAsync(app));
    }

    [Theory, AllDatabases]
    public async Task Sender_who_leaves_while_a_password_is_looked_at_leaves_it_to_the_others_who_wait(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await ProtectedAsync(app);
        await using var db = app.Services.GetRequiredService<Database>().Open();
        var row = await db.Sessions.AsNoTracking().SingleAsync(TestContext.Current.CancellationToken);
        var passwords = app.Services.GetRequiredService<SessionPasswords>();
        using var leaves = new CancellationTokenSource();

        var others = Task.FromResult(true);
        // Nobody can write the guess down meanwhile.
        await app.WriteAsync(async write =>
        {
            await app.Services.GetRequiredService<Database>().Locked(write.Sessions, [row.Id]).SingleAsync();
            var first = passwords.IsRightAsync(row, "a guess", leaves.Token);
            await leaves.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
            others = passwords.IsRightAsync(row, "a guess", TestContext.Current.CancellationToken);
        });

        Assert.False(await others);
        Assert.Single(await GuessesAsync(app));
        Assert.Equal("""{"valid":false}""", (await VerifyAsync(app, session, "a guess")).Text);
        Assert.Equal(2, (await GuessesAsync(app)).Length);
    }

    [Theory, AllDatabases]
    public async Task Guess_over_the_bound_costs_one_query(DatabaseKind database)
    {
        var count = new QueryCount();
        await using var app = await AperturApp.StartAsync(database, configure: count.Into);
        var session = await ProtectedAsync(app);
        for (var i = 0; i < 5; i++)
            (await VerifyAsync(app, session, $"guess {i}")).Expect(HttpStatusCode.OK);

        var before = count.Queries;
        (await VerifyAsync(app, session, "guess 6")).Expect(HttpStatusCode.TooManyRequests);

        Assert.Equal(before + 1, count.Queries);
    }

    [Theory, AllDatabases]
    public async Task Form_without_script_asks_for_the_password(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await ProtectedAsync(app);

        (await PostFormAsync(app, session, "wrong")).Expect(HttpStatusCode.Unauthorized);
        var missing = (await PostFormAsync(app, session, null)).Expect(HttpStatusCode.Unauthorized).Text;
        Assert.Contains("That password is not right", missing, StringComparison.Ordinal);
        Assert.Equal(0, await ImagesAsync(app, session));
        Assert.Contains("Received", (await PostFormAsync(app, session, Password)).Expect(HttpStatusCode.OK).Text,
            StringComparison.OrdinalIgnoreCase);
        Assert.Equal(1, await ImagesAsync(app, session));

        for (var i = 0; i < 4; i++)
            await PostFormAsync(app, session, $"guess {i}");
        var refused = (await PostFormAsync(app, session, "guess")).Expect(HttpStatusCode.TooManyRequests).Text;
        Assert.Contains("Too many tries", refused, StringComparison.Ordinal);
    }

    private static Task<string> ProtectedAsync(AperturApp app) =>
        app.Client.CreateSessionAsync(new JsonObject
        {
            ["password"] = Password,
            ["label"] = "Roof",
            ["tags"] = new JsonArray("a")
        });

    private static async Task<int> ImagesAsync(AperturApp app, string session) =>
        (int)(await InfoAsync(app, session, Password)).Json["imagesCount"]!;

    private static async Task<long[]> GuessesAsync(AperturApp app)
    {
        await using var db = app.Services.GetRequiredService<Database>().Open();
        return await db.Sessions.Select(session => session.PasswordGuesses).SingleAsync(TestContext.Current.CancellationToken);
    }

    private static Task<Answer> InfoAsync(AperturApp app, string session, string password) =>
        app.ClientOf(null).SendAsync(HttpMethod.Get, $"upload/{session}/session", null, (Header, password));

    private static Task<Answer> VerifyAsync(AperturApp app, string session, string password) =>
        app.ClientOf(null).PostAsync($"upload/{session}/verify-password", new JsonObject { ["password"] = password });

    private static Task<Answer> UpdateAsync(AperturApp app, string session, string json) =>
        app.Client.SendAsync(HttpMethod.Patch, $"upload-sessions/{session}", new StringContent(json));

    private static async Task<Answer> SendAsync(AperturApp app, string session, string? password)
    {
        using var form = Form();
        return password is null
            ? await app.ClientOf(null).PostAsync($"upload/{session}/images", form)
            : await app.ClientOf(null).SendAsync(HttpMethod.Post, $"upload/{session}/images", form, (Header, password));
    }

    private static async Task<Answer> PostFormAsync(AperturApp app, string session, string? password)
    {
        using var form = new MultipartFormDataContent();
        if (password is not null)
            form.Add(new StringContent(password), "password");
        form.Add(new ByteArrayContent(Photos.Jpeg()), "file", "a.jpg");
        return await app.ClientOf(null).PostAsync($"/u/{session}", form);
    }

    private static MultipartFormDataContent Form() => new() { { new ByteArrayContent(Photos.Jpeg()), "file", "a.jpg" } };
}
