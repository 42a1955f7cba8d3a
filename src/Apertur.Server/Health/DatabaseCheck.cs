using Apertur.Server.Http;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Health;

/// <summary>Whether the database answers, and is sound as far as is known.</summary>
internal sealed class DatabaseCheck(Database database, DatabaseDamage damage) : IReadinessCheck
{
    public string Name => "database";

    public async Task<ReadinessProblem?> LookAsync(CancellationToken cancellationToken)
    {
        if (await damage.IsKnownAsync(cancellationToken))
            return new("The database is damaged: stop the server and restore a backup. The log says where.", ApiErrors.Unavailable);
        await using var db = database.Open();
        await db.Projects.AnyAsync(cancellationToken);
        return null;
    }
}
