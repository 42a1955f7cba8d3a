using System.Net;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using Apertur.Server.Realtime;
using Apertur.Server.Sessions;
using Apertur.Tests.Support;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Realtime;

/// <summary>Events over Socket.IO, as npm's socket.io-client gets them.</summary>
public sealed class SocketIoTests
{
    public static TheoryData<DatabaseKind, string> Transports => new()
    {
        { DatabaseKind.Sqlite, "polling" },
        { DatabaseKind.Sqlite, "websocket" },
        { DatabaseKind.PostgreSql, "polling,websocket" },
    };

    [Theory, MemberData(nameof(Transports))]
    public async Task Socket_tells_the_same_as_the_event_stream(DatabaseKind database, string transports)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers(200, 410);
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var session = await app.Client.CreateSessionAsync(webhook);
        await using var stream = await EventReader.OpenAsync(app, session);
        await stream.NextAsync();
        var client = FollowAsync(app.Url, transports, session, expect: 7);
        await Eventually.True(() => app.Services.GetRequiredService<SessionNotifier>().Watchers == 2);

        var streamed = new List<ServerEvent>();
        await app.Client.UploadAsync(session, Photos.Jpeg(), "a.jpg");
        for (var i = 0; i < 3; i++)
            streamed.Add(await stream.NextAsync());
        await app.Client.UploadAsync(session, Photos.Png(), "b.png");
        for (var i = 0; i < 3; i++)
            streamed.Add(await stream.NextAsync());
        await app.ClientOf(null).PostAsync($"upload/{session}/complete");
        streamed.Add(await stream.NextAsync());

        var seen = await client;
        Assert.Equal("""[{"ok":true}]""", seen["acks"]!.ToJsonString());
        Assert.Equal(
            streamed.Select(e => $"{e.Name} {e.Data.ToJsonString()}"),
            seen["events"]!.AsArray().Select(e => $"{e!["name"]} {e["data"]!.ToJsonString()}"));
        Assert.Equal(transports.Split(',')[^1], (string)seen["transport"]!);
    }

    [Theory, AllDatabases]
    public async Task Client_goes_on_by_itself_after_a_restart(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        await using var forward = new PortForward(app.Url);
        await using var heard = await Receiver.StartAsync();
        var client = FollowAsync(forward.Url, "polling,websocket", session, expect: 2, tell: heard.Url);
        await Eventually.True(() => app.Services.GetRequiredService<SessionNotifier>().Watchers == 1);
        await app.Client.UploadAsync(session, Photos.Jpeg(), "before.jpg");
        // Who joins again is not told what the connection before took along.
        await heard.NextAsync(Cancellation);

        await app.RestartAsync();
        forward.Target = app.Url;
        await Eventually.True(() => app.Services.GetRequiredService<SessionNotifier>().Watchers == 1);
        await app.Client.UploadAsync(session, Photos.Jpeg(), "after.jpg");

        var seen = await client;
        Assert.Equal("""[{"ok":true},{"ok":true}]""", seen["acks"]!.ToJsonString());
        Assert.Equal(["before.jpg", "after.jpg"], seen["events"]!.AsArray().Select(e => (string)e!["data"]!["filename"]!));
    }

    [Fact]
    public async Task Events_of_one_node_reach_sockets_of_another()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.PostgreSql);
        using var folder = new TempFolder();
        await using var other = await SecondNode.StartAsync(app, folder);
        var session = await app.Client.CreateSessionAsync();
        var client = FollowAsync(other.Urls.Single(), "polling,websocket", session, expect: 1);
        await Eventually.True(() => other.Services.GetRequiredService<SessionNotifier>().Watchers == 1);

        await app.Client.UploadAsync(session, Photos.Jpeg(), "a.jpg");
        await SecondNode.PassUntilAsync(app, client);

        Assert.Equal("a.jpg", (string)(await client)["events"]![0]!["data"]!["filename"]!);
    }

    [Theory, AllDatabases]
    public async Task Session_is_joined_only_by_who_knows_it_and_its_password(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var secret = (string)(await app.Client.PostAsync("upload-sessions", new { password = "open sesame" })).Json["id"]!;

        var unknown = await FollowAsync(app.Url, "websocket", Guid.NewGuid().ToString(), expect: 0);
        var none = await FollowAsync(app.Url, "websocket", secret, expect: 0);
        var wrong = await FollowAsync(app.Url, "websocket", secret, expect: 0, new JsonObject { ["password"] = "open barley" });
        var right = await FollowAsync(app.Url, "websocket", secret, expect: 0, new JsonObject { ["password"] = "open sesame" });

        Assert.All([unknown, none, wrong], answer => Assert.False((bool)answer["acks"]![0]!["ok"]!));
        Assert.All([unknown, none, wrong], answer => Assert.NotEmpty((string)answer["acks"]![0]!["error"]!));
        Assert.Equal("""{"ok":true}""", right["acks"]![0]!.ToJsonString());
    }

    [Fact]
    public async Task Clients_that_leave_leave_nothing_behind()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();

        foreach (var transports in new[] { "polling", "websocket", "polling,websocket" })
            await FollowAsync(app.Url, transports, session, expect: 0);
        // A polling client that is killed says nothing; its pings go unanswered.
        await Eventually.True(() =>
        {
            app.Clock.Advance(TimeSpan.FromSeconds(5));
            return app.Services.GetRequiredService<SocketServer>().Engine.Count == 0;
        });
        await Eventually.True(() => app.Services.GetRequiredService<SessionNotifier>().Watchers == 0);
    }

    [Theory]
    [InlineData("?EIO=3&transport=polling")]
    [InlineData("?transport=polling")]
    [InlineData("?EIO=4&transport=flash")]
    [InlineData("?EIO=4&transport=websocket")]
    [InlineData("?EIO=4&transport=polling&sid=nobody")]
    public async Task What_is_no_request_of_the_protocol_is_refused_in_the_shape_of_the_wire(string query)
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);

        var answer = await app.ClientOf(null).GetAsync("/socket.io/" + query);

        Assert.Equal(400, (int)answer.Expect(HttpStatusCode.BadRequest).Json["statusCode"]!);
    }

    [Theory]
    [InlineData("x")]
    [InlineData("")]
    [InlineData("4")]
    [InlineData("49")]
    [InlineData("42{}")]
    [InlineData("40[]")]
    [InlineData("42/upload,[1]")]
    [InlineData("42/upload,")]
    [InlineData("45-[\"x\"]")]
    [InlineData("4599999999999-[\"x\"]")]
    [InlineData("b!!!")]
    [InlineData("bAAAA")]
    [InlineData("2")]
    public async Task Malformed_packet_ends_its_connection_and_no_other(string packet)
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var (bad, good) = (await OpenAsync(app), await OpenAsync(app));

        var refused = await SendTextAsync(app, "/socket.io/?EIO=4&transport=polling&sid=" + bad, packet);
        var taken = await SendTextAsync(app, "/socket.io/?EIO=4&transport=polling&sid=" + good, "40/upload,");

        Assert.Equal(HttpStatusCode.BadRequest, refused.Status);
        Assert.Equal(HttpStatusCode.OK, taken.Status);
        (await app.ClientOf(null).GetAsync("/socket.io/?EIO=4&transport=polling&sid=" + bad)).Expect(HttpStatusCode.BadRequest);
        Assert.StartsWith("40/upload,{", (await app.ClientOf(null).GetAsync("/socket.io/?EIO=4&transport=polling&sid=" + good)).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Clients_are_counted_with_everything_else_of_their_address()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite, Limited(perAddress: 3));

        for (var opened = 0; opened < 3; opened++)
            await OpenAsync(app);

        (await app.ClientOf(null).GetAsync("/socket.io/?EIO=4&transport=polling")).Expect(HttpStatusCode.TooManyRequests);
        (await app.ClientOf(null).GetAsync("oauth/nobody/callback")).Expect(HttpStatusCode.TooManyRequests);
        (await app.Client.GetAsync("stats")).Expect(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Attempts_to_join_are_counted_too()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite, Limited(perAddress: 10));
        using var socket = new ClientWebSocket();
        await socket.ConnectAsync(new Uri($"{app.Url.Replace("http", "ws", StringComparison.Ordinal)}/socket.io/?EIO=4&transport=websocket"), Cancellation);
        await SendAsync("40/upload,");

        for (var id = 0; id < 20; id++)
            await SendAsync($"42/upload,{id}[\"session:join\",\"{Guid.NewGuid()}\"]");

        var answers = new List<string>();
        while (answers.Count < 20)
        {
            if (await ReceiveAsync() is { } text && text.StartsWith("43/upload,", StringComparison.Ordinal))
                answers.Add(text);
        }

        // The request for the WebSocket was the first of ten.
        Assert.Equal(9, answers.Count(answer => answer.Contains("There is no such", StringComparison.Ordinal)));
        Assert.Equal(11, answers.Count(answer => answer.Contains("requests of this kind", StringComparison.Ordinal)));

        Task SendAsync(string text) => socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, true, Cancellation);

        async Task<string> ReceiveAsync()
        {
            var buffer = new byte[1000];
            return Encoding.UTF8.GetString(buffer, 0, (await socket.ReceiveAsync(buffer, Cancellation)).Count);
        }
    }

    [Fact]
    public async Task One_address_cannot_take_all_connections()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var engine = app.Services.GetRequiredService<SocketServer>().Engine;

        await Parallel.ForEachAsync(Enumerable.Range(0, 5_000), TestContext.Current.CancellationToken, async (_, _) => await OpenAsync(app));

        (await app.ClientOf(null).GetAsync("/socket.io/?EIO=4&transport=polling")).Expect(HttpStatusCode.ServiceUnavailable);
        // Nobody polls: the pings go unanswered.
        await Eventually.True(() =>
        {
            app.Clock.Advance(TimeSpan.FromSeconds(5));
            return engine.Count == 0;
        });
        await OpenAsync(app);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static Dictionary<string, string?> Limited(int perAddress) =>
        new() { ["RateLimits:Enabled"] = "true", ["RateLimits:PerAddress"] = $"{perAddress}" };

    private static async Task<Answer> SendTextAsync(AperturApp app, string path, string text)
    {
        using var content = new StringContent(text);
        return await app.ClientOf(null).SendAsync(HttpMethod.Post, path, content);
    }

    private static async Task<string> OpenAsync(AperturApp app)
    {
        var opened = await app.ClientOf(null).GetAsync("/socket.io/?EIO=4&transport=polling");
        return (string)JsonNode.Parse(opened.Text[1..])!["sid"]!;
    }

    private static Task<JsonNode> FollowAsync(
        string url, string transports, string session, int expect, JsonObject? options = null, string? tell = null) =>
        NodeScript.RunAsync("socketio.mjs", new JsonObject
        {
            ["url"] = url,
            ["transports"] = new JsonArray([.. transports.Split(',').Select(each => (JsonNode)each)]),
            ["session"] = session,
            ["options"] = options,
            ["expect"] = expect,
            ["tell"] = tell,
        });
}
