using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;

namespace Apertur.Destinations;

/// <summary>CRC-32C (Castagnoli) as Cloud Storage writes it: base64 of the four bytes in big-endian order.</summary>
internal static class Crc32C
{
    public static async Task<string> OfAsync(Stream stream, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(128 * 1024);
        try
        {
            var crc = uint.MaxValue;
            int read;
            while ((read = await stream.ReadAsync(buffer, cancellationToken)) > 0)
                crc = Add(crc, buffer.AsSpan(0, read));

            var bytes = new byte[sizeof(uint)];
            BinaryPrimitives.WriteUInt32BigEndian(bytes, ~crc);
            return Convert.ToBase64String(bytes);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    public static uint Of(ReadOnlySpan<byte> bytes) => ~Add(uint.MaxValue, bytes);

    private static uint Add(uint crc, ReadOnlySpan<byte> bytes)
    {
        for (; bytes.Length >= sizeof(ulong); bytes = bytes[sizeof(ulong)..])
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        foreach (var b in bytes)
            crc = BitOperations.Crc32C(crc, b);
        return crc;
    }
}
