namespace Apertur.Server.Uploads;

/// <summary>The size of a PNG: IHDR is always its first chunk (W3C PNG, 5.6 and 11.2.1).</summary>
internal static class PngSize
{
    public static ReadOnlySpan<byte> Signature => [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A];

    public static ImageSize? Read(FileWindow file) =>
        file.TryUInt32(8, out var length) && length == 13
        && file.At(12, 4).SequenceEqual("IHDR"u8)
        && file.TryUInt32(16, out var width) && file.TryUInt32(20, out var height)
            ? ImageSize.Of(width, height)
            : null;
}
