namespace Apertur.Server.Uploads;

/// <summary>
/// The size of a HEIC's primary item: its properties in the meta box, in the order in which the item applies them (ISO/IEC 14496-12, 8.11;
/// ISO/IEC 23008-12, 6.5 and 9.3). A file that holds an image sequence only has the size of its track (14496-12, 8.3.2).
/// </summary>
internal static class HeicSize
{
    private readonly record struct Box(long Start, long Data, long End);

    public static ImageSize? Read(FileWindow file)
    {
        var whole = new Box(0, 0, file.Length);
        return (Find(file, whole, "meta"u8) is { } meta ? Primary(file, meta) : null)
            ?? (Find(file, whole, "moov"u8) is { } movie ? Track(file, movie) : null);
    }

    private static ImageSize? Primary(FileWindow file, Box meta)
    {
        // meta and pitm are full boxes: a byte of version and three of flags come first.
        var children = meta with { Data = meta.Data + 4 };
        if (Find(file, children, "pitm"u8) is not { } pitm || Find(file, children, "iprp"u8) is not { } iprp)
            return null;
        if (!file.TryByte(pitm.Data, out var version) || !TryId(file, pitm.Data + 4, version != 0, out var primary))
            return null;
        if (Find(file, iprp, "ipco"u8) is not { } properties)
            return null;
        if (Find(file, children, "iref"u8) is { } references)
            primary = Shown(file, references, primary);

        // More than one ipma may stand side by side.
        var next = iprp.Data;
        while (Find(file, iprp with { Data = next }, "ipma"u8) is { } ipma)
        {
            if (Associated(file, ipma, properties, primary) is { } size)
                return size;
            next = ipma.End;
        }

        return null;
    }

    /// <summary>Where the primary item is only the thumbnail of another, readers show the other (14496-12, 8.11.12).</summary>
    private static uint Shown(FileWindow file, Box references, uint item)
    {
        if (!file.TryByte(references.Data, out var version))
            return item;
        var wide = version != 0;
        var next = references.Data + 4;
        while (Find(file, references with { Data = next }, "thmb"u8) is { } thumbnail)
        {
            if (TryId(file, thumbnail.Data, wide, out var from) && from == item
                && TryId(file, thumbnail.Data + (wide ? 6 : 4), wide, out var whole))
                return whole;
            next = thumbnail.End;
        }

        return item;
    }

    /// <summary>The first track that is seen at all: sound has no size.</summary>
    private static ImageSize? Track(FileWindow file, Box movie)
    {
        var next = movie.Data;
        while (Find(file, movie with { Data = next }, "trak"u8) is { } track)
        {
            if (Find(file, track, "tkhd"u8) is { } header && Displayed(file, header) is { } size)
                return size;
            next = track.End;
        }

        return null;
    }

    /// <summary>Width and height follow the matrix, all in 16.16 fixed point; a matrix of a quarter turn has no diagonal.</summary>
    private static ImageSize? Displayed(FileWindow file, Box header)
    {
        if (!file.TryByte(header.Data, out var version))
            return null;
        // Times and duration have 64 bits from version 1 on.
        var matrix = header.Data + (version == 0 ? 40 : 52);
        if (!file.TryUInt32(matrix, out var a) || !file.TryUInt32(matrix + 4, out var b)
            || !file.TryUInt32(matrix + 36, out var width) || !file.TryUInt32(matrix + 40, out var height))
            return null;
        var size = ImageSize.Of(width >> 16, height >> 16);
        return a == 0 && b != 0 ? size?.Turned() : size;
    }

    private static ImageSize? Associated(FileWindow file, Box ipma, Box properties, uint item)
    {
        if (!file.TryUInt32(ipma.Data, out var full))
            return null;
        var longIds = full >> 24 != 0;
        var wide = (full & 1) != 0;
        // The number of entries stands between; the box ends with the last.
        var at = ipma.Data + 8;
        while (at < ipma.End)
        {
            if (!TryId(file, at, longIds, out var id))
                return null;
            at += longIds ? 4 : 2;
            if (!file.TryByte(at++, out var count))
                return null;
            if (id == item)
                return Apply(file, properties, at, count, wide);
            at += count * (wide ? 2 : 1);
        }

        return null;
    }

    private static ImageSize? Apply(FileWindow file, Box properties, long at, int count, bool wide)
    {
        ImageSize? size = null;
        for (var i = 0; i < count; i++)
        {
            int index;
            if (wide ? !file.TryUInt16(at + (2 * i), out index) : !file.TryByte(at + i, out index))
                return null;
            // The upper bit says whether readers must know the property.
            if (Property(file, properties, index & (wide ? 0x7FFF : 0x7F)) is not { } box)
                continue;
            var type = file.At(box.Start + 4, 4);
            if (type.SequenceEqual("ispe"u8))
            {
                if (!file.TryUInt32(box.Data + 4, out var width) || !file.TryUInt32(box.Data + 8, out var height))
                    return null;
                size = ImageSize.Of(width, height);
            }
            else if (type.SequenceEqual("clap"u8))
                size = Cropped(file, box) ?? size;
            else if (type.SequenceEqual("irot"u8) && file.TryByte(box.Data, out var quarters) && (quarters & 1) != 0)
                size = size?.Turned();
        }

        return size;
    }

    /// <summary>The clean aperture's width and height are fractions; encoders use it to cut off the padding of odd sides.</summary>
    private static ImageSize? Cropped(FileWindow file, Box clap) =>
        file.TryUInt32(clap.Data, out var width) && file.TryUInt32(clap.Data + 4, out var widthDivisor) && widthDivisor != 0
        && file.TryUInt32(clap.Data + 8, out var height) && file.TryUInt32(clap.Data + 12, out var heightDivisor) && heightDivisor != 0
            ? ImageSize.Of(width / widthDivisor, height / heightDivisor)
            : null;

    private static Box? Property(FileWindow file, Box properties, int index)
    {
        var at = properties.Data;
        while (Next(file, at, properties.End) is { } box)
        {
            if (--index == 0)
                return box;
            at = box.End;
        }

        return null;
    }

    private static Box? Find(FileWindow file, Box parent, ReadOnlySpan<byte> type)
    {
        var at = parent.Data;
        while (Next(file, at, parent.End) is { } box)
        {
            if (file.At(box.Start + 4, 4).SequenceEqual(type))
                return box;
            at = box.End;
        }

        return null;
    }

    /// <summary>The box at a position; null when none fits there. Size 1 means a 64-bit size follows, size 0 "to the end".</summary>
    private static Box? Next(FileWindow file, long at, long end)
    {
        if (!file.TryUInt32(at, out var small))
            return null;
        long size = small, header = 8;
        if (small == 1)
        {
            if (!file.TryUInt32(at + 8, out var high) || !file.TryUInt32(at + 12, out var low))
                return null;
            // One beyond 2^63 - 1 comes out negative, and fits nowhere.
            (size, header) = ((long)(((ulong)high << 32) | low), 16);
        }
        else if (small == 0)
            size = end - at;

        return size >= header && size <= end - at ? new Box(at, at + header, at + size) : null;
    }

    private static bool TryId(FileWindow file, long at, bool wide, out uint id)
    {
        if (wide)
            return file.TryUInt32(at, out id);
        var read = file.TryUInt16(at, out var narrow);
        id = (uint)narrow;
        return read;
    }
}
