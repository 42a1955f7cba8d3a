using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using Apertur.Tests.Support;

namespace Apertur.Tests.Metadata;

/// <summary>Metadata that tell a place, in every form that phones, cameras and programs write them in; and beside it what may stay.</summary>
internal static class Located
{
    /// <summary>The place in words. Every piece that has room for words holds it.</summary>
    public const string Place = "Nowhere Street 99";

    /// <summary>The seconds of every latitude, a number that is nowhere else.</summary>
    public const uint Seconds = 0x5EC2E75A;

    public static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    /// <summary>Whether some of it is in a file, as words or as a number in either order of bytes.</summary>
    public static bool IsIn(ReadOnlySpan<byte> file)
    {
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(number, Seconds);
        var found = file.IndexOf(Bytes(Place)) >= 0 || file.IndexOf(number) >= 0;
        number.Reverse();
        return found || file.IndexOf(number) >= 0;
    }

    /// <summary>EXIF data, from the TIFF header on, to be turned by a quarter, with GPS, a maker's note, XMP, IPTC and a preview that has GPS too.</summary>
    public static byte[] Exif(bool little, bool withPreview = true)
    {
        var tiff = new Tiff(little);
        var gps = Gps(tiff);
        // Of an earlier edit: nothing points there.
        Gps(tiff);
        var interoperability = tiff.Add([(0x0001, Tiff.Ascii, Bytes("R98\0")), (0x0002, Tiff.Undefined, Bytes("0100"))]);
        var exif = tiff.Add(
        [
            (0x829A, Tiff.Rational, tiff.Numbers(1, 125)), (0x9003, Tiff.Ascii, Bytes("2026:06:12 09:44:41\0")),
            (0x927C, Tiff.Undefined, [.. Bytes("Apple iOS\0\0\x01MM"), .. Bytes(Place), .. tiff.Numbers(Seconds)]),
            (0x9286, Tiff.Undefined, Bytes("ASCII\0\0\0by the gate")), (0xA001, Tiff.Short, tiff.Number(1)), (0xA005, Tiff.Long, tiff.Numbers(interoperability)),
            (0xA500, Tiff.Rational, tiff.Numbers(22, 10)),
        ]);
        uint next = 0;
        if (withPreview)
        {
            var preview = JpegWith(Segment(0xE1, "Exif\0\0", Exif(little, withPreview: false)));
            var at = tiff.Add(preview);
            next = tiff.Add([(0x0103, Tiff.Short, tiff.Number(6)), (0x0201, Tiff.Long, tiff.Numbers(at)), (0x0202, Tiff.Long, tiff.Numbers((uint)preview.Length))]);
        }

        return tiff.Build(tiff.Add(
            [
                (0x010F, Tiff.Ascii, Bytes("Camera works\0")), (0x0112, Tiff.Short, tiff.Number(6)), (0x02BC, Tiff.Byte, Xmp(0)),
                (0x8298, Tiff.Ascii, Bytes("Ann Ødegård\0")), (0x83BB, Tiff.Undefined, Iptc()), (0x8769, Tiff.Long, tiff.Numbers(exif)),
                (0x8825, Tiff.Long, tiff.Numbers(gps)), (0xC634, Tiff.Byte, Bytes(Place)),
            ],
            next));
    }

    private static uint Gps(Tiff tiff) => tiff.Add(
    [
        (0x0000, Tiff.Byte, [2, 3, 0, 0]), (0x0001, Tiff.Ascii, Bytes("N\0")), (0x0002, Tiff.Rational, tiff.Numbers(48, 1, 51, 1, Seconds, 1u << 28)),
        (0x0003, Tiff.Ascii, Bytes("E\0")), (0x0004, Tiff.Rational, tiff.Numbers(2, 1, 17, 1, Seconds, 1u << 28)),
        (0x001C, Tiff.Undefined, Bytes("ASCII\0\0\0" + Place)),
    ]);

    /// <summary>A packet that tells the place, an author and a rating, written in one of three ways.</summary>
    public static byte[] Xmp(int style)
    {
        var place = (style % 3) switch
        {
            0 => ($" exif:GPSLatitude='48,51.{Seconds}N' photoshop:City='{Place}' xmp:Rating='4'", ""),
            1 => ("", $"<exif:GPSLatitude>48,51.{Seconds}N</exif:GPSLatitude><photoshop:Country>{Place}</photoshop:Country><xmp:Rating>4</xmp:Rating>"),
            _ => (
                " xmp:Rating='4'",
                $"<ext:LocationCreated><rdf:Bag><rdf:li rdf:parseType='Resource'><ext:Sublocation>{Place}</ext:Sublocation></rdf:li></rdf:Bag></ext:LocationCreated>"
                + $"<drone:GpsLongitude>2.{Seconds}</drone:GpsLongitude><geo:lat>{Seconds}</geo:lat>"),
        };
        return Bytes(
            "<?xpacket begin='\uFEFF' id='W5M0MpCehiHzreSzNTczkc9d'?>\n<x:xmpmeta xmlns:x='adobe:ns:meta/'>"
            + "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description rdf:about=''"
            + " xmlns:exif='http://ns.adobe.com/exif/1.0/' xmlns:photoshop='http://ns.adobe.com/photoshop/1.0/' xmlns:xmp='http://ns.adobe.com/xap/1.0/'"
            + " xmlns:ext='http://iptc.org/std/Iptc4xmpExt/2008-02-29/' xmlns:drone='http://www.dji.com/drone-dji/1.0/'"
            + $" xmlns:geo='http://www.w3.org/2003/01/geo/wgs84_pos#' xmlns:dc='http://purl.org/dc/elements/1.1/'{place.Item1}>"
            + $"<dc:creator><rdf:Seq><rdf:li>Ann Ødegård</rdf:li></rdf:Seq></dc:creator>{place.Item2}"
            + $"</rdf:Description></rdf:RDF></x:xmpmeta>{new string(' ', 64)}<?xpacket end='w'?>");
    }

    /// <summary>City and country, as news agencies write them (IIM).</summary>
    public static byte[] Iptc() =>
        [.. new[] { 90, 101 }.SelectMany(number => (byte[])[0x1C, 2, (byte)number, 0, (byte)Place.Length, .. Bytes(Place)])];

    /// <summary>A short film that tells where it was taken, as a phone puts it behind a moving photo.</summary>
    public static byte[] Film() =>
    [
        .. Box("ftyp", Bytes("isom\0\0\0\0isom")),
        .. Box("moov", Box("udta", Box("\u00A9xyz", [0, (byte)Place.Length, 0x15, 0xC7], Bytes(Place)))),
        .. Box("mdat", Bytes(Place)),
    ];

    /// <summary>A segment of a JPEG, of as much as goes into one.</summary>
    public static byte[] Segment(int marker, string head, byte[] data)
    {
        byte[] content = [.. Encoding.Latin1.GetBytes(head), .. data];
        var segment = new byte[4 + content.Length];
        (segment[0], segment[1]) = (0xFF, (byte)marker);
        BinaryPrimitives.WriteUInt16BigEndian(segment.AsSpan(2), checked((ushort)(content.Length + 2)));
        content.CopyTo(segment, 4);
        return segment;
    }

    /// <summary>A JPEG with segments behind its first one.</summary>
    public static byte[] JpegWith(params IEnumerable<byte[]> segments)
    {
        var jpeg = Photos.Jpeg();
        return [.. jpeg[..20], .. segments.SelectMany(segment => segment), .. jpeg[20..]];
    }

    /// <summary>A chunk of a PNG.</summary>
    public static byte[] Chunk(string type, params byte[][] data)
    {
        byte[] content = [.. Encoding.Latin1.GetBytes(type), .. data.SelectMany(part => part)];
        var crc = uint.MaxValue;
        foreach (var value in content)
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++)
                crc = (crc & 1) != 0 ? 0xEDB88320 ^ (crc >> 1) : crc >> 1;
        }

        return [.. BigEndian((uint)content.Length - 4), .. content, .. BigEndian(~crc)];
    }

    public static byte[] Deflated(byte[] bytes)
    {
        var stream = new MemoryStream();
        using (var zlib = new ZLibStream(stream, CompressionLevel.Optimal, leaveOpen: true))
            zlib.Write(bytes);
        return stream.ToArray();
    }

    /// <summary>A chunk of a WebP.</summary>
    public static byte[] RiffChunk(string type, byte[] data) =>
        [.. Encoding.Latin1.GetBytes(type), .. LittleEndian((uint)data.Length), .. data, .. new byte[data.Length & 1]];

    /// <summary>A box of a HEIC or a film.</summary>
    public static byte[] Box(string type, params byte[][] content) =>
        [.. BigEndian((uint)(8 + content.Sum(part => part.Length))), .. Encoding.Latin1.GetBytes(type), .. content.SelectMany(part => part)];

    public static byte[] BigEndian(uint number)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, number);
        return bytes;
    }

    public static byte[] LittleEndian(uint number) => [.. Enumerable.Reverse(BigEndian(number))];
}

/// <summary>Writes a TIFF structure: values and directories first, and what points to them after.</summary>
internal sealed class Tiff(bool little)
{
    public const int Byte = 1;
    public const int Ascii = 2;
    public const int Short = 3;
    public const int Long = 4;
    public const int Rational = 5;
    public const int Undefined = 7;

    private readonly List<byte> _bytes = [.. little ? "II*\0\0\0\0\0"u8 : "MM\0*\0\0\0\0"u8];

    public byte[] Numbers(params uint[] numbers) => [.. numbers.SelectMany(number => Ordered(Located.BigEndian(number)))];

    /// <summary>A number of two bytes.</summary>
    public byte[] Number(int number) => Ordered([(byte)(number >> 8), (byte)number]);

    /// <returns>Where they are.</returns>
    public uint Add(byte[] value)
    {
        var at = (uint)_bytes.Count;
        _bytes.AddRange(value);
        if (value.Length % 2 == 1)
            _bytes.Add(0);
        return at;
    }

    /// <returns>Where the directory is.</returns>
    public uint Add((int Tag, int Type, byte[] Value)[] entries, uint next = 0)
    {
        var written = entries.Select(entry =>
        {
            var count = (uint)(entry.Value.Length / (entry.Type switch { Short => 2, Long => 4, Rational => 8, _ => 1 }));
            var value = entry.Value.Length > 4 ? Numbers(Add(entry.Value)) : [.. entry.Value, .. new byte[4 - entry.Value.Length]];
            return (byte[])[.. Number(entry.Tag), .. Number(entry.Type), .. Numbers(count), .. value];
        }).ToList();
        return Add([.. Number(entries.Length), .. written.SelectMany(entry => entry), .. Numbers(next)]);
    }

    public byte[] Build(uint directory) => [.. _bytes[..4], .. Numbers(directory), .. _bytes[8..]];

    private byte[] Ordered(byte[] bigEndian) => little ? [.. Enumerable.Reverse(bigEndian)] : bigEndian;
}
