using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Apertur.Tests.Destinations;
using Apertur.Tests.Repository;
using Apertur.Tests.Support;
using Npgsql;

namespace Apertur.Tests.Scenarios;

/// <summary>
/// A server whose PostgreSQL and object store, or the ways to them, have trouble of every kind while phones send on: what it answers meanwhile, and
/// how soon it takes as many photos as before. In real time; see chaos/README.md.
/// </summary>
public sealed class TroubleTests(ITestOutputHelper output)
{
    private const int Phones = 8;
    private const double Promised = 0.95;

    private static readonly TimeSpan _before = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan _window = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan _promised = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan _watched = TimeSpan.FromSeconds(40);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact(Explicit = true)]
    public async Task Server_whose_database_or_object_store_has_trouble_refuses_for_now_and_is_back_soon()
    {
        await using var world = await World.StartAsync();
        using var stop = new CancellationTokenSource();
        var uploads = new Uploads(world);
        var phones = Enumerable.Range(0, Phones).Select(phone => uploads.SendAsync(phone, stop.Token)).ToList();
        await Task.Delay(_before, TimeProvider.System, Cancellation);
        var slow = new List<string>();
        foreach (var (name, happens) in world.Troubles())
        {
            if (Environment.GetEnvironmentVariable("CHAOS_TROUBLE") is { Length: > 0 } only && !name.Contains(only, StringComparison.Ordinal))
                continue;
            await Task.Delay(_before, TimeProvider.System, Cancellation);
            var (started, refused, unanswered) = (Stopwatch.GetTimestamp(), uploads.Refused, uploads.Unanswered);
            var usual = uploads.PerSecond(started, -_before, _before);
            await happens();
            var ended = Stopwatch.GetTimestamp();
            await Task.Delay(_window, TimeProvider.System, Cancellation);
            while (uploads.RecoveredAfter(ended, Promised * usual, _window) is null && Stopwatch.GetElapsedTime(ended) < _watched)
                await Task.Delay(TimeSpan.FromMilliseconds(250), TimeProvider.System, Cancellation);

            var recovered = uploads.RecoveredAfter(ended, Promised * usual, _window);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"> {name}, {Stopwatch.GetElapsedTime(started, ended).TotalSeconds:F0} s: before {usual:F0} photos/s; {uploads.Refused - refused} refused with Retry-After, "
                + $"{uploads.Unanswered - unanswered} without an answer; {Promised:P0} again {(recovered is { } after ? $"{after.TotalSeconds:F1} s" : "not within 40 s")} after its end"));
            if (recovered is null || recovered > _promised)
            {
                slow.Add(name);
                var seconds = Enumerable.Range(0, (int)Stopwatch.GetElapsedTime(ended).TotalSeconds)
                    .Select(second => uploads.PerSecond(ended, TimeSpan.FromSeconds(second), TimeSpan.FromSeconds(1)));
                output.WriteLine($"  photos in each second after its end: {string.Join(' ', seconds)}");
            }

            Assert.Empty(uploads.Wrong);
        }

        await stop.CancelAsync();
        await Task.WhenAll(phones).WaitAsync(TimeSpan.FromMinutes(2), TimeProvider.System, Cancellation);
        Assert.Empty(uploads.Wrong);
        await world.VerifyAsync(uploads.Taken);
        output.WriteLine($"> {uploads.Taken.Count} photos acknowledged, each with one row and one object, each at the webhook under one delivery id; no answer but 201 and {uploads.Refused} x 503 with Retry-After");
        Assert.Equal([], slow);
    }

    /// <summary>What the phones sent, and what became of it.</summary>
    private sealed class Uploads(World world)
    {
        private readonly ConcurrentQueue<long> _takenAt = [];
        private int _refused;
        private int _unanswered;

        /// <summary>Ids of the photos that were answered with 201.</summary>
        public ConcurrentDictionary<string, bool> Taken { get; } = [];

        /// <summary>Answers that none may be.</summary>
        public ConcurrentQueue<string> Wrong { get; } = [];

        public int Refused => Volatile.Read(ref _refused);

        public int Unanswered => Volatile.Read(ref _unanswered);

        public double PerSecond(long since, TimeSpan from, TimeSpan window) => _takenAt.Count(at =>
            Stopwatch.GetElapsedTime(since, at) is var time && time >= from && time < from + window) / window.TotalSeconds;

        /// <summary>After how long a window began in which as many were taken as they should; null when there is none yet.</summary>
        public TimeSpan? RecoveredAfter(long ended, double perSecond, TimeSpan window)
        {
            for (var from = TimeSpan.Zero; from + window <= Stopwatch.GetElapsedTime(ended); from += TimeSpan.FromMilliseconds(250))
            {
                if (PerSecond(ended, from, window) >= perSecond)
                    return from;
            }

            return null;
        }

        public async Task SendAsync(int phone, CancellationToken stop)
        {
            using var sessions = new SuccessiveSessions(async () => (string)(await UntilCreatedAsync(key => world.Server.Client.SendAsync(
                HttpMethod.Post, "upload-sessions",
                new JsonObject { ["max_images"] = SuccessiveSessions.Images, ["destination_ids"] = new JsonArray(world.Webhook) },
                ("Idempotency-Key", key)))).Json["id"]!);
            for (var number = 0; !stop.IsCancellationRequested; number++)
            {
                var session = await sessions.NextAsync();
                var photo = Photos.Jpeg(20_000, (phone * 1_000_000) + number);
                var answer = await UntilCreatedAsync(key => world.Server.Client.PostImageAsync(session, photo, headers: ("Idempotency-Key", key)));
                _takenAt.Enqueue(Stopwatch.GetTimestamp());
                Assert.True(Taken.TryAdd((string)answer.Json["id"]!, true));
            }
        }

        private async Task<Answer> UntilCreatedAsync(Func<string, Task<Answer>> send)
        {
            var key = Guid.NewGuid().ToString();
            while (true)
            {
                try
                {
                    var answer = await send(key);
                    if (answer.Status == HttpStatusCode.Created)
                        return answer;
                    if (answer.Status == HttpStatusCode.ServiceUnavailable && answer.Headers.RetryAfter is not null)
                        Interlocked.Increment(ref _refused);
                    else
                        Wrong.Enqueue($"{(int)answer.Status}: {answer.Text}");
                }
                catch (Exception exception) when (exception is HttpRequestException or IOException)
                {
                    Interlocked.Increment(ref _unanswered);
                }

                // Sooner than it is asked to, so that what is measured is the server.
                await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, Cancellation);
            }
        }
    }

    /// <summary>A server with relays before its PostgreSQL and its object store.</summary>
    private sealed class World(TestDatabase database, Bucket bucket, PortForward toDatabase, PortForward toStore, TempFolder data, AperturProcess server, Receiver hook)
        : IAsyncDisposable
    {
        private static readonly TimeSpan _short = TimeSpan.FromSeconds(10);
        private static readonly TimeSpan _long = TimeSpan.FromSeconds(30);
        private static readonly TimeSpan _drain = TimeSpan.FromMinutes(20);

        private readonly string _databaseTarget = toDatabase.Target;

        public AperturProcess Server => server;

        public string Webhook { get; private set; } = "";

        public static async Task<World> StartAsync()
        {
            var database = await TestDatabase.CreateAsync(DatabaseKind.PostgreSql);
            var connection = new NpgsqlConnectionStringBuilder(database.ConnectionString);
            var toDatabase = new PortForward($"http://{connection.Host}:{connection.Port}");
            (connection.Host, connection.Port) = ("127.0.0.1", new Uri(toDatabase.Url).Port);
            // Nothing else is kept safe by the tests' PostgreSQL, which matters when the machine goes; here only its processes do.
            connection.Options = "-c synchronous_commit=on";
            if (Environment.GetEnvironmentVariable("CHAOS_WITHOUT_TIMEOUTS") is { Length: > 0 })
                connection.CommandTimeout = 0;
            var bucket = await Bucket.MakeAsync();
            var toStore = new PortForward(bucket.Endpoint);
            var settings = new JsonObject
            {
                ["Database"] = new JsonObject { ["Provider"] = "PostgreSql", ["ConnectionString"] = connection.ConnectionString, ["AllowDataLoss"] = true },
            };
            SettingsFile.Add(settings, bucket.StorageSettings(endpoint: toStore.Url));

            var data = new TempFolder();
            await File.WriteAllTextAsync(data.File("apertur.json"), settings.ToJsonString(), Cancellation);
            var server = await AperturProcess.ServeAsync(data.Path, await AperturProcess.InitAsync(data.Path));
            var hook = await Receiver.StartAsync();
            hook.KeepsBodies = false;
            var world = new World(database, bucket, toDatabase, toStore, data, server, hook);
            world.Webhook = await server.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = hook.Url, ["format"] = "binary" });
            return world;
        }

        public IEnumerable<(string Name, Func<Task> Happens)> Troubles()
        {
            if (Environment.GetEnvironmentVariable("CHAOS_POSTGRES") is { Length: > 0 } folder)
            {
                var component = Path.Combine(RepositoryFiles.Root, "tests", "components", "postgres");
                yield return ("PostgreSQL restarted", () => Shell.RunAsync($"{component} restart {folder} fast"));
                yield return ("PostgreSQL crashed and restarted", () => Shell.RunAsync($"{component} restart {folder} immediate"));
            }

            yield return ("PostgreSQL's backends ended ten times", async () =>
            {
                for (var time = 0; time < 10; time++)
                {
                    await EndBackendsAsync();
                    await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System, Cancellation);
                }
            }
            );
            yield return ("PostgreSQL's connections all taken", TakeConnectionsAsync);
            yield return ("PostgreSQL refusing", () => ForAsync(_short, toDatabase.Cut, () => toDatabase.Target = _databaseTarget));
            yield return ("PostgreSQL cut off", () => ForAsync(_long, toDatabase.Hold, toDatabase.Release));
            yield return ("object store refusing connections", () => ForAsync(_short, toStore.Cut, () => toStore.Target = bucket.Endpoint));
            yield return ("object store answering SlowDown", async () =>
            {
                await using var slow = await Receiver.StartAsync();
                slow.Otherwise = async context =>
                {
                    await context.Request.Body.CopyToAsync(Stream.Null, Cancellation);
                    context.Response.StatusCode = 503;
                    await context.Response.Body.WriteAsync("<Error><Code>SlowDown</Code></Error>"u8.ToArray(), Cancellation);
                };
                toStore.Cut();
                toStore.Target = new Uri(slow.Url).GetLeftPart(UriPartial.Authority);
                await Task.Delay(_short, TimeProvider.System, Cancellation);
                toStore.Cut();
                toStore.Target = bucket.Endpoint;
            }
            );
            yield return ("object store's connections ended again and again", async () =>
            {
                for (var time = 0; time < 50; time++)
                {
                    toStore.Cut();
                    toStore.Target = bucket.Endpoint;
                    await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, Cancellation);
                }
            }
            );
            yield return ("object store cut off", () => ForAsync(_long, toStore.Hold, toStore.Release));
        }

        /// <summary>Each acknowledged photo has one row, one object, and came to the webhook under one id.</summary>
        public async Task VerifyAsync(ConcurrentDictionary<string, bool> taken)
        {
            // What could not be read from the object store waits by the schedule.
            var began = Stopwatch.GetTimestamp();
            while ((await database.TextsAsync("SELECT count(*) FROM deliveries WHERE state <> 'sent'"))[0] != "0")
            {
                Assert.True(Stopwatch.GetElapsedTime(began) < _drain, "Not everything is delivered.");
                await Task.Delay(TimeSpan.FromMilliseconds(500), TimeProvider.System, Cancellation);
            }

            Assert.Equal(taken.Keys.Order(), (await database.TextsAsync("SELECT id FROM uploads")).Order());
            var arrived = hook.Requests.Select(request => (Photo: request["X-Aptr-Image-Id"]!, Delivery: request["X-APTR-Delivery-ID"]!)).Distinct().ToList();
            Assert.Equal(taken.Keys.Order(), arrived.Select(one => one.Photo).Order());
            var (exitCode, said, errors) = await AperturProcess.RunAsync("fsck", "--hashes", "--data", data.Path);
            Assert.True(exitCode == 0, said + errors);
        }

        public async ValueTask DisposeAsync()
        {
            await server.DisposeAsync();
            await hook.DisposeAsync();
            await toDatabase.DisposeAsync();
            await toStore.DisposeAsync();
            await database.DisposeAsync();
            bucket.Dispose();
            data.Dispose();
        }

        private static async Task ForAsync(TimeSpan time, Action begin, Action end)
        {
            begin();
            await Task.Delay(time, TimeProvider.System, Cancellation);
            end();
        }

        private Task<List<string>> EndBackendsAsync() => database.TextsAsync(
            $"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database.Name}' AND pid <> pg_backend_pid()");

        private async Task TakeConnectionsAsync()
        {
            var all = new NpgsqlConnectionStringBuilder(Components.PostgreSql) { Pooling = false }.ConnectionString;
            var taken = new List<NpgsqlConnection>();
            try
            {
                await using var keeps = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(database.ConnectionString) { Pooling = false }.ConnectionString);
                await keeps.OpenAsync(Cancellation);
                await using var command = new NpgsqlCommand(
                    $"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database.Name}' AND pid <> pg_backend_pid()", keeps);
                var began = Stopwatch.GetTimestamp();
                while (Stopwatch.GetElapsedTime(began) < _short)
                {
                    // What the server had goes, and what is free then is taken before it is back.
                    await command.ExecuteNonQueryAsync(Cancellation);
                    try
                    {
                        while (true)
                        {
                            var one = new NpgsqlConnection(all);
                            taken.Add(one);
                            await one.OpenAsync(Cancellation);
                        }
                    }
                    catch (PostgresException full) when (full.SqlState == PostgresErrorCodes.TooManyConnections)
                    {
                        await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, Cancellation);
                    }
                }
            }
            finally
            {
                foreach (var one in taken)
                    await one.DisposeAsync();
            }
        }
    }
}
