using System.Globalization;
using Apertur.Server.Storage;

namespace Apertur.Server.Health;

/// <summary>Tells that the disk of the images is nearly full, before it is.</summary>
internal sealed class DiskSpaceCheck(BlobStore blobs, Settings settings) : IReadinessCheck
{
    private const long Megabyte = 1024 * 1024;

    public string Name => "disk";

    public Task<ReadinessProblem?> LookAsync(CancellationToken cancellationToken)
    {
        // Nobody can tell of an object store.
        var isNearlyFull = blobs.FreeBytes / Megabyte < settings.Operator.WarnBelowFreeMb;
        return Task.FromResult(!isNearlyFull ? null : new ReadinessProblem(
            string.Create(CultureInfo.InvariantCulture, $"The disk of the photos is nearly full: {blobs.FreeBytes / Megabyte} MB are free."), Refusal: null));
    }
}
