using System.Numerics;

namespace Apertur.Server.Sessions.Imaging;

/// <summary>
/// The entropy-coded part of a JPEG file: bits from the highest down, a zero byte after each 0xFF (ITU-T T.81, F.1.2.3).
/// </summary>
internal sealed class JpegBits(MemoryStream file)
{
    private ulong _pending;
    private int _count;

    /// <summary>Writes a run of zeros with the value that ends it.</summary>
    public void Write(JpegHuffman huffman, int zeros, int value)
    {
        var size = 32 - BitOperations.LeadingZeroCount((uint)Math.Abs(value));
        var (code, bits) = huffman[(zeros << 4) | size];
        Write(code, bits);

        // A negative value is written less one, of which the low bits are kept (F.1.2.1).
        Write((value < 0 ? value - 1 : value) & ((1 << size) - 1), size);
    }

    /// <summary>Fills the last byte with ones.</summary>
    public void Finish() => Write(0x7f, 7);

    private void Write(int bits, int length)
    {
        _pending = (_pending << length) | (uint)bits;
        for (_count += length; _count >= 8; _count -= 8)
        {
            var next = (byte)(_pending >> (_count - 8));
            file.WriteByte(next);
            if (next == 0xff)
                file.WriteByte(0);
        }
    }
}
