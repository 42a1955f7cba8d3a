using System.Net;
using System.Text.Json.Nodes;
using Apertur.Tests.Support;

namespace Apertur.Tests.Contract;

/// <summary>What the snippets in the READMEs of the official clients read from answers, in each of their spellings.</summary>
public sealed class SpellingTests
{
    [Theory, AllDatabases]
    public async Task A_new_key_is_found_by_every_name(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);

        var request = new JsonObject { ["label"] = "Mobile app key" };
        var made = (await app.Client.PostAsync($"projects/{app.ProjectId}/keys", request)).Expect(HttpStatusCode.Created).Json;

        Assert.Equal((string?)made["key"]!["id"], (string?)made["id"]);
        Assert.Equal((string?)made["plainTextKey"], (string?)made["plain_text_key"]);
    }

    [Theory, AllDatabases]
    public async Task The_server_key_is_found_by_every_name(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);

        var key = (await app.Client.GetAsync("encryption/server-key")).Expect(HttpStatusCode.OK).Json;

        Assert.StartsWith("-----BEGIN PUBLIC KEY-----", (string?)key["public_key"], StringComparison.Ordinal);
        Assert.Equal((string?)key["publicKey"], (string?)key["public_key"]);
    }

    [Theory, AllDatabases]
    public async Task Deliveries_of_a_webhook_are_found_by_every_name(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        await using var receiver = await Receiver.StartAsync();
        var webhook = (await app.Client.PostAsync($"projects/{app.ProjectId}/webhooks", new JsonObject
        {
            ["url"] = receiver.Url,
            ["topics"] = new JsonArray("session.created"),
        })).Expect(HttpStatusCode.Created).Json;
        await app.Client.CreateSessionAsync();

        var history = $"projects/{app.ProjectId}/webhooks/{webhook["id"]}/deliveries";
        var list = (await app.Client.GetAsync(history)).Expect(HttpStatusCode.OK).Json;

        Assert.NotNull((string?)list["data"]![0]!["id"]);
        Assert.True(JsonNode.DeepEquals(list["deliveries"], list["data"]));
    }

    /// <summary>Perl's, among others: languages without a boolean type.</summary>
    [Theory, AllDatabases]
    public async Task One_and_zero_are_true_and_false(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var (projects, key) = ($"projects/{app.ProjectId}", (string)(await app.Client.GetAsync($"projects/{app.ProjectId}/keys")).Json[0]!["id"]!);
        var s3 = new JsonObject
        {
            ["type"] = "s3",
            ["name"] = "Archive",
            ["config"] = new JsonObject
            {
                ["bucket"] = "photos",
                ["region"] = "eu-west-1",
                ["accessKeyId"] = "key",
                ["secretAccessKey"] = "secret",
                ["forcePathStyle"] = 1,
            },
        };

        var destination = (await app.Client.PostAsync($"{projects}/destinations", s3)).Expect(HttpStatusCode.Created).Json;
        var off = (await app.Client.SendAsync(HttpMethod.Patch, $"{projects}/destinations/{destination["id"]}", new JsonObject { ["isActive"] = 0 }))
            .Expect(HttpStatusCode.OK).Json;
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["long_polling"] = 1 });

        Assert.True((bool)destination["config"]!["forcePathStyle"]!);
        Assert.False((bool)off["isActive"]!);
        (await app.Client.GetAsync($"upload-sessions/{session}/poll")).Expect(HttpStatusCode.OK);
        (await app.Client.SendAsync(HttpMethod.Put, $"keys/{key}/destinations", new JsonObject { ["destination_ids"] = new JsonArray(), ["long_polling_enabled"] = 1 }))
            .Expect(HttpStatusCode.OK);
        var refused = (await app.Client.PostAsync("upload-sessions", new JsonObject { ["long_polling"] = 2 })).Expect(HttpStatusCode.BadRequest);
        Assert.Equal("long_polling", (string)refused.Json["errors"]![0]!["field"]!);
    }
}
