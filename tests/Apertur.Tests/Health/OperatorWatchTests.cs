using Apertur.Server;
using Apertur.Server.Health;
using Apertur.Server.Queue;
using Apertur.Tests.Support;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Health;

/// <summary>What the operator gets by mail about the server itself.</summary>
public sealed class OperatorWatchTests
{
    [Theory, AllDatabases]
    public async Task Problem_that_lasts_is_told_once_and_so_is_its_end(DatabaseKind database)
    {
        var lamp = new Lamp();
        await using var app = await StartAsync(database, [], lamp);
        await LookAsync(app, 1);
        Assert.Empty(Mails(app));
        lamp.IsOut = true;
        await LookAsync(app, 1);
        lamp.IsOut = false;
        await LookAsync(app, 2);
        Assert.Empty(Mails(app));
        lamp.IsOut = true;
        await LookAsync(app, 5);
        Assert.Contains("Look at the bulb.", await MailAsync(app, 1), StringComparison.Ordinal);
        lamp.IsOut = false;
        await LookAsync(app, 5);

        Assert.Contains("lamp is all right again", await MailAsync(app, 2), StringComparison.Ordinal);
    }

    [Theory, AllDatabases]
    public async Task Disk_that_is_nearly_full_is_told_while_photos_are_taken(DatabaseKind database)
    {
        await using var app = await StartAsync(database, new() { ["Operator:WarnBelowFreeMb"] = "2000000000" }, new Lamp());

        await LookAsync(app, 2);

        Assert.Contains("nearly full", await MailAsync(app, 1), StringComparison.Ordinal);
        (await app.Client.GetAsync("/readyz")).Expect(System.Net.HttpStatusCode.OK);
    }

    [Theory, AllDatabases]
    public async Task Pump_that_stands_still_is_told(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database, configure: services => services.AddSingleton<IQueue>(new Stuck()));
        var workers = app.Services.GetServices<IReadinessCheck>().Single(check => check.Name == "workers");

        Assert.Null(await workers.LookAsync(TestContext.Current.CancellationToken));
        await Eventually.Becomes(
            async () =>
            {
                app.Clock.Jump(TimeSpan.FromMinutes(2));
                return await workers.LookAsync(TestContext.Current.CancellationToken);
            },
            problem => problem?.Detail.Contains("stands still", StringComparison.Ordinal) is true);
    }

    [Theory, AllDatabases]
    public async Task Server_that_ended_without_a_word_is_told_for_an_hour(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var workers = app.Services.GetServices<IReadinessCheck>().Single(check => check.Name == "workers");
        await app.WriteAsync(db =>
        {
            db.Workers.Add(new Worker { Node = "gone", SeenAt = app.Clock.GetUtcNow() });
            return Task.CompletedTask;
        });

        Assert.Null(await LookAsync());
        app.Clock.Jump(Worker.Silence + TimeSpan.FromSeconds(1));
        Assert.Contains("without a word", (await LookAsync())!.Detail, StringComparison.Ordinal);
        app.Clock.Jump(Worker.Mourned);
        Assert.Null(await LookAsync());

        // The pump's next round follows the clock, which may have gone on while it was in one.
        Task<ReadinessProblem?> LookAsync() => Eventually.Becomes(
            () =>
            {
                app.Clock.Advance(TimeSpan.FromSeconds(1));
                return workers.LookAsync(TestContext.Current.CancellationToken);
            },
            problem => problem is null || problem.Detail.EndsWith(": 1.", StringComparison.Ordinal));
    }

    private static Task<AperturApp> StartAsync(DatabaseKind database, Dictionary<string, string?> settings, Lamp lamp)
    {
        settings["Sharing:EmailTransport"] = "Folder";
        settings["Sharing:EmailFrom"] = "apertur@example.com";
        settings["Operator:Email"] = "operator@example.com";
        return AperturApp.StartAsync(database, settings, services =>
        {
            services.AddSingleton<IReadinessCheck>(lamp);
            // It would look in between.
            services.WithoutLoopOf<OperatorWatch>();
        });
    }

    private static async Task LookAsync(AperturApp app, int times)
    {
        var watch = app.Services.GetRequiredService<OperatorWatch>();
        for (var i = 0; i < times; i++)
        {
            app.Clock.Advance(Readiness.Freshness);
            await watch.RunOnceAsync(TestContext.Current.CancellationToken);
        }
    }

    /// <returns>The newest of so many mails.</returns>
    private static async Task<string> MailAsync(AperturApp app, int count)
    {
        Assert.Equal(count, Mails(app).Length);
        return await File.ReadAllTextAsync(Mails(app).Max(StringComparer.Ordinal)!, TestContext.Current.CancellationToken);
    }

    private static string[] Mails(AperturApp app) => Directory.Exists(Path.Combine(app.DataFolder, "mail"))
        ? Directory.GetFiles(Path.Combine(app.DataFolder, "mail"), "*.eml")
        : [];

    private sealed class Lamp : IReadinessCheck
    {
        public bool IsOut { get; set; }

        public string Name => "lamp";

        public Task<ReadinessProblem?> LookAsync(CancellationToken cancellationToken) =>
            Task.FromResult(IsOut ? new ReadinessProblem("Look at the bulb.", null) : null);
    }

    /// <summary>Does not answer, as a database that hangs.</summary>
    private sealed class Stuck : IQueue
    {
        public int Lanes => 1;

        public int LanesPerEndpoint => 1;

        public int MaxLanesPerEndpoint => 1;

        public Task<IReadOnlyList<DueEndpoint>> DueAsync(CancellationToken cancellationToken) =>
            new TaskCompletionSource<IReadOnlyList<DueEndpoint>>().Task.WaitAsync(cancellationToken);

        public Task<IReadOnlyList<Claimed>> TakeAsync(IReadOnlyDictionary<Guid, int> wanted, CancellationToken cancellationToken) =>
            Task.FromResult<IReadOnlyList<Claimed>>([]);

        public Task ExtendAsync(IReadOnlyCollection<Guid> leaseTokens, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task RebaseAsync(ClockChange? change, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task<int> ReleaseAbandonedAsync(bool all, CancellationToken cancellationToken) => Task.FromResult(0);
    }
}
