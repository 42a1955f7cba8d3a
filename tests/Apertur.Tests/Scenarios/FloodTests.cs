using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Apertur.Tests.Support;

namespace Apertur.Tests.Scenarios;

/// <summary>
/// Floods of anonymous requests of every kind, from one address and from many, against a server in a process of its own, while callers with a
/// key, the holder of an open session and a slow upload go on. <c>chaos/flood/run</c> is the large version.
/// </summary>
public sealed class FloodTests
{
    private const int Connections = 32;
    private const int Batch = 20;
    private const long MaxGrowth = 64 * 1024 * 1024;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static string Id => Guid.NewGuid().ToString();

    private static readonly (string Name, Func<string> Request)[] _kinds =
    [
        ("random session ids", () => Get($"/api/v1/upload/{Id}/session")),
        ("malformed session ids", () => Get($"/api/v1/upload/{Id[..20]}/session")),
        ("ids of 7,900 characters", () => Get($"/api/v1/upload/{Id}{_long}/session")),
        ("uploads to random ids", () => Post($"/api/v1/upload/{Id}/images", "x")),
        ("upload pages", () => Get($"/u/{Id}")),
        ("bad keys", () => Get("/api/v1/stats", $"Authorization: Bearer aptr_live_{Id}\r\n")),
        ("bad tokens", () => Get("/api/v1/stats", $"Authorization: Bearer {_tokenHead}.{Id}.{Id}\r\n")),
        ("unknown routes", () => Get($"/api/v1/{Id}")),
        ("one-time links", () => Get($"/link/{Id}")),
        ("download links", () => Get($"/api/v1/downloads/{Id}?expires=1900000000&signature={Id}")),
        ("QR codes", () => Get($"/api/v1/upload-sessions/{Id}/qr")),
        ("renewals", () => Post("/api/v1/auth/refresh", $$"""{"refreshToken":"{{Id}}"}""")),
        ("sign-ins", () => Post("/api/v1/auth/login", $$"""{"email":"{{Id}}@example.com","password":"correct horse"}""")),
    ];

    private static readonly (string Name, Func<string> Header)[] _sources =
    [
        ("one address", () => ""),
        ("many IPv4 addresses", () => From(new IPAddress(Random.Shared.NextInt64(0x01000000, 0xDF000000)))),
        ("many /64 of one /48", () => From($"2001:db8:7:{Random.Shared.Next(65536):x}::1")),
        ("many /64 of one /32", () => From($"2001:db8:{Random.Shared.Next(65536):x}:{Random.Shared.Next(65536):x}::1")),
    ];

    private static readonly string _long = new('x', 7_864);
    private static readonly string _tokenHead = Convert.ToBase64String("{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}"u8).TrimEnd('=');

    [Fact]
    public Task Strangers_in_crowds_cost_callers_nothing() => RunAsync(requests: 400, sources: 2, seconds: 20);

    [Fact(Explicit = true)]
    public Task Hundred_thousand_strangers_of_every_kind_cost_callers_nothing() => RunAsync(
        Setting("FLOOD_REQUESTS", 100_000), _sources.Length, Setting("FLOOD_SECONDS", 20));

    private static async Task RunAsync(int requests, int sources, int seconds)
    {
        using var folder = new TempFolder();
        var installation = await AperturProcess.InitAsync(folder.Path);
        await using var server = await AperturProcess.ServeAsync(
            folder.Path, installation, "env", "APERTUR__RateLimits__Enabled=true", "APERTUR__Server__TrustedProxies=127.0.0.1");
        var callers = await Callers.StartAsync(server);
        // What a server has loaded after its first requests is not the flood's.
        foreach (var (_, request) in _kinds)
            await FloodAsync(server.Url, request, _sources[0].Header, 200, TimeSpan.FromSeconds(seconds));
        var before = MemoryOf(server);
        Tell($"before: {before / 1024 / 1024} MB");

        foreach (var (source, header) in _sources.Take(sources))
        {
            foreach (var (kind, request) in _kinds)
            {
                var started = TimeProvider.System.GetTimestamp();
                var answers = await FloodAsync(server.Url, request, header, requests, TimeSpan.FromSeconds(seconds));
                var took = TimeProvider.System.GetElapsedTime(started).TotalSeconds;
                var counts = string.Join(", ", answers.OrderBy(count => count.Key).Select(count => $"{count.Value} × {count.Key}"));
                Tell(string.Create(CultureInfo.InvariantCulture,
                    $"{kind}, {source}: {answers.Values.Sum()} in {took:0.0} s: {counts}; {MemoryOf(server) / 1024 / 1024} MB"));
                Assert.DoesNotContain(answers.Keys, status => status >= 500);
            }
        }

        var seen = await callers.EndAsync();
        Tell($"callers: {string.Join(", ", seen.OrderBy(count => count.Key).Select(count => $"{count.Value} × {count.Key}"))}");
        Assert.All(seen.Keys, status => Assert.InRange(status, 200, 201));
        var after = await Eventually.Becomes(() => Task.FromResult(MemoryOf(server)), now => now < before + MaxGrowth, "memory is given back");
        Tell($"after: {after / 1024 / 1024} MB");
    }

    private static async Task<Dictionary<int, int>> FloodAsync(
        string url, Func<string> request, Func<string> header, int requests, TimeSpan most)
    {
        var answers = new ConcurrentDictionary<int, int>();
        var left = requests;
        using var time = new CancellationTokenSource(most, TimeProvider.System);
        await Parallel.ForAsync(0, Connections, new ParallelOptions { MaxDegreeOfParallelism = Connections }, async (_, _) =>
        {
            while (Interlocked.Add(ref left, -Batch) > -Batch && !time.IsCancellationRequested)
                await SendBatchAsync(url, request, header, answers);
        });
        return new(answers);
    }

    /// <summary>Several requests in one go, on a connection of their own.</summary>
    private static async Task SendBatchAsync(string url, Func<string> request, Func<string> header, ConcurrentDictionary<int, int> answers)
    {
        var text = string.Concat(Enumerable.Range(0, Batch).Select(i =>
            request().Replace("\r\nHost: a\r\n", $"\r\nHost: a\r\n{(i == Batch - 1 ? "Connection: close\r\n" : "")}{header()}", StringComparison.Ordinal)));
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, new Uri(url).Port, Cancellation);
        var sending = SendAsync(socket, Encoding.ASCII.GetBytes(text));
        var buffer = new byte[64 * 1024];
        var answer = new StringBuilder();
        while (await socket.ReceiveAsync(buffer, Cancellation) is var read and > 0)
            answer.Append(Encoding.ASCII.GetString(buffer, 0, read));
        await sending;
        foreach (var part in answer.ToString().Split("HTTP/1.1 ").Skip(1))
            answers.AddOrUpdate(int.Parse(part.AsSpan(0, 3), NumberStyles.None, CultureInfo.InvariantCulture), 1, (_, count) => count + 1);
    }

    private static async Task SendAsync(Socket socket, byte[] bytes)
    {
        for (var sent = 0; sent < bytes.Length;)
            sent += await socket.SendAsync(bytes.AsMemory(sent), Cancellation);
    }

    private static string Get(string path, string headers = "") => $"GET {path} HTTP/1.1\r\nHost: a\r\n{headers}\r\n";

    private static string Post(string path, string body) =>
        $"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}";

    private static string From(object address) => $"X-Forwarded-For: {address}\r\n";

    private static long MemoryOf(AperturProcess server)
    {
        var line = File.ReadLines($"/proc/{server.Id}/status").First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal));
        return 1024 * long.Parse(line.AsSpan(6).Trim()[..^3], NumberStyles.None, CultureInfo.InvariantCulture);
    }

    private static void Tell(string line) => TestContext.Current.TestOutputHelper?.WriteLine(line);

    private static int Setting(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out var value) ? value : otherwise;

    /// <summary>Who is not to notice: a key that reads and makes sessions, the holder of a link, photos that come in.</summary>
    private sealed class Callers
    {
        // Within the limits of a key, and of what a session takes in the quarter of an hour that the large version lasts.
        private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(700);
        private static readonly TimeSpan _rarely = TimeSpan.FromSeconds(2.5);

        private readonly ConcurrentDictionary<int, int> _answers = new();
        private readonly TaskCompletionSource _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private Task _running = Task.CompletedTask;

        public static async Task<Callers> StartAsync(AperturProcess server)
        {
            var callers = new Callers();
            var session = await server.Client.CreateSessionAsync(new System.Text.Json.Nodes.JsonObject { ["max_images"] = 500 });
            callers._running = Task.WhenAll(
                callers.RepeatAsync(() => server.Client.GetAsync("uploads")),
                callers.RepeatAsync(() => server.Client.PostAsync("upload-sessions")),
                callers.RepeatAsync(() => server.ClientOf(null).GetAsync($"upload/{session}/session")),
                callers.RepeatAsync(() => server.ClientOf(null).GetAsync($"/u/{session}")),
                callers.RepeatAsync(() => server.ClientOf(null).PostImageAsync(session, Photos.Jpeg(500_000, seed: 1)), _rarely),
                callers.RepeatAsync(() => callers.SendSlowlyAsync(server, session)));
            return callers;
        }

        public async Task<Dictionary<int, int>> EndAsync()
        {
            _end.TrySetResult();
            await _running;
            return new(_answers);
        }

        private async Task RepeatAsync(Func<Task<Answer>> call, TimeSpan? pause = null)
        {
            while (!_end.Task.IsCompleted)
            {
                Count(await call());
                await Task.WhenAny(_end.Task, Task.Delay(pause ?? _pause, TimeProvider.System, Cancellation));
            }
        }

        /// <summary>A photo that is under way for twenty seconds.</summary>
        private async Task<Answer> SendSlowlyAsync(AperturProcess server, string session)
        {
            using var form = new MultipartFormDataContent();
            using var photo = new StreamContent(new UntilTold(Photos.Jpeg(400_000, seed: 2), _end.Task));
            form.Add(photo, "file", "slow.jpg");
            return await server.ClientOf(null).SendAsync(HttpMethod.Post, $"upload/{session}/images", form);
        }

        private void Count(Answer answer) => _answers.AddOrUpdate((int)answer.Status, 1, (_, count) => count + 1);
    }

    /// <summary>Gives 20 kB a second, and the rest when told.</summary>
    private sealed class UntilTold(byte[] bytes, Task told) : MemoryStream(bytes)
    {
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await Task.WhenAny(told, Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, cancellationToken));
            return await base.ReadAsync(buffer[..Math.Min(buffer.Length, told.IsCompleted ? buffer.Length : 4000)], cancellationToken);
        }
    }
}
