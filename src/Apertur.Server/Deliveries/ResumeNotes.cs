using Apertur.Server.Destinations;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Deliveries;

/// <summary>
/// The resume state that one attempt of a delivery leaves for the next: an upload session to go on with, an id to use again. It counts for
/// the target it was made for and no other: going on with it after the owner chose another bucket or account would bring the image to the
/// old.
/// </summary>
internal sealed class ResumeNotes(Database database, ColumnEncryption encryption)
{
    private const int MaxLength = 4096;

    /// <param name="row">The delivery.</param>
    /// <param name="target">From <see cref="DestinationConfigs.Target"/>.</param>
    /// <returns>Null when there is none for this target.</returns>
    public string? Read(DeliveryRow row, string target) =>
        row.Resume is { } note && encryption.Unprotect(DeliveryRow.ResumeColumn, row.Id, note) is var text
        && text.StartsWith(target, StringComparison.Ordinal)
            ? text[target.Length..]
            : null;

    /// <summary>On disk when the task is done.</summary>
    /// <param name="row">The delivery as this process claimed it; it gets the note too.</param>
    /// <param name="target">What it is for.</param>
    /// <param name="text">At most 4,096 characters. It is a capability, so it is encrypted.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ClaimLostException">Another worker has the delivery by now.</exception>
    public async Task SaveAsync(DeliveryRow row, string target, string text, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(text.Length, MaxLength);
        var note = encryption.Protect(DeliveryRow.ResumeColumn, row.Id, target + text);
        var saved = await database.WriteAsync(
            db => db.Deliveries
                .Where(d => d.Id == row.Id && d.LeaseToken == row.LeaseToken)
                .ExecuteUpdateAsync(d => d.SetProperty(x => x.Resume, note), cancellationToken),
            cancellationToken);
        if (saved == 0)
            throw new ClaimLostException();
        row.Resume = note;
    }
}

/// <summary>A row that this process had claimed is no longer its own: its lease ran out while the process was held up.</summary>
internal sealed class ClaimLostException() : Exception("The claim on this delivery was lost.");
