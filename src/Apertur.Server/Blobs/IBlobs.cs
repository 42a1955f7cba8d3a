using Apertur.Server.Storage;

namespace Apertur.Server.Blobs;

/// <summary>A blob as its store sees it.</summary>
internal readonly record struct StoredFile(string Key, long Length, DateTimeOffset WrittenAt);

/// <summary>
/// A place for blobs, each whole and durable under a key such as <c>2026-06-12/id</c>, or not there: the whole seam between photos and what
/// holds their bytes. Keys are made by this program only. Nothing here knows photos, rows or hashes of rows, and a blob that is there is never
/// changed, only replaced by <see cref="WriteAsync"/>.
/// </summary>
/// <remarks>
/// A failure of the store itself, of the disk or of the network, is an <see cref="IOException"/> or <see cref="UnauthorizedAccessException"/>
/// that <see cref="StorageFault"/> knows; it says nothing of the blob. Only <see cref="FileNotFoundException"/> and
/// <see cref="DirectoryNotFoundException"/> say that there is none.
/// </remarks>
internal interface IBlobs : IDisposable
{
    /// <summary>Where it is, for an operator to read: a folder's path, or a bucket's address.</summary>
    string Root { get; }

    /// <summary>Bytes that may still be written; null where nobody can tell.</summary>
    long? FreeBytes { get; }

    /// <summary>Whether something was made durable within the last second, and nothing has failed since.</summary>
    bool IsProven { get; }

    /// <summary>Where a blob is, or would be, for an operator to read.</summary>
    string PathOf(string key);

    /// <summary>Begins a blob of a photo's size, which is streamed: it takes little memory, whatever its length.</summary>
    /// <param name="id">The photo's.</param>
    /// <param name="key">A key that has no blob yet.</param>
    /// <exception cref="DiskFullException">There is no room for another.</exception>
    BlobWriter Create(Guid id, string key);

    /// <summary>Opens a blob: seekable, asynchronous, standing at <paramref name="position"/>. The caller disposes it.</summary>
    /// <exception cref="IOException">There is none, or the store failed.</exception>
    Task<Stream> OpenReadAsync(string key, long position, CancellationToken cancellationToken);

    /// <summary>Bytes of a blob; null when there is none.</summary>
    Task<long?> LengthOfAsync(string key, CancellationToken cancellationToken);

    /// <summary>Writes a small blob whole; durable when it returns.</summary>
    /// <returns>False when there is one and it may not be replaced.</returns>
    Task<bool> WriteAsync(string key, ReadOnlyMemory<byte> content, bool overwrite, CancellationToken cancellationToken);

    /// <summary>Every blob below a folder, folder by folder in order of their names; below all folders when it is empty.</summary>
    IAsyncEnumerable<StoredFile> ListAsync(string folder, CancellationToken cancellationToken);

    /// <summary>Moves a blob; durable when it returns, and never in neither place.</summary>
    /// <returns>False when there is none, or another one is there already.</returns>
    Task<bool> MoveAsync(string key, string newKey, CancellationToken cancellationToken);

    /// <summary>Removes a blob; nothing happens when there is none. Streams of a folder that are open on it read on.</summary>
    Task DeleteAsync(string key, CancellationToken cancellationToken);

    /// <summary>Removes what crashes left of blobs that were being written, as far as it has no key.</summary>
    Task DeleteDraftsAsync(DateTimeOffset olderThan, CancellationToken cancellationToken);

    /// <summary>Does nothing where there is room, or nobody can tell.</summary>
    /// <exception cref="DiskFullException">Less than the reserve is free.</exception>
    void RequireRoom();

    /// <summary>Writes something small, as durably as an upload.</summary>
    /// <exception cref="IOException">The store takes no photos now.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be written.</exception>
    Task CheckAsync(CancellationToken cancellationToken);
}
