using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json.Nodes;
using Apertur.Server;
using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Scenarios;

/// <summary>
/// A destination that is down for long while very many photos wait for it: it is asked now and then whether it is back, at the cost of no photo's
/// attempts, and gets all of them then, no more at once than it is to have. On a clock that jumps from one time at which something is due to the next.
/// </summary>
public sealed class OutageTests(ITestOutputHelper output)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, AllDatabases]
    public Task Photos_wait_for_a_destination_that_is_down_for_hours_and_all_arrive(DatabaseKind database) =>
        RunAsync(database, photos: 30, TimeSpan.FromHours(3), withBreaker: true);

    /// <summary>For an hour, a day, three days, and nearly the week that photos are tried for; see chaos/README.md.</summary>
    [Theory(Explicit = true), InlineData(1), InlineData(24), InlineData(72), InlineData(165.6)]
    public Task Photos_wait_for_a_destination_that_is_down_as_long_as_may_be(double hours) => RunAsync(
        Enum.Parse<DatabaseKind>(Environment.GetEnvironmentVariable("CHAOS_DATABASE") ?? nameof(DatabaseKind.Sqlite)),
        int.Parse(Environment.GetEnvironmentVariable("CHAOS_PHOTOS") ?? "10000", CultureInfo.InvariantCulture),
        TimeSpan.FromHours(hours), Environment.GetEnvironmentVariable("CHAOS_WITHOUT_BREAKER") is not { Length: > 0 });

    private async Task RunAsync(DatabaseKind database, int photos, TimeSpan outage, bool withBreaker)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(
            database, new Dictionary<string, string?> { ["Limits:MaxImagesPerSession"] = "100000" },
            // One who claims is what a process has.
            services => services.WithoutLoopOf<Pump>());
        var delivery = app.Services.GetRequiredService<Settings>().Delivery;
        var service = new Service(delivery.LanesPerDestination, delivery.MaxLanesPerDestination);
        receiver.Otherwise = service.HandleAsync;
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url, ["format"] = "binary" });
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["destination_ids"] = new JsonArray(webhook), ["max_images"] = photos });
        await Parallel.ForAsync(0, photos, new ParallelOptions { MaxDegreeOfParallelism = 4 }, async (_, _) => await app.Client.UploadAsync(session, Photos.Png()));

        var began = app.Clock.GetUtcNow();
        await WorkAsync();
        var untilOpen = await app.AttemptsAsync();
        var (opened, early) = (0, 0);
        while (app.Clock.GetUtcNow() - began < outage)
        {
            var (next, open) = await NextAsync();
            if (open)
            {
                // Nothing may be tried before its time.
                var before = await app.AttemptsAsync();
                app.Clock.Jump((next - app.Clock.GetUtcNow()) / 2);
                await WorkAsync();
                early += await app.AttemptsAsync() - before;
                opened++;
            }

            var end = began + outage;
            app.Clock.Jump((next < end ? next : end) - app.Clock.GetUtcNow());
            await WorkAsync();
        }

        var probes = await app.AttemptsAsync() - untilOpen;
        var returned = app.Clock.GetUtcNow();
        service.Works = true;
        while (await WaitingAsync() > 0)
        {
            await WorkAsync();
            if (await WaitingAsync() > 0)
                app.Clock.Jump((await NextAsync()).At - app.Clock.GetUtcNow());
        }

        await using var db = app.Services.GetRequiredService<Database>().Open();
        var rows = await db.Deliveries.ToListAsync(Cancellation);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"> {database}, down for {outage.TotalHours:0.#} h, {photos} photos: {rows.Count(row => row.State == DeliveryState.Sent)} delivered, {service.Twice} twice; "
            + $"{untilOpen} attempts until it was left alone, {probes} in {opened} pauses' ends, {early} in pauses; most for one photo {rows.Max(row => row.Attempts)}"));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"> back: all there after {(app.Clock.GetUtcNow() - returned).TotalHours:0.0} h, at most {service.Most} at once of {delivery.MaxLanesPerDestination}, {service.OverRamp} before their turn"));
        Assert.All(rows, row => Assert.Equal(DeliveryState.Sent, row.State));
        Assert.Equal((photos, photos, 0), (rows.Count, service.Delivered, service.Twice));
        Assert.Equal(0, early);
        Assert.InRange(untilOpen, 1, Breaker.MinAttempts + (2 * delivery.LanesPerDestination));
        Assert.InRange(probes, 1, opened);
        Assert.InRange(service.Most, 1, delivery.MaxLanesPerDestination);
        Assert.Equal(0, service.OverRamp);

        async Task WorkAsync()
        {
            var pump = app.Services.GetRequiredService<Pump>();
            do
            {
                await pump.DrainAsync();
                if (!withBreaker && !service.Works)
                    await app.WriteAsync(async write => (await write.Destinations.AsTracking().SingleAsync(Cancellation)).Breaker.Reset(app.Clock.GetUtcNow()));
            }
            while (await pump.RunOnceAsync(Cancellation) > 0);
            await pump.DrainAsync();
        }

        async Task<int> WaitingAsync()
        {
            await using var db = app.Services.GetRequiredService<Database>().Open();
            return await db.Deliveries.CountAsync(row => row.State != DeliveryState.Sent && row.State != DeliveryState.Failed, Cancellation);
        }

        // When something may be tried next, and whether the destination is left alone until then.
        async Task<(DateTimeOffset At, bool IsOpen)> NextAsync()
        {
            await using var db = app.Services.GetRequiredService<Database>().Open();
            var now = app.Clock.GetUtcNow();
            var due = await db.Deliveries.Where(row => row.State != DeliveryState.Sent && row.State != DeliveryState.Failed).MinAsync(row => (DateTimeOffset?)row.DueAt, Cancellation) ?? now;
            var until = (await app.DestinationAsync(webhook)).Breaker.OpenUntil;
            var at = until is { } open && open > due ? open : due;
            return (at > now ? at : now.AddSeconds(1), until > now);
        }
    }

    /// <summary>What is down in three ways by turns, and then works.</summary>
    /// <param name="lanes">How many it may get at once when it works again: one, twice as many with each success, and then one more with each.</param>
    /// <param name="most">How many in the end.</param>
    private sealed class Service(int lanes, int most)
    {
        private readonly ConcurrentDictionary<string, bool> _delivered = [];
        private readonly Lock _lock = new();
        private int _requests;
        private int _under;
        private int _answered;

        public bool Works { get; set; }

        public int Delivered => _delivered.Count;

        public int Twice { get; private set; }

        /// <summary>Requests at once since it is back.</summary>
        public int Most { get; private set; }

        /// <summary>Requests that came while it had as many as it was to get.</summary>
        public int OverRamp { get; private set; }

        public async Task HandleAsync(HttpContext context)
        {
            var number = Interlocked.Increment(ref _requests);
            if (!Works)
            {
                if (number % 3 == 0)
                    context.Abort();
                else
                    context.Response.StatusCode = number % 3 == 1 ? 500 : 503;
                return;
            }

            lock (_lock)
            {
                Most = Math.Max(Most, ++_under);
                OverRamp += _under > Math.Min(most, 1 << Math.Min(_answered, 10) is var first && first < lanes ? first : lanes + _answered) ? 1 : 0;
            }

            await context.Request.Body.CopyToAsync(Stream.Null);
            // So that it can be seen how many come at once.
            await Task.Delay(TimeSpan.FromMilliseconds(2), TimeProvider.System, Cancellation);
            lock (_lock)
            {
                Twice += _delivered.TryAdd(context.Request.Headers["X-APTR-Delivery-ID"]!, true) ? 0 : 1;
                _answered++;
                _under--;
            }
        }
    }
}
