using System.Buffers;

namespace Apertur.Server.Tus;

/// <summary>
/// The bytes of photos that come in pieces, by upload and number of the part. A part only grows, and only by the one request that began it;
/// any node that works on the same database can close, read and delete what another has written.
/// </summary>
internal interface IPartStore
{
    /// <summary>Begins a part.</summary>
    /// <exception cref="Storage.DiskFullException">There is no room for it.</exception>
    IPartWriter Create(Guid upload, int number);

    /// <summary>
    /// Makes durable what there is of a part, and says how many bytes that is; 0 when there is none. Its writer may be alive and go on: what it
    /// adds afterwards is not among them.
    /// </summary>
    Task<long> CloseAsync(Guid upload, int number, CancellationToken cancellationToken);

    /// <summary>Opens a part to read it from its start.</summary>
    /// <exception cref="IOException">It is not there any more, or the store failed.</exception>
    Task<Stream> OpenReadAsync(Guid upload, int number, CancellationToken cancellationToken);

    /// <summary>Removes an upload's parts; nothing happens when they are gone already.</summary>
    Task DeleteAsync(Guid upload, int parts);

    /// <summary>The uploads that there are parts of from before that time; one may come more than once.</summary>
    IAsyncEnumerable<Guid> OlderThanAsync(DateTimeOffset time, CancellationToken cancellationToken);
}

/// <summary>Writes one part. Not safe for concurrent use.</summary>
internal interface IPartWriter : IAsyncDisposable
{
    /// <summary>Bytes that were added; all of them are durable after <see cref="SyncAsync"/>.</summary>
    long Length { get; }

    /// <summary>Adds bytes at the end.</summary>
    /// <exception cref="IOException">The store failed, or has no room (<see cref="Storage.DiskFullException"/>); what came before stays.</exception>
    ValueTask AppendAsync(ReadOnlySequence<byte> bytes, CancellationToken cancellationToken);

    /// <summary>Makes durable what was added.</summary>
    /// <exception cref="IOException">The store failed; what is durable is known to <see cref="IPartStore.CloseAsync"/>.</exception>
    Task SyncAsync(CancellationToken cancellationToken);
}
