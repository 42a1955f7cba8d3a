using System.Buffers.Binary;

namespace Apertur.Server.Uploads;

/// <summary>Width and height in pixels as a viewer shows the image, so after rotation; both at least 1.</summary>
internal readonly record struct ImageSize(int Width, int Height)
{
    /// <summary>Null for what no image has: a side of zero, or one beyond 2^31 - 1.</summary>
    public static ImageSize? Of(uint width, uint height) =>
        width is 0 or > int.MaxValue || height is 0 or > int.MaxValue ? null : new((int)width, (int)height);

    public ImageSize Turned() => new(Height, Width);
}

/// <summary>
/// Type and size of an image from its header, read without decoding. Files are hostile: nothing here throws on any content,
/// allocates by a length the file states, or does more than a fixed amount of work.
/// </summary>
internal static class ImageHeader
{
    public const string Jpeg = "image/jpeg";
    public const string Png = "image/png";
    public const string WebP = "image/webp";
    public const string Heic = "image/heic";

    /// <summary>How many first bytes <see cref="TypeOf"/> wants to see; a shorter file is judged by what there is.</summary>
    public const int SniffLength = 128;

    // A photo's header is in one or two places; what scatters it over more megabytes than this is none.
    private const int MaxLoads = 16;

    // But a JPEG's may stand behind any number of segments, which are passed over in order.
    private const int MaxLoadsOfJpeg = 128;

    /// <summary>The media type by the first bytes, null when it is none of the four.</summary>
    public static string? TypeOf(ReadOnlySpan<byte> first)
    {
        if (first.StartsWith(JpegSize.Signature))
            return Jpeg;
        if (first.StartsWith(PngSize.Signature))
            return Png;
        if (first.Length >= 12 && first.StartsWith("RIFF"u8) && first[8..].StartsWith("WEBP"u8))
            return WebP;
        return first.Length >= 16 && first[4..].StartsWith("ftyp"u8) && IsHeic(first) ? Heic : null;
    }

    /// <summary>
    /// The displayed size; null when the header does not hold it, and then this is not an image that we, or anyone downstream, can read.
    /// </summary>
    /// <param name="file">The whole file, readable at any position.</param>
    /// <param name="type">What <see cref="TypeOf"/> said.</param>
    /// <param name="cancellationToken">Ends the fetching.</param>
    /// <exception cref="IOException">The store failed.</exception>
    public static async Task<ImageSize?> SizeOfAsync(IRandomBytes file, string type, CancellationToken cancellationToken)
    {
        for (var loads = 0; ; loads++)
        {
            var window = new FileWindow(file);
            var size = SizeIn(window, type);
            if (window.Missed is not { } missed)
                return size;
            if (loads == (type == Jpeg ? MaxLoadsOfJpeg : MaxLoads))
                return null;
            await file.LoadAsync(missed, cancellationToken);
        }
    }

    private static ImageSize? SizeIn(FileWindow window, string type) => type switch
    {
        Jpeg => JpegSize.Read(window),
        Png => PngSize.Read(window),
        WebP => WebPSize.Read(window),
        Heic => HeicSize.Read(window),
        _ => null,
    };

    /// <summary>
    /// By the brands of the file type box (ISO/IEC 14496-12, 4.3; ISO/IEC 23008-12, 10). mif1 and msf1 say only "HEIF", which an AVIF file may
    /// say first too: any brand of AVIF decides.
    /// </summary>
    private static bool IsHeic(ReadOnlySpan<byte> first)
    {
        var stated = BinaryPrimitives.ReadUInt32BigEndian(first);
        var box = first[..(int)Math.Min((uint)first.Length, Math.Max(16, stated))];
        var heic = false;
        for (var at = 8; at + 4 <= box.Length; at += at == 8 ? 8 : 4)
        {
            var brand = box.Slice(at, 4);
            if (brand.StartsWith("avi"u8))
                return false;
            heic |= brand.StartsWith("hei"u8) || brand.StartsWith("hev"u8) || brand.SequenceEqual("mif1"u8) || brand.SequenceEqual("msf1"u8);
        }

        return heic;
    }
}
