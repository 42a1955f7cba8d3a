using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Apertur.Tests.Events;
using Apertur.Tests.Support;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Scenarios;

/// <summary>Destinations that accept and never answer: what they cost those of other projects. The clock stands still, so nothing that hangs ends.</summary>
public sealed class FairnessTests(ITestOutputHelper output)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, AllDatabases]
    public async Task Project_whose_destinations_all_hang_keeps_no_other_project_waiting(DatabaseKind database)
    {
        await using var silent = await SilentAsync();
        await using var receiver = await Receiver.StartAsync();
        await using var app = await StartAsync(database);
        await HangAsync(app.Client, silent, destinations: 140, photos: 2);
        await Eventually.True(() => silent.Under >= 128);

        await AssertArrivesAsync(await NewProjectAsync(app), receiver, photos: 20);
    }

    [Theory, AllDatabases]
    public async Task Hanging_destination_in_each_of_many_projects_keeps_no_other_project_waiting(DatabaseKind database)
    {
        await using var silent = await SilentAsync();
        await using var receiver = await Receiver.StartAsync();
        await using var app = await StartAsync(database, ("Delivery:Lanes", "8"), ("Delivery:LanesPerDestination", "4"));
        for (var project = 0; project < 31; project++)
            await HangAsync(await NewProjectAsync(app), silent, destinations: 1, photos: 3);
        await Eventually.True(() => silent.Under >= 31);

        await AssertArrivesAsync(await NewProjectAsync(app), receiver, photos: 5);
    }

    [Theory, AllDatabases]
    public async Task Event_webhooks_that_hang_keep_no_other_project_waiting(DatabaseKind database)
    {
        await using var silent = await SilentAsync();
        await using var receiver = await Receiver.StartAsync();
        await using var app = await StartAsync(database, ("Events:Lanes", "8"));
        for (var webhook = 0; webhook < 40; webhook++)
            await app.ListenAsync(silent.Receiver, "project.session.created");
        await app.Client.CreateSessionAsync();
        await Eventually.True(() => silent.Under >= 16);
        var other = await NewProjectAsync(app);
        (await other.PostAsync(
            $"projects/{other.ProjectId}/webhooks", new JsonObject { ["url"] = receiver.Url, ["topics"] = new JsonArray("*") }))
            .Expect(HttpStatusCode.Created);

        for (var session = 0; session < 10; session++)
        {
            await other.CreateSessionAsync();
            await receiver.NextAsync(Cancellation);
        }
    }

    [Theory, AllDatabases]
    public async Task Destination_that_never_answers_is_left_alone_after_a_few_attempts(DatabaseKind database)
    {
        await using var silent = await SilentAsync();
        await using var app = await StartAsync(database);
        var webhook = (await HangAsync(app.Client, silent, destinations: 1, photos: 4)).Single();
        for (var attempt = 1; attempt <= 2; attempt++)
        {
            await Eventually.True(() => silent.Seen == attempt && silent.Under == 1);
            app.Clock.Jump(TimeSpan.FromSeconds(31));
        }

        var row = await Eventually.Becomes(() => app.DestinationAsync(webhook), row => row.Breaker.OpenUntil is not null, "the breaker opens");
        Assert.Equal(app.Clock.GetUtcNow().AddSeconds(15), row.Breaker.OpenUntil!.Value, TimeSpan.FromSeconds(1));
        await app.PassAsync(TimeSpan.FromSeconds(10));
        await app.PassAsync(TimeSpan.Zero);
        Assert.Equal(2, silent.Seen);
        // One probe after the pause, and nothing else.
        await app.PassAsync(TimeSpan.FromSeconds(10));
        await Eventually.True(() => silent.Seen == 3 && silent.Under == 1);
        await app.Client.UploadAsync(await app.Client.CreateSessionAsync(webhook), Photos.Png());
        Assert.Equal(3, silent.Seen);
    }

    /// <summary>Measures what destinations that hang, and all that waits for them, cost another project, in real time; see chaos/README.md.</summary>
    [Fact(Explicit = true)]
    public async Task Figures()
    {
        var hanging = Number("CHAOS_HANGING", 200);
        var rounds = Number("CHAOS_PHOTOS", 300);
        var queued = Number("CHAOS_QUEUED", 0);
        var database = Enum.Parse<DatabaseKind>(Environment.GetEnvironmentVariable("CHAOS_DATABASE") ?? nameof(DatabaseKind.Sqlite));
        var settings = new Dictionary<string, string?>
        {
            ["Limits:MaxImagesPerSession"] = "100000",
            ["Delivery:StopSeconds"] = "0",
        };
        var oneProject = Environment.GetEnvironmentVariable("CHAOS_ONE_PROJECT") is not null;
        if (oneProject)
            settings["Delivery:Lanes"] = "1";
        await using var silent = await SilentAsync();
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database, settings, services => services.AddSingleton(TimeProvider.System));
        var other = oneProject ? app.Client : await NewProjectAsync(app);
        var session = await SessionOfAsync(other, await other.CreateDestinationAsync("webhook", Hook(receiver)));
        await MeasureAsync(rounds: 50);
        var quiet = await MeasureAsync(rounds);
        var destinations = await HangAsync(app.Client, silent, hanging, photos: 0);
        var crowd = await SessionOfAsync(app.Client, [.. destinations]);
        await QueueAsync();

        // Its photos go on coming in.
        using var over = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var feeding = FeedAsync(over.Token);
        var loaded = await MeasureAsync(rounds);
        await over.CancelAsync();
        await feeding;
        await using var db = app.Services.GetRequiredService<Database>().Open();
        var waiting = await db.Deliveries.CountAsync(row => row.State != DeliveryState.Sent, Cancellation);
        output.WriteLine($"> {hanging} hanging destinations of one project, {waiting} photos wait for them, {silent.Seen} requests; {rounds} photos of another, one by one ({database})");
        output.WriteLine($"> quiet   p50 {Percentile(quiet, 50):F1} ms  p95 {Percentile(quiet, 95):F1} ms");
        output.WriteLine($"> loaded  p50 {Percentile(loaded, 50):F1} ms  p95 {Percentile(loaded, 95):F1} ms");
        output.WriteLine($"> ratio   p50 {Percentile(loaded, 50) / Percentile(quiet, 50):F2}     p95 {Percentile(loaded, 95) / Percentile(quiet, 95):F2}");
        Assert.InRange(Percentile(loaded, 95) / Percentile(quiet, 95), 0, 1.5);

        // While its destinations are off, so that nothing is tried before all is there.
        async Task QueueAsync()
        {
            if (queued == 0)
                return;
            await SwitchAsync(on: false);
            await Parallel.ForAsync(0, queued, new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = Cancellation }, async (_, _) =>
                await app.Client.UploadAsync(crowd, Photos.Png()));
            await SwitchAsync(on: true);
            await Eventually.True(() => silent.Under >= hanging);
        }

        async Task SwitchAsync(bool on)
        {
            foreach (var id in destinations)
            {
                (await app.Client.SendAsync(
                    HttpMethod.Patch, $"projects/{app.ProjectId}/destinations/{id}", new JsonObject { ["isActive"] = on })).Expect(HttpStatusCode.OK);
            }
        }

        async Task FeedAsync(CancellationToken cancellationToken)
        {
            while (!cancellationToken.IsCancellationRequested)
            {
                await app.Client.UploadAsync(crowd, Photos.Png());
                await Task.Delay(TimeSpan.FromSeconds(5), TimeProvider.System, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        // From sending the photo to the webhook's request.
        async Task<double[]> MeasureAsync(int rounds)
        {
            var took = new double[rounds];
            for (var round = 0; round < rounds; round++)
            {
                var started = TimeProvider.System.GetTimestamp();
                await other.UploadAsync(session, Photos.Png());
                await receiver.NextAsync(Cancellation);
                took[round] = TimeProvider.System.GetElapsedTime(started).TotalMilliseconds;
                await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, Cancellation);
            }

            return took;
        }
    }

    private static int Number(string name, int otherwise) =>
        Environment.GetEnvironmentVariable(name) is { } given ? int.Parse(given, CultureInfo.InvariantCulture) : otherwise;

    private static Task<string> SessionOfAsync(AperturClient client, params string[] destinations) =>
        client.CreateSessionAsync(new JsonObject
        {
            ["destination_ids"] = new JsonArray([.. destinations.Select(id => JsonValue.Create(id))]),
            ["max_images"] = 100_000,
        });

    private static double Percentile(double[] values, int percent) => values.Order().ElementAt((values.Length - 1) * percent / 100);

    private static async Task AssertArrivesAsync(AperturClient client, Receiver receiver, int photos)
    {
        var session = await client.CreateSessionAsync(await client.CreateDestinationAsync("webhook", Hook(receiver)));
        for (var photo = 0; photo < photos; photo++)
        {
            await client.UploadAsync(session, Photos.Png());
            await receiver.NextAsync(Cancellation);
        }
    }

    /// <summary>Destinations that hang, and photos on their way to all of them.</summary>
    private static async Task<IReadOnlyList<string>> HangAsync(AperturClient client, Silent silent, int destinations, int photos)
    {
        var ids = new List<string>();
        for (var destination = 0; destination < destinations; destination++)
            ids.Add(await client.CreateDestinationAsync("webhook", Hook(silent.Receiver)));
        var session = await client.CreateSessionAsync([.. ids]);
        for (var photo = 0; photo < photos; photo++)
            await client.UploadAsync(session, Photos.Png());
        return ids;
    }

    /// <summary>What hangs is not waited for at the end either.</summary>
    private static Task<AperturApp> StartAsync(DatabaseKind database, params (string Name, string Value)[] settings) =>
        AperturApp.StartAsync(database, settings.Append(("Delivery:StopSeconds", "0")).ToDictionary(pair => pair.Item1, string? (pair) => pair.Item2));

    private static async Task<AperturClient> NewProjectAsync(AperturApp app)
    {
        var (project, _, key) = await app.CreateOtherProjectAsync();
        return app.ClientOf(key, project);
    }

    private static JsonObject Hook(Receiver receiver) => new() { ["url"] = receiver.Url };

    private static async Task<Silent> SilentAsync()
    {
        var silent = new Silent(await Receiver.StartAsync());
        silent.Receiver.Otherwise = silent.HangAsync;
        return silent;
    }

    /// <summary>Accepts whatever comes and never answers.</summary>
    private sealed class Silent(Receiver receiver) : IAsyncDisposable
    {
        private int _seen;
        private int _under;

        public Receiver Receiver => receiver;

        public int Seen => Volatile.Read(ref _seen);

        /// <summary>Requests that hang now.</summary>
        public int Under => Volatile.Read(ref _under);

        public async Task HangAsync(HttpContext context)
        {
            Interlocked.Increment(ref _seen);
            Interlocked.Increment(ref _under);
            await Receiver.GoneAsync(context);
            Interlocked.Decrement(ref _under);
        }

        public ValueTask DisposeAsync() => receiver.DisposeAsync();
    }
}
