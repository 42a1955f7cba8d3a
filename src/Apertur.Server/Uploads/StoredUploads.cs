using System.Runtime.CompilerServices;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Uploads;

/// <summary>Every photo whose bytes have to be there, in the order of their ids: millions are read a page at a time.</summary>
internal static class StoredUploads
{
    /// <summary>The condition, of a row, in SQL. Of projects that are being removed, bytes go before rows.</summary>
    public const string Condition =
        "is_stored AND removed_at IS NULL AND project_id NOT IN (SELECT id FROM projects WHERE deleted_at IS NOT NULL)";

    private const int PageSize = 500;

    public static async IAsyncEnumerable<Upload> ReadAsync(Database database, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var last = ""; ;)
        {
            await using var db = database.Open();
            const string Sql = $"SELECT * FROM uploads WHERE id > {{0}} AND {Condition} ORDER BY id LIMIT {{1}}";
            var page = await db.Uploads.FromSqlRaw(Sql, last, PageSize).AsNoTracking().ToListAsync(cancellationToken);
            foreach (var upload in page)
                yield return upload;
            if (page.Count < PageSize)
                yield break;
            last = page[^1].Id.ToString();
        }
    }
}
