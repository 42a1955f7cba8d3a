using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server;
using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Apertur.Tests.Events;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Scenarios;

/// <summary>The time of day is set a day back or forward while the server runs, or while it does not.</summary>
public sealed class ClockTests
{
    private static readonly TimeSpan _day = TimeSpan.FromDays(1);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [AllDatabases(-1)]
    [AllDatabases(1)]
    public async Task Wait_for_the_next_attempt_stays_as_long_as_it_was(DatabaseKind database, int days)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.AsksToWait(503, seconds: 600);
        // Its own loop may be in the middle of a round when the time is set, and would find due in it what is not.
        await using var app = await AperturApp.StartAsync(database, configure: services => services.WithoutLoopOf<Pump>());
        var pump = app.Services.GetRequiredService<Pump>();
        var upload = await RetryingAsync(app, receiver);

        app.Clock.Set(days * _day);
        await PassAsync(30);

        var row = (await app.DeliveriesAsync(upload)).Single();
        Assert.Equal(DueCause.ClockChanged, row.DueCause);
        Assert.Equal(app.Clock.GetUtcNow().AddSeconds(570), row.DueAt, TimeSpan.FromSeconds(1));
        await PassAsync(501);
        Assert.Single(receiver.Requests);
        await PassAsync(100);
        await app.Client.UploadBecomesAsync(upload, "delivered");

        async Task PassAsync(int seconds)
        {
            await app.PassAsync(TimeSpan.FromSeconds(seconds));
            await pump.RunOnceAsync(Cancellation);
            await Eventually.Arrives(pump.DrainAsync());
        }
    }

    [Theory, AllDatabases]
    public async Task Clock_that_was_set_back_while_no_server_ran_holds_nothing_up(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.AsksToWait(503, seconds: 600);
        await using var app = await AperturApp.StartAsync(database);
        var upload = await RetryingAsync(app, receiver);

        await app.RestartAsync(() =>
        {
            app.Clock.Set(-_day);
            return Task.CompletedTask;
        });

        await app.Client.UploadBecomesAsync(upload, "delivered");
    }

    [Theory]
    [AllDatabases(-1)]
    [AllDatabases(1)]
    public async Task Attempt_under_way_keeps_its_claim(DatabaseKind database, int days)
    {
        await using var receiver = await Receiver.StartAsync();
        TaskCompletionSource come = new(), go = new();
        receiver.Handles(async _ =>
        {
            come.SetResult();
            await go.Task;
        });
        await using var app = await AperturApp.StartAsync(database, new Dictionary<string, string?> { ["Delivery:AttemptMinutes"] = "60" });
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var upload = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(webhook), Photos.Png()))["id"]!;
        await Eventually.Arrives(come.Task);
        var before = (await app.DeliveriesAsync(upload)).Single();

        app.Clock.Set(days * _day);
        app.Clock.Advance(TimeSpan.FromSeconds(21));
        // A pump that did not wait yet when time passed would not look again by itself.
        app.Services.GetRequiredService<AsyncAutoResetEvent>().Set();

        await Eventually.Becomes(
            async () => (await app.DeliveriesAsync(upload)).Single().LeaseUntil - app.Clock.GetUtcNow(),
            left => left > TimeSpan.Zero && left <= Pump.Lease, "the claim is good for a lease");
        go.SetResult();
        await app.Client.UploadBecomesAsync(upload, "delivered");
        var after = (await app.DeliveriesAsync(upload)).Single();
        Assert.Equal((before.Attempts, 1), (after.Attempts, after.AttemptsMade));
    }

    [Theory, AllDatabases]
    public async Task What_a_dead_process_held_is_taken_up_after_a_lease(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.AsksToWait(503, seconds: 1);
        await using var app = await AperturApp.StartAsync(database);
        var upload = await RetryingAsync(app, receiver);
        var until = app.Clock.GetUtcNow() + Pump.Lease;
        await app.Services.GetRequiredService<Database>().WriteAsync(
            db => db.Deliveries.ExecuteUpdateAsync(
                row => row.SetProperty(r => r.State, DeliveryState.Sending).SetProperty(r => r.LeaseToken, Guid.NewGuid()).SetProperty(r => r.LeaseUntil, until),
                Cancellation),
            Cancellation);

        app.Clock.Set(-_day);
        var set = app.Clock.GetUtcNow();

        await Eventually.Becomes(
            async () =>
            {
                await app.PassAsync(TimeSpan.FromSeconds(10));
                return (await app.DeliveriesAsync(upload)).Single().State;
            },
            state => state == DeliveryState.Sent, "it is delivered");
        Assert.InRange(app.Clock.GetUtcNow() - set, Pump.Lease, TimeSpan.FromHours(2));
    }

    [Theory, AllDatabases]
    public async Task Breaker_and_parking_do_not_last_a_day_longer(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var session = await app.Client.CreateSessionAsync(webhook);
        var open = app.Clock.GetUtcNow().AddSeconds(15);
        await app.ChangeAsync(db =>
        {
            var row = db.Destinations.Single();
            (row.Breaker.OpenUntil, row.Breaker.LaneLimit, row.Breaker.OpenedCount, row.ResumedAt) = (open, 1, 1, open);
        });

        app.Clock.Set(-_day);
        var upload = await app.Client.UploadAsync(session, Photos.Png());

        await app.Client.UploadBecomesAsync((string)upload["id"]!, "delivered");
        await Eventually.Becomes(() => app.DestinationAsync(webhook), row => row.Breaker is { OpenUntil: null, LaneLimit: 2 }, "the breaker closes");
    }

    [Theory, AllDatabases]
    public async Task Delivery_that_has_ended_stays_as_it_is_when_its_destination_is_saved_or_another_try_is_asked_for(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var upload = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(webhook), Photos.Png()))["id"]!;
        await app.Client.UploadBecomesAsync(upload, "delivered");
        var before = (await app.Client.GetAsync($"uploads/{upload}/deliveries")).Text;

        app.Clock.Set(-_day);
        var change = new JsonObject { ["isActive"] = true };
        (await app.Client.SendAsync(HttpMethod.Patch, $"projects/{app.ProjectId}/destinations/{webhook}", change)).Expect(HttpStatusCode.OK);
        var retry = (await app.Client.PostAsync($"uploads/{upload}/retry")).Expect(HttpStatusCode.OK);

        Assert.Equal("No delivery of this upload has failed.", (string)retry.Json["message"]!);
        Assert.Equal(before, (await app.Client.GetAsync($"uploads/{upload}/deliveries")).Text);
    }

    [Theory, AllDatabases]
    public async Task Event_that_waits_for_its_next_attempt_does_not_wait_a_day(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers(503);
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.ListenAsync(receiver, "project.session.created");
        await app.Client.CreateSessionAsync();
        await receiver.NextAsync();
        await app.NewestBecomesAsync(webhook, "retrying");

        app.Clock.Set(-_day);
        await app.PassAsync(TimeSpan.FromSeconds(6));

        await app.NewestBecomesAsync(webhook, "sent");
    }

    [Theory, AllDatabases]
    public async Task Session_goes_on_changing_and_its_password_can_be_guessed_again(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["password"] = "right one" });
        for (var guess = 0; guess < 5; guess++)
            await app.ClientOf(null).PostAsync($"upload/{session}/verify-password", new { password = $"wrong {guess}" });
        (await app.ClientOf(null).PostAsync($"upload/{session}/verify-password", new { password = "right one" })).Expect(HttpStatusCode.TooManyRequests);
        await app.Client.SendAsync(HttpMethod.Patch, $"upload-sessions/{session}", new JsonObject { ["max_images"] = 5 });
        var before = await ChangedAsync();

        app.Clock.Set(-_day);

        Assert.True((bool)(await app.ClientOf(null).PostAsync($"upload/{session}/verify-password", new { password = "right one" })).Json["valid"]!);
        await app.Client.SendAsync(HttpMethod.Patch, $"upload-sessions/{session}", new JsonObject { ["max_images"] = 6 });
        Assert.True(await ChangedAsync() > before);

        async Task<DateTimeOffset> ChangedAsync() =>
            (DateTimeOffset)(await app.Client.GetAsync($"upload-sessions/{session}/delivery-status")).Json["lastChanged"]!;
    }

    [Theory, AllDatabases]
    public async Task Sign_in_that_was_guessed_at_is_open_again(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        for (var guess = 0; guess < 6; guess++)
            await LoginAsync("wrong");
        (await LoginAsync(People.OwnerPassword)).Expect(HttpStatusCode.TooManyRequests);

        app.Clock.Set(-_day);

        (await LoginAsync(People.OwnerPassword)).Expect(HttpStatusCode.OK);

        Task<Answer> LoginAsync(string password) => app.ClientOf(null).PostAsync("auth/login", new { email = People.OwnerEmail, password });
    }

    /// <summary>A photo whose first attempt was put off.</summary>
    private static async Task<string> RetryingAsync(AperturApp app, Receiver receiver)
    {
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var upload = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(webhook), Photos.Png()))["id"]!;
        await app.Services.GetRequiredService<Pump>().RunOnceAsync(Cancellation);
        await Eventually.Becomes(
            async () => (await app.DeliveriesAsync(upload)).Single(), row => row.State == DeliveryState.Retrying, "the first attempt has failed");
        return upload;
    }
}
