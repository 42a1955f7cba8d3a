using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Server.Fetching;
using Apertur.Tests.Support;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Fetching;

/// <summary>Whoever gives an address gets the server to connect nowhere but where it may, and learns nothing of the rest.</summary>
public sealed class FetchGuardTests : IDisposable
{
    private readonly TcpListener _house = new(IPAddress.Any, 0);

    public FetchGuardTests() => _house.Start();

    private int Port => ((IPEndPoint)_house.LocalEndpoint).Port;

    public void Dispose() => _house.Dispose();

    [Fact]
    public async Task What_is_no_plain_https_address_is_refused_before_anything_is_asked()
    {
        await using var app = await StartAsync();
        var session = await app.Client.CreateSessionAsync();
        foreach (var address in new[]
        {
            "file:///etc/passwd", "gopher://127.0.0.1:25/_MAIL", "ftp://example.com/a.jpg", "data:image/png;base64,AAAA", "unix:/run/a", "javascript:1",
            $"http://127.0.0.1:{Port}/a.jpg", "http://example.com/a.jpg", "https://ann:secret@example.com/a.jpg", "https://ann@example.com/a.jpg",
            "//example.com/a.jpg", "/a.jpg", "a.jpg", "https://", "https:///a.jpg", "https://example.com/" + new string('a', 4096), " ",
            // More than 63 letters in the form that is looked up.
            $"https://{string.Concat(Enumerable.Range(0, 29).Select(i => (char)(0x4E00 + (i * 577))))}.com/a.jpg",
        })
        {
            var refused = (await FetchTests.FetchAsync(app, session, new JsonObject { ["url"] = address })).Expect(HttpStatusCode.BadRequest);
            Assert.Equal("url", (string)refused.Json["errors"]!.AsArray().Single()!["field"]!);
            Assert.DoesNotContain("secret", refused.Text, StringComparison.Ordinal);
        }

        Assert.False(_house.Pending());
    }

    [Fact]
    public async Task Inside_of_the_network_looks_like_nothing_at_all()
    {
        await using var app = await StartAsync();
        var session = await app.Client.CreateSessionAsync();
        var answers = new HashSet<string>();
        foreach (var host in new[]
        {
            "127.0.0.1", "localhost", "LOCALHOST.", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "0.0.0.0",
            "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "[fd00::1]", "[fe80::1]", "nowhere.invalid",
        })
        {
            // Where somebody listens, and where nobody does.
            foreach (var port in new[] { Port, 1 })
                answers.Add((await FetchTests.FetchAsync(app, session, new JsonObject { ["url"] = $"https://{host}:{port}/a.jpg" })).Text);
        }

        Assert.Equal("SOURCE_UNREACHABLE", (string)JsonNode.Parse(Assert.Single(answers))!["code"]!);
        Assert.False(_house.Pending());
    }

    [Fact]
    public async Task Redirect_leads_no_further_than_the_address_itself_could()
    {
        // There is no public address here: all but one of this machine's stand for those.
        using var guarded = new OutboundHttp(allowPrivateNetworks: true) { MayReach = address => !address.Equals(IPAddress.Parse("127.0.0.2")) };
        await using var source = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite, configure: services => services.AddKeyedSingleton(nameof(PhotoFetch), guarded));
        var session = await app.Client.CreateSessionAsync();
        var answers = new HashSet<string>();
        foreach (var location in new[]
        {
            $"http://127.0.0.2:{Port}/a.jpg", "http://127.0.0.2:1/a.jpg", "http://127.0.0.1:1/a.jpg", $"https://127.0.0.2:{Port}/a.jpg", "http://nowhere.invalid/",
            "file:///etc/passwd", "gopher://127.0.0.1:25/_MAIL", $"http://ann:secret@127.0.0.1:{Port}/a.jpg",
        })
        {
            var asked = 0;
            source.Otherwise = context =>
            {
                asked++;
                context.Response.StatusCode = 302;
                context.Response.Headers.Location = location;
                return context.Response.WriteAsync("secret");
            };
            answers.Add((await FetchTests.FetchAsync(app, session, new JsonObject { ["url"] = source.Url })).Text);
            Assert.Equal(1, asked);
        }

        Assert.Equal("SOURCE_UNREACHABLE", (string)JsonNode.Parse(Assert.Single(answers))!["code"]!);
        Assert.False(_house.Pending());
    }

    [Fact]
    public async Task Nothing_of_whoever_asks_goes_along_and_nothing_of_the_address_is_written_down()
    {
        await using var source = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["password"] = "open sesame" });

        var address = new Uri(new Uri(source.Url), "/grant-of-ann/a.jpg?token=grant-of-ann").AbsoluteUri;
        var answer = await FetchTests.FetchAsync(
            app, session, new JsonObject { ["url"] = address }, ("x-session-password", "open sesame"), ("Cookie", "a=b"), ("Idempotency-Key", "one"),
            ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), ("tracestate", "a=b"), ("baggage", "user=42"));
        answer.Expect(HttpStatusCode.UnprocessableEntity);

        var asked = await source.NextAsync(TestContext.Current.CancellationToken);
        Assert.Equal(
            ["Accept", "Accept-Encoding", "Host", "User-Agent"], asked.Headers.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(("GET", "identity"), (asked.Method, asked["Accept-Encoding"]));
        Assert.DoesNotContain(app.Log.Lines, line => line.Contains("grant-of-ann", StringComparison.Ordinal));
        foreach (var file in Directory.GetFiles(app.DataFolder, "*", SearchOption.AllDirectories))
            Assert.DoesNotContain("grant-of-ann", await ReadAsync(file), StringComparison.Ordinal);
    }

    private static async Task<string> ReadAsync(string path)
    {
        await using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(file, System.Text.Encoding.Latin1);
        return await reader.ReadToEndAsync(TestContext.Current.CancellationToken);
    }

    private static Task<AperturApp> StartAsync() =>
        AperturApp.StartAsync(DatabaseKind.Sqlite, new Dictionary<string, string?> { ["Sources:AllowPrivateNetworks"] = "false" });
}
