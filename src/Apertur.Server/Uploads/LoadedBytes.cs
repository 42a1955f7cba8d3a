namespace Apertur.Server.Uploads;

/// <summary>
/// The bytes of a seekable stream, in pieces that are fetched when a parser wants them. A parser that misses some begins anew when they are there:
/// of earlier pieces only what it looked at is kept, so that a header between megabytes of something else costs little.
/// </summary>
internal sealed class LoadedBytes(Stream stream) : IRandomBytes
{
    // One request to an object store for what is most often the whole header.
    public const int PieceBytes = 1024 * 1024;

    /// <summary>What is kept at most; to a parser that looks at more the file ends there.</summary>
    private const int MostKept = 16 * PieceBytes;

    private readonly Dictionary<long, byte[]> _seen = [];
    private byte[] _piece = [];
    private long _start;
    private int _kept;

    public long Length => stream.Length;

    public int Read(Span<byte> buffer, long position)
    {
        if (position >= Length || _kept > MostKept)
            return 0;
        if (!_seen.TryGetValue(position, out var found))
        {
            if (position < _start || position >= _start + _piece.Length)
                return -1;
            var within = _piece.AsSpan((int)(position - _start));
            // What goes on behind the piece has to be in one with it.
            if (within.Length < FileWindow.MostAtOnce && _start + _piece.Length < Length)
                return -1;
            found = within[..Math.Min(within.Length, buffer.Length)].ToArray();
            _seen[position] = found;
            _kept += found.Length;
        }

        var count = Math.Min(found.Length, buffer.Length);
        found.AsSpan(0, count).CopyTo(buffer);
        return count;
    }

    public async Task LoadAsync(long position, CancellationToken cancellationToken)
    {
        var bytes = new byte[(int)Math.Min(PieceBytes, Length - position)];
        stream.Position = position;
        await stream.ReadExactlyAsync(bytes, cancellationToken);
        (_start, _piece) = (position, bytes);
    }
}
