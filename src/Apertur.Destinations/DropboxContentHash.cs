using System.Buffers;
using System.Security.Cryptography;

namespace Apertur.Destinations;

/// <summary>
/// Dropbox's <c>content_hash</c>: SHA-256 over the SHA-256 of every block of 4 MiB, in lower-case hex
/// (https://www.dropbox.com/developers/reference/content-hash).
/// </summary>
internal static class DropboxContentHash
{
    private const int BlockSize = 4 * 1024 * 1024;

    /// <summary>The hash of <paramref name="length"/> bytes from the stream's position on.</summary>
    public static async Task<string> OfAsync(Stream stream, long length, CancellationToken cancellationToken)
    {
        using var whole = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using var block = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = ArrayPool<byte>.Shared.Rent(128 * 1024);
        try
        {
            for (var done = 0L; done < length;)
            {
                var left = Math.Min(BlockSize - done % BlockSize, length - done);
                var read = await stream.ReadAsync(buffer.AsMemory(0, (int)Math.Min(left, buffer.Length)), cancellationToken);
                if (read == 0)
                    throw new EndOfStreamException("The stored image is shorter than its record says.");
                block.AppendData(buffer, 0, read);
                done += read;
                if (done % BlockSize == 0 || done == length)
                    whole.AppendData(block.GetHashAndReset());
            }

            return Convert.ToHexStringLower(whole.GetHashAndReset());
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
