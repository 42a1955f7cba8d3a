using System.Text.Json.Nodes;
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

        await using var db = database.Open();
        var row = await rows(db).AsNoTracking().SingleAsync(Cancellation);
        Assert.Equal((DeliveryState.Sending, other), (row.State, row.LeaseToken));
        return row;
    }
}
