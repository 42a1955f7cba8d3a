using Apertur.Server;
using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;

namespace Apertur.Tests.Queue;

public sealed class WorkerSignsTests
{
    // SQLite belongs to one server.
    [Fact]
    public async Task Node_gives_signs_of_life_forgets_the_dead_after_an_hour_and_takes_its_own_row_away_when_it_stops()
    {
        // Nothing else of a node that delivers nothing waits for the clock.
        await using var app = await AperturApp.StartAsync(
            DatabaseKind.PostgreSql, role: NodeRole.Web, configure: services => services.WithoutLoopOf<OrphanCleanup>());
        var began = app.Clock.GetUtcNow();
        await app.ChangeAsync(db => db.Workers.Add(new Worker { Node = "gone", SeenAt = began }));

        await SeenAsync((Node.Name, began), ("gone", began));
        await PassAsync(Worker.Mourned);
        await SeenAsync((Node.Name, began + Worker.Mourned), ("gone", began));
        await PassAsync(Pump.Lease / 3);
        var now = app.Clock.GetUtcNow();
        await SeenAsync((Node.Name, now));
        await app.ChangeAsync(db => db.Workers.Add(new Worker { Node = "other", SeenAt = now }));
        var signs = app.Services.GetServices<IHostedService>().OfType<WorkerSigns>().Single();
        await signs.StopAsync(TestContext.Current.CancellationToken);
        Assert.True(signs.ExecuteTask!.IsCompleted);
        Assert.Equal([("other", now)], await RowsAsync());

        // What it has written is seen before it waits for the next time.
        async Task PassAsync(TimeSpan time)
        {
            await Eventually.True(() => app.Clock.WaitingTimers == 1);
            app.Clock.Jump(time);
        }

        Task SeenAsync(params (string, DateTimeOffset)[] expected) =>
            Eventually.Becomes(RowsAsync, seen => seen.SetEquals(expected), "the signs of life are these");

        async Task<HashSet<(string, DateTimeOffset)>> RowsAsync()
        {
            await using var db = app.Services.GetRequiredService<Database>().Open();
            var rows = await db.Workers.AsNoTracking().ToListAsync(TestContext.Current.CancellationToken);
            Assert.All(rows, row => Assert.Equal(row.Node == Node.Name ? Node.Version : "", row.Version));
            return rows.Select(row => (row.Node, row.SeenAt)).ToHashSet();
        }
    }

    [Fact]
    public async Task Node_whose_row_cannot_be_taken_away_does_not_wait_for_that()
    {
        // Longer than a test waits.
        await using var app = await AperturApp.StartAsync(
            DatabaseKind.PostgreSql, new Dictionary<string, string?> { ["Database:LockWaitSeconds"] = "60" }, role: NodeRole.Web);
        var signs = app.Services.GetServices<IHostedService>().OfType<WorkerSigns>().Single();
        await Eventually.Becomes(
            async () =>
            {
                await using var db = app.Services.GetRequiredService<Database>().Open();
                return await db.Workers.CountAsync(TestContext.Current.CancellationToken);
            },
            count => count == 1, "it has given a sign of life");
        await using var connection = new NpgsqlConnection(app.Services.GetRequiredService<Settings>().Database.ConnectionString);
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(TestContext.Current.CancellationToken);
        await using var hold = new NpgsqlCommand("SELECT 1 FROM workers FOR UPDATE", connection);
        Assert.NotNull(await hold.ExecuteScalarAsync(TestContext.Current.CancellationToken));

        await Eventually.Arrives(signs.StopAsync(TestContext.Current.CancellationToken));

        await transaction.RollbackAsync(TestContext.Current.CancellationToken);
    }
}
