using System.Buffers;
using System.Security.Cryptography;

namespace Apertur.Server.Blobs;

/// <summary>Copies a photo from one place to another, and has it there whole or not at all.</summary>
internal static class BlobCopy
{
    private const int ChunkBytes = 256 * 1024;

    /// <param name="source">All of it, from here on.</param>
    /// <param name="writer">Where it goes; disposed.</param>
    /// <param name="sha256">What it has to be; null when nobody knows.</param>
    /// <param name="cancellationToken">Ends it; then nothing stays.</param>
    /// <returns>False when it is something else; then nothing stays.</returns>
    public static async Task<bool> RunAsync(Stream source, BlobWriter writer, string? sha256, CancellationToken cancellationToken)
    {
        await using var destination = writer;
        var chunk = ArrayPool<byte>.Shared.Rent(ChunkBytes);
        try
        {
            int read;
            while ((read = await source.ReadAsync(chunk, cancellationToken)) > 0)
                await writer.AppendAsync(new ReadOnlySequence<byte>(chunk, 0, read), cancellationToken);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(chunk);
        }

        if (sha256 is not null && writer.Sha256 != sha256)
            return false;
        await writer.SyncAsync(cancellationToken);
        writer.Keep();
        return true;
    }

    /// <summary>
    /// Whether a blob is in a place already, from a run that was broken off; what such a run left by half, where that is possible, is removed.
    /// </summary>
    public static async Task<bool> IsThereAsync(
        IBlobs place, string key, long length, Func<Task<string>> sha256, CancellationToken cancellationToken)
    {
        if (await place.LengthOfAsync(key, cancellationToken) is not { } found)
            return false;
        if (found == length && (place.IsAtomic || await HashAsync(place, key, cancellationToken) == await sha256()))
            return true;
        await place.DeleteAsync(key, cancellationToken);
        return false;
    }

    /// <summary>SHA-256 of a blob, as rows have it.</summary>
    public static async Task<string> HashAsync(IBlobs place, string key, CancellationToken cancellationToken)
    {
        await using var stream = await place.OpenReadAsync(key, 0, cancellationToken);
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellationToken));
    }
}
