using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Apertur.Tests.Destinations;
using Apertur.Tests.Support;

namespace Apertur.Tests.Scenarios;

/// <summary>
/// Servers that end again and again while photos come in, killed in the middle of anything or told to stop as an upgrade does it: one server on
/// SQLite and a folder, or several on PostgreSQL and an object store, one at a time. Phones send again under the same idempotency key, to
/// whichever node answers.
/// </summary>
public sealed class RestartTests(ITestOutputHelper output)
{
    public enum Ending
    {
        Kill,
        Stop,
    }

    private static readonly TimeSpan _promisedStart = TimeSpan.FromSeconds(3);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1, Ending.Kill)]
    [InlineData(2, Ending.Kill)]
    [InlineData(2, Ending.Stop)]
    public Task Every_photo_is_taken_once_and_arrives_everywhere(int nodes, Ending ending) =>
        RunAsync(nodes, ending, photos: 60, endings: 2, phones: 4, TimeSpan.Zero, TimeSpan.FromMinutes(3));

    /// <summary>Hundreds of times; see chaos/README.md.</summary>
    [Fact(Explicit = true)]
    public Task Servers_that_end_hundreds_of_times_lose_nothing() => RunAsync(
        Setting("CHAOS_NODES", 1), Enum.Parse<Ending>(Environment.GetEnvironmentVariable("CHAOS_ENDING") ?? "Kill"),
        Setting("CHAOS_PHOTOS", 30_000), Setting("CHAOS_ENDINGS", 500), Setting("CHAOS_PHONES", 8),
        TimeSpan.FromMilliseconds(Setting("CHAOS_PAUSE", 0)), TimeSpan.FromMinutes(10));

    private async Task RunAsync(int nodes, Ending ending, int photos, int endings, int phones, TimeSpan pause, TimeSpan drain)
    {
        await using var world = await Cluster.StartAsync(nodes);
        await using var receiver = await Receiver.StartAsync();
        receiver.KeepsBodies = false;
        using var bucket = await Bucket.MakeAsync();
        var first = world.Nodes[0].Client;
        var webhook = await first.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url, ["format"] = "binary" });
        var s3 = await first.CreateDestinationAsync("s3", bucket.Config());

        var uploads = new Uploads(world, photos, pause, [webhook, s3]);
        using var sessions = new SuccessiveSessions(uploads.CreateSessionAsync);
        var sending = Enumerable.Range(0, phones).Select(_ => uploads.SendAsync(sessions)).ToList();
        var ready = new List<TimeSpan>();
        var stopped = new List<TimeSpan>();
        for (var number = 0; number < endings; number++)
        {
            var due = photos * (number + 1L) / (endings + 1);
            await WaitAsync(() => uploads.Taken.Count >= due || sending.Exists(HasFailed), drain, () => $"{due} photos are taken, not {uploads.Taken.Count}; phones: {string.Join(", ", sending.Select(phone => phone.Status))}; last: {uploads.Last}");
            await Task.WhenAll(sending.Where(HasFailed));
            await Task.Delay(TimeSpan.FromMilliseconds(Random.Shared.Next(50)), TimeProvider.System, Cancellation);
            var began = Stopwatch.GetTimestamp();
            await world.EndAsync(number % nodes, ending);
            stopped.Add(Stopwatch.GetElapsedTime(began));
            began = Stopwatch.GetTimestamp();
            await world.BeginAsync(number % nodes);
            ready.Add(Stopwatch.GetElapsedTime(began));
        }

        await Task.WhenAll(sending);
        await VerifyAsync(world, uploads, receiver, bucket, drain);
        Tell($"{uploads.Taken.Count} photos acknowledged, {endings} times {ending}, {nodes} node(s); sent again {uploads.SentAgain} times, of which refused with Retry-After {uploads.Refused}");
        Tell($"each listed once with equal SHA-256; {receiver.Requests.Count} webhooks, each photo under one delivery id; {photos} objects, none twice");
        Tell($"ended after {Spread(stopped)}, ready again after {Spread(ready)}, within 3 s {ready.Count(time => time < _promisedStart)} of {ready.Count} times");
        Assert.All(stopped, time => Assert.InRange(time, TimeSpan.Zero, TimeSpan.FromSeconds(30)));
    }

    private static async Task VerifyAsync(Cluster world, Uploads uploads, Receiver receiver, Bucket bucket, TimeSpan drain)
    {
        await WaitAsync(
            () => receiver.Requests.DistinctBy(request => request["X-Aptr-Image-Id"]).Count() >= uploads.Taken.Count, drain, () => "every photo has reached the webhook");
        var rows = new Dictionary<string, JsonNode>();
        var began = Stopwatch.GetTimestamp();
        for (var page = 1; page <= (uploads.Taken.Count / 100) + 1; page++)
        {
            var list = (await world.Nodes[0].Client.GetAsync($"uploads?page={page}&pageSize=100")).Expect(HttpStatusCode.OK).Json;
            Assert.Equal(uploads.Taken.Count, (int)list["total"]!);
            if (list["data"]!.AsArray().Any(row => (string)row!["status"]! != "delivered"))
            {
                Assert.True(Stopwatch.GetElapsedTime(began) < drain, "Not everything was delivered in time.");
                await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, Cancellation);
                page--;
                continue;
            }

            foreach (var row in list["data"]!.AsArray())
                rows.Add((string)row!["id"]!, row);
        }

        foreach (var (number, (id, sha256)) in uploads.Taken)
        {
            Assert.Equal($"photo-{number}.jpg", (string)rows[id]["filename"]!);
            Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(Uploads.Photo(number))), sha256);
        }

        Assert.All(
            receiver.Requests.GroupBy(request => request["X-Aptr-Image-Id"]),
            photo => Assert.Single(photo.Select(request => (request["X-APTR-Delivery-ID"], request.BodySha256)).Distinct()));
        Assert.Equal(
            uploads.Taken.Values.Order(),
            receiver.Requests.Select(request => (request["X-Aptr-Image-Id"]!, request.BodySha256)).Distinct().Order());
        await VerifyAsync(uploads, await bucket.KeysAsync(), bucket);
        await world.CheckAsync();
    }

    private static async Task VerifyAsync(Uploads uploads, IReadOnlyList<string> keys, Bucket bucket)
    {
        var numbers = new ConcurrentBag<int>();
        await Parallel.ForEachAsync(keys, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (key, _) =>
        {
            var number = int.Parse(key.AsSpan(key.LastIndexOf('-') + 1)[..^".jpg".Length], NumberStyles.None, CultureInfo.InvariantCulture);
            Assert.Equal(Uploads.Photo(number), (await bucket.ReadAsync(key)).Bytes);
            numbers.Add(number);
        });
        Assert.Equal(uploads.Taken.Keys.Order(), numbers.Order());
    }

    private static async Task WaitAsync(Func<bool> holds, TimeSpan most, Func<string> what)
    {
        var began = Stopwatch.GetTimestamp();
        while (!holds())
        {
            Assert.True(Stopwatch.GetElapsedTime(began) < most, $"Not so within {most}: {what()}");
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, Cancellation);
        }
    }

    private static string Spread(List<TimeSpan> times)
    {
        var sorted = times.Order().ToList();
        string At(double share) => sorted[(int)(share * (sorted.Count - 1))].TotalSeconds.ToString("F2", CultureInfo.InvariantCulture);
        return $"{At(0.5)} s (p95 {At(0.95)}, longest {At(1)})";
    }

    private static bool HasFailed(Task phone) => phone.IsCompleted && !phone.IsCompletedSuccessfully;

    private static int Setting(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out var value) ? value : otherwise;

    private void Tell(string line) => output.WriteLine(line);

    /// <summary>What phones do until every photo was answered with 201.</summary>
    private sealed class Uploads(Cluster world, int photos, TimeSpan pause, string[] destinations)
    {
        private static readonly bool _withoutKeys = Environment.GetEnvironmentVariable("CHAOS_WITHOUT_KEYS") is { Length: > 0 };

        private int _next;
        private int _sentAgain;
        private int _refused;

        /// <summary>By the photo's number: its id and hash as the server says.</summary>
        public ConcurrentDictionary<int, (string Id, string Sha256)> Taken { get; } = [];

        public int SentAgain => _sentAgain;

        public int Refused => _refused;

        /// <summary>Why a phone sent again last.</summary>
        public string Last { get; private set; } = "";

        public static byte[] Photo(int number) => Photos.Jpeg(2_000 + (number * 7919 % 60_000), number);

        public async Task<string> CreateSessionAsync()
        {
            var key = Guid.NewGuid().ToString();
            var request = new JsonObject
            {
                ["max_images"] = SuccessiveSessions.Images,
                ["destination_ids"] = new JsonArray([.. destinations.Select(id => JsonValue.Create(id))]),
            };
            return (string)(await UntilCreatedAsync(
                client => client.SendAsync(HttpMethod.Post, "upload-sessions", request, ("Idempotency-Key", key)))).Json["id"]!;
        }

        public async Task SendAsync(SuccessiveSessions sessions)
        {
            while (Interlocked.Increment(ref _next) is var number && number <= photos)
            {
                var session = await sessions.NextAsync();
                (string, string)[] headers = _withoutKeys ? [] : [("Idempotency-Key", $"photo-{number}")];
                var answer = await UntilCreatedAsync(client => client.PostImageAsync(session, Photo(number), $"photo-{number}.jpg", headers: headers));
                Taken[number] = ((string)answer.Json["id"]!, (string)answer.Json["sha256"]!);
                await Task.Delay(pause, TimeProvider.System, Cancellation);
            }
        }

        /// <summary>As any client does: again after an accident, or when told to come again; any other refusal is a failure.</summary>
        private async Task<Answer> UntilCreatedAsync(Func<AperturClient, Task<Answer>> send)
        {
            while (true)
            {
                try
                {
                    var answer = await send(world.Any.Client);
                    if (answer.Status == HttpStatusCode.Created)
                        return answer;
                    Assert.NotNull(answer.Expect(HttpStatusCode.ServiceUnavailable).Headers.RetryAfter);
                    Interlocked.Increment(ref _refused);
                    Last = answer.Text;
                }
                catch (Exception exception) when (exception is HttpRequestException or IOException)
                {
                    // The node has ended or is not back yet.
                    Last = exception.ToString();
                }

                Interlocked.Increment(ref _sentAgain);
                await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Cancellation);
            }
        }
    }

    /// <summary>One server on SQLite, or several that share PostgreSQL and a bucket and nothing else.</summary>
    private sealed class Cluster(TestDatabase? database, Bucket? bucket, JsonNode installation, TempFolder[] folders) : IAsyncDisposable
    {
        private readonly AperturProcess?[] _nodes = new AperturProcess?[folders.Length];

        // Phones may be sending by their clients still, and would be cancelled.
        private readonly List<AperturProcess> _ended = [];

        public IReadOnlyList<AperturProcess> Nodes => [.. _nodes.OfType<AperturProcess>()];

        /// <summary>As a balancer chooses that has not noticed yet who is gone.</summary>
        public AperturProcess Any => Volatile.Read(ref _nodes[Random.Shared.Next(_nodes.Length)])!;

        public static async Task<Cluster> StartAsync(int nodes)
        {
            var folders = Enumerable.Range(0, nodes).Select(_ => new TempFolder()).ToArray();
            var (database, bucket) = nodes == 1 ? (null, null) : (await TestDatabase.CreateAsync(DatabaseKind.PostgreSql), await Bucket.MakeAsync());
            if (bucket is not null)
            {
                var settings = Settings(database!, bucket).ToJsonString();
                foreach (var folder in folders)
                    await File.WriteAllTextAsync(folder.File("apertur.json"), settings, Cancellation);
            }

            var cluster = new Cluster(database, bucket, await AperturProcess.InitAsync(folders[0].Path), folders);
            for (var node = 0; node < nodes; node++)
                await cluster.BeginAsync(node);
            return cluster;
        }

        /// <summary>Starts a node and waits until it says that it is ready.</summary>
        public async Task BeginAsync(int node)
        {
            var begun = await AperturProcess.ServeAsync(folders[node].Path, installation);
            await Eventually.Becomes(() => begun.Client.GetAsync("/readyz"), answer => answer.Status == HttpStatusCode.OK, "it is ready");
            if (Interlocked.Exchange(ref _nodes[node], begun) is { } ended)
                _ended.Add(ended);
        }

        public async Task EndAsync(int node, Ending ending)
        {
            if (ending == Ending.Kill)
                await _nodes[node]!.KillAsync();
            else
                Assert.Equal(0, await _nodes[node]!.TerminateAsync());
        }

        /// <summary>Rows, files, hashes and counts agree.</summary>
        public async Task CheckAsync()
        {
            var (exitCode, said, errors) = await AperturProcess.RunAsync("fsck", "--data", folders[0].Path);
            Assert.True(exitCode == 0, said + errors);
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var node in _ended.Concat(Nodes))
                await node.DisposeAsync();
            if (database is not null)
                await database.DisposeAsync();
            bucket?.Dispose();
            foreach (var folder in folders)
                folder.Dispose();
        }

        private static JsonObject Settings(TestDatabase database, Bucket bucket)
        {
            var settings = new JsonObject
            {
                ["Database"] = new JsonObject { ["Provider"] = "PostgreSql", ["ConnectionString"] = database.ConnectionString, ["AllowDataLoss"] = true },
                ["Keys"] = new JsonObject { ["Place"] = "Database", ["WrappingKey"] = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)) },
            };
            SettingsFile.Add(settings, bucket.StorageSettings());

            return settings;
        }
    }
}
