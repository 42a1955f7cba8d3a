using System.Buffers.Binary;

namespace Apertur.Tests.Support;

/// <summary>Valid images for tests. All show the same small picture of <see cref="Width"/> × <see cref="Height"/> pixels.</summary>
internal static class Photos
{
    public const int Width = 64;
    public const int Height = 48;

    /// <summary>Start marker and JFIF header, which must come first.</summary>
    private const int JpegHead = 20;

    /// <summary>Length of a comment's marker and length field.</summary>
    private const int CommentHead = 4;

    /// <summary>The length field counts itself (2 bytes) and has 16 bits.</summary>
    private const int CommentMost = ushort.MaxValue - 2;

    /// <summary>No JPEG of <see cref="Jpeg(int, int)"/> is smaller than this many bytes.</summary>
    public static int SmallestJpeg => _jpeg.Length + CommentHead;

    private static readonly byte[] _jpeg = Sample("sample.jpg");
    private static readonly byte[] _png = Sample("sample.png");
    private static readonly byte[] _webP = Sample("sample.webp");
    private static readonly byte[] _heic = Sample("sample.heic");

    public static byte[] Jpeg() => [.. _jpeg];

    public static byte[] Png() => [.. _png];

    public static byte[] WebP() => [.. _webP];

    public static byte[] Heic() => [.. _heic];

    /// <summary>
    /// A JPEG of exactly <paramref name="sizeBytes"/>, filled up with comment segments. Equal seeds give equal bytes; different seeds
    /// different ones, unless there is hardly room for a comment.
    /// </summary>
    public static byte[] Jpeg(int sizeBytes, int seed)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(sizeBytes, SmallestJpeg);
        var image = new byte[sizeBytes];
        var random = new Random(seed);

        _jpeg.AsSpan(0, JpegHead).CopyTo(image);
        _jpeg.AsSpan(JpegHead).CopyTo(image.AsSpan(sizeBytes - (_jpeg.Length - JpegHead)));
        var room = image.AsSpan(JpegHead, sizeBytes - _jpeg.Length);
        while (room.Length > 0)
        {
            var text = Math.Min(room.Length - CommentHead, CommentMost);
            // What stays must have room for a head.
            if (room.Length - CommentHead - text is > 0 and < CommentHead)
                text -= CommentHead;
            room[0] = 0xFF;
            room[1] = 0xFE;
            BinaryPrimitives.WriteUInt16BigEndian(room[2..], (ushort)(text + 2));
            random.NextBytes(room.Slice(CommentHead, text));
            room = room[(CommentHead + text)..];
        }

        return image;
    }

    private static byte[] Sample(string name)
    {
        using var resource = typeof(Photos).Assembly.GetManifestResourceStream(name)
            ?? throw new InvalidOperationException($"The test project has no sample {name}.");
        var bytes = new byte[resource.Length];
        resource.ReadExactly(bytes);
        return bytes;
    }
}
