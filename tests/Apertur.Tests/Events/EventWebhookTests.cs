using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server.Events;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Events;

/// <summary>Event webhooks as objects of the API.</summary>
public sealed class EventWebhookTests
{
    private static readonly string[] _fields =
    [
        "consecutiveFailures", "createdAt", "customHeaders", "disableAfterFailures", "disabledAt", "id", "isActive", "maxRetries", "projectId",
        "retryIntervals", "secret", "signatureMethod", "topics", "updatedAt", "url",
    ];

    [Theory, AllDatabases]
    public async Task Webhook_is_made_with_defaults_read_changed_and_removed(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var request = new JsonObject { ["url"] = "https://example.com/hook", ["events"] = new JsonArray("project.upload.*", "project.upload.*") };

        var made = (await app.Client.PostAsync(app.WebhooksPath(), request)).Expect(HttpStatusCode.Created).Json;

        Assert.Equal(_fields, made.AsObject().Select(field => field.Key).Order(StringComparer.Ordinal));
        Assert.Equal(app.ProjectId.ToString(), (string)made["projectId"]!);
        Assert.Equal("""["project.upload.*"]""", made["topics"]!.ToJsonString());
        Assert.Equal("hmac_sha256", (string)made["signatureMethod"]!);
        Assert.Equal(8, (int)made["maxRetries"]!);
        Assert.Equal("[5,30,120,600,3600,10800,28800,43200]", made["retryIntervals"]!.ToJsonString());
        Assert.Equal(50, (int)made["disableAfterFailures"]!);
        Assert.Equal("{}", made["customHeaders"]!.ToJsonString());
        Assert.True((bool)made["isActive"]!);
        Assert.Equal(0, (int)made["consecutiveFailures"]!);
        Assert.Null(made["disabledAt"]);
        Assert.Matches("^[0-9a-f]{64}$", (string)made["secret"]!);

        var changed = await app.ChangeWebhookAsync(made, new JsonObject
        {
            ["topics"] = new JsonArray("*"),
            ["signatureMethod"] = "svix",
            ["maxRetries"] = 1,
            ["retryIntervals"] = new JsonArray(7),
            ["disableAfterFailures"] = 2,
            ["customHeaders"] = new JsonObject { ["Authorization"] = "Bearer x" },
            ["url"] = null,
        });
        Assert.Equal((string)made["secret"]!, (string)changed["secret"]!);
        Assert.Equal("https://example.com/hook", (string)changed["url"]!);
        Assert.Equal("""{"Authorization":"Bearer x"}""", changed["customHeaders"]!.ToJsonString());
        Assert.Equal("svix", (string)changed["signatureMethod"]!);
        var listed = (await app.Client.GetAsync(app.WebhooksPath())).Expect(HttpStatusCode.OK).Json.AsArray();
        Assert.Equal(changed.ToJsonString(), Assert.Single(listed)!.ToJsonString());
        Assert.Equal(changed.ToJsonString(), (await app.WebhookAsync(made)).ToJsonString());

        var removed = await app.Client.SendAsync(HttpMethod.Delete, $"{app.WebhooksPath()}/{made["id"]}");
        Assert.Empty(removed.Expect(HttpStatusCode.NoContent).Bytes);
        Assert.Empty((await app.Client.GetAsync(app.WebhooksPath())).Json.AsArray());
        (await app.Client.SendAsync(HttpMethod.Delete, $"{app.WebhooksPath()}/{made["id"]}")).Expect(HttpStatusCode.NotFound);
    }

    [Theory, AllDatabases]
    public async Task Removed_webhook_takes_what_waits_for_it_with_it(DatabaseKind database)
    {
        await using var events = await Receiver.StartAsync();
        events.Answers(500);
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.ListenAsync(events, "*");
        await app.Client.CreateSessionAsync();
        await events.NextAsync();
        await app.NewestBecomesAsync(webhook, "retrying");

        (await app.Client.SendAsync(HttpMethod.Delete, $"{app.WebhooksPath()}/{webhook["id"]}")).Expect(HttpStatusCode.NoContent);

        await app.PassAsync(TimeSpan.FromMinutes(1));
        await using var db = app.Services.GetRequiredService<Database>().Open();
        Assert.Equal(0, await db.EventDeliveries.CountAsync(TestContext.Current.CancellationToken));
        Assert.Single(events.Requests);
    }

    [Theory, AllDatabases]
    public async Task Secret_and_headers_are_not_readable_in_the_database(DatabaseKind database)
    {
        await using var events = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var fields = new JsonObject { ["customHeaders"] = new JsonObject { ["X-Api-Key"] = "open sesame" } };
        var webhook = await app.CreateWebhookAsync(events, fields, "*");

        await using var db = app.Services.GetRequiredService<Database>().Open();
        var row = await db.EventWebhooks.SingleAsync(TestContext.Current.CancellationToken);
        Assert.DoesNotContain((string)webhook["secret"]!, row.Secret, StringComparison.Ordinal);
        Assert.DoesNotContain("sesame", row.CustomHeaders, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Custom_headers_are_sent_and_cannot_take_the_place_of_ours()
    {
        await using var events = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var headers = new JsonObject { ["Authorization"] = "Bearer x", ["User-Agent"] = "Mine/1" };
        var webhook = await app.CreateWebhookAsync(events, new JsonObject { ["customHeaders"] = headers }, "project.session.created");

        await app.Client.CreateSessionAsync();

        var request = await events.NextAsync();
        Assert.Equal("Bearer x", request["Authorization"]);
        Assert.Equal("Mine/1", request["User-Agent"]);
        foreach (var name in new[] { "X-Apertur-Signature", "svix-id", "Webhook-Id", "X-APTR-Delivery-ID", "Content-Type", "Host", "a b" })
        {
            var change = new JsonObject { ["customHeaders"] = new JsonObject { [name] = "x" } };
            var refused = await app.Client.SendAsync(HttpMethod.Patch, $"{app.WebhooksPath()}/{webhook["id"]}", change);
            Assert.Equal("customHeaders", (string)refused.Expect(HttpStatusCode.BadRequest).Json["errors"]![0]!["field"]!);
        }
    }

    [Theory]
    [InlineData("{}", "url")]
    [InlineData("""{"url":"ftp://example.com","topics":["*"]}""", "url")]
    [InlineData("""{"url":"https://me:secret@example.com/","topics":["*"]}""", "url")]
    [InlineData("""{"url":"https://example.com"}""", "topics")]
    [InlineData("""{"url":"https://example.com","topics":[]}""", "topics")]
    [InlineData("""{"url":"https://example.com","topics":[null]}""", "topics")]
    [InlineData("""{"url":"https://example.com","topics":["project..gone"]}""", "topics")]
    [InlineData("""{"url":"https://example.com","topics":["Project Uploads"]}""", "topics")]
    [InlineData("""{"url":"https://example.com","topics":["*"],"signatureMethod":"md5"}""", "signatureMethod")]
    [InlineData("""{"url":"https://example.com","topics":["*"],"maxRetries":-1}""", "maxRetries")]
    [InlineData("""{"url":"https://example.com","topics":["*"],"maxRetries":1.5}""", "maxRetries")]
    [InlineData("""{"url":"https://example.com","topics":["*"],"retryIntervals":[]}""", "retryIntervals")]
    [InlineData("""{"url":"https://example.com","topics":["*"],"retryIntervals":[0]}""", "retryIntervals")]
    [InlineData("""{"url":"https://example.com","topics":["*"],"disableAfterFailures":0}""", "disableAfterFailures")]
    [InlineData("""{"url":"https://example.com","topics":["*"],"customHeaders":{"X-A":1}}""", "customHeaders")]
    [InlineData("""{"url":"https://example.com","topics":["*"],"customHeaders":"X-A: 1"}""", "customHeaders")]
    public async Task Bad_field_is_refused_by_name(string request, string field)
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);

        var answer = (await app.Client.PostAsync(app.WebhooksPath(), JsonNode.Parse(request))).Expect(HttpStatusCode.BadRequest);

        Assert.Equal("VALIDATION_ERROR", (string)answer.Json["code"]!);
        Assert.StartsWith(field, (string)answer.Json["errors"]![0]!["field"]!, StringComparison.Ordinal);
        Assert.Empty((await app.Client.GetAsync(app.WebhooksPath())).Json.AsArray());
    }

    [Fact]
    public async Task Each_field_has_a_bound_and_so_has_the_number_of_webhooks()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var made = (await MakeAsync()).Expect(HttpStatusCode.Created).Json;
        foreach (var (field, most, over) in new (string, JsonNode, JsonNode)[]
        {
            ("url", "https://example.com/" + new string('a', 2028), "https://example.com/" + new string('a', 2029)),
            ("topics", Texts(50), Texts(51)),
            ("maxRetries", 50, 51),
            ("retryIntervals", Numbers(50, 1), Numbers(51, 1)),
            ("retryIntervals", Numbers(1, 604_800), Numbers(1, 604_801)),
            ("disableAfterFailures", 10_000, 10_001),
            ("customHeaders", Headers(50), Headers(51)),
        })
        {
            await app.ChangeWebhookAsync(made, new JsonObject { [field] = most });
            var refused = await app.Client.SendAsync(HttpMethod.Patch, $"{app.WebhooksPath()}/{made["id"]}", new JsonObject { [field] = over });
            Assert.Equal(field, (string)Assert.Single(refused.Expect(HttpStatusCode.BadRequest).Json["errors"]!.AsArray())!["field"]!);
        }

        for (var others = 1; others < 50; others++)
            (await MakeAsync()).Expect(HttpStatusCode.Created);
        (await MakeAsync()).Expect(HttpStatusCode.BadRequest);
        (await app.Client.SendAsync(HttpMethod.Delete, $"{app.WebhooksPath()}/{made["id"]}")).Expect(HttpStatusCode.NoContent);
        (await MakeAsync()).Expect(HttpStatusCode.Created);

        Task<Answer> MakeAsync() => app.Client.PostAsync(
            app.WebhooksPath(), new JsonObject { ["url"] = "https://example.com/", ["topics"] = new JsonArray("*") });

        static JsonArray Texts(int count) => [.. Enumerable.Range(0, count).Select(i => (JsonNode)$"project.t{i}")];
        static JsonArray Numbers(int count, int value) => [.. Enumerable.Repeat(value, count).Select(each => (JsonNode)each)];
        static JsonObject Headers(int count) => new(Enumerable.Range(0, count).Select(i => KeyValuePair.Create($"X-H{i}", (JsonNode?)"x")));
    }

    [Fact]
    public async Task Empty_array_is_taken_for_no_headers()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var request = JsonNode.Parse("""{"url":"https://example.com","topics":["*"],"customHeaders":[],"maxRetries":0,"retryIntervals":[]}""");

        var made = (await app.Client.PostAsync(app.WebhooksPath(), request)).Expect(HttpStatusCode.Created).Json;

        Assert.Equal("{}", made["customHeaders"]!.ToJsonString());
    }

    [Theory]
    [InlineData("*", "project.upload.started", true)]
    [InlineData("project.*", "project.upload.started", true)]
    [InlineData("project.upload.*", "project.upload.failed", true)]
    [InlineData("project.upload.*", "project.session.created", false)]
    [InlineData("project.*.completed", "project.session.completed", true)]
    [InlineData("project.*.completed", "project.session.created", false)]
    [InlineData("project.upload.failed", "project.upload.failed", true)]
    [InlineData("project.upload", "project.upload.failed", false)]
    [InlineData("project.upload.failed.*", "project.upload.failed", false)]
    [InlineData("project.up*", "project.upload.failed", false)]
    [InlineData("", "project.upload.failed", false)]
    public void Pattern_chooses_topics(string pattern, string topic, bool matches) => Assert.Equal(matches, Topics.Matches(pattern, topic));
}
