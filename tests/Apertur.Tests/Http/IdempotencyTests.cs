using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server;
using Apertur.Server.Retention;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Http;

/// <summary>One name, one effect, one answer.</summary>
public sealed class IdempotencyTests
{
    private const int ImagesPerSession = 100;

    // A multiple of the above; more on request, because ten thousand take minutes.
    private static readonly int _uploads = int.Parse(
        Environment.GetEnvironmentVariable("APERTUR_TEST_UPLOADS") ?? "300", System.Globalization.CultureInfo.InvariantCulture);

    private static (string, string) Key(string key) => ("Idempotency-Key", key);

    private static Task<Answer> CreateAsync(AperturClient client, string key, JsonObject? request = null) =>
        client.SendAsync(HttpMethod.Post, "upload-sessions", request, Key(key));

    private static int Files(AperturApp app) => Directory.GetFiles(app.DataFolder + "/images", "*-*", SearchOption.AllDirectories).Length;

    [Theory, AllDatabases]
    public async Task Repeated_upload_gets_the_same_answer_and_makes_no_second_image(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        await using var receiver = await Receiver.StartAsync();
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var session = await app.Client.CreateSessionAsync(webhook);

        var first = (await app.Client.PostImageAsync(session, Photos.Jpeg(), "a.jpg", null, Key("k"))).Expect(HttpStatusCode.Created);
        var repeat = (await app.Client.PostImageAsync(session, Photos.Jpeg(), "b.jpg", null, Key("k"))).Expect(HttpStatusCode.Created);

        Assert.Equal(first.Text, repeat.Text);
        Assert.Equal(first.Headers.Location, repeat.Headers.Location);
        Assert.Equal(1, Files(app));
        Assert.Equal(1, (int)(await app.Client.GetAsync("stats")).Json["imagesUploaded"]!);
        await app.Client.UploadBecomesAsync((string)first.Json["id"]!, "delivered");
        Assert.Single(receiver.Requests);
    }

    [Theory, AllDatabases]
    public async Task Another_photo_under_a_used_key_is_a_conflict_and_is_not_stored(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        (await app.Client.PostImageAsync(session, Photos.Jpeg(), "a.jpg", null, Key("k"))).Expect(HttpStatusCode.Created);

        var other = (await app.Client.PostImageAsync(session, Photos.Png(), "a.jpg", null, Key("k"))).Expect(HttpStatusCode.Conflict);

        Assert.Equal("IDEMPOTENCY_CONFLICT", (string)other.Json["code"]!);
        Assert.Equal(1, Files(app));
    }

    [Theory, AllDatabases]
    public async Task Key_counts_within_its_session_and_is_no_longer_than_it_may_be(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var first = await app.Client.CreateSessionAsync();
        var second = await app.Client.CreateSessionAsync();

        var one = (await app.Client.PostImageAsync(first, Photos.Jpeg(), "a.jpg", null, Key(new string('k', 128)))).Expect(HttpStatusCode.Created);
        var two = (await app.Client.PostImageAsync(second, Photos.Jpeg(), "a.jpg", null, Key(new string('k', 128)))).Expect(HttpStatusCode.Created);

        Assert.NotEqual((string)one.Json["id"]!, (string)two.Json["id"]!);
        Assert.Equal(one.Text, (await app.Client.PostImageAsync(first, Photos.Jpeg(), "a.jpg", null, Key(new string('k', 128)))).Text);
        (await app.Client.PostImageAsync(first, Photos.Jpeg(), "a.jpg", null, Key(new string('k', 129)))).Expect(HttpStatusCode.BadRequest);
        (await CreateAsync(app.Client, new string('k', 129))).Expect(HttpStatusCode.BadRequest);
    }

    [Theory, AllDatabases]
    public async Task Repeat_is_answered_also_when_the_session_is_over(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["max_images"] = 1, ["expires_in_hours"] = 1 });
        var first = (await app.Client.PostImageAsync(session, Photos.Jpeg(), "a.jpg", null, Key("k"))).Expect(HttpStatusCode.Created);

        Assert.Equal(first.Text, (await app.Client.PostImageAsync(session, Photos.Jpeg(), "a.jpg", null, Key("k"))).Text);
        (await app.Client.PostImageAsync(session, Photos.Jpeg(), "a.jpg", null, Key("new"))).Expect(HttpStatusCode.UnprocessableEntity);
        (await app.Client.PostImageAsync(session, Photos.Png(), "a.jpg", null, Key("k"))).Expect(HttpStatusCode.Conflict);

        app.Clock.Jump(TimeSpan.FromHours(2));
        Assert.Equal(first.Text, (await app.Client.PostImageAsync(session, Photos.Jpeg(), "a.jpg", null, Key("k"))).Text);
        (await app.Client.PostImageAsync(session, Photos.Jpeg(), "a.jpg", null, Key("new"))).Expect(HttpStatusCode.Gone);
        Assert.Equal(1, Files(app));
    }

    [Theory, AllDatabases]
    public async Task Key_is_forgotten_after_a_day_and_its_row_with_it(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["expires_in_hours"] = 48 });
        var first = await app.Client.PostImageAsync(session, Photos.Jpeg(), "a.jpg", null, Key("k"));
        app.Clock.Jump(TimeSpan.FromHours(24) - TimeSpan.FromSeconds(1));
        Assert.Equal(first.Text, (await app.Client.PostImageAsync(session, Photos.Jpeg(), "a.jpg", null, Key("k"))).Text);

        app.Clock.Jump(TimeSpan.FromSeconds(1));
        var second = (await app.Client.PostImageAsync(session, Photos.Png(), "a.jpg", null, Key("k"))).Expect(HttpStatusCode.Created);
        Assert.NotEqual((string)first.Json["id"]!, (string)second.Json["id"]!);
        Assert.Equal(second.Text, (await app.Client.PostImageAsync(session, Photos.Png(), "a.jpg", null, Key("k"))).Text);

        Assert.Equal(1, await RememberedAsync(app));
        app.Clock.Jump(TimeSpan.FromHours(24));
        await app.Services.GetRequiredService<HistoryRetention>().RunOnceAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, await RememberedAsync(app));
    }

    [Theory, AllDatabases]
    public async Task Session_that_is_over_answers_only_its_own_keys_and_for_a_day(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database, configure: services => services.WithoutLoopOf<HistoryRetention>());
        var full = await app.Client.CreateSessionAsync(new JsonObject { ["max_images"] = 1, ["expires_in_hours"] = 48 });
        var other = await app.Client.CreateSessionAsync();
        (await app.Client.PostImageAsync(other, Photos.Jpeg(), "a.jpg", null, Key("other"))).Expect(HttpStatusCode.Created);
        (await app.Client.PostImageAsync(full, Photos.Jpeg(), "a.jpg", null, Key("own"))).Expect(HttpStatusCode.Created);

        (await app.Client.PostImageAsync(full, Photos.Jpeg(), "a.jpg", null, Key("other"))).Expect(HttpStatusCode.UnprocessableEntity);
        app.Clock.Jump(TimeSpan.FromHours(24) - TimeSpan.FromSeconds(1));
        (await app.Client.PostImageAsync(full, Photos.Jpeg(), "a.jpg", null, Key("own"))).Expect(HttpStatusCode.Created);
        app.Clock.Jump(TimeSpan.FromSeconds(1));
        (await app.Client.PostImageAsync(full, Photos.Jpeg(), "a.jpg", null, Key("own"))).Expect(HttpStatusCode.UnprocessableEntity);
    }

    [Fact]
    public async Task What_a_repeat_is_compared_with_cannot_be_worked_out_from_the_request()
    {
        var kept = new List<string>();
        for (var server = 0; server < 2; server++)
        {
            await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
            (await CreateAsync(app.Client, "k", new JsonObject { ["password"] = "open sesame" })).Expect(HttpStatusCode.Created);
            await using var db = app.Services.GetRequiredService<Database>().Open();
            kept.Add(await db.IdempotentAnswers.Select(answer => answer.Fingerprint).SingleAsync(TestContext.Current.CancellationToken));
        }

        Assert.NotEqual(kept[0], kept[1]);
    }

    [Theory, AllDatabases]
    public async Task Refused_upload_does_not_use_its_key_up(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();

        (await app.Client.PostImageAsync(session, "text"u8.ToArray(), "a.jpg", null, Key("k"))).Expect(HttpStatusCode.UnsupportedMediaType);
        (await app.Client.PostImageAsync(session, Photos.Jpeg(), "a.jpg", null, Key("k"))).Expect(HttpStatusCode.Created);
    }

    [Theory, AllDatabases]
    public async Task Uploads_sent_one_to_three_times_at_once_are_stored_once_each(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var sessions = new List<string>();
        for (var i = 0; i < _uploads / ImagesPerSession; i++)
            sessions.Add(await app.Client.CreateSessionAsync(new JsonObject { ["max_images"] = ImagesPerSession }));
        var sends = Enumerable.Range(0, _uploads).SelectMany(upload => Enumerable.Repeat(upload, 1 + (upload % 3))).ToArray();
        new Random(5).Shuffle(sends);

        var answers = new Answer[sends.Length];
        await Parallel.ForAsync(0, sends.Length, new ParallelOptions { MaxDegreeOfParallelism = 24 }, async (i, _) =>
            answers[i] = await app.Client.PostImageAsync(
                sessions[sends[i] / ImagesPerSession], Photos.Jpeg(2000, seed: sends[i]), "a.jpg", null, Key($"upload {sends[i]}")));

        Assert.All(answers, answer => answer.Expect(HttpStatusCode.Created));
        var ids = answers.Select(answer => (string)answer.Json["id"]!).ToArray();
        Assert.All(ids.Zip(sends).GroupBy(pair => pair.Second), copies => Assert.Single(copies.Select(copy => copy.First).Distinct()));
        Assert.Equal(_uploads, ids.Distinct().Count());
        Assert.Equal(_uploads, (int)(await app.Client.GetAsync("stats")).Json["imagesUploaded"]!);
        Assert.Equal(_uploads, (int)(await app.Client.GetAsync("uploads")).Json["total"]!);
        Assert.Equal(_uploads, Files(app));
    }

    [Fact]
    public async Task Copies_sent_to_two_nodes_at_once_are_stored_once()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.PostgreSql);
        using var folder = new TempFolder();
        await using var node = await StartNodeAsync(app, folder.Path);
        using var http = new Apertur.Destinations.OutboundHttp(allowPrivateNetworks: true);
        AperturClient[] clients = [app.Client, new AperturClient(http, node.Urls.Single(), app.ProjectId, app.LiveKey)];
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["max_images"] = 20 });

        var answers = await Task.WhenAll(Enumerable.Range(0, 80).Select(i =>
            clients[i % 2].PostImageAsync(session, Photos.Jpeg(2000, seed: i / 4), "a.jpg", null, Key($"{i / 4}"))));

        Assert.All(answers, answer => answer.Expect(HttpStatusCode.Created));
        Assert.All(answers.Chunk(4), copies => Assert.Single(copies.Select(copy => copy.Text).Distinct()));
        Assert.Equal(20, (int)(await app.Client.GetAsync("stats")).Json["imagesUploaded"]!);
        Assert.Equal(20, Files(app));
        await node.StopAsync(TestContext.Current.CancellationToken);
    }

    [Theory, AllDatabases]
    public async Task Repeated_creation_gives_the_same_session(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var request = new JsonObject { ["label"] = "a", ["expires_in_hours"] = 2 };

        var answers = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => CreateAsync(app.Client, "k", (JsonObject)request.DeepClone())));
        app.Clock.Jump(TimeSpan.FromHours(3));
        var late = await CreateAsync(app.Client, "k", request);

        Assert.All(answers, answer => Assert.Equal(late.Text, answer.Expect(HttpStatusCode.Created).Text));
        Assert.Equal(1, (int)(await app.Client.GetAsync("stats")).Json["sessionsTotal"]!);
        (await CreateAsync(app.Client, "k", new JsonObject { ["label"] = "b" })).Expect(HttpStatusCode.Conflict);
        var test = (await CreateAsync(app.ClientOf(app.TestKey), "k", new JsonObject { ["label"] = "b" })).Expect(HttpStatusCode.Created);
        Assert.Equal("test", (string)test.Json["env"]!);
    }

    [Theory, AllDatabases]
    public async Task Repeated_creation_is_answered_also_when_it_would_be_refused_now(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        await using var receiver = await Receiver.StartAsync();
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var request = new JsonObject { ["destination_ids"] = new JsonArray(webhook) };
        var first = (await CreateAsync(app.Client, "k", request)).Expect(HttpStatusCode.Created);
        await app.Client.SendAsync(HttpMethod.Delete, $"projects/{app.ProjectId}/destinations/{webhook}");

        Assert.Equal(first.Text, (await CreateAsync(app.Client, "k", request)).Text);
        (await CreateAsync(app.Client, "new", request)).Expect(HttpStatusCode.BadRequest);
    }

    private static async Task<int> RememberedAsync(AperturApp app)
    {
        await using var db = app.Services.GetRequiredService<Database>().Open();
        return await db.IdempotentAnswers.CountAsync(TestContext.Current.CancellationToken);
    }

    /// <summary>Another server on the same database, with a folder of its own.</summary>
    private static async Task<WebApplication> StartNodeAsync(AperturApp app, string folder)
    {
        var settings = Settings.Load(folder, new Dictionary<string, string?>
        {
            ["Database:Provider"] = nameof(DatabaseProvider.PostgreSql),
            ["Database:ConnectionString"] = app.Services.GetRequiredService<Settings>().Database.ConnectionString,
            ["Database:AllowDataLoss"] = "true",
            ["Telemetry:MetricsUrl"] = "",
            ["RateLimits:Enabled"] = "false",
        });
        app.ShareFolders(folder);
        var node = AperturServer.Build(settings, ["http://127.0.0.1:0"], services => services.AddSingleton<TimeProvider>(app.Clock));
        await node.StartAsync(TestContext.Current.CancellationToken);
        return node;
    }
}
