using System.Buffers;
using System.Security.Cryptography;

namespace Apertur.Destinations;

/// <summary>
/// A stored image whose bytes were found to be those that were received. The only way to one compares length and SHA-256 of the whole file,
/// before anybody gets a byte of it; its streams then compare each block again while they hand it out. So however often, and from wherever, a
/// destination reads, what leaves is what was received or breaks off, also when the file changes in the middle of an attempt. An image of no more
/// than a block is kept in memory instead, and its file is read once.
/// </summary>
public sealed class VerifiedImage
{
    private readonly OpenBytes _open;
    private readonly uint[] _checksums = [];
    private readonly byte[]? _whole;

    private VerifiedImage(OpenBytes open, long length, uint[] checksums) => (_open, Length, _checksums) = (open, length, checksums);

    private VerifiedImage(OpenBytes open, byte[] whole) => (_open, Length, _whole) = (open, whole.Length, whole);

    public long Length { get; }

    /// <summary>What a stream of this image has broken off for; null when none has.</summary>
    public ImageFault? Fault { get; private set; }

    /// <summary>Reads the whole file once and compares it with what was received.</summary>
    /// <param name="open">Opens the stored bytes.</param>
    /// <param name="length">Bytes that were received.</param>
    /// <param name="sha256">Of what was received, 64 lower-case hex characters.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="StoredImageException">The file is not what was received, or cannot be read.</exception>
    public static async Task<VerifiedImage> VerifyAsync(OpenBytes open, long length, string sha256, CancellationToken cancellationToken)
    {
        try
        {
            await using var file = await open(0, cancellationToken).ConfigureAwait(false);
            if (file.Length != length)
                throw new StoredImageException(file.Length < length ? ImageFault.Truncated : ImageFault.Extended);
            return length <= VerifiedStream.BlockBytes
                ? new VerifiedImage(open, await WholeAsync(file, (int)length, sha256, cancellationToken))
                : new VerifiedImage(open, length, await ChecksumsAsync(file, length, sha256, cancellationToken));
        }
        catch (Exception exception) when (FaultIn(exception) is { } fault)
        {
            throw new StoredImageException(fault, exception);
        }
    }

    /// <summary>
    /// The bytes from the start, seekable, as <see cref="VerifyAsync"/> found them. Reading throws a <see cref="StoredImageException"/> before it
    /// hands out a block that has changed since.
    /// </summary>
    public Stream OpenRead() => _whole is null ? new VerifiedStream(this, _open) : new MemoryStream(_whole, writable: false);

    internal bool IsRight(long block, ReadOnlySpan<byte> bytes) => Crc32C.Of(bytes) == _checksums[block];

    internal StoredImageException Fail(ImageFault fault, Exception? cause = null)
    {
        Fault = fault;
        return new StoredImageException(fault, cause);
    }

    /// <summary>What a failure to read a file says of it; null when it says nothing.</summary>
    internal static ImageFault? FaultIn(Exception exception) => exception switch
    {
        FileNotFoundException or DirectoryNotFoundException => ImageFault.Missing,
        EndOfStreamException => ImageFault.Truncated,
        IOException or UnauthorizedAccessException => ImageFault.Unreadable,
        _ => null,
    };

    private static async Task<byte[]> WholeAsync(Stream file, int length, string sha256, CancellationToken cancellationToken)
    {
        var whole = new byte[length];
        await file.ReadExactlyAsync(whole, cancellationToken).ConfigureAwait(false);
        return Convert.ToHexStringLower(SHA256.HashData(whole)) == sha256 ? whole : throw new StoredImageException(ImageFault.Altered);
    }

    private static async Task<uint[]> ChecksumsAsync(Stream file, long length, string sha256, CancellationToken cancellationToken)
    {
        var checksums = new uint[(length + VerifiedStream.BlockBytes - 1) / VerifiedStream.BlockBytes];
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var block = ArrayPool<byte>.Shared.Rent(VerifiedStream.BlockBytes);
        try
        {
            for (var number = 0; number < checksums.Length; number++)
            {
                var size = (int)Math.Min(VerifiedStream.BlockBytes, length - ((long)number * VerifiedStream.BlockBytes));
                await file.ReadExactlyAsync(block.AsMemory(0, size), cancellationToken).ConfigureAwait(false);
                hash.AppendData(block, 0, size);
                checksums[number] = Crc32C.Of(block.AsSpan(0, size));
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(block);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset()) == sha256
            ? checksums
            : throw new StoredImageException(ImageFault.Altered);
    }
}

/// <summary>Opens stored bytes: seekable, with a length, and standing at that position.</summary>
public delegate Task<Stream> OpenBytes(long position, CancellationToken cancellationToken);
