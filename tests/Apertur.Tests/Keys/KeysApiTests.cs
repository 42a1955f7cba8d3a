using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server.Projects;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Keys;

/// <summary>Keys made, changed and ended through the API.</summary>
public sealed class KeysApiTests
{
    private static readonly string[] _fields =
    [
        "id", "prefix", "label", "env", "isActive", "lastUsedAt", "maxImages", "allowedMimeTypes", "maxImageDimension", "longPollingEnabled",
        "defaultDestinations", "allowedIps", "allowedDomains", "totpEnabled", "clientCertEnabled", "clientCertFingerprint", "createdAt",
    ];

    [Theory, AllDatabases]
    public async Task New_key_works_at_once_and_is_shown_only_once(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        app.Clock.Jump(TimeSpan.FromSeconds(1));

        var (key, plainText) = await app.CreateKeyAsync(new JsonObject { ["label"] = "Till 4", ["maxImages"] = 7 });

        Assert.StartsWith("aptr_live_", plainText, StringComparison.Ordinal);
        Assert.StartsWith((string)key["prefix"]!, plainText, StringComparison.Ordinal);
        Assert.Equal(_fields.Order(), key.AsObject().Select(field => field.Key).Order());
        Assert.Equal("Till 4", (string)key["label"]!);
        Assert.Equal("live", (string)key["env"]!);
        Assert.Equal(7, (int)key["maxImages"]!);
        Assert.Null(key["lastUsedAt"]);
        Assert.False((bool)key["clientCertEnabled"]!);
        (await app.ClientOf(plainText).GetAsync("stats")).Expect(HttpStatusCode.OK);

        var listed = (await app.Client.GetAsync($"projects/{app.ProjectId}/keys")).Expect(HttpStatusCode.OK);
        Assert.DoesNotContain(plainText, listed.Text, StringComparison.Ordinal);
        Assert.Equal(["Till 4", "Live"], listed.Json.AsArray().Select(k => (string)k!["label"]!));
        Assert.NotNull(listed.Json[0]!["lastUsedAt"]);

        var session = await app.ClientOf(plainText).CreateSessionAsync();
        Assert.Equal(7, (int)(await app.Client.GetAsync($"upload/{session}/session")).Json["effectiveMaxImages"]!);
    }

    [Theory]
    [AllDatabases("isActive", "maxImages", "allowedMimeTypes", "maxImageDimension", "allowedIps", "allowedDomains")]
    [AllDatabases("is_active", "max_images", "allowed_mime_types", "max_image_dimension", "allowed_ips", "allowed_domains")]
    public async Task Every_field_can_be_changed_under_both_of_its_names(
        DatabaseKind database, string active, string images, string types, string dimension, string ips, string domains)
    {
        await using var app = await AperturApp.StartAsync(database);
        var (key, _) = await app.CreateKeyAsync(new JsonObject { ["label"] = "a" });

        var changed = await app.ChangeKeyAsync(key, new JsonObject
        {
            ["label"] = "b",
            [active] = false,
            [images] = 3,
            [types] = new JsonArray("image/png", "image/heif"),
            [dimension] = 800,
            [ips] = new JsonArray("192.0.2.0/24", "2001:db8::1"),
            [domains] = new JsonArray("example.com", "*.example.org"),
        });

        Assert.Equal(
            """["b",false,3,["image/png","image/heic"],800,["192.0.2.0/24","2001:db8::1"],["example.com","*.example.org"]]""",
            new JsonArray([.. new[] { "label", "isActive", "maxImages", "allowedMimeTypes", "maxImageDimension", "allowedIps", "allowedDomains" }
                .Select(field => changed[field]!.DeepClone())]).ToJsonString());

        var kept = await app.ChangeKeyAsync(key, new JsonObject { [images] = null, [ips] = null, ["unknown"] = 1 });
        Assert.Null(kept["maxImages"]);
        Assert.Equal(800, (int)kept["maxImageDimension"]!);
        Assert.Equal(2, kept["allowedIps"]!.AsArray().Count);
    }

    [Theory]
    [AllDatabases("{}", "label")]
    [AllDatabases("{\"label\":\" \"}", "label")]
    [AllDatabases("{\"label\":\"a\",\"env\":\"production\"}", "env")]
    [AllDatabases("{\"label\":\"a\",\"maxImages\":0}", "maxImages")]
    [AllDatabases("{\"label\":\"a\",\"maxImages\":501}", "maxImages")]
    [AllDatabases("{\"label\":\"a\",\"maxImageDimension\":0}", "maxImageDimension")]
    [AllDatabases("{\"label\":\"a\",\"allowedMimeTypes\":[\"image/gif\"]}", "allowedMimeTypes")]
    [AllDatabases("{\"label\":\"a\",\"allowedMimeTypes\":[null]}", "allowedMimeTypes")]
    [AllDatabases("{\"label\":\"a\",\"allowedIps\":[\"300.1.1.1\"]}", "allowedIps")]
    [AllDatabases("{\"label\":\"a\",\"allowedIps\":[null]}", "allowedIps")]
    [AllDatabases("{\"label\":\"a\",\"allowedDomains\":[\"https://example.com\"]}", "allowedDomains")]
    [AllDatabases("{\"label\":\"a\",\"allowedDomains\":[\"*\"]}", "allowedDomains")]
    public async Task Bad_values_are_refused_by_name_and_make_no_key(DatabaseKind database, string body, string field)
    {
        await using var app = await AperturApp.StartAsync(database);

        var answer = (await app.Client.PostAsync($"projects/{app.ProjectId}/keys", JsonNode.Parse(body))).Expect(HttpStatusCode.BadRequest);

        Assert.Equal(field, (string)answer.Json["errors"]![0]!["field"]!);
        Assert.Single((await app.Client.GetAsync($"projects/{app.ProjectId}/keys")).Json.AsArray());
    }

    [Fact]
    public async Task What_a_key_holds_is_bounded_and_holds_each_entry_once()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var (key, _) = await app.CreateKeyAsync(new JsonObject { ["label"] = "a" });
        var path = $"projects/{app.ProjectId}/keys/{key["id"]}";
        foreach (var (field, most, over) in new (string, JsonNode, JsonNode)[]
        {
            ("label", new string('l', 200), new string('l', 201)),
            ("maxImageDimension", 100_000, 100_001),
            ("allowedIps", List(100, i => $"192.0.2.{i}"), List(101, i => $"192.0.2.{i}")),
            ("allowedDomains", List(100, i => $"h{i}.example"), List(101, i => $"h{i}.example")),
            ("allowedDomains", List(1, _ => Host(253)), List(1, _ => Host(254))),
            ("env", "live", "test"),
        })
        {
            await app.ChangeKeyAsync(key, new JsonObject { [field] = most });
            var refused = (await app.Client.SendAsync(HttpMethod.Patch, path, new JsonObject { [field] = over })).Expect(HttpStatusCode.BadRequest);
            Assert.Equal(field, (string)Assert.Single(refused.Json["errors"]!.AsArray())!["field"]!);
        }

        foreach (var (field, entry) in new[] { ("allowedIps", "192.0.2.7"), ("allowedDomains", "example.com"), ("allowedMimeTypes", "image/png") })
        {
            var changed = await app.ChangeKeyAsync(key, new JsonObject { [field] = List(2, _ => entry) });
            Assert.Equal(entry, (string)Assert.Single(changed[field]!.AsArray())!);
        }

        var destination = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = "https://example.com/" });
        var set = (await SetAsync(List(101, _ => destination))).Expect(HttpStatusCode.OK).Json;
        Assert.Equal(destination, (string)Assert.Single(set["destinations"]!.AsArray())!["id"]!);
        Assert.Contains("up to 100", (string)(await SetAsync(List(101, _ => $"{Guid.NewGuid()}"))).Expect(HttpStatusCode.BadRequest).Json["message"]!, StringComparison.Ordinal);

        Task<Answer> SetAsync(JsonArray ids) =>
            app.Client.SendAsync(HttpMethod.Put, $"keys/{key["id"]}/destinations", new JsonObject { ["destination_ids"] = ids });

        static JsonArray List(int count, Func<int, string> entry) => [.. Enumerable.Range(0, count).Select(i => (JsonNode)entry(i))];
        static string Host(int length) => string.Concat(Enumerable.Repeat("abcdefghi.", 30))[..(length - 1)] + "z";
    }

    [Theory, AllDatabases]
    public async Task Revoked_and_deleted_keys_are_refused_from_the_next_request_on(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var (key, plainText) = await app.CreateKeyAsync(new JsonObject { ["label"] = "a" });
        var client = app.ClientOf(plainText);
        var session = await client.CreateSessionAsync();

        await app.ChangeKeyAsync(key, new JsonObject { ["isActive"] = false });
        (await client.GetAsync("stats")).Expect(HttpStatusCode.Unauthorized);
        await app.ChangeKeyAsync(key, new JsonObject { ["isActive"] = true });
        (await client.GetAsync("stats")).Expect(HttpStatusCode.OK);

        var path = $"projects/{app.ProjectId}/keys/{key["id"]}";
        var deleted = (await app.Client.SendAsync(HttpMethod.Delete, path)).Expect(HttpStatusCode.NoContent);
        Assert.Empty(deleted.Bytes);
        (await client.GetAsync("stats")).Expect(HttpStatusCode.Unauthorized);
        (await app.Client.SendAsync(HttpMethod.Delete, path)).Expect(HttpStatusCode.NotFound);
        (await app.Client.SendAsync(HttpMethod.Patch, path, new JsonObject { ["isActive"] = true })).Expect(HttpStatusCode.NotFound);
        Assert.Single((await app.Client.GetAsync($"projects/{app.ProjectId}/keys")).Json.AsArray());
        Assert.Equal(1, (int)(await app.Client.GetAsync("stats")).Json["activeKeys"]!);
        await app.Client.UploadAsync(session, Photos.Jpeg());
    }

    [Theory]
    [AllDatabases("poll?timeout=30")]
    [AllDatabases("delivery-status?pollFrom=2026-06-12T09:44:41.919Z")]
    public async Task Held_request_shows_nothing_to_who_was_shut_out_meanwhile(DatabaseKind database, string call)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["long_polling"] = true });
        var (key, plainText) = await app.CreateKeyAsync(new JsonObject { ["label"] = "a" });
        var person = await app.AddPersonAsync("viewer@example.com", app.ProjectId, Role.Viewer);
        var viewer = await app.TokenAsync(person);
        var ofKey = app.ClientOf(plainText).GetAsync($"upload-sessions/{session}/{call}");
        var ofPerson = viewer.Client.GetAsync($"upload-sessions/{session}/{call}");
        var ofOther = app.Client.GetAsync($"upload-sessions/{session}/{call}");
        var time = call.StartsWith("poll?", StringComparison.Ordinal) ? TimeSpan.FromSeconds(30) : TimeSpan.FromMinutes(5);
        await Eventually.True(() => app.Clock.TimersDueIn(time) == 3);

        await app.ChangeKeyAsync(key, new JsonObject { ["isActive"] = false });
        var owner = await app.TokenAsync(await app.OwnerAsync());
        (await owner.Client.SendAsync(HttpMethod.Delete, $"projects/{app.ProjectId}/members/{person.Id}"))
            .Expect(HttpStatusCode.NoContent);
        await app.Client.UploadAsync(session, Photos.Jpeg());

        (await Eventually.Arrives(ofKey)).Expect(HttpStatusCode.Unauthorized);
        (await Eventually.Arrives(ofPerson)).Expect(HttpStatusCode.Unauthorized);
        (await Eventually.Arrives(ofOther)).Expect(HttpStatusCode.OK);
    }

    [Theory, AllDatabases]
    public async Task Key_sees_and_makes_keys_of_its_own_environment_only(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var test = app.ClientOf(app.TestKey);
        var keys = $"projects/{app.ProjectId}/keys";

        var made = (await test.PostAsync(keys, new JsonObject { ["label"] = "a" })).Expect(HttpStatusCode.Created).Json;
        Assert.Equal("test", (string)made["key"]!["env"]!);
        Assert.StartsWith("aptr_test_", (string)made["plainTextKey"]!, StringComparison.Ordinal);
        (await test.PostAsync(keys, new JsonObject { ["label"] = "a", ["env"] = "live" })).Expect(HttpStatusCode.Forbidden);

        Assert.All((await test.GetAsync(keys)).Json.AsArray(), key => Assert.Equal("test", (string)key!["env"]!));
        var live = (await app.Client.GetAsync(keys)).Json.AsArray().Single()!;
        Assert.Equal("live", (string)live["env"]!);
        (await test.SendAsync(HttpMethod.Patch, $"{keys}/{live["id"]}", new JsonObject { ["label"] = "mine" })).Expect(HttpStatusCode.NotFound);
        (await test.SendAsync(HttpMethod.Delete, $"{keys}/{live["id"]}")).Expect(HttpStatusCode.NotFound);
        (await test.SendAsync(HttpMethod.Put, $"keys/{live["id"]}/destinations", new JsonObject())).Expect(HttpStatusCode.NotFound);
        (await test.PostAsync($"{keys}/{live["id"]}/totp")).Expect(HttpStatusCode.NotFound);
        (await test.PostAsync($"{keys}/{live["id"]}/signing-secret")).Expect(HttpStatusCode.NotFound);
        (await app.Client.SendAsync(HttpMethod.Patch, $"{keys}/{live["id"]}", new JsonObject { ["env"] = "test" }))
            .Expect(HttpStatusCode.BadRequest);
    }

    [Theory, AllDatabases]
    public async Task Keys_of_other_projects_do_not_exist(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var elsewhere = await app.CreateOtherProjectAsync();

        (await app.Client.GetAsync($"projects/{elsewhere.ProjectId}/keys")).Expect(HttpStatusCode.NotFound);
        (await app.Client.PostAsync($"projects/{elsewhere.ProjectId}/keys", new JsonObject { ["label"] = "a" })).Expect(HttpStatusCode.NotFound);
        foreach (var project in new[] { app.ProjectId, elsewhere.ProjectId })
            (await app.Client.SendAsync(HttpMethod.Delete, $"projects/{project}/keys/{elsewhere.KeyId}")).Expect(HttpStatusCode.NotFound);
        (await app.Client.SendAsync(HttpMethod.Put, $"keys/{elsewhere.KeyId}/destinations", new JsonObject())).Expect(HttpStatusCode.NotFound);
    }

    [Theory, AllDatabases]
    public async Task Sessions_that_name_no_destination_take_those_of_their_key(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        await using var receiver = await Receiver.StartAsync();
        var first = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var second = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var (key, plainText) = await app.CreateKeyAsync(new JsonObject { ["label"] = "a" });
        var path = $"keys/{key["id"]}/destinations";

        var set = (await app.Client.SendAsync(HttpMethod.Put, path, new JsonObject
        {
            ["destination_ids"] = new JsonArray(second, first),
            ["long_polling"] = true,
        })).Expect(HttpStatusCode.OK).Json;
        Assert.Equal([second, first], set["destinations"]!.AsArray().Select(d => (string)d!["id"]!));
        Assert.Equal(["id", "type", "name", "isActive"], set["destinations"]![0]!.AsObject().Select(field => field.Key));
        Assert.True((bool)set["longPollingEnabled"]!);

        var session = (await app.ClientOf(plainText).PostAsync("upload-sessions")).Expect(HttpStatusCode.Created).Json;
        Assert.Equal([second, first], session["destinations"]!.AsArray().Select(d => (string)d!["id"]!));
        Assert.True((bool)session["long_polling"]!);

        var kept = (await app.Client.SendAsync(HttpMethod.Put, path, new JsonObject { ["long_polling_enabled"] = false })).Json;
        Assert.Equal(2, kept["destinations"]!.AsArray().Count);
        Assert.False((bool)kept["longPollingEnabled"]!);

        var unknown = await app.Client.SendAsync(HttpMethod.Put, path, new JsonObject { ["destination_ids"] = new JsonArray("x") });
        Assert.Contains("destination", (string)unknown.Expect(HttpStatusCode.BadRequest).Json["message"]!, StringComparison.Ordinal);

        (await app.Client.SendAsync(HttpMethod.Delete, $"projects/{app.ProjectId}/destinations/{first}")).Expect(HttpStatusCode.NoContent);
        var listed = (await app.Client.GetAsync($"projects/{app.ProjectId}/keys")).Json.AsArray();
        Assert.Equal([second], listed.Single(k => (string)k!["id"]! == (string)key["id"]!)!["defaultDestinations"]!.AsArray().Select(d => (string)d!));
    }

    [Theory, AllDatabases]
    public async Task Secrets_of_keys_stand_encrypted_in_the_database(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var (key, plainText) = await app.CreateKeyAsync(new JsonObject { ["label"] = "a" });
        var path = $"projects/{app.ProjectId}/keys/{key["id"]}";
        var signing = (string)(await app.Client.PostAsync(path + "/signing-secret")).Expect(HttpStatusCode.OK).Json["signingSecret"]!;
        var totp = (string)(await app.Client.PostAsync(path + "/totp")).Expect(HttpStatusCode.OK).Json["secret"]!;
        Assert.Matches("^[0-9a-f]{64}$", signing);

        await using var db = app.Services.GetRequiredService<Database>().Open();
        var id = Guid.Parse((string)key["id"]!);
        var row = await db.ApiKeys.AsNoTracking().SingleAsync(k => k.Id == id, TestContext.Current.CancellationToken);

        Assert.DoesNotContain(signing, row.SigningSecret!, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain(totp, row.TotpSecret!, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain(plainText, row.Hash, StringComparison.Ordinal);
    }
}
