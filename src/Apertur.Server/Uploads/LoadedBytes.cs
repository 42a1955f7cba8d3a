namespace Apertur.Server.Uploads;

/// <summary>The bytes of a seekable stream, in pieces that are fetched when a parser wants them.</summary>
internal sealed class LoadedBytes(Stream stream) : IRandomBytes
{
    // One request to an object store for what is most often the whole header.
    public const int PieceBytes = 1024 * 1024;

    private readonly List<(long Start, byte[] Bytes)> _pieces = [];

    public long Length => stream.Length;

    public int Read(Span<byte> buffer, long position)
    {
        if (position >= Length)
            return 0;
        foreach (var (start, bytes) in _pieces)
        {
            if (position < start || position >= start + bytes.Length)
                continue;
            var found = bytes.AsSpan((int)(position - start));
            // What goes on behind the piece has to be in one with it.
            if (found.Length < FileWindow.MostAtOnce && start + bytes.Length < Length)
                continue;
            found = found[..Math.Min(found.Length, buffer.Length)];
            found.CopyTo(buffer);
            return found.Length;
        }

        return -1;
    }

    public async Task LoadAsync(long position, CancellationToken cancellationToken)
    {
        var bytes = new byte[(int)Math.Min(PieceBytes, Length - position)];
        stream.Position = position;
        await stream.ReadExactlyAsync(bytes, cancellationToken);
        _pieces.Add((position, bytes));
    }
}
