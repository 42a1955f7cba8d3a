using System.Globalization;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Health;

/// <summary>Tells of stored photos that are missing or damaged. Others are taken in all the same.</summary>
internal sealed class PhotosCheck(Database database) : IReadinessCheck
{
    public string Name => "photos";

    public async Task<ReadinessProblem?> LookAsync(CancellationToken cancellationToken)
    {
        await using var db = database.Open();
        var damaged = await db.Uploads.CountAsync(upload => upload.DamagedAt != null, cancellationToken);
        return damaged == 0 ? null : new(
            string.Create(CultureInfo.InvariantCulture, $"Stored photos that are missing or not what was received: {damaged}. 'fsck' names them."),
            Refusal: null);
    }
}
