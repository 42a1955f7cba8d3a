using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Apertur.Tests.Queue;

public sealed class WorkerSignsTests
{
    // SQLite belongs to one server.
    [Fact]
    public async Task Node_gives_signs_of_life_forgets_the_dead_after_an_hour_and_takes_its_own_row_away_when_it_stops()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.PostgreSql);
        var began = app.Clock.GetUtcNow();
        await app.ChangeAsync(db => db.Workers.Add(new Worker { Node = "gone", SeenAt = began }));

        await SeenAsync((Node.Name, began), ("gone", began));
        app.Clock.Jump(Worker.Mourned);
        await SeenAsync((Node.Name, began + Worker.Mourned), ("gone", began));
        app.Clock.Jump(Pump.Lease / 3);
        var now = app.Clock.GetUtcNow();
        await SeenAsync((Node.Name, now));
        await app.ChangeAsync(db => db.Workers.Add(new Worker { Node = "other", SeenAt = now }));
        await app.Services.GetServices<IHostedService>().OfType<WorkerSigns>().Single().StopAsync(TestContext.Current.CancellationToken);
        await SeenAsync(("other", now));

        Task SeenAsync(params (string, DateTimeOffset)[] expected) => Eventually.Becomes(
            async () =>
            {
                await using var db = app.Services.GetRequiredService<Database>().Open();
                var rows = await db.Workers.AsNoTracking().ToListAsync(TestContext.Current.CancellationToken);
                return rows.Select(row => (row.Node, row.SeenAt)).ToHashSet();
            },
            seen => seen.SetEquals(expected), "the signs of life are these");
    }
}
