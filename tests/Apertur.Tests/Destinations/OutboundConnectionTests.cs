using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Apertur.Destinations;
using Apertur.Tests.Support;

namespace Apertur.Tests.Destinations;

/// <summary>Accidents of connections that are kept open, and answers that come before the request is through.</summary>
public sealed class OutboundConnectionTests
{
    private const string Ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    // What a receiver does after it has answered and before it has read everything.
    private static readonly string[] _manners = ["close", "linger", "shut", "keep"];

    public static MatrixTheoryData<string, bool, string> EarlyAnswers { get; } = new(_manners, [true, false], ["200 OK", "413 Too Large"]);

    public static MatrixTheoryData<string, string> EarlyDeliveries { get; } = new(_manners, ["json_base64", "multipart", "binary", "link"]);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, MemberData(nameof(EarlyAnswers))]
    public async Task An_answer_before_the_end_of_a_large_body_counts(string manner, bool library, string status)
    {
        await using var receiver = RawReceiver.AnsweringEarly(manner, status);
        using var http = new OutboundHttp(allowPrivateNetworks: true);

        using var response = await SendAsync(http, receiver.Url, new byte[9_000_000], library);

        Assert.StartsWith(((int)response.StatusCode).ToString(System.Globalization.CultureInfo.InvariantCulture), status, StringComparison.Ordinal);
        Assert.Equal("ok", await response.Content.ReadAsStringAsync(Cancellation));
    }

    [Theory, MemberData(nameof(EarlyDeliveries))]
    public async Task An_early_2xx_is_a_delivery_in_every_format(string manner, string format)
    {
        await using var receiver = RawReceiver.AnsweringEarly(manner);
        using var http = new OutboundHttp(allowPrivateNetworks: true);
        var webhook = new WebhookDestination(http, TimeProvider.System);
        var config = Sample.Config(webhook, new JsonObject { ["url"] = receiver.Url, ["format"] = format, ["secret"] = "s" });

        Assert.IsType<DeliveryOutcome.Accepted>(await webhook.DeliverAsync(Sample.Delivery(config, 9_000_000), Cancellation));
        // A connection whose request was not sent whole carries no other. That of a link was.
        if (format != "link")
            Assert.IsType<DeliveryOutcome.Accepted>(await webhook.DeliverAsync(Sample.Delivery(config, 9_000_000), Cancellation));
    }

    [Fact]
    public async Task A_receiver_that_answers_early_and_goes_on_reading_gets_everything()
    {
        var length = new TaskCompletionSource<long>();
        await using var receiver = RawReceiver.Start(async (connection, _) =>
        {
            await connection.ReadHeadersAsync();
            await connection.SendAsync(Ok);
            var buffer = new byte[64 * 1024];
            var read = 0L;
            while (read < 9_000_000 && await connection.Socket.ReceiveAsync(buffer) is > 0 and var count)
                read += count;
            length.SetResult(read);
        });
        using var http = new OutboundHttp(allowPrivateNetworks: true);

        using var response = await SendAsync(http, receiver.Url, new byte[9_000_000], library: false);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(9_000_000, await length.Task.WaitAsync(TimeSpan.FromSeconds(20), Cancellation));
    }

    [Fact]
    public async Task An_early_answer_counts_on_a_kept_connection_too()
    {
        await using var receiver = RawReceiver.Start(async (connection, _) =>
        {
            await connection.ReadHeadersAsync();
            await ReadBodyAsync(connection);
            await connection.SendAsync(Ok);
            await connection.ReadHeadersAsync();
            await connection.SendAsync(Ok);
            await connection.WaitAsync();
        });
        using var http = new OutboundHttp(allowPrivateNetworks: true);

        foreach (var length in new[] { 100, 9_000_000 })
        {
            using var response = await SendAsync(http, receiver.Url, new byte[length], library: false);
            Assert.Equal("ok", await response.Content.ReadAsStringAsync(Cancellation));
        }

        Assert.Equal(1, receiver.Connections);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_kept_connection_that_the_receiver_has_closed_is_no_failure(bool library)
    {
        // Each connection answers once, and closes when the next request comes.
        await using var receiver = RawReceiver.Start(async (connection, _) =>
        {
            if (!await connection.ReadHeadersAsync() || !await ReadBodyAsync(connection))
                return;
            await connection.SendAsync(Ok);
            await connection.ReadHeadersAsync();
        });
        using var http = new OutboundHttp(allowPrivateNetworks: true);

        for (var i = 0; i < 4; i++)
        {
            using var response = await SendAsync(http, receiver.Url, new byte[100], library);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            await response.Content.ReadAsByteArrayAsync(Cancellation);
        }

        // What is sent again has a connection of its own, each time.
        Assert.Equal(4, receiver.Connections);
    }

    [Fact]
    public async Task A_closed_connection_costs_an_S3_delivery_no_attempt()
    {
        // The first connection says that the name is free, and closes when the image comes.
        await using var service = RawReceiver.Start(async (connection, number) =>
        {
            while (await connection.ReadHeadersAsync())
            {
                var isLook = connection.Headers.StartsWith("HEAD", StringComparison.Ordinal);
                var body = isLook ? [] : await connection.ReadBodyAsync();
                await connection.SendAsync(isLook
                    ? "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
                    : $"HTTP/1.1 200 OK\r\nETag: \"{Convert.ToHexStringLower(Md5(body))}\"\r\nContent-Length: 0\r\n\r\n");
                if (number > 1)
                    continue;
                await connection.ReadHeadersAsync();
                break;
            }
        });
        using var http = new OutboundHttp(allowPrivateNetworks: true);
        var s3 = new S3Destination(http, TimeProvider.System);
        var config = Sample.Config(s3, new JsonObject
        {
            ["endpoint"] = new Uri(service.Url).GetLeftPart(UriPartial.Authority),
            ["bucket"] = "photos",
            ["region"] = "us-east-1",
            ["accessKeyId"] = "id",
            ["secretAccessKey"] = "secret",
        });

        Assert.IsType<DeliveryOutcome.Accepted>(await s3.DeliverAsync(Sample.Delivery(config), Cancellation));
        Assert.Equal(2, service.Connections);
    }

    [Theory]
    [InlineData("")]
    [InlineData("HTTP/1.1 2")]
    public async Task A_request_that_a_receiver_has_begun_to_answer_is_not_sent_again(string answer)
    {
        var requests = 0;
        await using var receiver = RawReceiver.Start(async (connection, _) =>
        {
            await connection.ReadHeadersAsync();
            await ReadBodyAsync(connection);
            Interlocked.Increment(ref requests);
            if (answer.Length == 0)
                return;
            await connection.SendAsync(Ok);
            await connection.ReadHeadersAsync();
            Interlocked.Increment(ref requests);
            await connection.SendAsync(answer);
        });
        using var http = new OutboundHttp(allowPrivateNetworks: true);
        if (answer.Length > 0)
        {
            using var first = await SendAsync(http, receiver.Url, new byte[100], library: false);
            await first.Content.ReadAsByteArrayAsync(Cancellation);
        }

        // On a new connection, or after the beginning of an answer, the receiver has seen it.
        await Assert.ThrowsAsync<HttpRequestException>(() => SendAsync(http, receiver.Url, new byte[100], library: false));

        Assert.Equal(1, receiver.Connections);
        Assert.Equal(answer.Length == 0 ? 1 : 2, requests);
    }

    /// <summary>They read it into memory, but for what the operator's own addresses were asked for.</summary>
    [Theory]
    [InlineData("GET", 200, "image/jpeg", true, true)]
    [InlineData("GET", 200, "image/jpeg", false, false)]
    [InlineData("GET", 200, "application/xml", true, false)]
    [InlineData("GET", 200, "text/xml", true, false)]
    [InlineData("GET", 404, "image/jpeg", true, false)]
    [InlineData("POST", 200, "image/jpeg", true, false)]
    [InlineData("HEAD", 200, "image/jpeg", false, true)] // whose body does not come
    public async Task Long_answer_reaches_a_library_only_as_what_it_fetches(string method, int status, string type, bool fetches, bool isGiven)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Handles(context =>
        {
            (context.Response.StatusCode, context.Response.ContentType) = (status, type);
            context.Response.ContentLength = method == "HEAD" ? OutboundHttp.MaxAnswerBytes + 1 : null;
            return context.Response.Body.WriteAsync(new byte[OutboundHttp.MaxAnswerBytes + 1], context.RequestAborted).AsTask();
        });
        using var http = new OutboundHttp(allowPrivateNetworks: true);
        using var client = http.CreateClient(fetches);
        using var request = new HttpRequestMessage(new HttpMethod(method), receiver.Url);

        var failure = await Record.ExceptionAsync(async () => (await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation)).Dispose());

        Assert.Equal(isGiven, failure is null);
    }

    [Theory]
    [InlineData(1024, false)]
    [InlineData(1025, true)]
    public async Task Library_asks_whether_to_go_on_only_before_a_body_that_is_not_small(int length, bool asks)
    {
        await using var receiver = await Receiver.StartAsync();
        using var http = new OutboundHttp(allowPrivateNetworks: true);
        using var client = http.CreateClient();
        using var request = new HttpRequestMessage(HttpMethod.Put, receiver.Url) { Content = new ByteArrayContent(new byte[length]) };
        request.Headers.ExpectContinue = true;

        (await client.SendAsync(request, Cancellation)).Dispose();

        Assert.Equal(asks ? "100-continue" : null, Assert.Single(receiver.Requests)["Expect"]);
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\n", true)]
    [InlineData("HTTP/1.0 413 ", true)]
    [InlineData("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 ", true)]
    [InlineData("HTTP/1.1 100 Continue\r\n\r\n", false)]
    [InlineData("HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n", false)]
    [InlineData("HTTP/1.1 ", false)]
    [InlineData("NEWS/1.1 200 OK\r\n", false)]
    [InlineData("", false)]
    public void Answer_is_told_from_what_comes_before_it(string received, bool isFinal) =>
        Assert.Equal(isFinal, OutboundConnection.BeginsFinalAnswer(Encoding.ASCII.GetBytes(received)));

    /// <summary>The handler reads while a kept connection is idle, and TLS does not let two read.</summary>
    [Fact]
    public async Task Nothing_is_read_ahead_where_the_handler_reads_already()
    {
        await using var line = new Line();
        await using var connection = new OutboundConnection(line);
        var buffer = new byte[10];
        var reading = connection.ReadAsync(buffer, Cancellation).AsTask();
        var writing = connection.WriteAsync(new byte[1], Cancellation).AsTask();
        // Whoever would read beside it has had a turn.
        for (var turn = 0; turn < 100; turn++)
            await Task.Run(() => { }, Cancellation);

        line.Comes.TryWrite(1);
        Assert.Equal(1, await reading);
        line.Goes.SetResult();
        await writing;
        line.Comes.TryWrite(2);
        Assert.Equal((1, 2), (await connection.ReadAsync(buffer, Cancellation), (int)buffer[0]));
    }

    [Fact]
    public async Task Write_that_its_caller_gives_up_does_not_count_as_sent()
    {
        await using var line = new Line();
        await using var connection = new OutboundConnection(line);
        using var leaves = new CancellationTokenSource();
        var writing = connection.WriteAsync(new byte[1], leaves.Token).AsTask();

        await leaves.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => writing);
    }

    /// <summary>What shows only beside a proxy, where packets are lost, or after a while.</summary>
    [Fact]
    public void Connections_take_no_proxy_and_are_given_up_in_time()
    {
        using var http = new OutboundHttp(allowPrivateNetworks: true);
        using var handler = http.Handler(TimeSpan.FromMinutes(5));
        using var client = http.CreateClient();

        Assert.False(handler.UseProxy);
        Assert.Equal(TimeSpan.FromSeconds(10), handler.ConnectTimeout);
        Assert.Equal(TimeSpan.FromSeconds(20), handler.PooledConnectionIdleTimeout);
        Assert.Equal(TimeSpan.FromMinutes(5), handler.PooledConnectionLifetime);
        Assert.Equal(16 * 1024, handler.MaxResponseDrainSize);
        // How long an answer may take is for whoever asks to say.
        Assert.Equal(Timeout.InfiniteTimeSpan, client.Timeout);
    }

    [Fact]
    public async Task What_a_receiver_gives_to_be_brought_back_is_not_kept()
    {
        await using var receiver = await Receiver.StartAsync();
        using var http = new OutboundHttp(allowPrivateNetworks: true);

        for (var i = 0; i < 2; i++)
        {
            receiver.AnswersWith(context => context.Response.Cookies.Append("visitor", "1"));
            (await SendAsync(http, receiver.Url, [1], library: false)).Dispose();
        }

        Assert.Equal([null, null], receiver.Requests.Select(request => request["Cookie"]));
    }

    private static async Task<HttpResponseMessage> SendAsync(OutboundHttp http, string url, byte[] body, bool library)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new ByteArrayContent(body) };
        if (!library)
            return await http.SendAsync(request, Cancellation);
        using var client = http.CreateClient();
        return await client.SendAsync(request, Cancellation);
    }

    [SuppressMessage("Security", "CA5351", Justification = "The service's tags are MD5.")]
    private static byte[] Md5(byte[] bytes) => System.Security.Cryptography.MD5.HashData(bytes);

    private static async Task<bool> ReadBodyAsync(RawReceiver.Connection connection)
    {
        var left = 100;
        var buffer = new byte[100];
        while (left > 0 && await connection.Socket.ReceiveAsync(buffer.AsMemory(0, left)) is > 0 and var count)
            left -= count;
        return left == 0;
    }

    /// <summary>A line on which nothing comes or goes before somebody says so.</summary>
    private sealed class Line : MemoryStream
    {
        private readonly Channel<byte> _comes = Channel.CreateUnbounded<byte>();
        private int _readers;

        public ChannelWriter<byte> Comes => _comes.Writer;

        public TaskCompletionSource Goes { get; } = new();

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (Interlocked.Increment(ref _readers) > 1)
                throw new NotSupportedException();
            var value = await _comes.Reader.ReadAsync(cancellationToken);
            buffer.Span[0] = value;
            Interlocked.Decrement(ref _readers);
            return 1;
        }

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            await Goes.Task.WaitAsync(cancellationToken);
    }
}
