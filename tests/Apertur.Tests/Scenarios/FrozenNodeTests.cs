using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Apertur.Tests.Support;

namespace Apertur.Tests.Scenarios;

/// <summary>
/// Two servers on one PostgreSQL, of which one is frozen in the middle of its work, with whatever it holds. The other goes on: at once with the
/// photos of sessions that the frozen one does not hold, and with those it holds as soon as PostgreSQL has ended its transaction.
/// </summary>
public sealed class FrozenNodeTests(ITestOutputHelper output)
{
    private const string FrozenNode = "node-to-be-frozen";

    private static readonly TimeSpan _others = TimeSpan.FromSeconds(1);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Nothing here depends on time: the node stays frozen, and its transaction open, until the others have gone on.</summary>
    [Fact]
    public async Task Node_frozen_in_a_transaction_holds_up_nobody_else_and_finishes_its_work_when_it_goes_on()
    {
        await using var world = await World.StartAsync(idleTransactionSeconds: 60, lockWaitSeconds: 60);
        using var shared = new SuccessiveSessions(() => world.Other.Client.CreateSessionAsync(Limits(world.Webhook)));
        using var load = new CancellationTokenSource();
        var uploads = new Uploads();
        var phones = Enumerable.Range(0, 3).Select(phone => uploads.SendAsync(world.Frozen, shared.NextAsync, phone, load.Token)).ToList();
        await Eventually.True(() => uploads.Taken.Count > 5);

        await Eventually.Becomes(() => world.FreezeAsync(), holds => holds, "the node is frozen in a transaction that has written");
        var own = await world.Other.Client.CreateSessionAsync();
        var ofOwn = new List<string>();
        for (var seed = 1; seed <= 20; seed++)
            ofOwn.Add((string)(await world.Other.Client.UploadAsync(own, Photos.Jpeg(2_000, seed)))["id"]!);
        Assert.True(await world.HoldsAsync());

        await world.Frozen.ThawAsync();
        await load.CancelAsync();
        await Task.WhenAll(phones);
        await world.VerifyAsync(uploads.Taken.Keys.Concat(ofOwn), withDestination: uploads.Taken.Keys);
    }

    /// <summary>Many times at random, and by the clock; see chaos/README.md.</summary>
    [Fact(Explicit = true)]
    public async Task Node_that_freezes_again_and_again_holds_up_nobody_for_long()
    {
        var freezes = int.Parse(Environment.GetEnvironmentVariable("CHAOS_FREEZES") ?? "50", CultureInfo.InvariantCulture);
        var isProtected = Environment.GetEnvironmentVariable("CHAOS_UNPROTECTED") is not { Length: > 0 };
        var (idle, wait) = isProtected ? (5, 10) : (0, 0);
        var random = new Random(1);
        await using var world = await World.StartAsync(idle, wait);
        using var load = new CancellationTokenSource();
        var (atFrozen, atOther, ofOthers) = (new Uploads(), new Uploads(), new Uploads());
        using var shared = new SuccessiveSessions(() => world.Other.Client.CreateSessionAsync(Limits(world.Webhook)));
        using var own = new SuccessiveSessions(() => world.Other.Client.CreateSessionAsync(Limits(null)));
        List<Task> phones =
        [
            .. Enumerable.Range(0, 4).Select(phone => atFrozen.SendAsync(world.Frozen, shared.NextAsync, 100 + phone, load.Token)),
            .. Enumerable.Range(0, 2).Select(phone => atOther.SendAsync(world.Other, shared.NextAsync, 200 + phone, load.Token)),
            .. Enumerable.Range(0, 3).Select(phone => ofOthers.SendAsync(world.Other, own.NextAsync, 300 + phone, load.Token)),
        ];

        var held = 0;
        for (var freeze = 0; freeze < freezes; freeze++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(random.Next(200, 1_000)), TimeProvider.System, Cancellation);
            var holds = await world.FreezeAsync(thawOtherwise: false);
            held += holds ? 1 : 0;
            // Long enough that PostgreSQL has ended its transaction.
            await Task.Delay(TimeSpan.FromMilliseconds(holds ? 6_500 : 1_000), TimeProvider.System, Cancellation);
            await world.Frozen.ThawAsync();
        }

        await load.CancelAsync();
        await Task.WhenAll(phones);
        output.WriteLine($"> {freezes} freezes, {held} of them in a transaction that had written");
        output.WriteLine($"> other sessions at the other node: {ofOthers}");
        output.WriteLine($"> shared sessions at the other node: {atOther}");
        output.WriteLine($"> shared sessions at the frozen node: {atFrozen}");
        var all = new Uploads(atFrozen, atOther, ofOthers);
        await world.VerifyAsync(all.Taken.Keys, withDestination: [.. atFrozen.Taken.Keys, .. atOther.Taken.Keys]);
        output.WriteLine($"> {all.Taken.Count} photos acknowledged, each with one row; {atFrozen.Taken.Count + atOther.Taken.Count} delivered, each once");

        Assert.True(held > 0, "The node was never frozen in a transaction.");
        Assert.True(ofOthers.Longest < _others, $"Another session's photo took {ofOthers.Longest.TotalSeconds:F1} s.");
        Assert.Equal(0, ofOthers.Refused);
        Assert.True(atOther.Longest < TimeSpan.FromSeconds(11), $"A photo of the same session took {atOther.Longest.TotalSeconds:F1} s.");
    }

    private static JsonObject Limits(string? destination) => new()
    {
        ["max_images"] = SuccessiveSessions.Images + 50,
        ["destination_ids"] = destination is null ? new JsonArray() : new JsonArray(destination),
    };

    /// <summary>What became of the photos that some phones sent.</summary>
    private sealed class Uploads(params Uploads[] parts)
    {
        private readonly ConcurrentBag<TimeSpan> _times = [];
        private int _refused;

        /// <summary>Ids of the images that were answered with 201.</summary>
        public ConcurrentDictionary<string, bool> Taken { get; } = new(parts.SelectMany(part => part.Taken));

        public int Refused => _refused;

        public TimeSpan Longest => _times.IsEmpty ? TimeSpan.Zero : _times.Max();

        public async Task SendAsync(AperturProcess node, Func<Task<string>> session, int phone, CancellationToken stop)
        {
            for (var number = 0; !stop.IsCancellationRequested; number++)
            {
                var to = await session();
                var began = TimeProvider.System.GetTimestamp();
                var answer = await node.Client.PostImageAsync(
                    to, Photos.Jpeg(2_000, (phone * 100_000) + number), headers: ("Idempotency-Key", $"{phone}-{number}"));
                _times.Add(TimeProvider.System.GetElapsedTime(began));
                if (answer.Status == HttpStatusCode.Created)
                {
                    Taken[(string)answer.Json["id"]!] = true;
                }
                else
                {
                    Assert.NotNull(answer.Expect(HttpStatusCode.ServiceUnavailable).Headers.RetryAfter);
                    Interlocked.Increment(ref _refused);
                }
            }
        }

        public override string ToString()
        {
            var times = _times.Order().ToList();
            string At(double share) => times[(int)(share * (times.Count - 1))].TotalMilliseconds.ToString("F0", CultureInfo.InvariantCulture);
            return $"{times.Count} sent, {_refused} refused with Retry-After, p50 {At(0.5)} ms, p99 {At(0.99)} ms, longest {At(1)} ms";
        }
    }

    private sealed class World(TestDatabase database, TempFolder data, Receiver receiver, AperturProcess frozen, AperturProcess other) : IAsyncDisposable
    {
        public AperturProcess Frozen => frozen;

        public AperturProcess Other => other;

        public string Webhook { get; private set; } = "";

        public static async Task<World> StartAsync(int idleTransactionSeconds, int lockWaitSeconds)
        {
            var database = await TestDatabase.CreateAsync(DatabaseKind.PostgreSql);
            var data = new TempFolder();
            void Settle(string node) => File.WriteAllText(data.File("apertur.json"), new JsonObject
            {
                ["Database"] = new JsonObject
                {
                    ["Provider"] = "PostgreSql",
                    ["ConnectionString"] = $"{database.ConnectionString};Application Name={node}",
                    ["IdleTransactionSeconds"] = idleTransactionSeconds,
                    ["LockWaitSeconds"] = lockWaitSeconds,
                    ["AllowDataLoss"] = true,
                },
            }.ToJsonString());

            Settle(FrozenNode);
            var installation = await AperturProcess.InitAsync(data.Path);
            var frozen = await AperturProcess.ServeAsync(data.Path, installation);
            Settle("other-node");
            var other = await AperturProcess.ServeAsync(data.Path, installation);
            var receiver = await Receiver.StartAsync();
            receiver.KeepsBodies = false;
            var world = new World(database, data, receiver, frozen, other);
            world.Webhook = await other.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url, ["format"] = "binary" });
            return world;
        }

        /// <summary>Freezes it wherever it is.</summary>
        /// <returns>Whether that was in a transaction that had written something; when not, it goes on again.</returns>
        public async Task<bool> FreezeAsync(bool thawOtherwise = true)
        {
            await frozen.FreezeAsync();
            var holds = await HoldsAsync();
            if (!holds && thawOtherwise)
                await frozen.ThawAsync();
            return holds;
        }

        public async Task<bool> HoldsAsync() => await CountAsync(
            $"SELECT count(*) FROM pg_stat_activity WHERE application_name = '{FrozenNode}' AND state = 'idle in transaction' AND backend_xid IS NOT NULL") > 0;

        /// <summary>Every photo that was acknowledged is there once, and arrived once where it has a destination.</summary>
        public async Task VerifyAsync(IEnumerable<string> taken, IEnumerable<string> withDestination)
        {
            await Eventually.Becomes(() => CountAsync("SELECT count(*) FROM deliveries WHERE state <> 'sent'"), open => open == 0, "everything is delivered");
            Assert.Equal(taken.Order(), (await database.TextsAsync("SELECT id FROM uploads")).Order());
            Assert.Equal(withDestination.Order(), receiver.Requests.Select(request => request["X-Aptr-Image-Id"]!).Order());
        }

        public async ValueTask DisposeAsync()
        {
            await frozen.ThawAsync();
            await frozen.DisposeAsync();
            await other.DisposeAsync();
            await receiver.DisposeAsync();
            await database.DisposeAsync();
            data.Dispose();
        }

        private async Task<long> CountAsync(string sql) => long.Parse((await database.TextsAsync(sql)).Single(), CultureInfo.InvariantCulture);
    }
}
