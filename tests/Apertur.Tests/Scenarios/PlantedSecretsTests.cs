using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Apertur.Tests.Destinations;
using Apertur.Tests.Support;
using Apertur.Tests.Support.Fakes;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Scenarios;

/// <summary>Secrets wherever one can be put, everything that can go wrong with them, and a look at all that can be read afterwards.</summary>
public sealed class PlantedSecretsTests
{
    private const int Webhooks = 6;

    private readonly List<string> _secrets = [];
    private readonly List<string> _answers = [];

    [Theory, AllDatabases]
    public async Task Planted_secrets_show_in_no_database_log_or_answer(DatabaseKind database)
    {
        await using var clouds = await FakeClouds.StartAsync();
        await using var receiver = await Receiver.StartAsync();
        using var bucket = await Bucket.MakeAsync();
        await using var app = await AperturApp.StartAsync(database, clouds.Settings);
        clouds.Google.Clock = app.Clock;
        // A receiver that throws everything back.
        receiver.Otherwise = async context =>
        {
            context.Response.StatusCode = StatusCodes.Status500InternalServerError;
            foreach (var (name, value) in context.Request.Headers.Where(header => header.Key.StartsWith("X-", StringComparison.Ordinal)))
                context.Response.Headers["Echo-" + name] = value.ToString();
            await context.Response.WriteAsync(string.Join('\n', context.Request.Headers.Select(header => header.Value.ToString())));
        };
        _secrets.AddRange(app.LiveKey, app.TestKey, "correct horse", FakeOAuth.ClientSecret, "planted-access-", "planted-refresh-", "planted-code-");
        await AddProjectSecretAsync(app);

        var destinations = await MakeDestinationsAsync(app, clouds, receiver, bucket);
        await RefuseBadRequestsAsync(app);
        await FailEverywhereAsync(app, clouds, destinations);
        Assert.InRange(_secrets.Distinct().Count(), 50, 200);

        var stored = await DatabaseAsync(app, database);
        Assert.NotEmpty(_answers);
        Assert.NotEmpty(app.Log.Lines);
        foreach (var secret in _secrets)
        {
            foreach (var form in new[] { secret, Convert.ToBase64String(Encoding.UTF8.GetBytes(secret)), Uri.EscapeDataString(secret) }.Distinct())
            {
                Assert.False(stored.Any(text => text.Contains(form, StringComparison.Ordinal)), $"The database holds {secret}");
                Assert.DoesNotContain(app.Log.Lines, line => line.Contains(form, StringComparison.Ordinal));
                Assert.DoesNotContain(_answers, answer => answer.Contains(form, StringComparison.Ordinal));
            }
        }
    }

    /// <summary>A look that finds nothing proves nothing unless it would find something.</summary>
    [Theory, AllDatabases]
    public async Task The_same_look_finds_what_is_not_a_secret(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var id = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        await app.Client.SendAsync(HttpMethod.Patch, $"projects/{app.ProjectId}/destinations/{id}", new JsonObject { ["name"] = "planted-name" });

        Assert.Contains(await DatabaseAsync(app, database), text => text.Contains("planted-name", StringComparison.Ordinal));
    }

    private string Plant(string kind)
    {
        var secret = $"planted-{kind}-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(12))}";
        _secrets.Add(secret);
        return secret;
    }

    private async Task AddProjectSecretAsync(AperturApp app)
    {
        await using var db = app.Services.GetRequiredService<Database>().Open();
        var project = await db.Projects.SingleAsync();
        _secrets.Add(app.Services.GetRequiredService<ColumnEncryption>().Unprotect("projects.webhook_secret", project.Id, project.WebhookSecret));
    }

    private async Task<IReadOnlyList<string>> MakeDestinationsAsync(AperturApp app, FakeClouds clouds, Receiver receiver, Bucket bucket)
    {
        var made = new List<string>();
        for (var i = 0; i < Webhooks; i++)
        {
            made.Add(await CreateAsync(app, "webhook", new JsonObject
            {
                // An address may hold a credential; it is shown to the project's members, but never logged or stored in the clear.
                ["url"] = receiver.Url,
                ["secret"] = Plant("webhook-secret"),
                ["headers"] = new JsonObject
                {
                    ["Authorization"] = "Bearer " + Plant("bearer"),
                    ["X-Token"] = Plant("header"),
                    ["X-Api-Key"] = Plant("api-key"),
                    ["Cookie"] = "session=" + Plant("cookie"),
                },
                ["format"] = new[] { "json_base64", "multipart", "binary", "link" }[i % 4],
            }));
        }

        (await app.Client.PostAsync($"projects/{app.ProjectId}/webhooks", new JsonObject
        {
            ["url"] = receiver.Url,
            ["topics"] = new JsonArray("*"),
            ["customHeaders"] = new JsonObject { ["X-Token"] = Plant("event-header"), ["Authorization"] = "Bearer " + Plant("event-bearer") },
        })).Expect(HttpStatusCode.Created);

        foreach (var region in new[] { "us-east-1", "eu-central-1" })
        {
            made.Add(await CreateAsync(app, "s3", bucket.Config(new JsonObject
            {
                ["secretAccessKey"] = Plant("s3-secret"),
                ["region"] = region,
            })));
        }

        var keyFile = JsonNode.Parse(clouds.Google.ServiceAccountJson)!;
        // Some lines of it are enough to find any of it.
        _secrets.AddRange(((string)keyFile["private_key"]!).Split('\n').Where(line => line.Length == 64).Take(8));
        made.Add(await CreateAsync(app, "gcs", new JsonObject { ["bucket"] = "photos", ["serviceAccountJson"] = keyFile.DeepClone() }));
        made.Add(await CreateAsync(app, "gcs", new JsonObject { ["bucket"] = "photos", ["serviceAccountJson"] = keyFile.ToJsonString() }));

        foreach (var type in new[] { "google_drive", "dropbox" })
        {
            var id = await CreateAsync(app, type, []);
            var back = await clouds.AllowAsync(app, id);
            _secrets.Add(System.Web.HttpUtility.ParseQueryString(back.Split('?')[1])["state"]!);
            Note(await app.ClientOf(null).GetAsync(back));
            // Again, and wrong: the page must not show what came.
            Note(await app.ClientOf(null).GetAsync(back));
            Note(await app.ClientOf(null).GetAsync($"/oauth/callback/{type}?state={Plant("state")}&code={Plant("code")}&error={Plant("error")}"));
            made.Add(id);
        }

        return made;
    }

    /// <summary>Secrets where none belongs: a message may say what is wrong, not what was sent.</summary>
    private async Task RefuseBadRequestsAsync(AperturApp app)
    {
        var path = $"projects/{app.ProjectId}/destinations";
        JsonObject[] bad =
        [
            Request(Plant("type")),
            Hook(("url", $"http://user:{Plant("password")}@example.com/")),
            Hook(("format", Plant("format"))),
            Hook(("timeoutSeconds", Plant("number"))),
            Hook(("headers", Plant("map"))),
            Hook(("headers", new JsonObject { ["Host"] = Plant("host") })),
            Hook(("headers", new JsonObject { ["A"] = Plant("line") + "\n." })),
            Request("s3", ("bucket", "b"), ("region", Plant("region") + "!"), ("secretAccessKey", Plant("early"))),
            Request("gcs", ("bucket", "photos"), ("serviceAccountJson", Plant("document"))),
            Request("gcs", ("bucket", "photos"), ("serviceAccountJson", new JsonObject
            {
                ["client_email"] = "a", ["private_key"] = Plant("private-key"),
            })),
        ];
        foreach (var request in bad)
            Note((await app.Client.PostAsync(path, request)).Expect(HttpStatusCode.BadRequest));
        Note((await app.ClientOf("aptr_live_" + Plant("key")).GetAsync("stats")).Expect(HttpStatusCode.Unauthorized));
        Note(await app.ClientOf(null).SendAsync(HttpMethod.Get, "stats", null, ("Authorization", "Basic " + Plant("basic"))));
    }

    private static JsonObject Hook((string Name, JsonNode? Value) field) =>
        field.Name == "url" ? Request("webhook", field) : Request("webhook", ("url", "http://example.com/"), field);

    private static JsonObject Request(string type, params (string Name, JsonNode? Value)[] config) => new()
    {
        ["type"] = type,
        ["config"] = new JsonObject(config.Select(field => KeyValuePair.Create(field.Name, field.Value))),
    };

    private async Task FailEverywhereAsync(AperturApp app, FakeClouds clouds, IReadOnlyList<string> destinations)
    {
        clouds.Google.KeyIsDeleted = true;
        clouds.Dropbox.OAuth.Revoke();
        clouds.Google.OAuth.Expire();
        foreach (var destination in destinations)
            Note((await app.Client.PostAsync($"projects/{app.ProjectId}/destinations/{destination}/test")).Expect(HttpStatusCode.OK));

        var upload = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync([.. destinations]), Photos.Jpeg()))["id"]!;
        await Eventually.Becomes(
            () => app.DeliveriesAsync(upload),
            // Dropbox is parked by its test already.
            rows => rows.Count(row => row.LastError is null && row.State != DeliveryState.Sent) == 1, "everything was tried");
        await app.PassAsync(TimeSpan.FromMinutes(1));
        string[] lists = ["uploads/recent", "uploads", "sessions", "sessions/recent", "stats", "destination-types"];
        foreach (var path in lists.Append($"projects/{app.ProjectId}/destinations"))
            Note((await app.Client.GetAsync(path)).Expect(HttpStatusCode.OK));
        foreach (var destination in destinations)
        {
            var path = $"projects/{app.ProjectId}/destinations/{destination}";
            var config = (await app.Client.GetAsync(path)).Json["config"]!.DeepClone();
            Note((await app.Client.SendAsync(HttpMethod.Patch, path, new JsonObject { ["config"] = config })).Expect(HttpStatusCode.OK));
        }

        _answers.AddRange((await app.DeliveriesAsync(upload)).Select(row => row.LastError ?? ""));
    }

    private async Task<string> CreateAsync(AperturApp app, string type, JsonObject config)
    {
        var answer = await app.Client.PostAsync($"projects/{app.ProjectId}/destinations", new JsonObject { ["type"] = type, ["config"] = config });
        Note(answer.Expect(HttpStatusCode.Created));
        return (string)answer.Json["id"]!;
    }

    private void Note(Answer answer) => _answers.Add(answer.Text + string.Join('\n', answer.Headers.Select(header => string.Join(',', header.Value))));

    /// <summary>What somebody would read who has the database: its rows, and with SQLite its files.</summary>
    private static async Task<IReadOnlyList<string>> DatabaseAsync(AperturApp app, DatabaseKind database)
    {
        var texts = (await app.TextsAsync()).Select(text => text.Text).ToList();
        if (database == DatabaseKind.Sqlite)
        {
            foreach (var path in Directory.GetFiles(app.DataFolder, "apertur.db*"))
            {
                await using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
                using var bytes = new MemoryStream();
                await file.CopyToAsync(bytes);
                texts.Add(Encoding.Latin1.GetString(bytes.ToArray()));
            }
        }

        return texts;
    }
}
