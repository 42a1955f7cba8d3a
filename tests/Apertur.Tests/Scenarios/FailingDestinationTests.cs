using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server.Destinations;
using Apertur.Server.Health;
using Apertur.Server.Queue;
using Apertur.Tests.Events;
using Apertur.Tests.Support;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Scenarios;

/// <summary>Destinations that answer and do not work: who is told, how soon and how often.</summary>
public sealed class FailingDestinationTests(ITestOutputHelper output)
{
    private static readonly TimeSpan _step = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan _promised = TimeSpan.FromMinutes(2);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, AllDatabases]
    public async Task Webhook_that_always_answers_500_is_told_once_by_event_problem_and_mail_and_so_is_its_recovery(DatabaseKind database)
    {
        await using var world = await World.StartAsync(database, destinations: 1);
        await world.UploadAsync();
        await world.PassUntilAsync(_promised, async () => await world.ProblemsAsync() == 1 && world.Mails("does not work") == 1);

        var failing = (await world.Events.NextAsync()).Json();
        var destination = await world.DestinationAsync(0);
        Assert.Equal("project.destination.failing", (string)failing["event"]!);
        Assert.Equal((string)destination["id"]!, (string)failing["data"]!["id"]!);
        Assert.Contains("500", (string)failing["data"]!["reason"]!, StringComparison.Ordinal);
        Assert.NotNull((string?)failing["data"]!["since"]);
        Assert.Contains("500", (string)destination["problem"]!, StringComparison.Ordinal);
        Assert.Contains("500", (string)destination["health"]!["lastError"]!, StringComparison.Ordinal);
        Assert.Equal((int)destination["health"]!["attempts"]!, (int)destination["health"]!["failures"]!);
        Assert.Equal((string)failing["data"]!["since"]!, (string)destination["health"]!["failingSince"]!);
        var stats = (await world.App.Client.GetAsync("stats")).Json;
        Assert.Equal((1, 100), ((int)stats["deliveriesRetrying"]!, (int)stats["deliverySuccessRate"]!));
        Assert.Equal(0, (int)(await world.App.Client.GetAsync("stats?from=2040-01-01")).Json["deliveriesRetrying"]!);
        Assert.Equal(0, (int)(await world.App.Client.GetAsync("stats?to=2026-01-01")).Json["deliveriesRetrying"]!);
        // Nor is it in the other environment, or in another project.
        foreach (var other in new[] { world.App.TestKey, (await world.App.CreateOtherProjectAsync()).Key })
            Assert.Equal(0, (int)(await world.App.ClientOf(other).GetAsync("stats")).Json["deliveriesRetrying"]!);

        world.Works = true;
        await world.UploadAsync();
        await world.PassUntilAsync(_promised, async () => await world.ProblemsAsync() == 0 && world.Mails("works again") == 1);

        Assert.Equal("project.destination.recovered", (string)(await world.Events.NextAsync()).Json()["event"]!);
        Assert.Null((string?)(await world.DestinationAsync(0))["health"]!["failingSince"]);
        await world.PassAsync(TimeSpan.FromMinutes(10));
        Assert.Equal((1, 1), (world.Mails("does not work"), world.Mails("works again")));
        Assert.Equal(2, await world.App.EventsAsync());
        Assert.Equal(0, (int)(await world.App.Client.GetAsync("stats")).Json["deliveriesRetrying"]!);
    }

    [Theory, AllDatabases]
    public async Task One_photo_that_is_refused_and_a_moments_trouble_are_no_failing_destination(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        receiver.Answers(500, 200, 410);
        var session = await app.Client.CreateSessionAsync(webhook);
        var first = (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!;
        await Eventually.Becomes(() => app.DeliveriesAsync(first), rows => rows[0].State == DeliveryState.Retrying, "it is tried again");
        await app.PassAsync(TimeSpan.FromMinutes(1));
        await app.Client.UploadBecomesAsync(first, "delivered");
        var second = (string)(await app.Client.UploadAsync(session, Photos.Jpeg()))["id"]!;
        await app.Client.UploadBecomesAsync(second, "failed");

        var destination = (await app.Client.GetAsync($"projects/{app.ProjectId}/destinations/{webhook}")).Json;
        Assert.Null((string?)destination["problem"]);
        var health = destination["health"]!;
        Assert.Equal((3, 2, null), ((int)health["attempts"]!, (int)health["failures"]!, (string?)health["failingSince"]));
        Assert.Contains("410", (string)health["lastError"]!, StringComparison.Ordinal);
        app.Clock.Jump(TimeSpan.FromHours(1));
        destination = (await app.Client.GetAsync($"projects/{app.ProjectId}/destinations/{webhook}")).Json;
        Assert.Equal((0, 0), ((int)destination["health"]!["attempts"]!, (int)destination["health"]!["failures"]!));
    }

    [Theory, AllDatabases]
    public async Task Owner_who_has_mended_a_destination_ends_its_failing(DatabaseKind database)
    {
        await using var world = await World.StartAsync(database, destinations: 1);
        await world.UploadAsync();
        await world.PassUntilAsync(_promised, async () => await world.ProblemsAsync() == 1);
        await world.Events.NextAsync();

        world.Works = true;
        var id = (string)(await world.DestinationAsync(0))["id"]!;
        var test = (await world.App.Client.PostAsync($"projects/{world.App.ProjectId}/destinations/{id}/test")).Expect(HttpStatusCode.OK).Json;

        Assert.True((bool)test["success"]!);
        Assert.Equal("project.destination.recovered", (string)(await world.Events.NextAsync()).Json()["event"]!);
        Assert.Equal(0, await world.ProblemsAsync());
    }

    [Theory, AllDatabases]
    public async Task Try_that_somebody_asks_for_is_made_at_once_while_the_destination_fails(DatabaseKind database)
    {
        await using var world = await World.StartAsync(database, destinations: 1);
        await world.UploadAsync();
        await world.PassUntilAsync(_promised, async () => await world.ProblemsAsync() == 1);
        world.Works = true;
        var upload = (string)(await world.App.Client.GetAsync("uploads/recent")).Json[0]!["id"]!;

        (await world.App.Client.PostAsync($"uploads/{upload}/retry")).Expect(HttpStatusCode.OK);

        await world.App.Client.UploadBecomesAsync(upload, "delivered");
    }

    [Theory(Explicit = true), AllDatabases]
    public async Task Figures(DatabaseKind database)
    {
        Assert.SkipUnless(
            database.ToString() == (Environment.GetEnvironmentVariable("CHAOS_DATABASE") ?? nameof(DatabaseKind.Sqlite)), "Another database was asked for.");
        var count = int.Parse(Environment.GetEnvironmentVariable("CHAOS_DESTINATIONS")!, CultureInfo.InvariantCulture);
        await using var world = await World.StartAsync(database, count, Environment.GetEnvironmentVariable("CHAOS_RETRY_SECONDS"));
        await world.UploadAsync();
        var failing = await world.PassUntilAsync(
            _promised, async () => await world.ProblemsAsync() == count && world.Mails("does not work") == count && world.Events.Requests.Count == count);
        world.Works = true;
        await world.UploadAsync();
        var recovered = await world.PassUntilAsync(
            _promised, async () => await world.ProblemsAsync() == 0 && world.Mails("works again") == count && world.Events.Requests.Count == 2 * count);
        await world.PassAsync(TimeSpan.FromMinutes(10));
        output.WriteLine(
            $"{database}: {count} webhooks that answer 500: all told by event, problem and mail after {failing.TotalSeconds} s, all recovered after "
            + $"{recovered.TotalSeconds} s; 10 minutes later {await world.App.EventsAsync()} events and {world.Mails("")} mails in all.");
        Assert.Equal((2 * count, 2 * count), (await world.App.EventsAsync(), world.Mails("")));
    }

    /// <summary>A server with webhooks that fail until they are told to work, somebody who listens to events, and an operator with a mailbox.</summary>
    private sealed class World : IAsyncDisposable
    {
        private readonly List<string> _sessions = [];
        private Receiver _webhooks = null!;

        public AperturApp App { get; private set; } = null!;

        public Receiver Events { get; private set; } = null!;

        public bool Works { get; set; }

        public static async Task<World> StartAsync(DatabaseKind database, int destinations, string? retrySeconds = null)
        {
            var settings = new Dictionary<string, string?>
            {
                ["Sharing:EmailTransport"] = "Folder",
                ["Sharing:EmailFrom"] = "apertur@example.com",
                ["Operator:Email"] = "operator@example.com",
            };
            if (retrySeconds is not null)
                settings["Delivery:RetrySeconds"] = retrySeconds;
            var world = new World
            {
                // Their own loops would work in between.
                App = await AperturApp.StartAsync(database, settings, services =>
                {
                    services.WithoutLoopOf<BreakerSweep>();
                    services.WithoutLoopOf<OperatorWatch>();
                }),
                Events = await Receiver.StartAsync(),
                _webhooks = await Receiver.StartAsync(),
            };
            world._webhooks.Otherwise = context =>
            {
                context.Response.StatusCode = world.Works ? 200 : 500;
                return Task.CompletedTask;
            };
            await world.App.ListenAsync(world.Events, "project.destination.*");
            for (var i = 0; i < destinations; i++)
            {
                var webhook = await world.App.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = $"{world._webhooks.Url}/{i}" });
                world._sessions.Add(await world.App.Client.CreateSessionAsync(webhook));
            }

            return world;
        }

        /// <summary>One photo for each destination.</summary>
        public async Task UploadAsync()
        {
            foreach (var session in _sessions)
                await App.Client.UploadAsync(session, Photos.Png());
        }

        public async Task<JsonNode> DestinationAsync(int index) => (await DestinationsAsync())[index]!;

        /// <summary>How many destinations show one.</summary>
        public async Task<int> ProblemsAsync() => (await DestinationsAsync()).Count(destination => destination!["problem"] is not null);

        /// <summary>How many the operator has got whose subject has these words.</summary>
        public int Mails(string words) => Directory.Exists(Path.Combine(App.DataFolder, "mail"))
            ? Directory.GetFiles(Path.Combine(App.DataFolder, "mail"), "*.eml")
                .Count(mail => File.ReadAllText(mail).Contains(words, StringComparison.Ordinal))
            : 0;

        /// <returns>After how long it was so; fails when it was not in time.</returns>
        public async Task<TimeSpan> PassUntilAsync(TimeSpan longest, Func<Task<bool>> isSo)
        {
            for (var passed = TimeSpan.Zero; passed < longest; passed += _step)
            {
                await PassAsync(_step);
                if (await isSo())
                    return passed + _step;
            }

            Assert.Fail($"Not so within {longest}: {await ProblemsAsync()} problems, {Mails("")} mails, {Events.Requests.Count} events.");
            return longest;
        }

        public async Task PassAsync(TimeSpan time)
        {
            for (; time > TimeSpan.Zero; time -= _step)
            {
                await App.PassAsync(_step);
                await WorkAsync();
                await App.Services.GetRequiredService<BreakerSweep>().RunOnceAsync(Cancellation);
                await App.Services.GetRequiredService<OperatorWatch>().RunOnceAsync(Cancellation);
                await WorkAsync();
            }
        }

        public async ValueTask DisposeAsync()
        {
            await App.DisposeAsync();
            await Events.DisposeAsync();
            await _webhooks.DisposeAsync();
        }

        private async Task WorkAsync()
        {
            var pump = App.Services.GetRequiredService<Pump>();
            while (await pump.RunOnceAsync(Cancellation) > 0)
                await pump.DrainAsync();
            await pump.DrainAsync();
        }

        private async Task<JsonArray> DestinationsAsync() =>
            (await App.Client.GetAsync($"projects/{App.ProjectId}/destinations")).Expect(HttpStatusCode.OK).Json.AsArray();
    }
}
