using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Storage;

/// <summary>Gives the space of removed rows in a SQLite file back to the file system.</summary>
internal static class SqliteSpace
{
    /// <returns>How many free pages were given back: none in a file made before this could be done; see docs/operations.md.</returns>
    public static async Task<int> ReleaseAsync(AperturDb db, int mostPages)
    {
        var vacuum = $"PRAGMA incremental_vacuum({mostPages})";
        var before = await FreePagesAsync(db);
        await db.Database.ExecuteSqlRawAsync(vacuum);
        return before - await FreePagesAsync(db);
    }

    private static Task<int> FreePagesAsync(AperturDb db) =>
        db.Database.SqlQueryRaw<int>("SELECT freelist_count AS \"Value\" FROM pragma_freelist_count").SingleAsync();
}
