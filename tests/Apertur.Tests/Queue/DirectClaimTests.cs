using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server;
using Apertur.Server.Queue;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Queue;

/// <summary>Photos whose first attempt begins with the commit that takes them in. The pump is held up, so that nobody else claims anything.</summary>
public sealed class DirectClaimTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, AllDatabases]
    public async Task Photo_is_sent_without_a_round_of_the_pump(DatabaseKind database)
    {
        var round = new HeldRound();
        await using var receiver = await Receiver.StartAsync();
        await using var app = await StartAsync(database, round);
        var session = await app.Client.CreateSessionAsync(await WebhookAsync(app, receiver), await WebhookAsync(app, receiver));
        await using var events = await EventReader.OpenAsync(app, session);

        var id = await UploadAsync(app, session);

        await app.Client.UploadBecomesAsync(id, "delivered");
        Assert.Equal([(DeliveryState.Sent, 1), (DeliveryState.Sent, 1)], (await app.DeliveriesAsync(id)).Select(row => (row.State, row.Attempts)));
        Assert.Equal(2, receiver.Requests.Select(request => request["X-APTR-Delivery-ID"]).Distinct().Count());
        var names = new List<string>();
        while (names.Count < 6)
            names.Add((await events.NextAsync()).Name);
        Assert.Equal(["connected", "image:ready", "image:delivering", "image:delivering"], names.Take(4));
        round.Goes.SetResult();
    }

    [Theory, AllDatabases]
    public async Task Photo_does_not_overtake_what_waits_for_its_destination(DatabaseKind database)
    {
        var round = new HeldRound();
        await using var receiver = await Receiver.StartAsync();
        await using var app = await StartAsync(database, round);
        var webhook = await WebhookAsync(app, receiver);
        var session = await app.Client.CreateSessionAsync(webhook);
        await SwitchAsync(app, webhook, isActive: false);
        var first = await UploadAsync(app, session);
        await SwitchAsync(app, webhook, isActive: true);
        app.Clock.Advance(TimeSpan.FromMilliseconds(5));

        var second = await UploadAsync(app, session);

        Assert.Equal(DeliveryState.Pending, await StateAsync(app, first));
        Assert.Equal(DeliveryState.Pending, await StateAsync(app, second));
        round.Goes.SetResult();
        app.Clock.Advance(TimeSpan.FromSeconds(1));
        await app.Client.UploadBecomesAsync(first, "delivered");
        await app.Client.UploadBecomesAsync(second, "delivered");
    }

    [Theory, AllDatabases]
    public async Task Photo_waits_for_a_free_lane(DatabaseKind database)
    {
        var (round, answers) = (new HeldRound(), new TaskCompletionSource());
        await using var receiver = await Receiver.StartAsync();
        receiver.Otherwise = _ => answers.Task;
        await using var app = await StartAsync(database, round);
        var session = await app.Client.CreateSessionAsync(await WebhookAsync(app, receiver));

        // Nothing is known of it: it gets one photo to begin with.
        var first = await UploadAsync(app, session);
        var second = await UploadAsync(app, session);

        Assert.Equal(DeliveryState.Sending, await StateAsync(app, first));
        Assert.Equal(DeliveryState.Pending, await StateAsync(app, second));
        answers.SetResult();
        await app.Client.UploadBecomesAsync(first, "delivered");
        Assert.Equal(DeliveryState.Pending, await StateAsync(app, second));
        round.Goes.SetResult();
        app.Clock.Advance(TimeSpan.FromSeconds(1));
        await app.Client.UploadBecomesAsync(second, "delivered");
    }

    [Theory, AllDatabases]
    public async Task Photo_that_could_not_be_taken_in_is_not_sent_and_leaves_its_lane(DatabaseKind database)
    {
        var round = new HeldRound();
        await using var receiver = await Receiver.StartAsync();
        await using var app = await StartAsync(database, round);
        var session = await app.Client.CreateSessionAsync(await WebhookAsync(app, receiver));
        await app.WriteAsync(db => db.Database.ExecuteSqlRawAsync("ALTER TABLE uploads RENAME TO away", Cancellation));
        (await app.Client.PostImageAsync(session, Photos.Png())).Expect(HttpStatusCode.InternalServerError);
        await app.WriteAsync(db => db.Database.ExecuteSqlRawAsync("ALTER TABLE away RENAME TO uploads", Cancellation));

        await app.Client.UploadBecomesAsync(await UploadAsync(app, session), "delivered");

        Assert.Single(receiver.Requests);
        round.Goes.SetResult();
    }

    /// <summary>Photos of several tenants may share a commit.</summary>
    [Fact]
    public async Task What_a_phone_tells_of_its_trace_is_not_passed_on()
    {
        var round = new HeldRound();
        await using var receiver = await Receiver.StartAsync();
        await using var app = await StartAsync(DatabaseKind.Sqlite, round);
        var session = await app.Client.CreateSessionAsync(await WebhookAsync(app, receiver));

        var answer = await app.Client.PostImageAsync(
            session, Photos.Png(), headers: [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), ("baggage", "user=42")]);

        await app.Client.UploadBecomesAsync((string)answer.Expect(HttpStatusCode.Created).Json["id"]!, "delivered");
        var request = Assert.Single(receiver.Requests);
        Assert.Null(request["baggage"]);
        Assert.DoesNotContain("0af7651916cd43dd8448eb211c80319c", request["traceparent"] ?? "", StringComparison.Ordinal);
        round.Goes.SetResult();
    }

    [Theory]
    [InlineData("lane_limit = 1")]
    [InlineData("open_until = 1")]
    [InlineData("parked_reason = 'Its key is wrong.'")]
    [InlineData("is_active = FALSE")]
    public async Task Photo_for_a_destination_in_trouble_waits_for_the_pump(string trouble)
    {
        var round = new HeldRound();
        await using var receiver = await Receiver.StartAsync();
        await using var app = await StartAsync(DatabaseKind.Sqlite, round);
        var session = await app.Client.CreateSessionAsync(await WebhookAsync(app, receiver));
        var sql = $"UPDATE destinations SET {trouble}";
        await app.WriteAsync(db => db.Database.ExecuteSqlRawAsync(sql, Cancellation));

        var id = await UploadAsync(app, session);

        var row = Assert.Single(await app.DeliveriesAsync(id));
        Assert.Equal((DeliveryState.Pending, 0, null), (row.State, row.Attempts, row.LeaseToken));
        round.Goes.SetResult();
    }

    private static async Task<AperturApp> StartAsync(DatabaseKind database, HeldRound round)
    {
        var app = await AperturApp.StartAsync(database, configure: services => services.AddSingleton<IQueue>(round));
        await Eventually.Arrives(round.Began.Task);
        return app;
    }

    private static Task<string> WebhookAsync(AperturApp app, Receiver receiver) =>
        app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });

    private static async Task<string> UploadAsync(AperturApp app, string session) =>
        (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!;

    private static async Task SwitchAsync(AperturApp app, string destination, bool isActive) =>
        (await app.Client.SendAsync(HttpMethod.Patch, $"projects/{app.ProjectId}/destinations/{destination}", new JsonObject { ["isActive"] = isActive }))
            .Expect(HttpStatusCode.OK);

    private static async Task<DeliveryState> StateAsync(AperturApp app, string id) => Assert.Single(await app.DeliveriesAsync(id)).State;

    /// <summary>A queue that keeps the pump from ending its first round.</summary>
    private sealed class HeldRound : IQueue
    {
        public TaskCompletionSource Began { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource Goes { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int Lanes => 1;

        public int LanesPerEndpoint => 1;

        public int MaxLanesPerEndpoint => 1;

        public async Task<IReadOnlyList<DueEndpoint>> DueAsync(CancellationToken cancellationToken)
        {
            Began.TrySetResult();
            await Goes.Task.WaitAsync(cancellationToken);
            return [];
        }

        public Task<IReadOnlyList<Claimed>> TakeAsync(IReadOnlyDictionary<Guid, int> wanted, CancellationToken cancellationToken) =>
            Task.FromResult<IReadOnlyList<Claimed>>([]);

        public Task ExtendAsync(IReadOnlyCollection<Guid> leaseTokens, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task RebaseAsync(ClockChange? change, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task<int> ReleaseAbandonedAsync(bool all, CancellationToken cancellationToken) => Task.FromResult(0);
    }
}
