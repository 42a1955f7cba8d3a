using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Apertur.Server.Queue;
using Apertur.Tests.Support;

namespace Apertur.Tests.Scenarios;

/// <summary>A node that dies or freezes with deliveries under way, and another that takes them over.</summary>
public sealed class TakeoverTests(ITestOutputHelper output)
{
    private static readonly TimeSpan _promised = TimeSpan.FromSeconds(60);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>It may die right after a heartbeat, and the other may have looked for abandoned claims right before they run out.</summary>
    [Fact]
    public void What_a_node_was_sending_that_died_is_taken_over_within_a_minute() =>
        Assert.True(Pump.Lease + Pump.Heartbeat < _promised, $"{Pump.Lease} and {Pump.Heartbeat} after that.");

    /// <summary>By turns killed and frozen, in real time; see chaos/README.md.</summary>
    [Fact(Explicit = true)]
    public async Task Deliveries_of_nodes_that_die_or_freeze_are_taken_over_in_time_and_complete_once()
    {
        var (rounds, photos) = (Setting("CHAOS_ROUNDS", 10), Setting("CHAOS_PHOTOS", 200));
        await using var database = await TestDatabase.CreateAsync(DatabaseKind.PostgreSql);
        using var data = new TempFolder();
        await File.WriteAllTextAsync(data.File("apertur.json"), Settings(database, photos).ToJsonString(), Cancellation);
        await using var receiver = await Receiver.StartAsync();
        var hook = new Hook();
        receiver.Otherwise = hook.HandleAsync;
        var installation = await AperturProcess.InitAsync(data.Path);
        var node = await AperturProcess.ServeAsync(data.Path, installation);
        var webhook = await node.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url, ["format"] = "binary" });
        if (Environment.GetEnvironmentVariable("CHAOS_WITHOUT_LEASES") is { Length: > 0 })
        {
            await database.TextsAsync("CREATE FUNCTION forever() RETURNS trigger AS $$ BEGIN IF NEW.lease_until IS NOT NULL THEN NEW.lease_until := 9999999999999; END IF; RETURN NEW; END $$ LANGUAGE plpgsql");
            await database.TextsAsync("CREATE TRIGGER forever BEFORE UPDATE ON deliveries FOR EACH ROW EXECUTE FUNCTION forever()");
        }

        // Until it has answered once it is sent one at a time.
        await node.Client.UploadAsync(await node.Client.CreateSessionAsync(webhook), Photos.Png());
        await Eventually.True(() => hook.Answered.Count == 1);
        var taken = new List<TimeSpan>();
        for (var round = 0; round < rounds; round++)
        {
            hook.Hold();
            var before = hook.Answered.Count;
            var session = await node.Client.CreateSessionAsync(new JsonObject { ["destination_ids"] = new JsonArray(webhook), ["max_images"] = photos });
            await Parallel.ForAsync(0, photos, new ParallelOptions { MaxDegreeOfParallelism = 4 }, async (_, _) => await node.Client.UploadAsync(session, Photos.Png()));
            await Eventually.Becomes(() => Task.FromResult(hook.Under), under => under == photos, "all are under way");
            var next = await AperturProcess.ServeAsync(data.Path, installation);
            var freezes = round % 2 == 1;
            await (freezes ? node.FreezeAsync() : node.KillAsync());
            var began = Stopwatch.GetTimestamp();
            var held = hook.AnswerOthers();
            while (hook.Answered.Count < before + photos)
            {
                Assert.True(Stopwatch.GetElapsedTime(began) < 2 * _promised, $"{hook.Answered.Count - before} of {photos} are taken over after {2 * _promised}.");
                await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Cancellation);
            }

            taken.Add(Stopwatch.GetElapsedTime(began));
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"> {(freezes ? "frozen" : "killed")}: {photos} deliveries taken over after {taken[^1].TotalSeconds:F1} s"));
            // What it was sending is answered too, and it comes back with that.
            held.SetResult();
            if (freezes)
            {
                await node.ThawAsync();
                await Eventually.Becomes(
                    () => database.TextsAsync("SELECT count(*) FROM deliveries WHERE state <> 'sent'"), open => open[0] == "0", "all is sent");
                await Task.Delay(TimeSpan.FromSeconds(2), TimeProvider.System, Cancellation);
                await node.TerminateAsync();
            }

            await node.DisposeAsync();
            node = next;
        }

        var all = (rounds * photos) + 1;
        await Eventually.Becomes(() => database.TextsAsync("SELECT count(*) FROM deliveries WHERE state = 'sent'"), sent => sent[0] == $"{all}", "all is sent");
        var completed = await database.TextsAsync("SELECT count(*) FROM delivery_attempts WHERE outcome = 'accepted'");
        var twice = await database.TextsAsync("SELECT delivery_id FROM delivery_attempts WHERE outcome = 'accepted' GROUP BY delivery_id HAVING count(*) > 1");
        var counted = (int)(await node.Client.GetAsync("stats")).Json["imagesDelivered"]!;
        await node.DisposeAsync();
        output.WriteLine($"> {rounds} nodes killed or frozen, {rounds * photos} deliveries under way: {completed[0]} completed of {all}, {twice.Count} twice, {counted} counted; taken over after at most {taken.Max().TotalSeconds.ToString("F1", CultureInfo.InvariantCulture)} s");
        Assert.Equal(($"{all}", 0, all), (completed[0], twice.Count, counted));
        Assert.All(taken, time => Assert.InRange(time, TimeSpan.Zero, _promised));
    }

    private static JsonObject Settings(TestDatabase database, int photos) => new()
    {
        ["Database"] = new JsonObject { ["Provider"] = "PostgreSql", ["ConnectionString"] = database.ConnectionString, ["AllowDataLoss"] = true },
        ["Delivery"] = new JsonObject { ["Lanes"] = photos, ["LanesPerDestination"] = photos, ["MaxLanesPerDestination"] = photos, ["StopSeconds"] = 1 },
    };

    private static int Setting(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out var value) ? value : otherwise;

    /// <summary>Keeps requests waiting while it is told to, and answers others.</summary>
    private sealed class Hook
    {
        private TaskCompletionSource? _held;
        private int _under;

        /// <summary>By the delivery's id: how often it was answered.</summary>
        public ConcurrentDictionary<string, int> Answered { get; } = [];

        /// <summary>Requests that wait.</summary>
        public int Under => Volatile.Read(ref _under);

        public void Hold() => (_held, _under) = (new(TaskCreationOptions.RunContinuationsAsynchronously), 0);

        /// <summary>From now on new requests are answered; those that wait, when what this gives is set.</summary>
        public TaskCompletionSource AnswerOthers() => Interlocked.Exchange(ref _held, null)!;

        public async Task HandleAsync(Microsoft.AspNetCore.Http.HttpContext context)
        {
            await context.Request.Body.CopyToAsync(Stream.Null, Cancellation);
            if (Volatile.Read(ref _held) is { } held)
            {
                Interlocked.Increment(ref _under);
                await held.Task;
                return;
            }

            Answered.AddOrUpdate(context.Request.Headers["X-APTR-Delivery-ID"]!, 1, (_, count) => count + 1);
        }
    }
}
