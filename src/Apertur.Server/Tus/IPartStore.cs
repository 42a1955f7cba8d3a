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
    /// <exception cref="IOException">It is not there any more.</exception>
    Stream OpenRead(Guid upload, int number);

    /// <summary>Removes an upload's parts; nothing happens when they are gone already.</summary>
    void Delete(Guid upload, int parts);

    /// <summary>The uploads that there are parts of from before that time.</summary>
    IEnumerable<Guid> OlderThan(DateTimeOffset time);
}

/// <summary>Writes one part. Not safe for concurrent use.</summary>
internal interface IPartWriter : IAsyncDisposable
{
    long Length { get; }

    /// <summary>Adds bytes at the end.</summary>
    /// <exception cref="Storage.DiskFullException">No room; what came before stays.</exception>
    void Append(in ReadOnlySequence<byte> bytes);
}
