using System.Text.Json.Nodes;
using Apertur.Server.Queue;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Queue;

/// <summary>What a round of claims takes of what is due. The pump's own loop is left out, so that each round is the test's.</summary>
public sealed class ClaimTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, AllDatabases]
    public async Task Oldest_is_taken_first(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await StartAsync(database, ("Delivery:LanesPerDestination", "1"), ("Delivery:MaxLanesPerDestination", "1"));
        var session = await SessionAsync(app, receiver);
        var ids = new List<string>();
        for (var photo = 0; photo < 3; photo++)
            ids.Add((await app.DeliveriesAsync(await UploadAsync(app, session))).Single().Id.ToString());
        // Neither in the order in which they came nor in that in which they were written last.
        foreach (var (photo, seconds) in new[] { (0, 10), (2, 20), (1, 30) })
        {
            await app.WriteAsync(db => db.Database.ExecuteSqlAsync(
                $"UPDATE deliveries SET due_at = due_at - {seconds * 1000} WHERE id = {ids[photo]}", Cancellation));
        }

        // With it, rows come in this order by themselves as long as the database chooses to use it.
        await app.WriteAsync(db => db.Database.ExecuteSqlAsync($"DROP INDEX deliveries_waiting", Cancellation));
        await RunAllAsync(app);

        Assert.Equal([ids[1], ids[2], ids[0]], receiver.Requests.Select(request => request["X-APTR-Delivery-ID"]));
    }

    [Theory, AllDatabases]
    public async Task Destination_that_recovers_has_no_more_under_way_than_its_limit_however_many_rounds_there_are(DatabaseKind database)
    {
        var release = new TaskCompletionSource();
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers([.. Enumerable.Repeat(500, Breaker.MinAttempts)]);
        await using var app = await StartAsync(database);
        var session = await SessionAsync(app, receiver);
        for (var photo = 0; photo < Breaker.MinAttempts; photo++)
            await UploadAsync(app, session);
        await RunAllAsync(app);
        receiver.Otherwise = _ => release.Task;

        app.Clock.Jump(TimeSpan.FromSeconds(16));

        Assert.Equal((1, 0), (await RunAsync(app), await RunAsync(app)));
        release.SetResult();
        await DrainAsync(app);
        release = new();
        Assert.Equal((2, 0), (await RunAsync(app), await RunAsync(app)));
        release.SetResult();
        await DrainAsync(app);
    }

    [Theory, AllDatabases]
    public async Task Destination_that_is_gone_ends_what_waits_for_it_whatever_was_known_of_it(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers([.. Enumerable.Repeat(500, Breaker.MinAttempts)]);
        await using var app = await StartAsync(database);
        var session = await SessionAsync(app, receiver);
        for (var photo = 0; photo < Breaker.MinAttempts; photo++)
            await UploadAsync(app, session);
        await RunAllAsync(app);
        // It recovered with one lane, and fell silent.
        await app.WriteAsync(db => db.Database.ExecuteSqlAsync($"UPDATE destinations SET timeouts = 1", Cancellation));
        var path = $"projects/{app.ProjectId}/destinations";
        var destination = (string)(await app.Client.GetAsync(path)).Json[0]!["id"]!;
        (await app.Client.SendAsync(HttpMethod.Delete, $"{path}/{destination}")).Expect(System.Net.HttpStatusCode.NoContent);

        Assert.Equal(8, await RunAsync(app));
        await DrainAsync(app);
        Assert.Equal(2, await RunAsync(app));
        await DrainAsync(app);
        Assert.Equal(Breaker.MinAttempts, receiver.Requests.Count);
    }

    [Theory, AllDatabases]
    public async Task Destination_that_fell_silent_gets_one_photo_at_a_time_until_it_answers(DatabaseKind database)
    {
        var arrived = new TaskCompletionSource();
        await using var receiver = await Receiver.StartAsync();
        await using var app = await StartAsync(database);
        var session = await SessionAsync(app, receiver);
        await UploadAsync(app, session);
        await RunAllAsync(app);
        receiver.Handles(context =>
        {
            arrived.SetResult();
            return Receiver.GoneAsync(context);
        });
        await UploadAsync(app, session);
        Assert.Equal(1, await RunAsync(app));
        await Eventually.Arrives(arrived.Task);
        app.Clock.Jump(TimeSpan.FromSeconds(31));
        await DrainAsync(app);

        for (var photo = 0; photo < 3; photo++)
            await UploadAsync(app, session);

        Assert.Equal(1, await RunAsync(app));
        await DrainAsync(app);
        Assert.Equal(2, await RunAsync(app));
        await DrainAsync(app);
    }

    private static Task<AperturApp> StartAsync(DatabaseKind database, params (string Name, string Value)[] settings) => AperturApp.StartAsync(
        database, settings.ToDictionary(pair => pair.Name, string? (pair) => pair.Value), services => services.WithoutLoopOf<Pump>());

    private static async Task<string> SessionAsync(AperturApp app, Receiver receiver) =>
        await app.Client.CreateSessionAsync(await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url }));

    private static async Task<string> UploadAsync(AperturApp app, string session) =>
        (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!;

    /// <returns>How many it has started.</returns>
    private static Task<int> RunAsync(AperturApp app) => app.Services.GetRequiredService<Pump>().RunOnceAsync(Cancellation);

    private static Task DrainAsync(AperturApp app) => Eventually.Arrives(app.Services.GetRequiredService<Pump>().DrainAsync());

    /// <summary>Round after round, until nothing is due.</summary>
    private static async Task RunAllAsync(AperturApp app)
    {
        while (await RunAsync(app) > 0)
            await DrainAsync(app);
    }
}
