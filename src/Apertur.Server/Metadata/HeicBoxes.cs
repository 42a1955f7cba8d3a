using System.Buffers.Binary;

namespace Apertur.Server.Metadata;

/// <summary>One box of a HEIC (ISO/IEC 14496-12, 4.2): where it begins, where its data do, and where it ends.</summary>
internal readonly record struct HeicBox(int Start, int Data, int End)
{
    // A photo of 200 megapixels has some hundred tiles.
    private const int MaxChildren = 100_000;

    /// <summary>The whole file, as what the outermost boxes are in.</summary>
    public static HeicBox Of(ReadOnlySpan<byte> file) => new(0, 0, file.Length);

    /// <summary>The four letters of its type.</summary>
    public ReadOnlySpan<byte> Type(ReadOnlySpan<byte> file) => file.Slice(Start + 4, 4);

    /// <summary>The boxes in it, from <paramref name="skip"/> bytes on.</summary>
    /// <exception cref="InvalidDataException">One does not fit, or there are too many.</exception>
    public List<HeicBox> Children(ReadOnlySpan<byte> file, int skip = 0)
    {
        var children = new List<HeicBox>();
        for (var at = Data + skip; at + 8 <= End;)
        {
            var box = At(file, at, End);
            children.Add(children.Count < MaxChildren ? box : throw new InvalidDataException("The HEIC has more boxes than any photo."));
            at = box.End;
        }

        return children;
    }

    /// <summary>Makes it one that nobody looks into, of zeros.</summary>
    public void Free(Span<byte> file)
    {
        "free"u8.CopyTo(file[(Start + 4)..]);
        file[Data..End].Clear();
    }

    /// <summary>Size 1 says that one of 64 bits follows, size 0 "to the end". The last box of a file that was cut off is as long as there is of it.</summary>
    private static HeicBox At(ReadOnlySpan<byte> file, int at, int end)
    {
        long size = BinaryPrimitives.ReadUInt32BigEndian(file[at..]);
        var header = 8;
        if (size == 1 && at + 16 <= end)
            (size, header) = (BinaryPrimitives.ReadInt64BigEndian(file[(at + 8)..]), 16);
        else if (size == 0)
            size = end - at;
        var isCutOff = end == file.Length && size > end - at && file.Slice(at + 4, 4).SequenceEqual("mdat"u8);
        if (isCutOff)
            size = end - at;
        return size >= header && size <= end - at
            ? new(at, at + header, (int)(at + size))
            : throw new InvalidDataException("A box of the HEIC does not fit where it stands.");
    }
}

/// <summary>Reads numbers one behind the other.</summary>
internal ref struct HeicReader(ReadOnlySpan<byte> bytes)
{
    // So that two can be added.
    private const ulong MaxNumber = 1UL << 40;

    private ReadOnlySpan<byte> _rest = bytes;

    /// <summary>A number of 0, 1, 2, 4 or 8 bytes.</summary>
    /// <exception cref="InvalidDataException">They are not there, or too many.</exception>
    public long Number(int length)
    {
        if (length is not (0 or 1 or 2 or 4 or 8) || length > _rest.Length)
            throw new InvalidDataException("A table of the HEIC ends too early.");
        ulong value = 0;
        foreach (var next in _rest[..length])
            value = (value << 8) | next;
        _rest = _rest[length..];
        return value <= MaxNumber ? (long)value : throw new InvalidDataException("A number of the HEIC is larger than any file.");
    }

    /// <summary>A text that ends with a zero, or with what there is.</summary>
    public ReadOnlySpan<byte> Text()
    {
        var zero = _rest.IndexOf((byte)0);
        var text = zero < 0 ? _rest : _rest[..zero];
        _rest = zero < 0 ? default : _rest[(zero + 1)..];
        return text;
    }
}
