namespace Apertur.Server.Uploads;

/// <summary>Bytes that can be read at any position, some of them only after they were fetched.</summary>
internal interface IRandomBytes
{
    long Length { get; }

    /// <summary>Reads what is at hand from a position on, without waiting for anything but the disk.</summary>
    /// <returns>How many bytes; 0 at the end, and -1 for what <see cref="LoadAsync"/> has to fetch first.</returns>
    int Read(Span<byte> buffer, long position);

    /// <summary>Fetches bytes from a position on, more than a parser looks at in one place.</summary>
    Task LoadAsync(long position, CancellationToken cancellationToken);
}
