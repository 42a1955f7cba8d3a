using System.Runtime.CompilerServices;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Uploads;

/// <summary>Every photo whose bytes have to be there, in the order of their ids: millions are read a page at a time.</summary>
internal static class StoredUploads
{
    private const int PageSize = 500;

    public static async IAsyncEnumerable<Upload> ReadAsync(Database database, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var last = ""; ;)
        {
            await using var db = database.Open();
            var page = await db.Uploads.FromSql($"SELECT * FROM uploads WHERE id > {last} AND is_stored AND removed_at IS NULL ORDER BY id LIMIT {PageSize}")
                .AsNoTracking().ToListAsync(cancellationToken);
            foreach (var upload in page)
                yield return upload;
            if (page.Count < PageSize)
                yield break;
            last = page[^1].Id.ToString();
        }
    }
}
