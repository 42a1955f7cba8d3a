using System.Text.Json.Nodes;
using Apertur.Server;
using Apertur.Server.Deliveries;
using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Queue;

/// <summary>Which rows of a queue are moved when the time of day was set, and by how much. The pump's own loop is left out.</summary>
public sealed class ClockChangeTests
{
    private static readonly TimeSpan _day = TimeSpan.FromDays(1);
    private static readonly TimeSpan _wait = TimeSpan.FromMinutes(10);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Each node does it for itself, and all for the same rows.</summary>
    [Theory, AllDatabases]
    public async Task Clock_that_was_set_forward_moves_what_waits_once_and_nothing_else(DatabaseKind database)
    {
        await using var app = await StartAsync(database);
        var before = app.Clock.GetUtcNow();
        await ChangeAsync(app, before, before + _wait, before + Pump.Lease, over: before.AddSeconds(-1), overLease: before.AddSeconds(-1));
        app.Clock.Set(_day);
        var now = app.Clock.GetUtcNow();

        for (var node = 0; node < 2; node++)
            await QueueOf(app).RebaseAsync(new ClockChange(now, _day, Timestamp: 0), Cancellation);

        Assert.Equal(
            [
                "Pending 00:10:00 ClockChanged", "Retrying 00:10:00 ClockChanged", "Sent -23:50:00 Schedule", "Retrying -1.00:00:01 Schedule",
                "Sending 00:00:45", "Sending -1.00:00:01",
            ],
            await RowsAsync(app));
    }

    [Theory, AllDatabases]
    public async Task Clock_that_was_set_back_moves_what_waits_also_what_was_due_already(DatabaseKind database)
    {
        await using var app = await StartAsync(database);
        var before = app.Clock.GetUtcNow();
        // Written by a node whose clock is ahead a little.
        await ChangeAsync(app, before.AddSeconds(1), before + _wait, before + Pump.Lease, over: before.AddSeconds(-1), overLease: before.AddSeconds(-1));
        app.Clock.Set(-_day);

        await QueueOf(app).RebaseAsync(new ClockChange(app.Clock.GetUtcNow(), -_day, Timestamp: 0), Cancellation);

        Assert.Equal(
            [
                "Pending 00:10:00 ClockChanged", "Retrying 00:10:00 ClockChanged", "Sent 1.00:10:00 Schedule", "Retrying -00:00:01 ClockChanged",
                "Sending 00:00:45", "Sending 00:00:45",
            ],
            await RowsAsync(app));
    }

    [Theory, AllDatabases]
    public async Task What_was_written_in_a_future_that_is_not_to_come_is_due_at_the_start_and_nothing_else(DatabaseKind database)
    {
        await using var app = await StartAsync(database);
        var now = app.Clock.GetUtcNow();
        await ChangeAsync(app, now + _day, now + _day, now + _day, over: now + _wait, overLease: now + WallClock.Tolerance + Pump.Lease);
        await app.WriteAsync(db => db.Deliveries.Where(row => row.DueAt == now + _wait)
            .ExecuteUpdateAsync(row => row.SetProperty(r => r.UpdatedAt, now + WallClock.Tolerance), Cancellation));

        await QueueOf(app).RebaseAsync(change: null, Cancellation);

        Assert.Equal(
            [
                "Pending 00:00:00 ClockChanged", "Retrying 00:00:00 ClockChanged", "Sent 1.00:00:00 Schedule", "Retrying 00:10:00 Schedule",
                "Sending 00:00:45", "Sending 00:01:15",
            ],
            await RowsAsync(app));
    }

    [Fact]
    public void Clock_that_is_set_by_little_and_again_was_not_set_and_one_that_was_is_reported_until_it_is_followed()
    {
        var clock = new TestClock();
        var wall = new WallClock(clock);
        for (var times = 0; times < 2; times++)
        {
            clock.Set(WallClock.Tolerance);
            Assert.Null(wall.Look());
        }

        clock.Set(-_day);
        clock.Jump(_wait);

        var change = wall.Look()!.Value;
        Assert.Equal(-_day, change.By);
        Assert.Equal(change, wall.Look());
        wall.Follow(change);
        Assert.Null(wall.Look());
    }

    private static DeliveryQueue QueueOf(AperturApp app) => app.Services.GetServices<IQueue>().OfType<DeliveryQueue>().Single();

    private static async Task<AperturApp> StartAsync(DatabaseKind database)
    {
        var app = await AperturApp.StartAsync(database, configure: services => services.WithoutLoopOf<Pump>());
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = "http://127.0.0.1:1/" });
        var session = await app.Client.CreateSessionAsync(webhook);
        for (var photo = 0; photo < 6; photo++)
            await app.Client.UploadAsync(session, Photos.Png());
        return app;
    }

    /// <summary>A row of each state that matters; of those that wait and those that are sent, a second one that is to stay as it is.</summary>
    private static Task ChangeAsync(
        AperturApp app, DateTimeOffset written, DateTimeOffset due, DateTimeOffset lease, DateTimeOffset over, DateTimeOffset overLease) =>
        app.ChangeAsync(db =>
        {
            var states = new[]
            {
                DeliveryState.Pending, DeliveryState.Retrying, DeliveryState.Sent, DeliveryState.Retrying, DeliveryState.Sending, DeliveryState.Sending,
            };
            foreach (var (number, row) in db.Deliveries.OrderBy(row => row.Id).AsEnumerable().Index())
            {
                row.State = states[number];
                row.Due = new(number == 3 ? over : due, DueCause.Schedule);
                if (row.State == DeliveryState.Sending)
                    (row.LeaseToken, row.LeaseUntil) = (Guid.NewGuid(), number == 5 ? overLease : lease);
                row.UpdatedAt = written;
            }
        });

    /// <summary>When each is due, or how long its lease is, from now on.</summary>
    private static async Task<IEnumerable<string>> RowsAsync(AperturApp app)
    {
        await using var db = app.Services.GetRequiredService<Database>().Open();
        var now = app.Clock.GetUtcNow();
        return (await db.Deliveries.AsNoTracking().OrderBy(row => row.Id).ToListAsync(Cancellation)).Select(row =>
            row.State == DeliveryState.Sending ? $"{row.State} {row.LeaseUntil - now:c}" : $"{row.State} {row.DueAt - now:c} {row.DueCause}");
    }
}
