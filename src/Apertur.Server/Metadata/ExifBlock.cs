using System.Buffers.Binary;

namespace Apertur.Server.Metadata;

/// <summary>
/// The EXIF data of any kind of file: a TIFF structure of directories whose entries point to their values (CIPA DC-008, 4.6; TIFF 6.0, section
/// 2). Entries that may stay are moved together, their values stay where they are, and every byte that belongs to neither is overwritten: what
/// nothing points to any more is gone, whatever it was.
/// </summary>
internal ref struct ExifBlock
{
    private const int HeaderLength = 8;
    private const int EntryLength = 12;

    private const int Orientation = 0x0112;
    private const int ThumbnailOffset = 0x0201;
    private const int ThumbnailLength = 0x0202;
    private const int ExifPointer = 0x8769;
    private const int InteroperabilityPointer = 0xA005;
    private const int ColourSpace = 0xA001;
    private const int Gamma = 0xA500;

    // Types of what points to a directory.
    private const int Long = 4;
    private const int Directory = 13;

    private readonly Span<byte> _tiff;
    private readonly bool _little;
    private readonly Strip _strip;

    // Of bytes that stay. Of these, directories must not lie over each other, or moving the entries of one would make entries in the other.
    private readonly List<(int Start, int End)> _kept = [];
    private readonly List<(int Start, int End)> _directories = [];

    private ExifBlock(Span<byte> tiff, Strip strip)
    {
        _tiff = tiff;
        _strip = strip;
        _little = tiff[0] == 'I';
    }

    private enum Kind
    {
        Main,
        Thumbnail,
        Exif,
        Interoperability,
    }

    /// <param name="tiff">From the TIFF header on.</param>
    /// <param name="strip">What goes.</param>
    /// <returns>False when nothing of it stays: then all of it has been overwritten with zeros.</returns>
    public static bool Clean(Span<byte> tiff, Strip strip)
    {
        var isTiff = tiff.StartsWith("II*\0"u8) || tiff.StartsWith("MM\0*"u8);
        if (isTiff && tiff.Length >= HeaderLength)
        {
            var block = new ExifBlock(tiff, strip);
            block._directories.Add((0, HeaderLength));
            if (block.KeepDirectory(block.UInt32(4), Kind.Main))
            {
                block.ClearOthers();
                return true;
            }
        }

        tiff.Clear();
        return false;
    }

    /// <summary>Writes EXIF data that say nothing, where there must be some. Too few bytes become zeros.</summary>
    public static void WriteEmpty(Span<byte> tiff)
    {
        tiff.Clear();
        // The header and a directory of no entries that no other follows.
        ReadOnlySpan<byte> empty = [(byte)'M', (byte)'M', 0, 42, 0, 0, 0, HeaderLength, 0, 0, 0, 0, 0, 0];
        empty.TryCopyTo(tiff);
    }

    /// <summary>Keeps what may stay of a directory.</summary>
    /// <returns>False when nothing may.</returns>
    private readonly bool KeepDirectory(long offset, Kind kind)
    {
        if (offset + 2 > _tiff.Length)
            return false;
        var (start, entries) = ((int)offset, (int)offset + 2);
        var count = Math.Min(UInt16(start), (_tiff.Length - entries) / EntryLength);
        var end = entries + (count * EntryLength);
        // With the pointer to the next one behind it.
        if (!Claim(start, end + 4))
            return false;

        var next = end + 4 <= _tiff.Length ? UInt32(end) : 0;
        var thumbnail = kind == Kind.Thumbnail && KeepThumbnail(entries, count);
        var left = entries;
        for (var entry = entries; entry < end; entry += EntryLength)
        {
            if (!KeepEntry(entry, kind, thumbnail))
                continue;
            _tiff.Slice(entry, EntryLength).CopyTo(_tiff[left..]);
            left += EntryLength;
        }

        if (left == entries)
            return false;
        Write16(start, (left - entries) / EntryLength);
        if (left + 4 <= _tiff.Length)
        {
            Write32(left, kind == Kind.Main && _strip == Strip.Location && KeepDirectory(next, Kind.Thumbnail) ? next : 0);
            left += 4;
        }

        _kept.Add((start, left));
        return true;
    }

    private readonly bool KeepEntry(int entry, Kind kind, bool thumbnail)
    {
        var tag = UInt16(entry);
        if (!IsHarmless(tag, kind))
            return false;
        var (type, value) = (UInt16(entry + 2), entry + 8);
        if (tag is ThumbnailOffset or ThumbnailLength)
            return thumbnail;
        if (tag is ExifPointer or InteroperabilityPointer)
            return type is Long or Directory && KeepDirectory(UInt32(value), tag == ExifPointer ? Kind.Exif : Kind.Interoperability);

        var length = UInt32(entry + 4) * (long)LengthOf(type);
        if (length is > 0 and <= 4)
            return true;
        // What stays of all metadata is a number or two.
        var most = kind == Kind.Interoperability ? 4 : _strip == Strip.All ? 8 : _tiff.Length;
        var at = UInt32(value);
        if (length == 0 || length > most || at + length > _tiff.Length)
            return false;
        _kept.Add(((int)at, (int)(at + length)));
        return true;
    }

    /// <summary>A preview is a JPEG of its own, with whatever metadata its program left in it.</summary>
    private readonly bool KeepThumbnail(int entries, int count)
    {
        long at = 0, length = 0;
        for (var entry = entries; count > 0; count--, entry += EntryLength)
        {
            if (UInt16(entry) == ThumbnailOffset)
                at = UInt32(entry + 8);
            else if (UInt16(entry) == ThumbnailLength)
                length = UInt32(entry + 8);
        }

        if (at < HeaderLength || at + length > _tiff.Length)
            return false;
        var jpeg = _tiff.Slice((int)at, (int)length);
        if (!jpeg.StartsWith(Uploads.JpegSize.Signature) || Overlaps(_directories, (int)at, (int)(at + length)))
            return false;
        // All of them: a preview in a preview is of no use, and need not be looked for.
        _kept.Add(((int)at, (int)at + JpegMetadata.Clean(jpeg, Strip.All)));
        return true;
    }

    private readonly bool Claim(int start, int end)
    {
        if (Overlaps(_directories, start, end))
            return false;
        _directories.Add((start, end));
        return true;
    }

    private static bool Overlaps(List<(int Start, int End)> ranges, int start, int end) =>
        ranges.Exists(range => start < range.End && range.Start < end);

    private readonly void ClearOthers()
    {
        _kept.Sort();
        var clean = HeaderLength;
        foreach (var (start, end) in _kept)
        {
            if (start > clean)
                _tiff[clean..start].Clear();
            clean = Math.Max(clean, end);
        }

        _tiff[clean..].Clear();
    }

    /// <summary>
    /// Of the tags of EXIF 3.0 and TIFF 6.0, those that neither tell the place nor hold what only the maker of the camera can read. Not among them:
    /// GPS (8825), maker notes (927C), XMP, IPTC and Photoshop's data in TIFF tags (02BC, 83BB, 8649), GeoTIFF, directories and pictures within.
    /// </summary>
    private readonly bool IsHarmless(int tag, Kind kind) => (kind, _strip) switch
    {
        (Kind.Interoperability, Strip.Location) => tag is 0x0001 or 0x0002,
        (Kind.Interoperability, _) => tag == 0x0001,
        (Kind.Exif, Strip.All) => tag is ColourSpace or Gamma or InteroperabilityPointer,
        (Kind.Main, Strip.All) => tag is Orientation or ExifPointer,
        (Kind.Exif, _) => tag == InteroperabilityPointer || IsOfPicture(tag),
        (Kind.Main, _) => tag == ExifPointer || IsOfFile(tag) || IsOfPicture(tag),
        _ => tag is ThumbnailOffset or ThumbnailLength || IsOfFile(tag),
    };

    private static bool IsOfFile(int tag) => tag switch
    {
        // Where strips and tiles of uncompressed previews are, and other directories.
        0x0111 or 0x0117 or 0x0144 or 0x0145 or 0x014A or ThumbnailOffset or ThumbnailLength => false,
        >= 0x00FE and <= 0x0214 => true,
        // Ratings, copyright, and what Windows lets people write.
        0x4746 or 0x4749 or 0x8298 or (>= 0x9C9B and <= 0x9C9F) => true,
        _ => false,
    };

    private static bool IsOfPicture(int tag) => tag switch
    {
        0x927C or InteroperabilityPointer or 0xA40B => false,
        0x829A or 0x829D or 0x8822 or 0x8824 or 0x8827 or 0x8828 or (>= 0x8830 and <= 0x8835) => true,
        (>= 0x9000 and <= 0x9405) or (>= 0xA000 and <= 0xA500) => true,
        _ => false,
    };

    /// <summary>Bytes of a value; 0 for what is no type.</summary>
    private static int LengthOf(int type) => type switch
    {
        1 or 2 or 6 or 7 or 129 => 1,
        3 or 8 => 2,
        4 or 9 or 11 => 4,
        5 or 10 or 12 => 8,
        _ => 0,
    };

    private readonly int UInt16(int at) =>
        _little ? BinaryPrimitives.ReadUInt16LittleEndian(_tiff[at..]) : BinaryPrimitives.ReadUInt16BigEndian(_tiff[at..]);

    private readonly uint UInt32(int at) =>
        _little ? BinaryPrimitives.ReadUInt32LittleEndian(_tiff[at..]) : BinaryPrimitives.ReadUInt32BigEndian(_tiff[at..]);

    private readonly void Write16(int at, int value)
    {
        if (_little)
            BinaryPrimitives.WriteUInt16LittleEndian(_tiff[at..], (ushort)value);
        else
            BinaryPrimitives.WriteUInt16BigEndian(_tiff[at..], (ushort)value);
    }

    private readonly void Write32(int at, uint value)
    {
        if (_little)
            BinaryPrimitives.WriteUInt32LittleEndian(_tiff[at..], value);
        else
            BinaryPrimitives.WriteUInt32BigEndian(_tiff[at..], value);
    }
}
