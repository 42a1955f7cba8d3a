using System.Net;
using Apertur.Destinations;
using Apertur.Server.Deliveries;
using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Apertur.Tests.Events;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Scenarios;

/// <summary>What happens to photos and outcomes when the machinery below them stumbles.</summary>
public sealed class FailureRecoveryTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, AllDatabases]
    public async Task Image_that_ends_the_server_at_every_attempt_is_given_up_until_somebody_asks(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers(503);
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new() { ["url"] = receiver.Url });
        var id = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(webhook), Photos.Png()))["id"]!;
        await receiver.NextAsync(Cancellation);
        await Eventually.Arrives(app.Services.GetRequiredService<Pump>().DrainAsync());
        await AbandonAsync(app, attempts: 17);

        await app.PassAsync(TimeSpan.FromSeconds(1));

        await app.Client.UploadBecomesAsync(id, "failed");
        Assert.Contains("every attempt", (await app.DeliveriesAsync(id)).Single().LastError);
        Assert.Single(receiver.Requests);
        Assert.Equal(1, (await app.DestinationAsync(webhook)).Breaker.WindowAttempts);
        (await app.Client.PostAsync($"uploads/{id}/retry")).Expect(HttpStatusCode.OK);
        await app.Client.UploadBecomesAsync(id, "delivered");
    }

    /// <summary>SQLite belongs to one server, so that no claim is anybody else's: none has to run out. The clock stands still.</summary>
    [Fact]
    public async Task What_was_being_sent_when_the_server_died_is_sent_as_soon_as_it_is_back()
    {
        await using var photos = await Receiver.StartAsync();
        await using var events = await Receiver.StartAsync();
        photos.Answers(503);
        events.Answers(503);
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var listener = await app.ListenAsync(events, "project.upload.started");
        var webhook = await app.Client.CreateDestinationAsync("webhook", new() { ["url"] = photos.Url });
        var id = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(webhook), Photos.Png()))["id"]!;
        await Eventually.Becomes(() => app.DeliveriesAsync(id), rows => rows.Single().State == DeliveryState.Retrying);
        await app.NewestBecomesAsync(listener, "retrying");
        await ClaimAsync(db => db.Deliveries);
        await ClaimAsync(db => db.EventDeliveries);

        await app.RestartAsync();

        await app.Client.UploadBecomesAsync(id, "delivered");
        await app.NewestBecomesAsync(listener, "sent");

        Task ClaimAsync<T>(Func<AperturDb, IQueryable<T>> rows)
            where T : class, IQueueRow
        {
            var until = app.Clock.GetUtcNow() + Pump.Lease;
            return app.WriteAsync(db => rows(db).ExecuteUpdateAsync(
                row => row.SetProperty(r => r.State, DeliveryState.Sending).SetProperty(r => r.LeaseToken, Guid.NewGuid())
                    .SetProperty(r => r.LeaseUntil, until),
                Cancellation));
        }
    }

    [Theory, AllDatabases]
    public async Task Outcome_in_words_that_no_database_keeps_is_written_all_the_same(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database, configure: services => services.AddSingleton<IDestinationType>(new Babbler()));
        var babbler = await app.Client.CreateDestinationAsync("babbler", []);
        var id = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(babbler), Photos.Png()))["id"]!;

        await app.Client.UploadBecomesAsync(id, "failed");
        Assert.Equal("no" + new string('x', 497), (await app.DeliveriesAsync(id)).Single().LastError);

        id = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(babbler), Photos.Png(), "long.png"))["id"]!;
        await app.Client.UploadBecomesAsync(id, "delivered");
        Assert.Equal("at" + new string('x', 1021), (await app.DeliveriesAsync(id)).Single().Reference);

        foreach (var mistake in new[] { "odd.png", "ended.png" })
        {
            id = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(babbler), Photos.Png(), mistake))["id"]!;
            await Eventually.Becomes(
                () => app.DeliveriesAsync(id),
                rows => rows.Single() is { State: DeliveryState.Retrying, LastError: "The attempt failed for an unexpected reason." });
        }

        Assert.Equal(2, app.Log.Lines.Count(
            line => line.StartsWith("Warning", StringComparison.Ordinal) && line.Contains(" threw", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Photos_that_come_in_do_not_keep_outcomes_from_being_written()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.PostgreSql);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new() { ["url"] = receiver.Url });
        var session = await app.Client.CreateSessionAsync(webhook);
        await using var db = app.Services.GetRequiredService<Database>().Open();
        await using var transaction = await db.Database.BeginTransactionAsync(TestContext.Current.CancellationToken);
        // What inserting a delivery takes on the destination it names.
        await db.Database.ExecuteSqlAsync(
            $"SELECT 1 FROM destinations WHERE id = {webhook} FOR KEY SHARE", TestContext.Current.CancellationToken);

        var upload = await app.Client.UploadAsync(session, Photos.Png());

        await app.Client.UploadBecomesAsync((string)upload["id"]!, "delivered");
    }

    [Fact]
    public async Task Two_writers_that_wait_for_each_other_both_get_there()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.PostgreSql);
        var database = app.Services.GetRequiredService<Database>();
        var one = Guid.Parse(await app.Client.CreateSessionAsync());
        var two = Guid.Parse(await app.Client.CreateSessionAsync());
        using var bothHoldOne = new Barrier(2);

        await Task.WhenAll(Task.Run(() => RaiseAsync(one, two), Cancellation), Task.Run(() => RaiseAsync(two, one), Cancellation));

        foreach (var session in new[] { one, two })
            Assert.Equal(30, (int)(await app.Client.GetAsync($"upload/{session}/session")).Json["imagesPerSession"]!);

        async Task RaiseAsync(Guid first, Guid second)
        {
            var attempt = 0;
            await database.WriteAsync(
                async db =>
                {
                    (await db.Sessions.SingleAsync(session => session.Id == first, Cancellation)).MaxImages = 30;
                    await db.SaveChangesAsync(Cancellation);
                    if (attempt++ == 0)
                        Assert.True(bothHoldOne.SignalAndWait(TimeSpan.FromSeconds(30), Cancellation));
                    (await db.Sessions.SingleAsync(session => session.Id == second, Cancellation)).MaxImages = 30;
                    await db.SaveChangesAsync(Cancellation);
                },
                Cancellation);
        }
    }

    /// <summary>Leaves every delivery as a worker does that died in its attempt.</summary>
    private static async Task AbandonAsync(AperturApp app, int attempts)
    {
        var ended = app.Clock.GetUtcNow().AddSeconds(-1);
        await app.Services.GetRequiredService<Database>().WriteAsync(
            db => db.Deliveries.ExecuteUpdateAsync(
                row => row.SetProperty(r => r.State, DeliveryState.Sending).SetProperty(r => r.Attempts, attempts)
                    .SetProperty(r => r.LeaseToken, Guid.NewGuid()).SetProperty(r => r.LeaseUntil, ended),
                Cancellation),
            Cancellation);
        Assert.Equal(1, await app.Services.GetServices<IQueue>().OfType<DeliveryQueue>().Single().ReleaseAbandonedAsync(all: false, Cancellation));
    }

    /// <summary>Answers in words that hold a NUL, and a character that lies across the longest length that is kept; or has a mistake.</summary>
    private sealed class Babbler : IDestinationType
    {
        public string Type => "babbler";

        public string Label => "Babbler";

        public IReadOnlyList<ConfigField> Fields => [];

        public Task<DeliveryOutcome> DeliverAsync(Delivery delivery, CancellationToken cancellationToken) =>
            Task.FromResult<DeliveryOutcome>(delivery.Filename switch
            {
                "long.png" => new DeliveryOutcome.Accepted("at\0" + new string('x', 1021) + "😀 and more"),
                "odd.png" => throw new InvalidOperationException("A mistake."),
                "ended.png" => throw new OperationCanceledException("Nobody asked for it."),
                _ => new DeliveryOutcome.GiveUp("no\0" + new string('x', 497) + "😀 and more"),
            });

        public Task<DeliveryOutcome> TestAsync(DestinationConfig config, CancellationToken cancellationToken) =>
            throw new NotSupportedException();
    }
}
