using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Server.Deliveries;
using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Apertur.Tests.Events;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Queue;

/// <summary>
/// An outcome is written only by the claim it belongs to: a node that was held up for longer than its lease comes back while another one
/// has the row. Both rows are <c>sending</c> then, and only the lease token tells them apart.
/// </summary>
public sealed class LeaseFencingTests
{
    private readonly TaskCompletionSource _arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _release = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, AllDatabases]
    public async Task Late_outcome_of_a_photo_that_another_node_is_sending_changes_nothing(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        HoldsFirst(receiver);
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var id = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(webhook), Photos.Png()))["id"]!;

        var row = await ComesBackLateAsync(app, db => db.Deliveries);

        Assert.Null(row.Reference);
        var session = (await app.Client.GetAsync("sessions/recent")).Json[0]!;
        Assert.Equal(0, (int)session["imagesDelivered"]!);

        // The other node dies too; its lease ends, and this one takes the photo over.
        await app.PassAsync(TimeSpan.FromMinutes(2));
        await app.Client.UploadBecomesAsync(id, "delivered");
        Assert.Equal(2, (await app.DeliveriesAsync(id)).Single().Attempts);
        Assert.Equal(1, (int)(await app.Client.GetAsync("sessions/recent")).Json[0]!["imagesDelivered"]!);
    }

    [Theory, AllDatabases]
    public async Task Late_note_of_how_to_go_on_with_a_photo_that_another_node_is_sending_is_not_kept(DatabaseKind database)
    {
        var type = new Noting(_arrived, _release.Task);
        await using var app = await AperturApp.StartAsync(database, configure: services => services.AddSingleton<IDestinationType>(type));
        var destination = await app.Client.CreateDestinationAsync(type.Type, []);
        await app.Client.UploadAsync(await app.Client.CreateSessionAsync(destination), Photos.Png());

        var row = await ComesBackLateAsync(app, db => db.Deliveries);

        Assert.Null(row.Resume);
        Assert.IsType<ClaimLostException>(type.Thrown);
    }

    [Theory, AllDatabases]
    public async Task Late_outcome_of_an_event_that_another_node_is_sending_changes_nothing(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        HoldsFirst(receiver);
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.ListenAsync(receiver, "project.session.created");
        await app.Client.CreateSessionAsync();

        var row = await ComesBackLateAsync(app, db => db.EventDeliveries);

        Assert.Null(row.ResponseCode);
        await app.PassAsync(TimeSpan.FromMinutes(2));
        Assert.Equal(2, (int)(await app.NewestBecomesAsync(webhook, "sent"))["attempts"]!);
    }

    [Theory, AllDatabases]
    public async Task Row_that_nobody_is_sending_is_held_by_nobody(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var events = await app.ListenAsync(receiver, "project.upload.started");
        var session = await app.Client.CreateSessionAsync(webhook);

        var first = (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!;
        await app.Client.UploadBecomesAsync(first, "delivered");
        await app.NewestBecomesAsync(events, "sent");
        receiver.Answers(500, 500);
        app.Clock.Jump(TimeSpan.FromSeconds(1));
        var second = (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!;
        await app.NewestBecomesAsync(events, "retrying");
        await Eventually.Becomes(() => app.DeliveriesAsync(second), rows => rows[0].State == DeliveryState.Retrying);

        await AreFreeAsync(app, db => db.Deliveries, [DeliveryState.Sent, DeliveryState.Retrying]);
        await AreFreeAsync(app, db => db.EventDeliveries, [DeliveryState.Sent, DeliveryState.Retrying]);

        // Nor is one whose node has died, before another takes it up.
        (await app.Client.SendAsync(HttpMethod.Patch, $"projects/{app.ProjectId}/destinations/{webhook}", new JsonObject { ["isActive"] = false })).Expect(System.Net.HttpStatusCode.OK);
        await app.ChangeWebhookAsync(events, new JsonObject { ["isActive"] = false });
        var claims = new[] { await AbandonAsync(app, db => db.Deliveries), await AbandonAsync(app, db => db.EventDeliveries) };
        foreach (var queue in app.Services.GetServices<IQueue>())
        {
            // It may be only late.
            await queue.ExtendAsync(claims, Cancellation);
            Assert.Equal(0, await queue.ReleaseAbandonedAsync(all: false, Cancellation));
        }

        await AbandonAsync(app, db => db.Deliveries);
        await AbandonAsync(app, db => db.EventDeliveries);
        var changed = await ChangedAsync();
        foreach (var queue in app.Services.GetServices<IQueue>())
            Assert.Equal(2, await queue.ReleaseAbandonedAsync(all: false, Cancellation));
        // Whoever follows the session is told.
        Assert.True(await ChangedAsync() > changed);

        foreach (var row in (await AreFreeAsync(app, db => db.Deliveries, [DeliveryState.Retrying, DeliveryState.Retrying])).Concat<IQueueRow>(
            await AreFreeAsync(app, db => db.EventDeliveries, [DeliveryState.Retrying, DeliveryState.Retrying])))
        {
            var now = app.Clock.GetUtcNow();
            Assert.Equal((now, DueCause.Abandoned, null, now, IQueueRow.Abandoned), (row.DueAt, row.DueCause, row.DueBy, row.UpdatedAt, row.LastError));
        }

        async Task<DateTimeOffset> ChangedAsync()
        {
            await using var db = app.Services.GetRequiredService<Database>().Open();
            return await db.Sessions.Select(row => row.LastChanged).SingleAsync(Cancellation);
        }
    }

    /// <returns>The claim that holds them.</returns>
    private static async Task<Guid> AbandonAsync<T>(AperturApp app, Func<AperturDb, IQueryable<T>> rows)
        where T : class, IQueueRow
    {
        var (claim, past, before) = (Guid.NewGuid(), app.Clock.GetUtcNow().AddSeconds(-1), app.Clock.GetUtcNow().AddMinutes(-2));
        await app.WriteAsync(db => rows(db).ExecuteUpdateAsync(
            row => row.SetProperty(r => r.State, DeliveryState.Sending).SetProperty(r => r.LeaseToken, claim).SetProperty(r => r.LeaseUntil, past)
                .SetProperty(r => r.DueBy, "somebody").SetProperty(r => r.UpdatedAt, before),
            Cancellation));
        return claim;
    }

    private static async Task<IReadOnlyList<T>> AreFreeAsync<T>(AperturApp app, Func<AperturDb, IQueryable<T>> rows, DeliveryState[] states)
        where T : class, IQueueRow
    {
        await using var db = app.Services.GetRequiredService<Database>().Open();
        var all = await rows(db).AsNoTracking().OrderBy(row => row.Id).ToListAsync(Cancellation);
        Assert.Equal(states, all.Select(row => row.State));
        Assert.All(all, row => Assert.Equal((null, null), (row.LeaseToken, row.LeaseUntil)));
        return all;
    }

    private void HoldsFirst(Receiver receiver) => receiver.Handles(_ =>
    {
        _arrived.SetResult();
        return _release.Task;
    });

    /// <summary>Lets another node claim the only row while this one's attempt is under way, then lets that end, and gives the row.</summary>
    private async Task<T> ComesBackLateAsync<T>(AperturApp app, Func<AperturDb, IQueryable<T>> rows)
        where T : class, IQueueRow
    {
        await Eventually.Arrives(_arrived.Task);
        var (other, until) = (Guid.NewGuid(), app.Clock.GetUtcNow() + Pump.Lease);
        var database = app.Services.GetRequiredService<Database>();
        await database.WriteAsync(
            db => rows(db).ExecuteUpdateAsync(
                row => row.SetProperty(r => r.LeaseToken, other).SetProperty(r => r.LeaseUntil, until), Cancellation),
            Cancellation);

        _release.SetResult();
        await Eventually.Arrives(app.Services.GetRequiredService<Pump>().DrainAsync());
        // It is dropped, which is no failure.
        Assert.DoesNotContain(
            app.Log.Lines, line => line.StartsWith("Error", StringComparison.Ordinal) || line.Contains(" threw", StringComparison.Ordinal));

        await using var db = database.Open();
        var row = await rows(db).AsNoTracking().SingleAsync(Cancellation);
        Assert.Equal((DeliveryState.Sending, other), (row.State, row.LeaseToken));
        return row;
    }

    /// <summary>Leaves a note for the next attempt when it is told to.</summary>
    private sealed class Noting(TaskCompletionSource arrived, Task release) : IDestinationType
    {
        public Exception? Thrown { get; private set; }

        public string Type => "noting";

        public string Label => "Noting";

        public IReadOnlyList<ConfigField> Fields => [];

        public async Task<DeliveryOutcome> DeliverAsync(Delivery delivery, CancellationToken cancellationToken)
        {
            var tooLong = new string('x', 4097);
            await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => delivery.SaveResume(tooLong, cancellationToken));
            arrived.SetResult();
            await release;
            Thrown = await Record.ExceptionAsync(() => delivery.SaveResume("half of it", cancellationToken));
            return Thrown is null ? new DeliveryOutcome.Accepted() : throw Thrown;
        }

        public Task<DeliveryOutcome> TestAsync(DestinationConfig config, CancellationToken cancellationToken) => throw new NotSupportedException();
    }
}
