using System.Buffers.Binary;

namespace Apertur.Server.Uploads;

/// <summary>
/// A small window on a file for parsing untrusted headers: every access is checked against the file's length and counts against one
/// budget, so a parser may follow whatever the file says and still ends soon.
/// </summary>
internal sealed class FileWindow(IRandomBytes file)
{
    // Enough for every tile of a 200-megapixel HEIC; at most 20,000 reads of 4 kB, a few milliseconds from the page cache.
    private const int MaxAccesses = 20_000;

    /// <summary>The most bytes that <see cref="At"/> is asked for.</summary>
    public const int MostAtOnce = 64;

    private readonly byte[] _buffer = new byte[4096];
    private long _start;
    private int _filled;
    private int _accesses;

    public long Length => file.Length;

    /// <summary>The position of bytes that a parser wanted and that have to be fetched first; null when all were at hand.</summary>
    public long? Missed { get; private set; }

    /// <summary>Up to 64 bytes at a position, valid until the next call; empty when they are not all in the file or the budget is spent.</summary>
    public ReadOnlySpan<byte> At(long position, int count)
    {
        if (position < 0 || position > Length - count || ++_accesses > MaxAccesses)
            return default;
        if (position < _start || position + count > _start + _filled)
        {
            _start = position;
            _filled = file.Read(_buffer, position);
            if (_filled < 0)
                (Missed, _filled) = (Missed ?? position, 0);
            if (_filled < count)
                return default;
        }

        return _buffer.AsSpan((int)(position - _start), count);
    }

    /// <summary>Where the next byte of that value is; -1 when none is in the rest of the file, or in as much of it as the budget allows.</summary>
    public long IndexOf(byte value, long position)
    {
        while (!At(position, 1).IsEmpty)
        {
            var loaded = _buffer.AsSpan(0, _filled)[(int)(position - _start)..];
            if (loaded.IndexOf(value) is >= 0 and var index)
                return position + index;
            position += loaded.Length;
        }

        return -1;
    }

    public bool TryByte(long position, out int value)
    {
        var bytes = At(position, 1);
        value = bytes.IsEmpty ? 0 : bytes[0];
        return !bytes.IsEmpty;
    }

    public bool TryUInt16(long position, out int value, bool littleEndian = false)
    {
        var bytes = At(position, 2);
        value = bytes.IsEmpty ? 0
            : littleEndian ? BinaryPrimitives.ReadUInt16LittleEndian(bytes)
            : BinaryPrimitives.ReadUInt16BigEndian(bytes);
        return !bytes.IsEmpty;
    }

    public bool TryUInt32(long position, out uint value, bool littleEndian = false)
    {
        var bytes = At(position, 4);
        value = bytes.IsEmpty ? 0
            : littleEndian ? BinaryPrimitives.ReadUInt32LittleEndian(bytes)
            : BinaryPrimitives.ReadUInt32BigEndian(bytes);
        return !bytes.IsEmpty;
    }
}
