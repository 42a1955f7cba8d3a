using System.Security.Cryptography;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Storage;

/// <summary>Whether the keys that are here open what is stored encrypted: after a restore, those of another installation would not.</summary>
internal sealed class SecretCheck(Database database, ColumnEncryption encryption)
{
    /// <returns>The tables and columns, with how many of their texts cannot be read.</returns>
    public Task<IReadOnlyDictionary<string, int>> RunAsync(CancellationToken cancellationToken) =>
        database.ReadLongAsync(db => RunAsync(db, cancellationToken), cancellationToken);

    private async Task<IReadOnlyDictionary<string, int>> RunAsync(AperturDb db, CancellationToken cancellationToken)
    {
        var unreadable = new Dictionary<string, int>();
        foreach (var column in ProtectedColumn.All)
        {
            // Names from a list of ours.
            var sql = $"""SELECT id AS "Id", {column.Column} AS "Text" FROM {column.Table} WHERE {column.Column} IS NOT NULL""";
            await foreach (var row in db.Database.SqlQueryRaw<Secret>(sql).AsAsyncEnumerable().WithCancellation(cancellationToken))
            {
                if (!CanBeRead(column, row))
                    unreadable[$"{column.Table}.{column.Column}"] = unreadable.GetValueOrDefault($"{column.Table}.{column.Column}") + 1;
            }
        }

        return unreadable;
    }

    private bool CanBeRead(ProtectedColumn column, Secret row)
    {
        try
        {
            encryption.Unprotect(column.Purpose, Guid.Parse(row.Id), row.Text);
            return true;
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    private sealed record Secret(string Id, string Text);
}
