using System.Buffers.Binary;

namespace Apertur.Server.Metadata;

/// <summary>Metadata of a WebP: chunks beside those of the picture (RFC 9649, 2.7). One that goes becomes a chunk of zeros that nobody knows.</summary>
internal static class WebPMetadata
{
    private const int FirstChunk = 12;
    private const int Head = 8;
    private const int FrameHead = 16;
    private const byte HasExif = 0x08;
    private const byte HasXmp = 0x04;

    public static int Clean(Span<byte> file, Strip strip)
    {
        // Behind what the first length says decoders do not look.
        var end = (int)Math.Min(file.Length, Head + (long)BinaryPrimitives.ReadUInt32LittleEndian(file[4..]));
        if (end < FirstChunk + Head)
            throw new InvalidDataException("The WebP ends before its first chunk.");
        var chunks = file[FirstChunk..end];
        var found = CleanChunks(chunks, strip, isFrame: false);
        if (chunks.StartsWith("VP8X"u8) && chunks.Length > Head)
            chunks[Head] = (byte)((chunks[Head] & ~(HasExif | HasXmp)) | found);
        return end;
    }

    /// <returns>Which flags of the extended header are right now.</returns>
    private static byte CleanChunks(Span<byte> chunks, Strip strip, bool isFrame)
    {
        byte found = 0;
        for (long at = 0; at + Head <= chunks.Length;)
        {
            var chunk = chunks[(int)at..];
            var length = BinaryPrimitives.ReadUInt32LittleEndian(chunk[4..]);
            var data = chunk.Slice(Head, (int)Math.Min(length, chunk.Length - Head));
            var type = BinaryPrimitives.ReadUInt32BigEndian(chunk);
            var stays = type switch
            {
                // VP8X, VP8, VP8L, ALPH, ANIM, ICCP
                0x56503858 or 0x56503820 or 0x5650384C or 0x414C5048 or 0x414E494D or 0x49434350 => true,
                // ANMF: a frame, with chunks of its own
                0x414E4D46 when !isFrame => CleanFrame(data, strip),
                // EXIF, before which some programs put the head of a JPEG's segment
                0x45584946 => ExifBlock.Clean(data.StartsWith("Exif\0\0"u8) ? data[6..] : data, strip),
                // XMP
                0x584D5020 => strip == Strip.Location && XmpPacket.RemoveLocation(data),
                _ => false,
            };
            if (!stays)
            {
                "JUNK"u8.CopyTo(chunk);
                data.Clear();
            }
            else if (type == 0x45584946)
                found |= HasExif;
            else if (type == 0x584D5020)
                found |= HasXmp;

            // Chunks are padded to an even length.
            at += Head + length + (length & 1);
        }

        return found;
    }

    private static bool CleanFrame(Span<byte> frame, Strip strip)
    {
        if (frame.Length > FrameHead)
            CleanChunks(frame[FrameHead..], strip, isFrame: true);
        return true;
    }
}
