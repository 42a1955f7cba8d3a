using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server.Http;
using Apertur.Tests.Support;

namespace Apertur.Tests.Http;

/// <summary>Names of fields: both casings, older names, names that do not exist.</summary>
public sealed class RequestFieldsTests
{
    [Theory, AllDatabases]
    public async Task Session_fields_may_be_written_in_either_casing(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var destination = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = "https://example.com/" });

        var id = await app.Client.CreateSessionAsync(new JsonObject
        {
            ["destinationIds"] = new JsonArray(destination),
            ["longPolling"] = true,
            ["maxImages"] = 7,
            ["allowedMimeTypes"] = new JsonArray("image/png"),
            ["maxImageDimension"] = 900,
            ["maxImageSizeMb"] = 3,
            ["expiresInHours"] = 2,
        });
        var made = await DetailsAsync(app, id);
        (await app.Client.SendAsync(HttpMethod.Patch, $"upload-sessions/{id}", new JsonObject { ["maxImages"] = 9, ["max_images"] = 9 })).Expect(HttpStatusCode.OK);
        var changed = await DetailsAsync(app, id);

        Assert.Equal(destination, (string)made["destinations"]![0]!["id"]!);
        Assert.True((bool)made["longPollingEnabled"]!);
        Assert.Equal((7, 900, 3), ((int)made["effectiveMaxImages"]!, (int)made["effectiveMaxImageDimension"]!, (int)made["effectiveMaxImageSizeMb"]!));
        Assert.Equal(["image/png"], made["effectiveAllowedMimeTypes"]!.AsArray().Select(type => (string)type!));
        Assert.Equal(app.Clock.GetUtcNow().AddHours(2).ToUnixTimeMilliseconds(), DateTimeOffset.Parse((string)made["expiresAt"]!).ToUnixTimeMilliseconds());
        Assert.Equal(9, (int)changed["effectiveMaxImages"]!);
    }

    [Theory, AllDatabases]
    public async Task Yes_and_no_may_be_written_as_one_and_nought(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);

        foreach (var (sent, meant) in new[] { ("1", true), ("0", false), ("true", true), ("false", false) })
        {
            var made = (await app.Client.PostAsync("upload-sessions", JsonNode.Parse($$"""{ "long_polling": {{sent}} }"""))).Expect(HttpStatusCode.Created);
            Assert.Equal((sent, meant), (sent, (bool)made.Json["long_polling"]!));
        }

        foreach (var wrong in new[] { "2", "-1", "1.5", "1e99", "\"1\"", "\"true\"", "{}" })
        {
            var refused = await app.Client.PostAsync("upload-sessions", JsonNode.Parse($$"""{ "long_polling": {{wrong}} }"""));
            Assert.Equal("long_polling", (string)refused.Expect(HttpStatusCode.BadRequest).Json["errors"]![0]!["field"]!);
        }
    }

    [Theory, AllDatabases]
    public async Task One_field_under_two_names_must_have_one_value(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var keys = $"projects/{app.ProjectId}/keys";

        var session = await app.Client.PostAsync("upload-sessions", new JsonObject { ["max_images"] = 3, ["maxImages"] = 4 });
        var key = await app.Client.PostAsync(keys, new JsonObject { ["label"] = "a", ["name"] = "b" });

        Assert.Contains("max_images", session.Expect(HttpStatusCode.BadRequest).Text, StringComparison.Ordinal);
        Assert.Contains("maxImages", session.Text, StringComparison.Ordinal);
        key.Expect(HttpStatusCode.BadRequest);
    }

    [Theory, AllDatabases]
    public async Task Old_fields_of_sessions_are_taken_or_name_what_took_their_place(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);

        var id = await app.Client.CreateSessionAsync(new JsonObject { ["expires_in"] = 5400, ["tags"] = new JsonObject { ["claim"] = 17, ["room"] = "attic" } });
        var made = await DetailsAsync(app, id);
        foreach (var old in new[] { "delivery_mode", "webhook_url", "webhook_format", "webhookUrl" })
        {
            var refused = await app.Client.PostAsync("upload-sessions", new JsonObject { [old] = "x" });
            Assert.Contains("destination_ids", refused.Expect(HttpStatusCode.BadRequest).Text, StringComparison.Ordinal);
        }

        Assert.Equal(app.Clock.GetUtcNow().AddMinutes(90).ToUnixTimeMilliseconds(), DateTimeOffset.Parse((string)made["expiresAt"]!).ToUnixTimeMilliseconds());
        Assert.Equal(["claim:17", "room:attic"], made["tags"]!.AsArray().Select(tag => (string)tag!));
        (await app.Client.PostAsync("upload-sessions", new JsonObject { ["expires_in"] = 60, ["expires_in_hours"] = 1 })).Expect(HttpStatusCode.BadRequest);
        (await app.Client.PostAsync("upload-sessions", new JsonObject { ["expires_in"] = 0 })).Expect(HttpStatusCode.BadRequest);
        (await app.Client.PostAsync("upload-sessions", new JsonObject { ["tags"] = new JsonObject { ["a"] = new JsonArray() } })).Expect(HttpStatusCode.BadRequest);
    }

    [Theory, AllDatabases]
    public async Task A_destinations_fields_may_stand_beside_its_type(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var path = $"projects/{app.ProjectId}/destinations";

        var made = await app.Client.PostAsync(path, new JsonObject { ["type"] = "webhook", ["url"] = "https://example.com/a", ["label"] = "Mine" });
        var id = (string)made.Expect(HttpStatusCode.Created).Json["id"]!;
        var changed = await app.Client.SendAsync(HttpMethod.Patch, $"{path}/{id}", new JsonObject { ["url"] = "https://example.com/b" });
        var incomplete = await app.Client.PostAsync(path, new JsonObject { ["type"] = "s3", ["bucket"] = "my-bucket", ["region"] = "us-east-1" });
        var snake = await app.Client.PostAsync(path, new JsonObject
        {
            ["type"] = "s3",
            ["config"] = new JsonObject { ["bucket"] = "b-b", ["region"] = "us-east-1", ["access_key_id"] = "k", ["secret_access_key"] = "s" },
        });

        Assert.Null(made.Json["warnings"]);
        Assert.Equal(("Mine", "https://example.com/a"), ((string)made.Json["name"]!, (string)made.Json["config"]!["url"]!));
        Assert.Equal("https://example.com/b", (string)changed.Expect(HttpStatusCode.OK).Json["config"]!["url"]!);
        Assert.Contains("Secret access key", incomplete.Expect(HttpStatusCode.BadRequest).Text, StringComparison.Ordinal);
        Assert.Null(snake.Expect(HttpStatusCode.Created).Json["warnings"]);
    }

    [Theory, AllDatabases]
    public async Task Unknown_fields_are_told_and_refused_when_strict(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var project = $"projects/{app.ProjectId}";
        var webhook = new JsonObject { ["url"] = "https://example.com/", ["topics"] = new JsonArray("*"), ["maxRetry"] = 3 };
        var destination = new JsonObject { ["type"] = "webhook", ["config"] = new JsonObject { ["url"] = "https://example.com/", ["fromat"] = "link" } };
        (string Path, JsonObject Request, string Warning)[] cases =
        [
            ("upload-sessions", new() { ["long_polling"] = true, ["pasword"] = "x" }, "Unknown field 'pasword'; did you mean 'password'?"),
            ($"{project}/keys", new() { ["label"] = "Kiosk", ["maxImage"] = 3 }, "Unknown field 'maxImage'; did you mean 'maxImages'?"),
            ($"{project}/webhooks", webhook, "Unknown field 'maxRetry'; did you mean 'maxRetries'?"),
            ($"{project}/destinations", destination, "Unknown field 'config.fromat'; did you mean 'config.format'?"),
            ($"{project}/destinations", new() { ["type"] = "webhook", ["url"] = "https://example.com/", ["colour"] = 1 }, "Unknown field 'colour'."),
        ];
        foreach (var (path, request, warning) in cases)
        {
            var before = (await app.Client.GetAsync(path == "upload-sessions" ? "sessions" : path)).Text;
            var strict = await app.Client.SendAsync(HttpMethod.Post, path, request.DeepClone(), ("Apertur-Strict", "true"));
            Assert.Contains(warning, (string)strict.Expect(HttpStatusCode.BadRequest).Json["message"]!, StringComparison.Ordinal);
            Assert.Equal(before, (await app.Client.GetAsync(path == "upload-sessions" ? "sessions" : path)).Text);

            var made = (await app.Client.PostAsync(path, request.DeepClone())).Expect(HttpStatusCode.Created).Json;
            Assert.Equal([warning], made["warnings"]!.AsArray().Select(text => (string)text!));
            var id = (made["key"] ?? made)["id"];
            var changed = await app.Client.SendAsync(HttpMethod.Patch, $"{path}/{id}", new JsonObject { ["nonsense_of_mine"] = 1 });
            Assert.Equal(["Unknown field 'nonsense_of_mine'."], changed.Expect(HttpStatusCode.OK).Json["warnings"]!.AsArray().Select(text => (string)text!));
            var quiet = await app.Client.SendAsync(HttpMethod.Patch, $"{path}/{id}", new JsonObject());
            Assert.Null(quiet.Expect(HttpStatusCode.OK).Json["warnings"]);
        }
    }

    [Theory, AllDatabases]
    public async Task A_session_that_nothing_receives_is_told(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);

        var told = (await app.Client.PostAsync("upload-sessions")).Expect(HttpStatusCode.Created).Json["warnings"]!.AsArray();
        var strict = await app.Client.SendAsync(HttpMethod.Post, "upload-sessions", null, ("Apertur-Strict", "true"));
        var pulled = await app.Client.PostAsync("upload-sessions", new JsonObject { ["long_polling"] = true });

        Assert.Contains("Nothing will receive", (string)Assert.Single(told)!, StringComparison.Ordinal);
        strict.Expect(HttpStatusCode.BadRequest);
        Assert.Null(pulled.Expect(HttpStatusCode.Created).Json["warnings"]);
    }

    [Theory]
    [InlineData("2026-06-12T09:44:41.919Z", "2026-06-12T09:44:41.919Z")]
    [InlineData("2026-06-12T09:44:41.919123456Z", "2026-06-12T09:44:41.919Z")]
    [InlineData("2026-06-12T11:44:41+02:00", "2026-06-12T09:44:41.000Z")]
    [InlineData("2026-06-12T11:44:41+0200", "2026-06-12T09:44:41.000Z")]
    [InlineData("2026-06-12T11:44+02", "2026-06-12T09:44:00.000Z")]
    [InlineData("2026-06-12T09:44:41", "2026-06-12T09:44:41.000Z")]
    [InlineData("2026-06-12", "2026-06-12T00:00:00.000Z")]
    [InlineData("06/12/2026", null)]
    [InlineData("12 June 2026", null)]
    [InlineData("2026", null)]
    [InlineData("10:00", null)]
    [InlineData("2026-06-12 09:44:41", null)]
    [InlineData("2026-13-12T09:44:41Z", null)]
    [InlineData("Fri, 12 Jun 2026 09:44:41 GMT", null)]
    public void Instants_are_ISO_8601_and_nothing_else(string text, string? read)
    {
        Assert.Equal(read, InstantJson.TryParse(text, out var instant) ? InstantJson.Format(instant) : null);
    }

    private static async Task<JsonNode> DetailsAsync(AperturApp app, string session) =>
        (await app.Client.GetAsync($"upload-sessions/{session}")).Expect(HttpStatusCode.OK).Json;
}
