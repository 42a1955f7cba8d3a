using System.Buffers;
using System.Security.Cryptography;

namespace Apertur.Server.Blobs;

/// <summary>Copies a photo from one place to another, and has it there whole or not at all.</summary>
internal static class BlobCopy
{
    private const int ChunkBytes = 256 * 1024;

    /// <param name="open">Opens what is copied.</param>
    /// <param name="writer">Where it goes; disposed.</param>
    /// <param name="sha256">What it has to be; null when nobody knows.</param>
    /// <param name="cancellationToken">Ends it; then nothing stays.</param>
    /// <returns>False when it is missing, cannot be read, or is something else; then nothing stays.</returns>
    public static async Task<bool> RunAsync(Func<Task<Stream>> open, BlobWriter writer, string? sha256, CancellationToken cancellationToken)
    {
        await using var destination = writer;
        var chunk = ArrayPool<byte>.Shared.Rent(ChunkBytes);
        try
        {
            await using var source = await ReadAsync(open);
            if (source is null)
                return false;
            int? read;
            while ((read = await ReadAsync(async () => (int?)await source.ReadAsync(chunk, cancellationToken))) > 0)
                await writer.AppendAsync(new ReadOnlySequence<byte>(chunk, 0, read.Value), cancellationToken);
            if (read is null)
                return false;
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

    /// <summary>SHA-256 of a blob, as rows have it; null when there is none, or it cannot be read.</summary>
    public static Task<string?> HashAsync(IBlobs place, string key, CancellationToken cancellationToken) => ReadAsync<string?>(async () =>
    {
        await using var stream = await place.OpenReadAsync(key, 0, cancellationToken);
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellationToken));
    });

    /// <summary>
    /// Whether a failure to read is of one file: it is missing, its part of the disk is bad, or it may not be read. An object store that does not
    /// answer says nothing of its objects.
    /// </summary>
    public static bool IsOfOneFile(Exception failure) => failure is (IOException or UnauthorizedAccessException) and not ObjectStoreException;

    private static async Task<T?> ReadAsync<T>(Func<Task<T>> read)
    {
        try
        {
            return await read();
        }
        catch (Exception failure) when (IsOfOneFile(failure))
        {
            return default;
        }
    }
}
