using Apertur.Server.Storage;

namespace Apertur.Server.Health;

/// <summary>Whether the store of the images takes what an upload writes.</summary>
internal sealed class ImageStoreCheck(BlobStore blobs) : IReadinessCheck
{
    public string Name => "images";

    public async Task<ReadinessProblem?> LookAsync(CancellationToken cancellationToken)
    {
        // An upload that was synced just now proves what a probe would, whose own sync makes other uploads wait.
        if (blobs.IsProven)
            blobs.Blobs.RequireRoom();
        else
            await blobs.Blobs.CheckAsync(cancellationToken);
        return null;
    }
}
