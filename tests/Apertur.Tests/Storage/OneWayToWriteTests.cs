using Apertur.Server;
using Apertur.Server.Queue;
using Apertur.Server.Sessions;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Storage;

/// <summary>What the rules of CONTRIBUTING.md on writing rest on: there is no other way, and nothing to remember afterwards.</summary>
public sealed class OneWayToWriteTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, AllDatabases]
    public async Task Nothing_is_written_outside_of_WriteAsync(DatabaseKind kind)
    {
        await using var app = await AperturApp.StartAsync(kind);
        await using var opened = app.Services.GetRequiredService<Database>().Open();
        await using var scope = app.Services.CreateAsyncScope();
        foreach (var db in new[] { opened, scope.ServiceProvider.GetRequiredService<AperturDb>() })
        {
            var project = await db.Projects.FirstAsync(Cancellation);
            project.Name = "Changed";

            await RefusedAsync(() => db.SaveChangesAsync(Cancellation));
            await RefusedAsync(() => Task.FromResult(db.SaveChanges()));
            await RefusedAsync(() => db.Projects.ExecuteUpdateAsync(p => p.SetProperty(x => x.Name, "Changed"), Cancellation));
            await RefusedAsync(() => db.OneTimeLinks.ExecuteDeleteAsync(Cancellation));
            await RefusedAsync(() => db.Database.ExecuteSqlAsync($"UPDATE projects SET name = 'Changed'", Cancellation));
            await RefusedAsync(() => Task.FromResult(db.Database.ExecuteSql($"UPDATE projects SET name = 'Changed'")));
            await RefusedAsync(() => db.Projects.FromSql($"UPDATE projects SET name = 'Changed' RETURNING *").ToListAsync(Cancellation));
            await RefusedAsync(() => Task.FromResult(db.Projects.FromSql($"UPDATE projects SET name = 'Changed' RETURNING *").ToList()));
            await RefusedAsync(() => db.Database.ExecuteSqlAsync(
                $"WITH all_of (id) AS (SELECT id FROM projects) UPDATE projects SET name = 'Changed' WHERE id IN (SELECT id FROM all_of)", Cancellation));
            await RefusedAsync(() => db.Database.ExecuteSqlAsync(
                $"WITH all_of (id) AS (SELECT id FROM projects) DELETE FROM one_time_links WHERE id IN (SELECT id FROM all_of)", Cancellation));
            await RefusedAsync(() => db.Database.ExecuteSqlAsync(
                $"WITH all_of (id) AS (SELECT id FROM projects) INSERT INTO one_time_links (id) SELECT id FROM all_of", Cancellation));
            // However it begins, what reads is let through.
            Assert.Equal([1], await db.Database.SqlQuery<int>($" select 1 AS \"Value\"").ToListAsync(Cancellation));
            Assert.Empty(db.ChangeTracker.Entries());
            Assert.Equal("Claims", await db.Projects.Select(p => p.Name).SingleAsync(Cancellation));
        }
    }

    /// <summary>In the order in which they come: SQLite itself would let them wait without an end to it.</summary>
    [Fact]
    public async Task Write_that_waits_for_its_turn_can_be_given_up()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var (begun, goOn) = (new TaskCompletionSource(), new TaskCompletionSource());
        var first = app.WriteAsync(async _ =>
        {
            begun.SetResult();
            await goOn.Task;
        });
        await Eventually.Arrives(begun.Task);
        using var enough = new CancellationTokenSource();
        var second = app.Services.GetRequiredService<Database>().WriteAsync(_ => Task.CompletedTask, enough.Token);

        await enough.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Eventually.Arrives(second));
        goOn.SetResult();
        await Eventually.Arrives(first);
    }

    [Theory, AllDatabases]
    public async Task Who_follows_a_session_hears_of_its_change_from_the_commit_alone(DatabaseKind kind)
    {
        await using var app = await AperturApp.StartAsync(kind, configure: services => services.WithoutNotifications());
        var (changed, other) = (Guid.Parse(await app.Client.CreateSessionAsync()), Guid.Parse(await app.Client.CreateSessionAsync()));
        var notifier = app.Services.GetRequiredService<SessionNotifier>();
        using var watch = notifier.Watch(changed);
        using var elsewhere = notifier.Watch(other);

        await app.WriteAsync(async db =>
        {
            (await db.Sessions.SingleAsync(s => s.Id == changed, Cancellation)).Touch(app.Clock.GetUtcNow().AddSeconds(1));
            // Nobody is told of this one.
            (await db.Sessions.SingleAsync(s => s.Id == other, Cancellation)).MaxImages++;
        });

        Assert.True(await IsSetAsync(watch.Changed, app.Clock));
        Assert.False(await IsSetAsync(elsewhere.Changed, app.Clock));
    }

    [Theory]
    [AllDatabases("rows")]
    [AllDatabases("bulk")]
    [AllDatabases("destination")]
    public async Task What_is_made_due_is_delivered_at_once_after_the_commit_alone(DatabaseKind kind, string way)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers(503);
        await using var app = await AperturApp.StartAsync(kind);
        var webhook = Guid.Parse(await app.Client.CreateDestinationAsync("webhook", new() { ["url"] = receiver.Url }));
        var upload = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(webhook.ToString()), Photos.Png()))["id"]!;
        await receiver.NextAsync(Cancellation);
        await app.Client.UploadBecomesAsync(upload, "pending");
        await Eventually.Becomes(() => app.DeliveriesAsync(upload), rows => rows.Single().State == DeliveryState.Retrying);
        await app.WriteAsync(db => db.Destinations.ExecuteUpdateAsync(
            d => d.SetProperty(x => x.IsActive, way != "destination"), Cancellation));
        if (way == "destination")
            await app.WriteAsync(db => db.Deliveries.ExecuteUpdateAsync(d => d.SetProperty(x => x.DueAt, app.Clock.GetUtcNow()), Cancellation));

        // The clock stands still: no pump looks by itself.
        var now = app.Clock.GetUtcNow();
        await app.WriteAsync(async db =>
        {
            if (way == "rows")
            {
                var row = await db.Deliveries.SingleAsync(Cancellation);
                (row.Due, row.UpdatedAt) = (Due.After(new DueEvent.Resumed(), now)!.Value, now);
            }
            else if (way == "bulk")
            {
                await db.Deliveries.ExecuteUpdateAsync(d => d.SetProperty(x => x.DueAt, now), Cancellation);
            }
            else
            {
                (await db.Destinations.SingleAsync(Cancellation)).IsActive = true;
            }
        });

        await receiver.NextAsync(Cancellation);
        await app.Client.UploadBecomesAsync(upload, "delivered");
    }

    private static async Task RefusedAsync(Func<Task> write) =>
        Assert.Contains("Database.WriteAsync", (await Assert.ThrowsAsync<InvalidOperationException>(write)).Message, StringComparison.Ordinal);

    private static async Task<bool> IsSetAsync(AsyncAutoResetEvent news, TimeProvider clock)
    {
        using var now = new CancellationTokenSource();
        var wait = news.WaitAsync(Timeout.InfiniteTimeSpan, clock, now.Token);
        var isSet = wait.IsCompleted;
        await now.CancelAsync();
        await wait;
        return isSet;
    }
}
