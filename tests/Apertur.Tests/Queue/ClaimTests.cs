using System.Text.Json.Nodes;
using Apertur.Server;
using Apertur.Server.Deliveries;
using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Apertur.Tests.Events;
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
        // Nobody has asked it, so nothing was learnt of it.
        Assert.True((await app.DestinationAsync(destination)).Breaker.IsFailing);
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

    [Theory, AllDatabases]
    public async Task Destination_of_which_nothing_is_due_yet_gets_no_lane(DatabaseKind database)
    {
        await using var app = await StartAsync(database);
        var ids = new List<Guid>();
        foreach (var url in new[] { "http://127.0.0.1:1/", "http://127.0.0.1:2/" })
        {
            ids.Add(Guid.Parse(await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = url })));
            await UploadAsync(app, await app.Client.CreateSessionAsync($"{ids[^1]}"));
        }

        var due = app.Clock.GetUtcNow().AddSeconds(1);
        await UploadAsync(app, await app.Client.CreateSessionAsync($"{ids[0]}"));
        await app.ChangeAsync(db =>
        {
            var rows = db.Deliveries.Where(row => row.DestinationId == ids[0]).ToList();
            (rows[0].Due, rows[1].State) = (new(due, DueCause.Schedule), DeliveryState.Sent);
        });
        var queue = app.Services.GetServices<IQueue>().OfType<DeliveryQueue>().Single();

        Assert.Equal([new DueEndpoint(ids[1], app.ProjectId, Standing.New)], await queue.DueAsync(Cancellation));
        app.Clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(ids.Order(), (await queue.DueAsync(Cancellation)).Select(endpoint => endpoint.Id).Order());

        // One that is left alone longer than there is a pause for was found wanting before the clock was set back.
        var now = app.Clock.GetUtcNow();
        foreach (var (pause, isLeft) in new[]
        {
            (TimeSpan.Zero, false), (TimeSpan.FromMilliseconds(1), true), (Breaker.LongestPause, true), (Breaker.LongestPause + TimeSpan.FromMilliseconds(1), false),
        })
        {
            await app.ChangeAsync(db => db.Destinations.Single(destination => destination.Id == ids[1]).Breaker.OpenUntil = now + pause);
            Assert.Equal((pause, isLeft ? 1 : 2), (pause, (await queue.DueAsync(Cancellation)).Count));
        }
    }

    [Theory, AllDatabases]
    public async Task What_is_under_way_for_others_takes_nothing_of_a_destinations_limit_and_no_claim_but_those_named_is_extended(DatabaseKind database)
    {
        await using var app = await StartAsync(database);
        var ids = new List<Guid>();
        foreach (var url in new[] { "http://127.0.0.1:1/", "http://127.0.0.1:2/" })
        {
            ids.Add(Guid.Parse(await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = url })));
            var session = await app.Client.CreateSessionAsync($"{ids[^1]}");
            await UploadAsync(app, session);
            await UploadAsync(app, session);
        }

        var (claims, until) = (new[] { Guid.NewGuid(), Guid.NewGuid() }, app.Clock.GetUtcNow());
        await app.ChangeAsync(db =>
        {
            foreach (var destination in db.Destinations)
                (destination.Breaker.LaneLimit, destination.Breaker.HasAnswered) = (3, true);
            foreach (var (number, id) in ids.Index())
            {
                var row = db.Deliveries.First(row => row.DestinationId == id);
                (row.State, row.LeaseToken, row.LeaseUntil) = (DeliveryState.Sending, claims[number], until);
            }
        });
        var queue = app.Services.GetServices<IQueue>().OfType<DeliveryQueue>().Single();
        Assert.Equal([2, 2], (await queue.DueAsync(Cancellation)).Select(endpoint => endpoint.Free));

        await queue.ExtendAsync([claims[1]], Cancellation);

        await using var db = app.Services.GetRequiredService<Database>().Open();
        var leases = await db.Deliveries.Where(row => row.LeaseUntil != null).ToDictionaryAsync(row => row.LeaseToken!.Value, row => row.LeaseUntil, Cancellation);
        Assert.Equal([until, until + Pump.Lease], claims.Select(claim => leases[claim]!.Value));
    }

    [Fact]
    public async Task What_is_under_way_is_counted_by_an_index_of_that_however_much_was_sent_before()
    {
        var plans = new QueryPlans();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite, configure: plans.Into);

        foreach (var queue in app.Services.GetServices<IQueue>())
            await queue.DueAsync(Cancellation);

        foreach (var index in new[] { "deliveries_leased (destination_id=?)", "event_deliveries_leased (webhook_id=?)" })
            Assert.Contains($"SEARCH s USING COVERING INDEX {index}", plans.Steps);
    }

    [Theory, AllDatabases]
    public async Task Claim_takes_what_is_due_of_each_destination_as_many_as_were_asked_for_and_is_a_change_of_their_sessions(DatabaseKind database)
    {
        await using var app = await StartAsync(database);
        var (ids, sessions) = (new List<Guid>(), new List<string>());
        foreach (var url in new[] { "http://127.0.0.1:1/", "http://127.0.0.1:2/" })
        {
            ids.Add(Guid.Parse(await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = url })));
            sessions.Add(await app.Client.CreateSessionAsync($"{ids[^1]}"));
            for (var photo = 0; photo < 4; photo++)
                await UploadAsync(app, sessions[^1]);
        }

        app.Clock.Jump(TimeSpan.FromHours(1));
        var now = app.Clock.GetUtcNow();
        var begun = now.AddMinutes(-1);
        var rows = new Dictionary<Guid, string>();
        await app.ChangeAsync(db =>
        {
            foreach (var (number, id) in ids.Index())
            {
                var four = db.Deliveries.Where(row => row.DestinationId == id).OrderBy(row => row.Id).ToArray();
                foreach (var (row, seconds) in four.Zip([1, 7, 5, 9]))
                {
                    row.Due = new(now.AddSeconds(number - seconds), DueCause.Schedule);
                    rows[row.Id] = $"{number}: {seconds}";
                }

                (four[2].State, four[2].StartedAt) = (DeliveryState.Retrying, begun);
            }

            // One has arrived, and one is not due.
            db.Deliveries.Find(Of("0: 9"))!.State = DeliveryState.Sent;
            db.Deliveries.Find(Of("1: 9"))!.Due = new(now.AddMilliseconds(1), DueCause.Schedule);
        });
        var queue = app.Services.GetServices<IQueue>().OfType<DeliveryQueue>().Single();

        Assert.Equal(["0: 7", "1: 7", "1: 5", "1: 1"], await TakeAsync((0, 1), (1, 4)));
        Assert.Equal([now, now], await ChangedAsync());
        Assert.Equal(["0: 5", "0: 1"], await TakeAsync((0, 4)));
        Assert.Equal([now.AddMilliseconds(1), now], await ChangedAsync());

        await using var db = app.Services.GetRequiredService<Database>().Open();
        var taken = await db.Deliveries.AsNoTracking().Where(row => row.State == DeliveryState.Sending).ToListAsync(Cancellation);
        Assert.Equal(6, taken.Count);
        Assert.All(taken, row => Assert.Equal((1, now + Pump.Lease, Node.Name, now), (row.Attempts, row.LeaseUntil!.Value, row.LeaseNode!, row.UpdatedAt)));
        // Whoever follows a session is told of first attempts.
        Assert.Equal(
            [("0: 1", now.AddMilliseconds(1)), ("0: 5", begun), ("0: 7", now), ("1: 1", now), ("1: 5", begun), ("1: 7", now)],
            taken.Select(row => (rows[row.Id], row.StartedAt!.Value)).Order());

        // What one of a claim leaves for its next attempt is its own.
        var (notes, noting) = (app.Services.GetRequiredService<ResumeNotes>(), taken.Single(row => rows[row.Id] == "1: 7"));
        await notes.SaveAsync(noting, "target", "half of it", Cancellation);
        Assert.Equal(("half of it", null), (notes.Read(noting, "target"), notes.Read(noting, "other")));
        Assert.Equal([noting.Id], await db.Deliveries.Where(row => row.Resume != null).Select(row => row.Id).ToListAsync(Cancellation));

        Guid Of(string name) => rows.Single(pair => pair.Value == name).Key;

        async Task<IEnumerable<string>> TakeAsync(params (int Number, int Wanted)[] wanted) =>
            (await queue.TakeAsync(wanted.ToDictionary(pair => ids[pair.Number], pair => pair.Wanted), Cancellation)).Select(row => rows[row.Id]);

        async Task<IEnumerable<DateTimeOffset>> ChangedAsync()
        {
            await using var read = app.Services.GetRequiredService<Database>().Open();
            var all = await read.Sessions.AsNoTracking().ToDictionaryAsync(session => session.Id.ToString(), session => session.LastChanged, Cancellation);
            return sessions.Select(session => all[session]);
        }
    }

    /// <summary>Its lane is free by then, and the next on its way.</summary>
    [Theory, AllDatabases]
    public async Task Attempt_says_whether_it_was_taken_before_that_is_written(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers(200, 200, 500, 500);
        await using var app = await StartAsync(database);
        await app.ListenAsync(receiver, "project.upload.started");
        var session = await SessionAsync(app, receiver);
        var told = new List<(bool Succeeded, bool IsSending)>();
        for (var photo = 0; photo < 2; photo++)
        {
            await UploadAsync(app, session);
            foreach (var queue in app.Services.GetServices<IQueue>())
            {
                var due = await queue.DueAsync(Cancellation);
                var row = Assert.Single(await queue.TakeAsync(due.ToDictionary(endpoint => endpoint.Id, _ => 1), Cancellation));
                await row.RunAsync(Tell, Cancellation);
            }
        }

        Assert.Equal([(true, true), (true, true), (false, true), (false, true)], told);

        void Tell(bool succeeded)
        {
            using var db = app.Services.GetRequiredService<Database>().Open();
            told.Add((succeeded, db.Deliveries.Any(row => row.State == DeliveryState.Sending) || db.EventDeliveries.Any(row => row.State == DeliveryState.Sending)));
        }
    }

    /// <summary>However many rows have ended: it is looked for every second, or every ten.</summary>
    [Fact]
    public async Task What_waits_and_what_is_under_way_is_found_by_an_index_and_what_there_is_not_asks_for_nothing_more()
    {
        var plans = new QueryPlans();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite, configure: services =>
        {
            plans.Into(services);
            services.WithoutLoops();
        });
        var queue = app.Services.GetServices<IQueue>().OfType<DeliveryQueue>().Single();
        var change = new ClockChange(app.Clock.GetUtcNow(), TimeSpan.FromDays(1), Timestamp: 0);
        var wanted = new Dictionary<Guid, int> { [Guid.NewGuid()] = 1 };

        Assert.Equal("1: 3 waiting, 1 leased", await AskAsync(() => queue.DueAsync(Cancellation)));
        Assert.Equal("3: 1 waiting, 0 leased", await AskAsync(() => queue.TakeAsync(wanted, Cancellation)));
        Assert.Equal("1: 0 waiting, 1 leased", await AskAsync(() => queue.ExtendAsync([Guid.NewGuid()], Cancellation)));
        Assert.Equal("1: 0 waiting, 1 leased", await AskAsync(() => queue.ReleaseAbandonedAsync(all: false, Cancellation)));
        Assert.Equal("2: 1 waiting, 1 leased", await AskAsync(() => queue.RebaseAsync(change, Cancellation)));
        Assert.Equal("2: 1 waiting, 1 leased", await AskAsync(() => queue.RebaseAsync(change: null, Cancellation)));

        // Of what there is, nothing is read as a whole.
        var id = Guid.Parse(await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = "http://127.0.0.1:1/" }));
        var session = await app.Client.CreateSessionAsync($"{id}");
        await AskAsync(() => UploadAsync(app, session));
        Assert.DoesNotContain(plans.Steps, step => step is ['S', 'C', 'A', 'N', ' ', _]);
        await AskAsync(() => queue.TakeAsync(new Dictionary<Guid, int> { [id] = 1 }, Cancellation));
        Assert.DoesNotContain(plans.Steps, step => step is "SCAN u" or "SCAN s" or "SCAN d" or "SCAN p");
        session = await app.Client.CreateSessionAsync();
        await AskAsync(() => UploadAsync(app, session));
        Assert.DoesNotContain(plans.Statements, statement => statement.Contains("destinations\" AS", StringComparison.Ordinal));
        // Nor is anybody looked for who listens where there is nothing to tell.
        await AskAsync(() => app.Client.SendAsync(HttpMethod.Patch, $"projects/{app.ProjectId}/destinations/{id}", new JsonObject { ["isActive"] = true }));
        Assert.Contains(plans.Statements, statement => statement.StartsWith("UPDATE \"deliveries\"", StringComparison.Ordinal));
        Assert.DoesNotContain(plans.Statements, statement => statement.Contains("event_webhooks", StringComparison.Ordinal));

        async Task<string> AskAsync(Func<Task> ask)
        {
            plans.Clear();
            await ask();
            return $"{plans.Statements.Count}: {Steps("waiting")} waiting, {Steps("leased")} leased";
        }

        int Steps(string index) => plans.Steps.Count(step => $"{step} ".Contains($" deliveries_{index} ", StringComparison.Ordinal));
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
