using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Storage;

/// <summary>
/// Rotates the encryption key: makes a new one and re-encrypts every protected column with it. Servers may go on working meanwhile: they find
/// the new key when they first meet a text of it, and a value that they change at the same moment is left as they wrote it and looked at
/// again.
/// </summary>
internal sealed class KeyRotation(Database database, ColumnEncryption encryption)
{
    private const int BatchSize = 200;

    // Each pass meets only what a running server wrote with its old key during the one before.
    private const int MaxPasses = 10;

    /// <returns>The new key, and how many texts of each column were encrypted anew.</returns>
    public async Task<(Guid Key, IReadOnlyList<(ProtectedColumn Column, int Texts)> Done)> RunAsync(CancellationToken cancellationToken)
    {
        var key = encryption.MakeKey();
        var done = ProtectedColumn.All.ToDictionary(column => column, _ => 0);
        var left = true;
        for (var pass = 0; left && pass < MaxPasses; pass++)
        {
            left = false;
            foreach (var column in ProtectedColumn.All)
            {
                var (renewed, missed) = await RenewAsync(column, key, cancellationToken);
                done[column] += renewed;
                left |= renewed + missed > 0;
            }
        }

        return (key, [.. done.Select(entry => (entry.Key, entry.Value))]);
    }

    private async Task<(int Renewed, int Missed)> RenewAsync(ProtectedColumn column, Guid key, CancellationToken cancellationToken)
    {
        var (renewed, missed, last) = (0, 0, "");
        while (true)
        {
            var batch = await database.WriteAsync(db => RenewAsync(db, column, key, last, cancellationToken), cancellationToken);
            if (batch.Last is null)
                return (renewed, missed);
            (renewed, missed, last) = (renewed + batch.Renewed, missed + batch.Missed, batch.Last);
        }
    }

    private async Task<(int Renewed, int Missed, string? Last)> RenewAsync(
        AperturDb db, ProtectedColumn column, Guid key, string after, CancellationToken cancellationToken)
    {
        var (table, name) = (column.Table, column.Column);
        // Names from the list above, never from outside.
        var select = $$"""SELECT id AS "Id", {{name}} AS "Text" FROM {{table}} WHERE {{name}} IS NOT NULL AND id > {0} ORDER BY id LIMIT {1}""";
        var update = $$"""UPDATE {{table}} SET {{name}} = {0} WHERE id = {1} AND {{name}} = {2}""";
        var rows = await db.Database.SqlQueryRaw<Protected>(select, after, BatchSize).ToListAsync(cancellationToken);
        var (renewed, missed) = (0, 0);
        foreach (var row in rows.Where(row => ColumnEncryption.KeyOf(row.Text) != key))
        {
            var id = Guid.Parse(row.Id);
            var text = encryption.Protect(column.Purpose, id, encryption.Unprotect(column.Purpose, id, row.Text));
            if (await db.Database.ExecuteSqlRawAsync(update, [text, row.Id, row.Text], cancellationToken) == 1)
                renewed++;
            else
                missed++;
        }

        return (renewed, missed, rows.Count == 0 ? null : rows[^1].Id);
    }

    private sealed record Protected(string Id, string Text);
}
