using Apertur.Tests.Support;
using static Apertur.Tests.Metadata.Located;

namespace Apertur.Tests.Metadata;

/// <summary>A photo that tells where it was taken.</summary>
/// <param name="Name">With the ending of its kind.</param>
internal sealed record LocatedPhoto(string Name, string MimeType, byte[] File);

/// <summary>100 photos of four kinds that tell a place, each in other places of the file; the first of each kind in all of them.</summary>
internal static class LocatedPhotos
{
    private const int OfEachKind = 25;

    public static IReadOnlyList<LocatedPhoto> All { get; } =
    [
        .. Of("jpg", "image/jpeg", Jpeg), .. Of("png", "image/png", Png), .. Of("webp", "image/webp", WebP), .. Of("heic", "image/heic", Heic),
    ];

    private static IEnumerable<LocatedPhoto> Of(string ending, string type, Func<int, byte[]> make) =>
        Enumerable.Range(0, OfEachKind).Select(number => new LocatedPhoto($"{ending}-{number:00}.{ending}", type, make(number)));

    public static byte[] Jpeg(int number)
    {
        byte[] extended = [.. Bytes("0123456789ABCDEF0123456789ABCDEF"), .. BigEndian((uint)Xmp(0).Length), .. BigEndian(0), .. Xmp(0)];
        byte[] resource = [.. "8BIM"u8, 4, 4, 0, 0, .. BigEndian((uint)Iptc().Length), .. Iptc(), .. new byte[Iptc().Length & 1]];
        var file = JpegWith(Chosen(
            number,
            Segment(0xE1, "Exif\0\0", Exif(number % 2 == 0)),
            Segment(0xE1, "http://ns.adobe.com/xap/1.0/\0", Xmp(number)),
            Segment(0xE1, "http://ns.adobe.com/xmp/extension/\0", extended),
            Segment(0xED, "Photoshop 3.0\0", resource),
            // Between segments, where decoders look for the next.
            Bytes(Place),
            Segment(0xE6, "GPRO", Bytes(Place)),
            Segment(0xE1, "Exif\0\0", Exif(number % 2 == 1, withPreview: false)),
            Segment(0xEB, "JP\0\0", Box("jumb", Bytes(Place))),
            // Says that it is shorter than it is.
            [.. Segment(0xE1, "Exif\0\0", []), .. Bytes(Place)]));
        // Other pictures of the scene, a film, and what Samsung's phones leave at the end.
        byte[] another = [.. new byte[number], .. JpegWith(Segment(0xE1, "Exif\0\0", Exif(true)))];
        return [.. file, .. Chosen(number, another, Film(), [.. Bytes(Place), .. "SEFT"u8]).SelectMany(part => part)];
    }

    public static byte[] Png(int number)
    {
        var png = Photos.Png();
        const int Header = 33;
        var end = png.Length - 12;
        byte[] profile = Bytes($"\nexif\n{Exif(true).Length + 6,8}\n{Convert.ToHexStringLower([.. "Exif\0\0"u8, .. Exif(true)])}\n");
        var before = Chosen(
            number,
            Chunk("eXIf", Exif(number % 2 == 0)),
            Chunk("iTXt", Bytes("XML:com.adobe.xmp\0\0\0\0\0"), Xmp(number)),
            Chunk("iTXt", Bytes("XML:com.adobe.xmp\0\x01\0\0\0"), Deflated(Xmp(number))),
            Chunk("zTXt", Bytes("Raw profile type exif\0\0"), Deflated(profile)),
            Chunk("tEXt", Bytes($"exif:GPSLatitude\048/1, 51/1, {Place}")),
            Chunk("loCa", Bytes(Place)));
        var after = Chosen(number + 1, Chunk("tEXt", Bytes($"Location\0{Place}")), Chunk("eXIf", Exif(false)));
        return
        [
            .. png[..Header], .. Chunk("tEXt", Bytes("Comment\0by the gate")), .. before.SelectMany(part => part), .. png[Header..end],
            .. after.SelectMany(part => part), .. png[end..], .. Bytes(number % 2 == 0 ? Place : ""),
        ];
    }

    public static byte[] WebP(int number)
    {
        var head = RiffChunk("VP8X", [0x0C, 0, 0, 0, Photos.Width - 1, 0, 0, Photos.Height - 1, 0, 0]);
        byte[] chunks =
        [
            .. head, .. Photos.WebP()[12..],
            .. Chosen(
                number,
                RiffChunk("EXIF", number % 3 == 0 ? [.. "Exif\0\0"u8, .. Exif(true)] : Exif(number % 2 == 0)),
                RiffChunk("XMP ", Xmp(number)),
                RiffChunk("GEO ", Bytes(Place))).SelectMany(part => part),
        ];
        return [.. "RIFF"u8, .. LittleEndian((uint)chunks.Length + 4), .. "WEBP"u8, .. chunks, .. Bytes(number % 2 == 0 ? Place : "")];
    }

    public static byte[] Heic(int number)
    {
        byte[] exif = [0, 0, 0, 6, .. "Exif\0\0"u8, .. Exif(number % 2 == 0)];
        var heic = new HeicWriter();
        foreach (var add in Chosen<Action>(
            number,
            () => heic.Add("Exif", "", exif),
            () => heic.Add("mime", "application/rdf+xml\0", Xmp(number)),
            () => heic.Add("Exif", "", exif, isInMeta: true),
            () => heic.Add("mime", "application/json\0", Bytes(Place)),
            () => heic.Add("uri ", "", Bytes(Place)),
            () => heic.Add("Exif", "", exif, extents: 3)))
            add();
        return
        [
            .. heic.Build(), .. Chosen(
                number,
                Box("mpvd", Film()),
                Box("uuid", new byte[16], Bytes(Place)),
                Box("free", Bytes(Place)),
                Box("moov", Box("udta", Box("\u00A9xyz", [0, (byte)Place.Length, 0x15, 0xC7], Bytes(Place))))).SelectMany(part => part),
        ];
    }

    /// <summary>All of them the first time, and another two thirds of them each time after.</summary>
    private static IEnumerable<T> Chosen<T>(int number, params T[] pieces) => pieces.Where((_, index) => number == 0 || (number + index) % 3 != 0);
}

/// <summary>Writes the sample HEIC again, with more items.</summary>
internal sealed class HeicWriter
{
    private readonly List<(string Type, string More, byte[] Data, bool IsInMeta, int Extents)> _items = [];

    public void Add(string type, string more, byte[] data, bool isInMeta = false, int extents = 1) =>
        _items.Add((type, more, data, isInMeta, extents));

    public byte[] Build()
    {
        var sample = Photos.Heic();
        // Where the sample has its boxes, the coded tile and the grid of one that shows it.
        var (type, tile, grid) = (sample[..28], sample[464..542], sample[95..103]);
        byte[] data = [.. tile, .. _items.Where(item => !item.IsInMeta).SelectMany(item => item.Data)];
        byte[] inMeta = [.. grid, .. _items.Where(item => item.IsInMeta).SelectMany(item => item.Data)];
        var start = type.Length + Meta(0).Length + 8;
        return [.. type, .. Meta(start), .. Box("mdat", data)];

        byte[] Meta(int dataAt)
        {
            List<byte[]> information = [sample[173..194], sample[194..215]];
            List<byte[]> locations = [Location(1, 0, dataAt, tile.Length, 1), Location(2, 1, 0, grid.Length, 1)];
            var (at, atInMeta) = (dataAt + tile.Length, grid.Length);
            for (var index = 0; index < _items.Count; index++)
            {
                var item = _items[index];
                byte[] number = [0, (byte)(index + 3)];
                information.Add(Box("infe", [2, 0, 0, 0], number, [0, 0], Bytes(item.Type), [0], Bytes(item.More)));
                locations.Add(Location(index + 3, item.IsInMeta ? 1 : 0, item.IsInMeta ? atInMeta : at, item.Data.Length, item.Extents));
                at += item.IsInMeta ? 0 : item.Data.Length;
                atInMeta += item.IsInMeta ? item.Data.Length : 0;
            }

            byte[] count = [0, (byte)information.Count];
            return Box(
                "meta", [0, 0, 0, 0], sample[40..87], Box("idat", inMeta), Box("iloc", [1, 0, 0, 0, 0x44, 0], count, [.. locations.SelectMany(each => each)]),
                Box("iinf", [0, 0, 0, 0], count, [.. information.SelectMany(each => each)]), sample[215..456]);
        }
    }

    private static byte[] Location(int item, int method, int at, int length, int extents)
    {
        var sizes = Enumerable.Range(0, extents).Select(index => index < extents - 1 ? length / extents : length - (length / extents * (extents - 1)));
        var bytes = new List<byte>([0, (byte)item, 0, (byte)method, 0, 0, 0, (byte)extents]);
        foreach (var size in sizes)
        {
            bytes.AddRange([.. BigEndian((uint)at), .. BigEndian((uint)size)]);
            at += size;
        }

        return [.. bytes];
    }
}
