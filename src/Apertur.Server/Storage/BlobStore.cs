using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.CompilerServices;
using Apertur.Server.Blobs;

namespace Apertur.Server.Storage;

/// <summary>A stored image's bytes as the store sees them.</summary>
internal readonly record struct StoredBlob(Guid Id, long Length, DateTimeOffset WrittenAt);

/// <summary>
/// The bytes of images, a blob each in a folder per day: <c>yyyy-MM-dd/id</c>, the UTC day of the id's own timestamp, so the id alone says
/// where an image is. The database row is the truth: a blob without one is set aside (<see cref="Quarantine"/>).
/// </summary>
/// <param name="blobs">Where images go.</param>
/// <param name="also">Where images are also looked for, while they are moved from there; null when nowhere.</param>
internal sealed class BlobStore(IBlobs blobs, IBlobs? also = null) : IDisposable
{
    /// <summary>Where renditions are, each under an id of its own. They are made again where they are missing.</summary>
    public const string RenditionFolder = "renditions";

    private static readonly long _lastInstant = DateTimeOffset.MaxValue.ToUnixTimeMilliseconds();

    private readonly IBlobs[] _places = also is null ? [blobs] : [blobs, also];

    /// <summary>Where new images go, and everything beside them.</summary>
    public IBlobs Blobs => blobs;

    /// <inheritdoc cref="IBlobs.Root"/>
    public string Root => blobs.Root;

    /// <inheritdoc cref="IBlobs.FreeBytes"/>
    public long? FreeBytes => blobs.FreeBytes;

    /// <inheritdoc cref="IBlobs.IsProven"/>
    public bool IsProven => blobs.IsProven;

    /// <summary>Begins an image, under its final name: until a row names it, nothing looks there.</summary>
    /// <param name="id">A version 7 UUID that has no blob yet.</param>
    /// <exception cref="DiskFullException">There is no room for another.</exception>
    public BlobWriter Create(Guid id) => blobs.Create(id, KeyOf(id));

    /// <summary>Opens an image's bytes: seekable, with a length, standing at that position. The caller disposes it.</summary>
    /// <exception cref="IOException">There is no such image (<see cref="FileNotFoundException"/> or
    /// <see cref="DirectoryNotFoundException"/>), or the store failed.</exception>
    public Task<Stream> OpenReadAsync(Guid id, long position, CancellationToken cancellationToken) =>
        OpenReadAsync(KeyOf(id), position, cancellationToken);

    public async Task<bool> ExistsAsync(Guid id, CancellationToken cancellationToken) => await LengthOfAsync(id, cancellationToken) is not null;

    /// <summary>Bytes of an image; null when there is none.</summary>
    public async Task<long?> LengthOfAsync(Guid id, CancellationToken cancellationToken) => (await FindAsync(id, cancellationToken))?.Length;

    /// <summary>Where an image is, or would be.</summary>
    public string PathOf(Guid id) => blobs.PathOf(KeyOf(id));

    /// <summary>The key of an image.</summary>
    public static string KeyOf(Guid id) => $"{DayOf(id)}/{id}";

    /// <summary>The image of a key; null when the key is of something else.</summary>
    public static Guid? IdOf(string key) =>
        Guid.TryParseExact(key[(key.LastIndexOf('/') + 1)..], "D", out var id) && id.Version == 7 && key == KeyOf(id) ? id : null;

    /// <summary>When an image began to come in, which its id tells.</summary>
    public static DateTimeOffset TimeOf(Guid id)
    {
        if (id.Version != 7)
            throw new ArgumentException("Only version 7 ids carry the time that places them.", nameof(id));
        Span<byte> bytes = stackalloc byte[16];
        id.TryWriteBytes(bytes, bigEndian: true, out _);
        // The first 48 bits are unix milliseconds (RFC 9562, 5.7).
        var milliseconds = BinaryPrimitives.ReadInt64BigEndian(bytes) >>> 16;
        return DateTimeOffset.FromUnixTimeMilliseconds(Math.Min(milliseconds, _lastInstant));
    }

    /// <summary>Opens an image's thumbnail; null when none has been made. The caller disposes it.</summary>
    public async Task<Stream?> OpenThumbnailAsync(Guid id, CancellationToken cancellationToken)
    {
        try
        {
            var thumbnail = await OpenReadAsync(ThumbnailKeyOf(id), 0, cancellationToken);
            // Earlier versions kept an empty file for a failure, and could leave one behind a power cut.
            if (thumbnail.Length > 0)
                return thumbnail;
            await thumbnail.DisposeAsync();
        }
        catch (IOException failure) when (failure is FileNotFoundException or DirectoryNotFoundException)
        {
        }

        return null;
    }

    /// <summary>Keeps an image's thumbnail beside it, whole or not at all. Nothing happens when the image is gone.</summary>
    public async Task WriteThumbnailAsync(Guid id, ReadOnlyMemory<byte> jpeg, CancellationToken cancellationToken)
    {
        if (await FindAsync(id, cancellationToken) is not { } found)
            return;
        await found.Place.WriteAsync(ThumbnailKeyOf(id), jpeg, overwrite: true, cancellationToken);
        // It went meanwhile.
        if (!await ExistsAsync(id, cancellationToken))
            await DeleteAsync(id, cancellationToken);
    }

    /// <summary>Removes an image's bytes; streams that are open on a file of them read on. Nothing happens when they are gone already.</summary>
    public async Task DeleteAsync(Guid id, CancellationToken cancellationToken)
    {
        foreach (var place in _places)
        {
            // The image last: as long as it is there, a sweep finds both.
            await place.DeleteAsync(ThumbnailKeyOf(id), cancellationToken);
            await place.DeleteAsync(KeyOf(id), cancellationToken);
        }
    }

    /// <summary>Removes an image's thumbnail.</summary>
    public Task DeleteThumbnailAsync(Guid id, CancellationToken cancellationToken) => blobs.DeleteAsync(ThumbnailKeyOf(id), cancellationToken);

    /// <summary>Begins a rendition: until a row names it, nothing looks there.</summary>
    /// <param name="id">A version 7 UUID that has no blob yet.</param>
    /// <exception cref="DiskFullException">There is no room for another.</exception>
    public BlobWriter CreateRendition(Guid id) => blobs.Create(id, RenditionKeyOf(id));

    /// <inheritdoc cref="OpenReadAsync(Guid, long, CancellationToken)"/>
    public Task<Stream> OpenRenditionAsync(Guid id, long position, CancellationToken cancellationToken) =>
        blobs.OpenReadAsync(RenditionKeyOf(id), position, cancellationToken);

    /// <summary>Removes a rendition, wherever one has been kept.</summary>
    public async Task DeleteRenditionAsync(Guid id, CancellationToken cancellationToken)
    {
        foreach (var place in _places)
            await place.DeleteAsync(RenditionKeyOf(id), cancellationToken);
    }

    /// <summary>Every rendition there is, those that are being made too, and those in a place that is only read any more.</summary>
    public async IAsyncEnumerable<StoredBlob> RenditionsAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var place in _places)
        {
            await foreach (var file in place.ListAsync(RenditionFolder, cancellationToken))
            {
                if (Guid.TryParseExact(file.Key[(RenditionFolder.Length + 1)..], "D", out var id))
                    yield return new StoredBlob(id, file.Length, file.WrittenAt);
            }
        }
    }

    /// <summary>
    /// Every stored image, oldest day first. In a folder that is also the files of uploads in progress: compare <see cref="StoredBlob.WrittenAt"/>.
    /// </summary>
    public async IAsyncEnumerable<StoredBlob> EnumerateAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var file in blobs.ListAsync("", cancellationToken))
        {
            if (IdOf(file.Key) is { } id)
                yield return new StoredBlob(id, file.Length, file.WrittenAt);
        }
    }

    public void Dispose()
    {
        foreach (var place in _places)
            place.Dispose();
    }

    private async Task<Stream> OpenReadAsync(string key, long position, CancellationToken cancellationToken)
    {
        try
        {
            return await blobs.OpenReadAsync(key, position, cancellationToken);
        }
        catch (IOException failure) when (also is not null && failure is FileNotFoundException or DirectoryNotFoundException)
        {
            return await also!.OpenReadAsync(key, position, cancellationToken);
        }
    }

    private async Task<(IBlobs Place, long Length)?> FindAsync(Guid id, CancellationToken cancellationToken)
    {
        foreach (var place in _places)
        {
            if (await place.LengthOfAsync(KeyOf(id), cancellationToken) is { } length)
                return (place, length);
        }

        return null;
    }

    private static string RenditionKeyOf(Guid id) => $"{RenditionFolder}/{id}";

    private static string ThumbnailKeyOf(Guid id) => KeyOf(id) + ".jpg";

    private static string DayOf(Guid id) => TimeOf(id).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
}
