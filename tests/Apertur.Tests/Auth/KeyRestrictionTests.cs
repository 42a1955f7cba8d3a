using System.Net;
using System.Text.Json.Nodes;
using Apertur.Tests.Support;

namespace Apertur.Tests.Auth;

/// <summary>What a key may ask for beyond itself: an address, a page, a code.</summary>
public sealed class KeyRestrictionTests
{
    [Theory]
    [AllDatabases("127.0.0.1", HttpStatusCode.OK)]
    [AllDatabases("127.1.2.3/8", HttpStatusCode.OK)]
    [AllDatabases("::ffff:127.0.0.0/104", HttpStatusCode.OK)]
    [AllDatabases("0.0.0.0/0", HttpStatusCode.OK)]
    [AllDatabases("127.0.0.2", HttpStatusCode.Forbidden)]
    [AllDatabases("203.0.113.0/24", HttpStatusCode.Forbidden)]
    [AllDatabases("::/0", HttpStatusCode.Forbidden)]
    public async Task Key_counts_only_from_its_addresses(DatabaseKind database, string allowed, HttpStatusCode status)
    {
        await using var app = await AperturApp.StartAsync(database);
        var (key, plainText) = await app.CreateKeyAsync(new JsonObject { ["label"] = "a" });
        await app.ChangeKeyAsync(key, new JsonObject { ["allowedIps"] = new JsonArray(allowed) });

        (await app.ClientOf(plainText).GetAsync("stats")).Expect(status);
    }

    [Theory]
    [AllDatabases("127.0.0.1", "203.0.113.9", HttpStatusCode.OK)]
    [AllDatabases("127.0.0.0/8, 10.0.0.0/8", "203.0.113.9, 10.1.2.3", HttpStatusCode.OK)]
    [AllDatabases("127.0.0.1", "203.0.113.9, 198.51.100.1", HttpStatusCode.Forbidden)]
    [AllDatabases("127.0.0.1", "198.51.100.1", HttpStatusCode.Forbidden)]
    [AllDatabases("192.0.2.1", "203.0.113.9", HttpStatusCode.Forbidden)]
    [AllDatabases("", "203.0.113.9", HttpStatusCode.Forbidden)]
    public async Task Forwarded_address_counts_only_from_a_trusted_proxy(
        DatabaseKind database, string trusted, string forwarded, HttpStatusCode status)
    {
        await using var app = await AperturApp.StartAsync(database, new Dictionary<string, string?> { ["Server:TrustedProxies"] = trusted });
        var (key, plainText) = await app.CreateKeyAsync(new JsonObject { ["label"] = "a" });
        await app.ChangeKeyAsync(key, new JsonObject { ["allowedIps"] = new JsonArray("203.0.113.0/24") });

        (await app.ClientOf(plainText).SendAsync(HttpMethod.Get, "stats", null, ("X-Forwarded-For", forwarded))).Expect(status);
    }

    [Theory]
    [AllDatabases("Origin", "https://example.com", HttpStatusCode.OK)]
    [AllDatabases("Origin", "http://EXAMPLE.com:8080", HttpStatusCode.OK)]
    [AllDatabases("Referer", "https://example.com/page?x=1", HttpStatusCode.OK)]
    [AllDatabases("Origin", "https://a.b.example.org", HttpStatusCode.OK)]
    [AllDatabases("Origin", "https://example.org", HttpStatusCode.Forbidden)]
    [AllDatabases("Origin", "https://evilexample.org", HttpStatusCode.Forbidden)]
    [AllDatabases("Origin", "https://sub.example.com", HttpStatusCode.Forbidden)]
    [AllDatabases("Origin", "https://example.com.evil.net", HttpStatusCode.Forbidden)]
    [AllDatabases("Origin", "https://example.com@evil.net", HttpStatusCode.Forbidden)]
    [AllDatabases("Origin", "null", HttpStatusCode.Forbidden)]
    [AllDatabases("Origin", "ftp://example.com", HttpStatusCode.Forbidden)]
    [AllDatabases("X-Nothing", "", HttpStatusCode.Forbidden)]
    public async Task Key_counts_only_on_its_pages(DatabaseKind database, string header, string value, HttpStatusCode status)
    {
        await using var app = await AperturApp.StartAsync(database);
        var (key, plainText) = await app.CreateKeyAsync(new JsonObject { ["label"] = "a" });
        await app.ChangeKeyAsync(key, new JsonObject { ["allowedDomains"] = new JsonArray("example.com", "*.example.org") });

        (await app.ClientOf(plainText).SendAsync(HttpMethod.Get, "stats", null, (header, value))).Expect(status);
    }

    [Theory, AllDatabases]
    public async Task Codes_are_good_once_also_when_the_clock_is_set_back_and_forward(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var (client, path, secret, _) = await PrepareAsync(app);
        (await app.Client.PostAsync(path + "/confirm", new JsonObject { ["code"] = app.CodeOf(secret) })).Expect(HttpStatusCode.OK);
        app.Clock.Jump(TimeSpan.FromMinutes(1));
        var today = app.CodeOf(secret);
        (await WithCodeAsync(client, today)).Expect(HttpStatusCode.OK);

        app.Clock.Set(TimeSpan.FromDays(-1));
        var yesterday = app.CodeOf(secret);
        (await WithCodeAsync(client, yesterday)).Expect(HttpStatusCode.OK);
        (await WithCodeAsync(client, yesterday)).Expect(HttpStatusCode.Unauthorized);
        app.Clock.Set(TimeSpan.FromDays(1));
        (await WithCodeAsync(client, today)).Expect(HttpStatusCode.Unauthorized);
        app.Clock.Jump(TimeSpan.FromSeconds(30));
        (await WithCodeAsync(client, app.CodeOf(secret))).Expect(HttpStatusCode.OK);
    }

    [Theory, AllDatabases]
    public async Task Codes_are_asked_for_only_between_confirmation_and_switching_off(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var (client, path, secret, key) = await PrepareAsync(app);

        (await client.GetAsync("stats")).Expect(HttpStatusCode.OK);
        (await app.Client.PostAsync(path + "/confirm", new JsonObject { ["code"] = "000000" })).Expect(HttpStatusCode.BadRequest);
        var confirmed = (await app.Client.PostAsync(path + "/confirm", new JsonObject { ["code"] = app.CodeOf(secret) })).Expect(HttpStatusCode.OK);
        Assert.True((bool)confirmed.Json["totpEnabled"]!);

        (await client.GetAsync("stats")).Expect(HttpStatusCode.Unauthorized);
        (await app.Client.PostAsync(path)).Expect(HttpStatusCode.BadRequest);
        app.Clock.Jump(TimeSpan.FromSeconds(30));
        (await WithCodeAsync(client, app.CodeOf(secret))).Expect(HttpStatusCode.OK);

        (await app.Client.SendAsync(HttpMethod.Delete, path)).Expect(HttpStatusCode.NoContent);
        (await client.GetAsync("stats")).Expect(HttpStatusCode.OK);
        Assert.False((bool)(await app.ChangeKeyAsync(key, []))["totpEnabled"]!);
    }

    [Theory, AllDatabases]
    public async Task Each_code_opens_once_and_confirming_uses_one_up(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var (client, path, secret, _) = await PrepareAsync(app);
        var first = app.CodeOf(secret);
        (await app.Client.PostAsync(path + "/confirm", new JsonObject { ["code"] = first })).Expect(HttpStatusCode.OK);

        (await WithCodeAsync(client, first)).Expect(HttpStatusCode.Unauthorized);
        app.Clock.Jump(TimeSpan.FromSeconds(30));
        var second = app.CodeOf(secret);
        (await WithCodeAsync(client, second)).Expect(HttpStatusCode.OK);
        (await WithCodeAsync(client, second)).Expect(HttpStatusCode.Unauthorized);
        app.Clock.Jump(TimeSpan.FromSeconds(30));
        (await WithCodeAsync(client, second)).Expect(HttpStatusCode.Unauthorized);
    }

    [Theory, AllDatabases]
    public async Task Code_of_one_key_uses_up_none_of_another(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var keys = new[] { await PrepareAsync(app), await PrepareAsync(app) };
        foreach (var (_, path, secret, _) in keys)
            (await app.Client.PostAsync(path + "/confirm", new JsonObject { ["code"] = app.CodeOf(secret) })).Expect(HttpStatusCode.OK);

        app.Clock.Jump(TimeSpan.FromSeconds(30));
        foreach (var (client, _, secret, _) in keys)
            (await WithCodeAsync(client, app.CodeOf(secret))).Expect(HttpStatusCode.OK);
    }

    [Theory, AllDatabases]
    public async Task Of_parallel_uses_of_one_code_one_passes(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var (client, path, secret, _) = await PrepareAsync(app);
        (await app.Client.PostAsync(path + "/confirm", new JsonObject { ["code"] = app.CodeOf(secret) })).Expect(HttpStatusCode.OK);

        for (var round = 0; round < 5; round++)
        {
            app.Clock.Jump(TimeSpan.FromMinutes(1));
            var code = app.CodeOf(secret);
            var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => WithCodeAsync(client, code)));
            Assert.Single(answers, answer => answer.Status == HttpStatusCode.OK);
            Assert.Equal(7, answers.Count(answer => answer.Status == HttpStatusCode.Unauthorized));
        }
    }

    [Theory, AllDatabases]
    public async Task Codes_cannot_be_tried_out(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var (client, path, secret, _) = await PrepareAsync(app);
        (await app.Client.PostAsync(path + "/confirm", new JsonObject { ["code"] = app.CodeOf(secret) })).Expect(HttpStatusCode.OK);
        app.Clock.Jump(TimeSpan.FromMinutes(1));

        for (var guess = 0; guess < 10; guess++)
            (await WithCodeAsync(client, "000000")).Expect(HttpStatusCode.Unauthorized);
        (await WithCodeAsync(client, app.CodeOf(secret))).Expect(HttpStatusCode.TooManyRequests);

        app.Clock.Jump(TimeSpan.FromMinutes(1));
        (await WithCodeAsync(client, app.CodeOf(secret))).Expect(HttpStatusCode.OK);
    }

    /// <summary>A key with a secret that is not confirmed yet.</summary>
    private static async Task<(AperturClient Client, string Path, string Secret, JsonNode Key)> PrepareAsync(AperturApp app)
    {
        var (key, plainText) = await app.CreateKeyAsync(new JsonObject { ["label"] = "till 4" });
        var path = $"projects/{app.ProjectId}/keys/{key["id"]}/totp";
        var made = (await app.Client.PostAsync(path)).Expect(HttpStatusCode.OK).Json;
        var text = (string)made["secret"]!;
        Assert.Equal($"otpauth://totp/Apertur:till%204?secret={text}&issuer=Apertur", (string)made["otpauthUrl"]!);
        return (app.ClientOf(plainText), path, text, key);
    }

    private static Task<Answer> WithCodeAsync(AperturClient client, string code) =>
        client.SendAsync(HttpMethod.Get, "stats", null, ("X-APTR-TOTP", code));
}
