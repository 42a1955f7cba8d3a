using System.Net;
using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Server.Queue;
using Apertur.Tests.Support;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Deliveries;

/// <summary>What an attempt found out before the owner of its destination acted says nothing about how that is now, nor does one that takes too long.</summary>
public sealed class StaleOutcomeTests
{
    [Theory]
    [AllDatabases("broken")]
    [AllDatabases("try_again")]
    public async Task Photo_goes_on_at_once_when_its_attempt_fails_for_a_reason_that_the_owner_has_put_right_meanwhile(DatabaseKind database, string outcome)
    {
        var type = new Answering();
        await using var app = await AperturApp.StartAsync(database, configure: services => services.AddSingleton<IDestinationType>(type));
        var id = await app.Client.CreateDestinationAsync(type.Type, []);
        var path = $"projects/{app.ProjectId}/destinations/{id}";
        await ActAsync();
        var upload = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(id), Photos.Png()))["id"]!;
        await Eventually.Arrives(type.Asked.Task);
        // At the same instant as before: the clock stands still.
        await ActAsync();

        type.First.SetResult(outcome == "broken"
            ? new DeliveryOutcome.Broken("The bucket does not exist.")
            : new DeliveryOutcome.TryAgain("Too many requests.", TimeSpan.FromHours(1)));

        await app.Client.UploadBecomesAsync(upload, "delivered");
        var attempts = (await app.Client.GetAsync($"uploads/{upload}/destinations/{id}/attempts")).Json["attempts"]!.AsArray();
        Assert.Equal(
            ["2 accepted resumed - ", $"1 {outcome} received - resumed"],
            attempts.Select(attempt => $"{attempt!["number"]} {attempt["outcome"]} {attempt["dueCause"]} - {attempt["nextCause"]}"));
        Assert.Null((await app.Client.GetAsync(path)).Json["problem"]);
        Assert.Equal(1, (await app.DestinationAsync(id)).Breaker.WindowAttempts);
        Assert.Equal(outcome == "broken" ? 1 : 2, (await app.DeliveriesAsync(upload)).Single().Attempts);

        async Task ActAsync() =>
            (await app.Client.SendAsync(HttpMethod.Patch, path, new JsonObject { ["isActive"] = true })).Expect(HttpStatusCode.OK);
    }

    [Theory, AllDatabases]
    public async Task Schedule_that_is_used_up_ends_a_delivery_whatever_its_owner_did_meanwhile(DatabaseKind database)
    {
        var type = new Answering();
        await using var app = await AperturApp.StartAsync(
            database, new Dictionary<string, string?> { ["Delivery:RetrySeconds"] = "1" }, services => services.AddSingleton<IDestinationType>(type));
        var id = await app.Client.CreateDestinationAsync(type.Type, []);
        var session = await app.Client.CreateSessionAsync(id);
        await app.ChangeAsync(db => db.Destinations.Single().IsActive = false);
        var upload = (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!;
        await app.ChangeAsync(db => db.Deliveries.Single().Attempts = 1);
        var path = $"projects/{app.ProjectId}/destinations/{id}";
        (await app.Client.SendAsync(HttpMethod.Patch, path, new JsonObject { ["isActive"] = true })).Expect(HttpStatusCode.OK);
        await Eventually.Arrives(type.Asked.Task);
        app.Clock.Jump(TimeSpan.FromSeconds(1));
        (await app.Client.SendAsync(HttpMethod.Patch, path, new JsonObject { ["isActive"] = true })).Expect(HttpStatusCode.OK);

        type.First.SetResult(new DeliveryOutcome.TryAgain("Too many requests."));

        await app.Client.UploadBecomesAsync(upload, "failed");
    }

    [Theory, AllDatabases]
    public async Task Attempt_does_not_count_for_a_destination_that_was_deleted_meanwhile(DatabaseKind database)
    {
        var type = new Answering();
        await using var app = await AperturApp.StartAsync(database, configure: services => services.AddSingleton<IDestinationType>(type));
        var id = await app.Client.CreateDestinationAsync(type.Type, []);
        var upload = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(id), Photos.Png()))["id"]!;
        await Eventually.Arrives(type.Asked.Task);
        (await app.Client.SendAsync(HttpMethod.Delete, $"projects/{app.ProjectId}/destinations/{id}")).Expect(HttpStatusCode.NoContent);

        type.First.SetResult(new DeliveryOutcome.TryAgain("Too many requests."));

        await Eventually.Becomes(() => app.DeliveriesAsync(upload), rows => rows.Single().State == DeliveryState.Retrying);
        Assert.Equal(0, (await app.DestinationAsync(id)).Breaker.WindowAttempts);
    }

    [Theory, AllDatabases]
    public async Task Attempt_that_takes_too_long_is_ended_as_one_to_which_nobody_answered(DatabaseKind database)
    {
        var type = new Answering();
        await using var app = await AperturApp.StartAsync(
            database, new Dictionary<string, string?> { ["Delivery:AttemptMinutes"] = "1" }, services => services.AddSingleton<IDestinationType>(type));
        var id = await app.Client.CreateDestinationAsync(type.Type, []);
        var upload = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(id), Photos.Png()))["id"]!;
        await Eventually.Arrives(type.Asked.Task);

        // In steps, between which heartbeats keep the claim; no further, or its next attempt would come, which is accepted.
        var end = app.Clock.GetUtcNow().AddMinutes(1);
        var row = (await Eventually.Becomes(
            () =>
            {
                if (app.Clock.GetUtcNow() < end)
                    app.Clock.Advance(TimeSpan.FromSeconds(1));
                return app.DeliveriesAsync(upload);
            },
            rows => rows.Single().LastError is not null)).Single();
        Assert.Equal("The attempt took longer than 1 minutes.", row.LastError);
        Assert.Equal(1, (await app.DestinationAsync(id)).Breaker.Timeouts);
    }

    /// <summary>Waits to be told the outcome of its first delivery, and accepts all others.</summary>
    private sealed class Answering : IDestinationType
    {
        public TaskCompletionSource Asked { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource<DeliveryOutcome> First { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public string Type => "answering";

        public string Label => "Answering";

        public IReadOnlyList<ConfigField> Fields => [];

        public Task<DeliveryOutcome> DeliverAsync(Delivery delivery, CancellationToken cancellationToken) =>
            Asked.TrySetResult() ? First.Task.WaitAsync(cancellationToken) : Task.FromResult<DeliveryOutcome>(new DeliveryOutcome.Accepted());

        public Task<DeliveryOutcome> TestAsync(DestinationConfig config, CancellationToken cancellationToken) => throw new NotSupportedException();
    }
}
