using System.Net;
using System.Net.Sockets;
using System.Text;
using Apertur.Tests.Support;

namespace Apertur.Tests.Scenarios;

/// <summary>Whoever holds a link, or a destination, cannot hurt the server or anybody else with it.</summary>
public sealed class HostileTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Upload_that_is_refused_just_before_its_time_is_up_does_not_end_the_server()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        int Files() => Directory.GetFiles(app.DataFolder + "/images", "*-*", SearchOption.AllDirectories).Length;
        using var phone = await ConnectAsync(app);
        await SendAsync(phone, Head(session, "Content-Length: 1000000"));
        await SendAsync(phone, "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jpg\"\r\n\r\n");
        await phone.SendAsync(Photos.Jpeg(10_000, seed: 1), Cancellation);
        await Eventually.True(() => Files() == 1);

        await SendAsync(phone, "\r\n--B\r\nContent-Disposition: form-data; name=\"source\"\r\n\r\nnonsense\r\n--B\r\n");
        await Eventually.True(() => Files() == 0);
        app.Clock.Jump(TimeSpan.FromMinutes(15));

        // The rest of the body, which never comes, is waited for too.
        await Eventually.True(() =>
        {
            app.Clock.Jump(TimeSpan.FromSeconds(10));
            return phone.Available > 0;
        });
        Assert.StartsWith("HTTP/1.1 400 ", await ReadAsync(phone));
        await app.Client.UploadAsync(session, Photos.Png());
    }

    [Fact]
    public async Task Phone_that_goes_away_in_the_middle_of_a_photo_is_nothing_to_warn_of()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        int Files() => Directory.GetFiles(app.DataFolder + "/images", "*-*", SearchOption.AllDirectories).Length;
        using (var phone = await ConnectAsync(app))
        {
            await SendAsync(phone, Head(session, "Content-Length: 1000000"));
            await SendAsync(phone, "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jpg\"\r\n\r\n");
            await phone.SendAsync(Photos.Jpeg(10_000, seed: 1), Cancellation);
            await Eventually.True(() => Files() == 1);
        }

        await Eventually.True(() => Files() == 0);
        // A server that has stopped has ended its connections.
        await app.RestartAsync();

        Assert.DoesNotContain(
            app.Log.Lines, line => line.StartsWith("Warning Microsoft.AspNetCore.Server.Kestrel", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("Content-Length: 5\r\nTransfer-Encoding: chunked", "not both")]
    [InlineData("Transfer-Encoding: chunked\r\nContent-Length: 5", "not both")]
    [InlineData("Transfer-Encoding: gzip, chunked", "only Transfer-Encoding")]
    public async Task Request_whose_length_can_be_read_in_two_ways_is_refused(string headers, string words)
    {
        var settings = new Dictionary<string, string?> { ["RateLimits:Enabled"] = "true" };
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite, settings);
        var session = await app.Client.CreateSessionAsync();
        using var phone = await ConnectAsync(app);

        await SendAsync(phone, Head(session, headers) + "0\r\n\r\n");

        var answer = await ReadAsync(phone);
        Assert.StartsWith("HTTP/1.1 400 ", answer);
        Assert.Contains(words, answer);
        Assert.Contains("X-RateLimit-Remaining: ", answer);
    }

    [Fact]
    public async Task Chunk_of_an_absurd_size_is_the_senders_mistake()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        using var phone = await ConnectAsync(app);

        await SendAsync(phone, Head(session, "Transfer-Encoding: chunked") + "ffffffffffffffffff\r\n");

        Assert.StartsWith("HTTP/1.1 400 ", await ReadAsync(phone));
        Assert.DoesNotContain(app.Log.Lines, line => line.Contains("INTERNAL_ERROR", StringComparison.Ordinal));
    }

    [Theory, AllDatabases]
    public async Task Destinations_that_never_answer_leave_lanes_to_the_others(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        // Takes every connection and never says a word.
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        var hung = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => app.Client.CreateDestinationAsync(
            "webhook", new() { ["url"] = $"http://{silent.LocalEndpoint}/", ["format"] = "binary" })));
        var session = await app.Client.CreateSessionAsync(hung);
        for (var photo = 0; photo < 8; photo++)
            await app.Client.UploadAsync(session, Photos.Png());
        await Eventually.Becomes(app.AttemptsAsync, attempts => attempts >= hung.Length, "each holds a lane");

        var good = await app.Client.CreateDestinationAsync("webhook", new() { ["url"] = receiver.Url });
        var upload = await app.Client.UploadAsync(await app.Client.CreateSessionAsync(good), Photos.Png());

        await app.Client.UploadBecomesAsync((string)upload["id"]!, "delivered");
    }

    private static string Head(string session, string headers) =>
        $"POST /api/v1/upload/{session}/images HTTP/1.1\r\nHost: test\r\nContent-Type: multipart/form-data; boundary=B\r\n{headers}\r\n\r\n";

    private static async Task<Socket> ConnectAsync(AperturApp app)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, new Uri(app.Url).Port, Cancellation);
        return socket;
    }

    private static async Task SendAsync(Socket socket, string text) => await socket.SendAsync(Encoding.ASCII.GetBytes(text), Cancellation);

    /// <summary>What the server says until it has said a whole error.</summary>
    private static async Task<string> ReadAsync(Socket socket)
    {
        var answer = "";
        var buffer = new byte[4096];
        while (!answer.Contains('}') && await Eventually.Arrives(socket.ReceiveAsync(buffer, Cancellation).AsTask()) is var read and > 0)
            answer += Encoding.UTF8.GetString(buffer, 0, read);
        return answer;
    }
}
