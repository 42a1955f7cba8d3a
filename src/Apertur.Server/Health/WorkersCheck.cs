using System.Globalization;
using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Health;

/// <summary>Tells of a pump that stands still, and of other nodes that ended without a word. Photos are taken in all the same.</summary>
internal sealed class WorkersCheck(Database database, Pump pump, Settings settings, TimeProvider clock) : IReadinessCheck
{
    private static readonly TimeSpan _longestRound = TimeSpan.FromMinutes(1);

    private long _rounds;
    private long _since = clock.GetTimestamp();

    public string Name => "workers";

    public async Task<ReadinessProblem?> LookAsync(CancellationToken cancellationToken)
    {
        if (pump.Rounds is var rounds && rounds != _rounds)
            (_rounds, _since) = (rounds, clock.GetTimestamp());
        else if (settings.Role != NodeRole.Web && clock.GetElapsedTime(_since) > _longestRound)
            return new("Nothing is delivered by this server: its pump stands still. Restart it.", Refusal: null);

        var now = clock.GetUtcNow();
        await using var db = database.Open();
        var dead = await db.Workers.CountAsync(
            w => w.Node != Node.Name && w.SeenAt < now - Worker.Silence && w.SeenAt > now - Worker.Mourned, cancellationToken);
        return dead == 0 ? null : new(
            string.Create(CultureInfo.InvariantCulture, $"Servers of this database that ended without a word within an hour: {dead}."), Refusal: null);
    }
}
