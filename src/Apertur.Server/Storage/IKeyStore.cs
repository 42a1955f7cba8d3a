namespace Apertur.Server.Storage;

/// <summary>
/// Where the keys of an installation are kept: Data Protection's as <c>key-{id}.xml</c>, and <c>server-secret</c>. All nodes see the same ones.
/// What <see cref="Add"/> has returned for is durable: rows are encrypted with a key, and committed, as soon as it is known.
/// </summary>
internal interface IKeyStore
{
    /// <summary>Every key with its name.</summary>
    /// <exception cref="InvalidOperationException">One cannot be read; the message says what to do.</exception>
    IReadOnlyList<(string Name, byte[] Content)> Read();

    /// <summary>Adds a key.</summary>
    /// <returns>False when there is one of that name, which stays: another process was first.</returns>
    bool Add(string name, ReadOnlySpan<byte> content);

    /// <summary>Where a key is, for an operator to read.</summary>
    string PathOf(string name);
}
