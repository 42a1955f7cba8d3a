using System.Globalization;
using Apertur.Server.Storage;

namespace Apertur.Server.Health;

/// <summary>Tells of writes that wait for rows which another node, or a person at psql, does not let go of. Others go on all the same.</summary>
internal sealed class HeldRowsCheck(Database database) : IReadinessCheck
{
    public string Name => "locks";

    public Task<ReadinessProblem?> LookAsync(CancellationToken cancellationToken)
    {
        var waiting = database.HeldUp;
        return Task.FromResult(waiting == 0 ? null : new ReadinessProblem(
            string.Create(CultureInfo.InvariantCulture, $"Writes that wait for rows which another node or program holds: {waiting}."),
            Refusal: null));
    }
}
