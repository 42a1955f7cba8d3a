using System.Buffers.Binary;
using Apertur.Server.Uploads;

namespace Apertur.Server.Metadata;

/// <summary>
/// Metadata of a JPEG: the application and comment segments between its tables and scans (ITU-T T.81, annex B). What is no segment there, decoders
/// pass over, so it goes too. Behind the end phones put further JPEGs (CIPA DC-007) and films, which tell the place as well.
/// </summary>
internal static class JpegMetadata
{
    private const int StartOfImage = 0xD8;
    private const int EndOfImage = 0xD9;
    private const int StartOfScan = 0xDA;
    private const int App0 = 0xE0;
    private const int App1 = 0xE1;
    private const int App2 = 0xE2;
    private const int App14 = 0xEE;
    private const int Comment = 0xFE;

    private static ReadOnlySpan<byte> Exif => "Exif\0\0"u8;

    private static ReadOnlySpan<byte> Xmp => "http://ns.adobe.com/xap/1.0/\0"u8;

    public static int Clean(Span<byte> file, Strip strip)
    {
        var end = CleanOne(file, strip);
        // Other pictures of the scene, such as the one that brightens it for screens that can show more.
        while (strip == Strip.Location && file[end..].IndexOfAnyExcept((byte)0) is >= 0 and var gap && file[(end + gap)..].StartsWith(JpegSize.Signature))
            end += gap + CleanOne(file[(end + gap)..], strip);
        return end;
    }

    /// <returns>Where it ends.</returns>
    private static int CleanOne(Span<byte> file, Strip strip)
    {
        // A preview whose segment has a wrong length is come upon as if it were a picture of its own.
        var previews = 0;
        var isInScan = false;
        for (var at = 2; ;)
        {
            var mark = IndexOfMarker(file, at, isInScan);
            // Any number of these may stand before a marker.
            if (!isInScan)
                file[at..(mark < 0 ? file.Length : mark)].Fill(0xFF);
            if (mark < 0)
                return file.Length;

            var marker = file[mark + 1];
            at = mark + 2;
            if (marker == EndOfImage && previews-- == 0)
                return at;
            if (marker == StartOfImage)
                previews++;
            isInScan = false;
            // Those have no length.
            if (marker is 0x01 or (>= 0xD0 and <= EndOfImage))
                continue;
            if (at + 2 > file.Length || BinaryPrimitives.ReadUInt16BigEndian(file[at..]) is < 2)
                continue;

            var end = Math.Min(file.Length, at + BinaryPrimitives.ReadUInt16BigEndian(file[at..]));
            if (!IsOfPicture(marker))
                Clean(marker, file[(at + 2)..end], strip);
            isInScan = marker == StartOfScan;
            at = end;
        }
    }

    /// <summary>Where the next marker is, -1 when there is none. In a scan, FF 00 is data, restarts belong to it, and so does what is no marker.</summary>
    private static int IndexOfMarker(ReadOnlySpan<byte> file, int at, bool isInScan)
    {
        while (file[at..].IndexOf((byte)0xFF) is >= 0 and var skipped && at + skipped + 1 < file.Length)
        {
            at += skipped;
            var marker = file[at + 1];
            if (marker is not (0 or 0xFF) && !(isInScan && (marker is < 0xC0 or (>= 0xD0 and <= 0xD7) or (>= 0xF0 and <= 0xFD))))
                return at;
            at++;
        }

        return -1;
    }

    /// <summary>Frames, tables, scans.</summary>
    private static bool IsOfPicture(int marker) => marker is (>= 0xC0 and <= 0xDF) or (>= 0xF0 and <= 0xFD);

    private static void Clean(int marker, Span<byte> segment, Strip strip)
    {
        var stays = marker switch
        {
            App1 when segment.StartsWith(Exif) => ExifBlock.Clean(segment[Exif.Length..], strip),
            App1 when segment.StartsWith(Xmp) && strip == Strip.Location => XmpPacket.RemoveLocation(segment[Xmp.Length..]),
            App0 => segment.StartsWith("JFIF\0"u8) || (strip == Strip.Location && segment.StartsWith("JFXX\0"u8)),
            App2 when segment.StartsWith("ICC_PROFILE\0"u8) => true,
            // Where the other pictures are, and how the one is brightened by the other (ISO 21496-1).
            App2 => strip == Strip.Location && (segment.StartsWith("MPF\0"u8) || segment.StartsWith("urn:iso:std:iso:ts:21496:"u8)),
            // How colours are to be read.
            App14 => segment.StartsWith("Adobe"u8),
            Comment => strip == Strip.Location,
            _ => false,
        };
        if (!stays)
            segment.Clear();
    }
}
