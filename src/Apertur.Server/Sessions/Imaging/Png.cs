using System.Buffers.Binary;
using System.IO.Compression;
using System.Numerics;

namespace Apertur.Server.Sessions.Imaging;

/// <summary>Writes PNG (ISO/IEC 15948) with a palette, 8 bits per pixel.</summary>
internal static class Png
{
    private const byte ColourTypePalette = 3;
    private const byte FilterUp = 2;

    private static readonly uint[] _crcOfByte = [.. Enumerable.Range(0, 256).Select(CrcOf)];

    public static byte[] Encode(IndexedPicture picture)
    {
        using var file = new MemoryStream();
        file.Write([0x89, (byte)'P', (byte)'N', (byte)'G', (byte)'\r', (byte)'\n', 0x1a, (byte)'\n']);

        Span<byte> header = stackalloc byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, picture.Side);
        BinaryPrimitives.WriteInt32BigEndian(header[4..], picture.Side);
        header[8] = 8;
        header[9] = ColourTypePalette;
        WriteChunk(file, "IHDR"u8, header);
        WriteChunk(file, "PLTE"u8, [.. picture.Palette.SelectMany(colour => (byte[])[colour.R, colour.G, colour.B])]);
        WriteChunk(file, "IDAT"u8, Compress(picture));
        WriteChunk(file, "IEND"u8, []);
        return file.ToArray();
    }

    private static ReadOnlySpan<byte> Compress(IndexedPicture picture)
    {
        var data = new MemoryStream();
        using (var zlib = new ZLibStream(data, CompressionLevel.Fastest, leaveOpen: true))
        {
            // Rows mostly repeat the one above, so its difference is mostly zeros.
            var row = new byte[1 + picture.Side];
            row[0] = FilterUp;
            ReadOnlySpan<byte> above = new byte[picture.Side];
            for (var y = 0; y < picture.Side; y++)
            {
                var pixels = picture.Pixels.AsSpan(y * picture.Side, picture.Side);
                Subtract(pixels, above, row.AsSpan(1));
                zlib.Write(row);
                above = pixels;
            }
        }

        return data.GetBuffer().AsSpan(0, (int)data.Length);
    }

    private static void Subtract(ReadOnlySpan<byte> from, ReadOnlySpan<byte> amount, Span<byte> result)
    {
        var i = 0;
        for (; i <= from.Length - Vector<byte>.Count; i += Vector<byte>.Count)
            (new Vector<byte>(from[i..]) - new Vector<byte>(amount[i..])).CopyTo(result[i..]);
        for (; i < from.Length; i++)
            result[i] = (byte)(from[i] - amount[i]);
    }

    private static void WriteChunk(MemoryStream file, ReadOnlySpan<byte> type, ReadOnlySpan<byte> content)
    {
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, content.Length);
        file.Write(number);
        file.Write(type);
        file.Write(content);
        BinaryPrimitives.WriteUInt32BigEndian(number, ~Crc(Crc(uint.MaxValue, type), content));
        file.Write(number);
    }

    private static uint Crc(uint crc, ReadOnlySpan<byte> bytes)
    {
        foreach (var value in bytes)
            crc = _crcOfByte[(byte)(crc ^ value)] ^ (crc >> 8);
        return crc;
    }

    private static uint CrcOf(int value)
    {
        var crc = (uint)value;
        for (var bit = 0; bit < 8; bit++)
            crc = (crc & 1) == 0 ? crc >> 1 : (crc >> 1) ^ 0xedb88320;
        return crc;
    }
}
