using System.Buffers.Binary;
using System.Text;
using Apertur.Server.Uploads;

namespace Apertur.Server.Metadata;

/// <summary>
/// Metadata of a PNG: ancillary chunks (W3C PNG, 5.3 and 11.3). One that goes becomes a private chunk of zeros, which decoders pass over.
/// </summary>
internal static class PngMetadata
{
    private const int Head = 8;
    private const int Checksum = 4;

    private static readonly HashSet<string> _ofPicture =
    [
        "IHDR", "PLTE", "IDAT", "IEND", "tRNS", "gAMA", "cHRM", "sRGB", "iCCP", "cICP", "mDCV", "mDCv", "cLLI", "cLLi", "sBIT", "bKGD", "hIST",
        "pHYs", "sPLT", "sTER", "acTL", "fcTL", "fdAT", "iDOT",
    ];

    // Those that the standard knows; programs put EXIF and other data under others.
    private static readonly HashSet<string> _keywords =
    [
        "Title", "Author", "Description", "Copyright", "Creation Time", "Software", "Disclaimer", "Warning", "Source", "Comment",
    ];

    private static readonly uint[] _crc = [.. Enumerable.Range(0, 256).Select(value =>
    {
        var rest = (uint)value;
        for (var bit = 0; bit < 8; bit++)
            rest = (rest & 1) != 0 ? 0xEDB88320 ^ (rest >> 1) : rest >> 1;
        return rest;
    })];

    public static int Clean(Span<byte> file, Strip strip)
    {
        var at = PngSize.Signature.Length;
        while (at + Head <= file.Length)
        {
            var type = Encoding.Latin1.GetString(file.Slice(at + 4, 4));
            var length = BinaryPrimitives.ReadUInt32BigEndian(file[at..]);
            if (length > int.MaxValue || !type.All(char.IsAsciiLetter))
                throw new InvalidDataException("There is something between the chunks of the PNG.");
            var end = (int)Math.Min(file.Length, at + (long)Head + length);
            if (type == "IEND")
                return Math.Min(file.Length, end + Checksum);
            // Decoders give up at one of the picture, with an upper-case letter, that they do not know.
            if (!_ofPicture.Contains(type) && !char.IsAsciiLetterUpper(type[0]))
                Clean(type, file[at..end], file[end..], strip);
            at = Math.Min(file.Length, end + Checksum);
        }

        return at;
    }

    private static void Clean(string type, Span<byte> chunk, Span<byte> behind, Strip strip)
    {
        var data = chunk[Head..];
        var stays = type switch
        {
            "eXIf" => ExifBlock.Clean(data, strip),
            "tIME" => strip == Strip.Location,
            "tEXt" or "zTXt" or "iTXt" => strip == Strip.Location && IsTextHarmless(type, data),
            _ => false,
        };
        if (!stays)
        {
            "voId"u8.CopyTo(chunk[4..]);
            data.Clear();
        }

        if (behind.Length >= Checksum)
            BinaryPrimitives.WriteUInt32BigEndian(behind, Crc(chunk[4..]));
    }

    private static bool IsTextHarmless(string type, Span<byte> data)
    {
        var keyword = data[..Math.Max(0, data.IndexOf((byte)0))];
        if (type != "iTXt" || !keyword.SequenceEqual("XML:com.adobe.xmp"u8))
            return _keywords.Contains(Encoding.Latin1.GetString(keyword));

        // Whether it is compressed and how, the language and the keyword in it, which end with a zero each, text.
        var rest = data[(keyword.Length + 1)..];
        if (rest.Length < 2 || rest[0] != 0)
            return false;
        rest = rest[2..];
        for (var words = 0; words < 2; words++)
        {
            if (rest.IndexOf((byte)0) is not (>= 0 and var zero))
                return false;
            rest = rest[(zero + 1)..];
        }

        return XmpPacket.RemoveLocation(rest);
    }

    private static uint Crc(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var value in bytes)
            crc = _crc[(byte)(crc ^ value)] ^ (crc >> 8);
        return ~crc;
    }
}
