using System.Buffers.Binary;
using Apertur.Server.Uploads;

namespace Apertur.Server.Metadata;

/// <summary>
/// Metadata of a HEIC: items beside those of the picture, whose bytes lie somewhere in the file (ISO/IEC 14496-12, 8.11; ISO/IEC 23008-12, annex A),
/// and boxes. Bytes of items are overwritten where they lie, boxes become free space.
/// </summary>
internal static class HeicMetadata
{
    private static readonly HashSet<uint> _outermost = Types("ftyp", "styp", "pdin", "meta", "moov", "mdat", "imda");
    private static readonly HashSet<uint> _inMeta = Types("hdlr", "pitm", "iloc", "iinf", "iprp", "ipro", "iref", "idat", "dinf", "grpl");
    private static readonly HashSet<uint> _ofMovie = Types("mvhd", "trak", "mvex", "tkhd", "tref", "trgr", "edts", "mdia");

    // Coded, derived and generated pictures, and what lies over them.
    private static readonly HashSet<uint> _pictures = Types(
        "hvc1", "hev1", "lhv1", "hvt1", "av01", "avc1", "vvc1", "j2k1", "unci", "grid", "iovl", "iden", "tili", "tmap", "mski");

    // Properties: descriptions, alternative texts, when it was made and changed.
    private static readonly HashSet<uint> _words = Types("udes", "altt", "crtt", "mdft");

    private static readonly HashSet<uint> _tracks = Types("pict", "vide", "auxv", "soun");

    private const int MaxTableLength = 4 * 1024 * 1024;

    /// <summary>What is done with the bytes of an item.</summary>
    private enum Item
    {
        Metadata,
        Picture,
        Jpeg,
        Exif,
        Xmp,
    }

    public static int Clean(Span<byte> file, Strip strip)
    {
        foreach (var box in HeicBox.Of(file).Children(file))
        {
            var type = box.Type(file);
            // A film in pieces: they would have to be followed like a whole one.
            if (type.SequenceEqual("moof"u8))
                throw new InvalidDataException("The HEIC is a film in pieces.");
            if (type.SequenceEqual("meta"u8))
                CleanMeta(file, box, strip);
            else if (type.SequenceEqual("moov"u8))
                CleanMovie(file, box);
            else if (!_outermost.Contains(Code(type)))
                box.Free(file);
        }

        return file.Length;
    }

    private static void CleanMeta(Span<byte> file, HeicBox meta, Strip strip)
    {
        HeicBox? information = null, locations = null, data = null;
        // Four bytes of version and flags come first.
        foreach (var box in meta.Children(file, skip: 4))
        {
            var type = box.Type(file);
            if (type.SequenceEqual("iinf"u8))
                information = Only(information, box);
            else if (type.SequenceEqual("iloc"u8))
                locations = Only(locations, box);
            else if (type.SequenceEqual("idat"u8))
                data = Only(data, box);
            else if (type.SequenceEqual("iprp"u8))
                CleanProperties(file, box, strip);
            else if (!_inMeta.Contains(Code(type)))
                box.Free(file);
        }

        if (locations is { } table)
            CleanItems(file, table, data, information is { } list ? Items(file, list) : [], strip);
    }

    /// <summary>Of two, some readers would take the one and some the other.</summary>
    private static HeicBox Only(HeicBox? before, HeicBox box) =>
        before is null ? box : throw new InvalidDataException("The HEIC has two tables of a kind.");

    /// <summary>A property keeps its place in the list, which others count on.</summary>
    private static void CleanProperties(Span<byte> file, HeicBox box, Strip strip)
    {
        foreach (var list in box.Children(file))
        {
            if (!list.Type(file).SequenceEqual("ipco"u8))
                continue;
            foreach (var property in list.Children(file))
            {
                var type = property.Type(file);
                if (type.SequenceEqual("uuid"u8) || (strip == Strip.All && _words.Contains(Code(type))))
                    property.Free(file);
            }
        }
    }

    private static Dictionary<long, Item> Items(ReadOnlySpan<byte> file, HeicBox information)
    {
        var items = new Dictionary<long, Item>();
        var head = new HeicReader(file[information.Data..information.End]);
        var isLong = head.Number(1) != 0;
        foreach (var entry in information.Children(file, isLong ? 8 : 6))
        {
            if (!entry.Type(file).SequenceEqual("infe"u8))
                continue;
            var reader = new HeicReader(file[entry.Data..entry.End]);
            var version = reader.Number(4) >> 24;
            var id = reader.Number(version == 3 ? 4 : 2);
            reader.Number(2);
            // Entries of old versions are of files, such as XMP, that have no type.
            if (!items.TryAdd(id, version < 2 ? Item.Metadata : ItemOf((uint)reader.Number(4), ref reader)))
                throw new InvalidDataException("Two items of the HEIC have one number.");
        }

        return items;
    }

    private static Item ItemOf(uint type, ref HeicReader reader)
    {
        if (_pictures.Contains(type))
            return Item.Picture;
        if (type == Code("jpeg"u8))
            return Item.Jpeg;
        if (type == Code("Exif"u8))
            return Item.Exif;
        if (type != Code("mime"u8))
            return Item.Metadata;
        reader.Text();
        var isXmp = reader.Text().SequenceEqual("application/rdf+xml"u8);
        return isXmp && reader.Text().IsEmpty ? Item.Xmp : Item.Metadata;
    }

    /// <summary>Goes through the table that says where the bytes of each item are. An item that is not in the list is none of the picture.</summary>
    private static void CleanItems(Span<byte> file, HeicBox table, HeicBox? data, Dictionary<long, Item> items, Strip strip)
    {
        if (table.End - table.Data > MaxTableLength)
            throw new InvalidDataException("The HEIC has more items than any photo.");
        // A copy: an item may lie over it.
        var reader = new HeicReader(file[table.Data..table.End].ToArray());
        var version = reader.Number(4) >> 24;
        var sizes = reader.Number(2);
        var (offsetSize, lengthSize, baseSize) = ((int)(sizes >> 12), (int)(sizes >> 8) & 15, (int)(sizes >> 4) & 15);
        var indexSize = version == 0 ? 0 : (int)sizes & 15;
        var count = reader.Number(version < 2 ? 2 : 4);
        long cleaned = 0;
        for (; count > 0; count--)
        {
            var item = items.GetValueOrDefault(reader.Number(version < 2 ? 2 : 4));
            var method = version == 0 ? 0 : reader.Number(2) & 15;
            // 0 is this file; others may be too (14496-12, 8.7.2).
            var reference = reader.Number(2);
            var start = reader.Number(baseSize);
            var extents = (int)reader.Number(2);
            for (var extent = 0; extent < extents; extent++)
            {
                reader.Number(indexSize);
                var at = start + reader.Number(offsetSize);
                var length = reader.Number(lengthSize);
                if (item == Item.Picture)
                    continue;
                var source = method switch
                {
                    0 when reference == 0 => HeicBox.Of(file),
                    1 when data is { } box => box,
                    _ => throw new InvalidDataException("Where an item of the HEIC is cannot be told."),
                };
                // A file in which items lie over each other could have the same bytes cleaned for ever.
                cleaned += length;
                if (length == 0 || cleaned > file.Length)
                    throw new InvalidDataException("An item of the HEIC has no length, or items lie over each other.");
                if (at > source.End - source.Data)
                    continue;
                var from = source.Data + (int)at;
                var bytes = file[from..(int)Math.Min(source.End, from + length)];
                if (item == Item.Jpeg)
                    CleanJpeg(bytes, extents, strip);
                else if (item == Item.Exif && extents == 1)
                    CleanExif(bytes, strip);
                else if (item == Item.Xmp && extents == 1)
                    CleanXmp(bytes, strip);
                else
                    bytes.Clear();
            }
        }
    }

    private static void CleanJpeg(Span<byte> bytes, int extents, Strip strip)
    {
        if (extents != 1 || !bytes.StartsWith(JpegSize.Signature))
            throw new InvalidDataException("The HEIC has a JPEG in pieces.");
        bytes[JpegMetadata.Clean(bytes, strip)..].Clear();
    }

    private static void CleanXmp(Span<byte> bytes, Strip strip)
    {
        if (strip == Strip.All || !XmpPacket.RemoveLocation(bytes))
            XmpPacket.WriteEmpty(bytes);
    }

    /// <summary>Four bytes say how far behind them the TIFF header is; between stands mostly the head of a JPEG's segment.</summary>
    private static void CleanExif(Span<byte> bytes, Strip strip)
    {
        const int Head = 4;
        long tiff = bytes.Length < Head ? Head : Head + BinaryPrimitives.ReadUInt32BigEndian(bytes);
        if (tiff >= bytes.Length)
        {
            bytes.Clear();
            return;
        }

        var between = bytes[Head..(int)tiff];
        if (!between.SequenceEqual("Exif\0\0"u8))
            between.Clear();
        if (!ExifBlock.Clean(bytes[(int)tiff..], strip))
            ExifBlock.WriteEmpty(bytes[(int)tiff..]);
    }

    /// <summary>A sequence of pictures, as a film of tracks. Metadata stand beside the tracks, and, timed, in tracks of their own.</summary>
    private static void CleanMovie(Span<byte> file, HeicBox movie)
    {
        foreach (var box in movie.Children(file))
        {
            if (!_ofMovie.Contains(Code(box.Type(file))))
                box.Free(file);
            if (!box.Type(file).SequenceEqual("trak"u8))
                continue;
            foreach (var part in box.Children(file))
            {
                if (!_ofMovie.Contains(Code(part.Type(file))))
                    part.Free(file);
                if (part.Type(file).SequenceEqual("mdia"u8))
                    RequirePictures(file, part);
            }
        }
    }

    private static void RequirePictures(ReadOnlySpan<byte> file, HeicBox media)
    {
        foreach (var box in media.Children(file))
        {
            if (!box.Type(file).SequenceEqual("hdlr"u8))
                continue;
            var reader = new HeicReader(file[box.Data..box.End]);
            // Version and flags, and what was once the type of the component.
            reader.Number(8);
            if (!_tracks.Contains((uint)reader.Number(4)))
                throw new InvalidDataException("The HEIC has a track that is neither picture nor sound.");
        }
    }

    private static uint Code(ReadOnlySpan<byte> type) => BinaryPrimitives.ReadUInt32BigEndian(type);

    private static HashSet<uint> Types(params ReadOnlySpan<string> names)
    {
        var types = new HashSet<uint>();
        foreach (var name in names)
            types.Add(((uint)name[0] << 24) | ((uint)name[1] << 16) | ((uint)name[2] << 8) | name[3]);
        return types;
    }
}
