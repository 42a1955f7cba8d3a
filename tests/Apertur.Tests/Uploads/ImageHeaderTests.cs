using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Apertur.Server.Uploads;

namespace Apertur.Tests.Uploads;

public sealed class ImageHeaderTests
{
    private static byte[] Photo(string name) => File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Photos", name));

    private static ImageSize? SizeOf(byte[] bytes, string type)
    {
        var size = ImageHeader.SizeOfAsync(new InMemory(bytes), type, CancellationToken.None);
        Assert.True(size.IsCompleted);
        return size.Result;
    }

    [Theory]
    [InlineData("plain.jpg", "image/jpeg", 33, 21)]
    [InlineData("progressive.jpg", "image/jpeg", 31, 17)]
    [InlineData("portrait.jpg", "image/jpeg", 40, 64)]
    [InlineData("plain.png", "image/png", 48, 30)]
    [InlineData("lossy.webp", "image/webp", 50, 34)]
    [InlineData("lossless.webp", "image/webp", 50, 34)]
    [InlineData("extended.webp", "image/webp", 50, 34)]
    [InlineData("plain.heic", "image/heic", 70, 45)]
    [InlineData("portrait.heic", "image/heic", 64, 40)]
    public void Type_and_displayed_size_come_from_the_bytes(string photo, string type, int width, int height)
    {
        var bytes = Photo(photo);
        Assert.Equal(type, ImageHeader.TypeOf(bytes.AsSpan(0, Math.Min(bytes.Length, ImageHeader.SniffLength))));
        Assert.Equal(new ImageSize(width, height), SizeOf(bytes, type));
    }

    [Theory]
    [InlineData("heic", "mif1heic", "image/heic")]
    [InlineData("mif1", "mif1heic", "image/heic")]
    [InlineData("mif1", "", "image/heic")]
    [InlineData("msf1", "hevc", "image/heic")]
    [InlineData("heix", "", "image/heic")]
    [InlineData("hevc", "", "image/heic")]
    [InlineData("avif", "mif1miaf", null)]
    [InlineData("mif1", "miafavif", null)]
    [InlineData("avis", "msf1", null)]
    [InlineData("isom", "mp42", null)]
    [InlineData("qt  ", "", null)]
    public void File_type_brands_tell_heic_from_its_relatives(string major, string compatible, string? type) =>
        Assert.Equal(type, ImageHeader.TypeOf(Box("ftyp", [.. Ascii(major), 0, 0, 0, 0, .. Ascii(compatible)])));

    [Theory]
    [InlineData("")]
    [InlineData("GIF89a........")]
    [InlineData("%PDF-1.7")]
    [InlineData("<svg xmlns=\"http://www.w3.org/2000/svg\"/>")]
    [InlineData("RIFF\0\0\0\0WAVEfmt ")]
    [InlineData("BM............")]
    [InlineData("\0\0\0\u0018ftyp")]
    public void Anything_else_has_no_type(string content) => Assert.Null(ImageHeader.TypeOf(Ascii(content)));

    [Fact]
    public void Brands_beyond_the_file_type_box_do_not_count() =>
        Assert.Null(ImageHeader.TypeOf([.. Box("ftyp", [.. Ascii("isom"), 0, 0, 0, 0]), .. Ascii("heicheic")]));

    [Theory]
    [InlineData("II", 1, false)]
    [InlineData("II", 3, false)]
    [InlineData("II", 5, true)]
    [InlineData("II", 8, true)]
    [InlineData("MM", 6, true)]
    [InlineData("MM", 9, false)]
    [InlineData("XX", 6, false)]
    public void Orientations_5_to_8_swap_the_sides_of_a_jpeg(string order, int orientation, bool swaps)
    {
        var jpeg = Photo("plain.jpg");
        byte[] withExif = [.. jpeg[..2], 0xFF, .. ExifSegment(Exif(orientation, order)), .. jpeg[2..]];
        Assert.Equal(swaps ? new ImageSize(21, 33) : new ImageSize(33, 21), SizeOf(withExif, ImageHeader.Jpeg));
    }

    [Theory]
    [InlineData("BYTE", 1)]
    [InlineData("SHORT", 3)]
    [InlineData("LONG", 4)]
    public void Orientation_counts_in_every_type_of_number(string name, int type)
    {
        foreach (var order in (string[])["II", "MM"])
        {
            var jpeg = Photo("plain.jpg");
            byte[] withExif = [.. jpeg[..2], .. ExifSegment(Exif(6, order, type)), .. jpeg[2..]];
            Assert.Equal((name, new ImageSize(21, 33)), (name, SizeOf(withExif, ImageHeader.Jpeg)));
        }
    }

    [Fact]
    public void Orientation_counts_behind_the_frame_header_too()
    {
        var jpeg = Photo("plain.jpg");
        var scan = jpeg.AsSpan().IndexOf<byte>([0xFF, 0xDA]);
        Assert.Equal(new ImageSize(21, 33), SizeOf([.. jpeg[..scan], .. ExifSegment(Exif(6)), .. jpeg[scan..]], ImageHeader.Jpeg));
    }

    [Fact]
    public void Orientation_of_something_else_does_not_count()
    {
        var jpeg = Photo("plain.jpg");
        byte[] turned = [.. jpeg[..2], .. ExifSegment(Exif(6)), .. jpeg[2..]];
        // Cameras append pictures to pictures, and other programs' segments may hold what looks like EXIF.
        Assert.Equal(new ImageSize(33, 21), SizeOf([.. jpeg, .. turned], ImageHeader.Jpeg));
        Assert.Equal(new ImageSize(33, 21), SizeOf([.. jpeg[..2], .. Segment(0xE1, [.. Ascii("other\0"), .. Exif(6)]), .. jpeg[2..]], ImageHeader.Jpeg));
        Assert.Equal(new ImageSize(33, 21), SizeOf([.. jpeg[..2], .. Segment(0xED, [.. Ascii("Exif\0\0"), .. Exif(6)]), .. jpeg[2..]], ImageHeader.Jpeg));
    }

    [Theory]
    [InlineData(1, 6, 33, 21)]
    [InlineData(6, 1, 21, 33)]
    public void First_of_two_orientations_counts(int first, int second, int width, int height)
    {
        var jpeg = Photo("plain.jpg");
        byte[] withBoth = [.. jpeg[..2], .. ExifSegment(Exif(first)), .. ExifSegment(Exif(second)), .. jpeg[2..]];
        Assert.Equal(new ImageSize(width, height), SizeOf(withBoth, ImageHeader.Jpeg));
    }

    [Fact]
    public void Orientation_of_a_png_stands_before_its_data()
    {
        var png = Photo("plain.png");
        byte[] chunk = [.. BigEndian32(Exif(8).Length), .. Ascii("eXIf"), .. Exif(8), 0, 0, 0, 0];
        var data = png.AsSpan().IndexOf("IDAT"u8) - 4;
        Assert.Equal(new ImageSize(30, 48), SizeOf([.. png[..data], .. chunk, .. png[data..]], ImageHeader.Png));
        Assert.Equal(new ImageSize(48, 30), SizeOf([.. png[..^12], .. chunk, .. png[^12..]], ImageHeader.Png));
    }

    [Theory]
    [InlineData("", true, 34, 50)]
    [InlineData("Exif\0\0", true, 34, 50)]
    [InlineData("", false, 50, 34)]
    public void Orientation_of_a_webp_stands_in_its_exif_chunk(string head, bool announced, int width, int height)
    {
        byte[] exif = [.. Ascii(head), .. Exif(5)];
        byte[] odd = [.. Ascii("ALPH"), 3, 0, 0, 0, 1, 2, 3, 0];
        byte[] webp =
        [
            .. Ascii("RIFF\0\0\0\0WEBPVP8X"), 10, 0, 0, 0, (byte)(announced ? 8 : 0), 0, 0, 0, 49, 0, 0, 33, 0, 0, .. odd,
            .. Ascii("EXIF"), (byte)exif.Length, 0, 0, 0, .. exif,
        ];
        Assert.Equal(new ImageSize(width, height), SizeOf(webp, ImageHeader.WebP));
    }

    [Fact]
    public void Bytes_that_are_no_segment_are_passed_over_as_decoders_do()
    {
        var jpeg = Photo("plain.jpg");
        // Behind the first segment: its length is the two bytes behind its marker.
        var second = 4 + BinaryPrimitives.ReadUInt16BigEndian(jpeg.AsSpan(4));
        var size = new ImageSize(33, 21);
        Assert.Equal(size, SizeOf([.. jpeg[..second], 0x12, 0x00, .. jpeg[second..]], ImageHeader.Jpeg));
        Assert.Equal(size, SizeOf([.. jpeg[..second], 0xFF, 0x00, 0xFF, 0xFF, .. jpeg[second..]], ImageHeader.Jpeg));
        // A segment that says it is two bytes shorter than it is, and one of no length at all.
        Assert.Equal(size, SizeOf([.. jpeg[..second], 0xFF, 0xE4, 0, 4, 1, 2, 3, 4, .. jpeg[second..]], ImageHeader.Jpeg));
        Assert.Equal(size, SizeOf([.. jpeg[..second], 0xFF, 0xE4, 0, 0, 1, 2, 3, 4, .. jpeg[second..]], ImageHeader.Jpeg));
        // Markers without a segment; segments that look like a frame header; a frame header that is not as long as its components ask for.
        foreach (var marker in (byte[])[0x01, 0xD0, 0xD7])
            Assert.Equal((marker, size), (marker, SizeOf([.. jpeg[..second], 0xFF, marker, .. jpeg[second..]], ImageHeader.Jpeg)));
        foreach (var marker in (byte[])[0x51, 0xC4, 0xC8, 0xCC, 0xE5])
        {
            var frame = Segment(marker, [8, 0, 5, 0, 5, 1, 1, 0x11, 0]);
            Assert.Equal((marker, size), (marker, SizeOf([.. jpeg[..second], .. frame, .. jpeg[second..]], ImageHeader.Jpeg)));
        }

        Assert.Equal(size, SizeOf([.. jpeg[..second], .. Segment(0xC1, [8, 0, 5, 0, 5, 3]), .. jpeg[second..]], ImageHeader.Jpeg));
        // A marker that lost its first byte.
        Assert.Equal(size, SizeOf([.. jpeg[..second], 0x00, .. ExifSegment(Exif(1))[1..], .. jpeg[second..]], ImageHeader.Jpeg));
    }

    [Fact]
    public void Preview_in_a_damaged_segment_is_not_the_photo()
    {
        var jpeg = Photo("plain.jpg");
        byte[] preview = [.. Ascii("Exif\0\0"), .. Photo("progressive.jpg")];
        Assert.Equal(new ImageSize(33, 21), SizeOf([.. jpeg[..2], 0x00, .. Segment(0xE1, preview)[1..], .. jpeg[2..]], ImageHeader.Jpeg));
        // Of one that has no end, nobody can tell where the photo begins.
        byte[] open = preview[..preview.AsSpan().LastIndexOf<byte>([0xFF, 0xD9])];
        Assert.Equal(new ImageSize(31, 17), SizeOf([.. jpeg[..2], 0x00, .. Segment(0xE1, open)[1..], .. jpeg[2..]], ImageHeader.Jpeg));
    }

    [Theory]
    [InlineData("1 0 0  0 1 0  0 0 1", 640, 400)]
    [InlineData("0 1 0  -1 0 0  0 0 1", 400, 640)]
    [InlineData("0 0 0  0 0 0  0 0 0", 640, 400)]
    public void Sequence_without_a_still_picture_has_the_size_of_its_track(string numbers, int width, int height)
    {
        byte[] Fixed(int number) => BigEndian32(number << 16);
        byte[] matrix = [.. numbers.Split(' ', StringSplitOptions.RemoveEmptyEntries).SelectMany(number => Fixed(int.Parse(number, CultureInfo.InvariantCulture)))];
        byte[] Track(byte version, int w, int h) => Box(
            "trak", Box("tkhd", [version, 0, 0, 0, .. new byte[version == 0 ? 36 : 48], .. matrix, .. Fixed(w), .. Fixed(h)]));
        foreach (var version in (byte[])[0, 1])
        {
            byte[] sequence = [.. Box("ftyp", [.. Ascii("hevc"), 0, 0, 0, 0]), .. Box("moov", [.. Track(version, 0, 0), .. Track(version, 640, 400)])];
            Assert.Equal(new ImageSize(width, height), SizeOf(sequence, ImageHeader.Heic));
        }
    }

    [Theory]
    [InlineData(0, 64, 40)]
    [InlineData(1, 40, 64)]
    [InlineData(2, 64, 40)]
    [InlineData(3, 40, 64)]
    public void Rotation_swaps_the_sides_of_a_heic(int quarters, int width, int height) =>
        Assert.Equal(new ImageSize(width, height), SizeOf(Heic(64, 40, (byte)quarters), ImageHeader.Heic));

    [Theory]
    [InlineData(7, 2, 8, 9)]
    [InlineData(2, 7, 64, 40)]
    public void A_primary_item_that_is_the_thumbnail_of_another_stands_for_that(int thumbnail, int whole, int width, int height)
    {
        byte[] narrow = [.. BigEndian16(thumbnail), .. BigEndian16(1), .. BigEndian16(whole)];
        byte[] wide = [.. BigEndian32(thumbnail), .. BigEndian16(1), .. BigEndian32(whole)];
        byte[] others = Box("dimg", [.. BigEndian16(7), .. BigEndian16(1), .. BigEndian16(2)]);

        Assert.Equal(new ImageSize(width, height), SizeOf(Heic(64, 40, 0, FullBox("iref", [.. others, .. Box("thmb", narrow)])), ImageHeader.Heic));
        Assert.Equal(new ImageSize(width, height), SizeOf(Heic(64, 40, 0, Box("iref", [1, 0, 0, 0, .. Box("thmb", wide)])), ImageHeader.Heic));
    }

    [Fact]
    public void Properties_of_items_may_stand_in_several_boxes_and_with_wide_numbers()
    {
        byte[] decoy = FullBox("ipma", [.. BigEndian32(1), .. BigEndian16(2), 1, 0x81]);
        byte[] wide = Box("ipma", [1, 0, 0, 1, .. BigEndian32(2), .. BigEndian32(2), 1, 0x80, 1, .. BigEndian32(7), 2, 0, 2, 0x80, 3]);
        Assert.Equal(new ImageSize(40, 64), SizeOf(Heic(64, 40, 1, associations: [.. decoy, .. wide]), ImageHeader.Heic));
        Assert.Null(SizeOf(Heic(64, 40, 1, associations: decoy), ImageHeader.Heic));
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(1, false)]
    [InlineData(7, false)]
    public void Last_box_may_go_to_the_end_but_not_beyond(int size, bool isRead)
    {
        var heic = Heic(64, 40, 0);
        var meta = heic.AsSpan(16);
        BinaryPrimitives.WriteInt32BigEndian(meta, size == 0 ? 0 : meta.Length + size);
        Assert.Equal(isRead ? new ImageSize(64, 40) : null, SizeOf(heic, ImageHeader.Heic));
    }

    [Fact]
    public void Box_that_is_shorter_than_its_own_head_ends_the_search()
    {
        var heic = Heic(64, 40, 0);
        Assert.Null(SizeOf([.. heic[..16], 0, 0, 0, 4, .. heic[16..]], ImageHeader.Heic));
    }

    [Theory]
    [InlineData(1, 1, 60, 30)]
    [InlineData(2, 3, 30, 10)]
    [InlineData(0, 1, 64, 40)]
    [InlineData(1, 0, 64, 40)]
    public void Clean_aperture_of_a_heic_is_what_is_shown(int widthDivisor, int heightDivisor, int width, int height)
    {
        var clap = Box("clap", [.. BigEndian32(60), .. BigEndian32(widthDivisor), .. BigEndian32(30), .. BigEndian32(heightDivisor), .. new byte[16]]);
        Assert.Equal(new ImageSize(width, height), SizeOf(Heic(64, 40, 0, last: clap), ImageHeader.Heic));
    }

    [Theory]
    [InlineData(12, true)]
    [InlineData(18, false)]
    public async Task File_that_has_to_be_fetched_is_looked_at_in_a_few_pieces(int boxes, bool isFound)
    {
        var (heic, size) = (Heic(64, 40, 0), LoadedBytes.PieceBytes + 1000);
        var file = new byte[heic.Length + (boxes * size)];
        heic[..16].CopyTo(file, 0);
        for (var box = 0; box < boxes; box++)
        {
            BigEndian32(size).CopyTo(file, 16 + (box * size));
            Ascii("free").CopyTo(file, 16 + (box * size) + 4);
        }

        heic[16..].CopyTo(file, 16 + (boxes * size));
        using var stream = new MemoryStream(file);

        var found = await ImageHeader.SizeOfAsync(new LoadedBytes(stream), ImageHeader.Heic, TestContext.Current.CancellationToken);

        Assert.Equal(isFound ? new ImageSize(64, 40) : null, found);
    }

    /// <summary>More pieces than a HEIC may take.</summary>
    [Fact]
    public async Task Jpeg_that_has_to_be_fetched_may_have_many_segments_before_its_size()
    {
        var (jpeg, segment) = (Photo("plain.jpg"), Segment(0xE6, new byte[65_533]));
        using var stream = new MemoryStream();
        stream.Write(jpeg, 0, 20);
        for (var i = 0; i < 300; i++)
            stream.Write(segment);
        stream.Write(jpeg, 20, jpeg.Length - 20);

        var size = await ImageHeader.SizeOfAsync(new LoadedBytes(stream), ImageHeader.Jpeg, TestContext.Current.CancellationToken);

        Assert.Equal(new ImageSize(33, 21), size);
    }

    [Theory]
    [InlineData("plain.png", 11)] // the length of its header
    [InlineData("plain.png", 12)] // and its name
    [InlineData("lossless.webp", 20)] // the signatures of the two kinds of pictures
    [InlineData("lossy.webp", 23)]
    public void Header_that_is_none_has_no_size(string photo, int at)
    {
        var bytes = Photo(photo);
        bytes[at] ^= 1;
        Assert.Null(SizeOf(bytes, ImageHeader.TypeOf(bytes)!));
    }

    [Theory]
    [InlineData("lossless.webp", 24, 0x10)] // whether there is transparency
    [InlineData("lossy.webp", 27, 0x40)] // how to scale each side
    [InlineData("lossy.webp", 29, 0x40)]
    public void Bits_beside_those_of_a_size_do_not_count(string photo, int at, int bit)
    {
        var bytes = Photo(photo);
        bytes[at] ^= (byte)bit;
        Assert.Equal(new ImageSize(50, 34), SizeOf(bytes, ImageHeader.WebP));
    }

    [Fact]
    public void Meta_box_may_follow_a_large_media_box()
    {
        byte[] large = [0, 0, 0, 1, .. Ascii("mdat"), 0, 0, 0, 0, 0, 0, 0x10, 0, .. new byte[0x1000 - 16]];
        var heic = Heic(64, 40, 0);
        Assert.Equal(new ImageSize(64, 40), SizeOf([.. heic[..16], .. large, .. heic[16..]], ImageHeader.Heic));
    }

    [Theory]
    [InlineData("plain.jpg")]
    [InlineData("portrait.jpg")]
    [InlineData("plain.png")]
    [InlineData("lossy.webp")]
    [InlineData("lossless.webp")]
    [InlineData("extended.webp")]
    [InlineData("portrait.heic")]
    public void Cut_or_damaged_files_are_unknown_or_read_but_never_throw(string photo)
    {
        var whole = Photo(photo);
        var type = ImageHeader.TypeOf(whole)!;
        for (var length = 0; length < Math.Min(whole.Length, 300); length++)
            Assert.True(SizeOf(whole[..length], type) is not { } cut || cut == SizeOf(whole, type), $"{length} bytes");
        Assert.Null(SizeOf(whole[..16], type));

        var random = new Random(20260101);
        for (var round = 0; round < 500; round++)
        {
            var bytes = (byte[])whole.Clone();
            for (var i = random.Next(1, 6); i > 0; i--)
                bytes[random.Next(Math.Min(bytes.Length, 400))] = (byte)(random.Next(3) switch { 0 => 0, 1 => 0xFF, _ => random.Next(256) });
            ImageHeader.TypeOf(bytes);
            if (SizeOf(bytes, type) is { } size)
                Assert.True(size is { Width: > 0, Height: > 0 });
        }
    }

    public static TheoryData<string, byte[], byte[]> Hostile => new()
    {
        // Millions of empty parts, which a parser without a budget would all visit, again and again for each property.
        { ImageHeader.Jpeg, [0xFF, 0xD8], [0xFF, 0xE2, 0, 2] },
        { ImageHeader.Jpeg, [0xFF, 0xD8], [0xFF] },
        { ImageHeader.Jpeg, [0xFF, 0xD8], [0xFF, 0xD8] },
        { ImageHeader.Jpeg, [0xFF, 0xD8], [0] },
        { ImageHeader.Heic, [], [0, 0, 0, 8, .. Ascii("free")] },
        { ImageHeader.Heic, [.. BigEndian32(20_000_000), .. Ascii("moov")], [0, 0, 0, 8, .. Ascii("trak")] },
        { ImageHeader.Png, [0x89, .. Ascii("PNG\r\n\u001a\n\0\0\0\rIHDR\0\0\0\u0001\0\0\0\u0001"), .. new byte[9]], [0, 0, 0, 0, .. Ascii("tEXt"), 0, 0, 0, 0] },
        { ImageHeader.WebP, [.. Ascii("RIFF\0\0\0\0WEBPVP8X"), 10, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0], [.. Ascii("XMP "), 0, 0, 0, 0] },
    };

    [Theory, MemberData(nameof(Hostile))]
    public void Hostile_file_costs_bounded_work(string type, byte[] head, byte[] unit)
    {
        var bytes = new byte[20_000_000];
        head.CopyTo(bytes, 0);
        for (var at = head.Length; at + unit.Length <= bytes.Length; at += unit.Length)
            unit.CopyTo(bytes, at);
        var clock = Stopwatch.StartNew();
        var allocated = GC.GetAllocatedBytesForCurrentThread();
        SizeOf(bytes, type);
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - allocated < 100_000);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(5));
    }

    [Fact]
    public void Sides_of_zero_or_of_more_than_31_bits_are_no_size()
    {
        foreach (var at in (int[])[16, 20])
        {
            foreach (var value in (byte[])[0, 0xFF])
            {
                var png = Photo("plain.png");
                png.AsSpan(at, 4).Fill(value);
                Assert.Null(SizeOf(png, ImageHeader.Png));
            }
        }
    }

    private static byte[] Segment(byte marker, byte[] content) => [0xFF, marker, .. BigEndian16(content.Length + 2), .. content];

    private static byte[] ExifSegment(byte[] exif) => Segment(0xE1, [.. Ascii("Exif\0\0"), .. exif]);

    /// <summary>EXIF data of two tags, the second of which is an orientation.</summary>
    private static byte[] Exif(int orientation, string order = "II", int type = 3)
    {
        byte[] Short(int value) => order == "MM" ? BigEndian16(value) : [(byte)value, (byte)(value >> 8)];
        byte[] Long(int value) => order == "MM" ? BigEndian32(value) : [.. Short(value), 0, 0];
        byte[] value = type switch
        {
            1 => [(byte)orientation, 0, 0, 0],
            3 => [.. Short(orientation), 0, 0],
            _ => Long(orientation),
        };
        return
        [
            .. Ascii(order), .. Short(42), .. Long(8), .. Short(2),
            .. Short(0x010F), .. Short(2), .. Long(1), 0, 0, 0, 0,
            .. Short(0x0112), .. Short(type), .. Long(1), .. value, .. Long(0),
        ];
    }

    private static byte[] Ascii(string text) => Encoding.ASCII.GetBytes(text);

    private static byte[] BigEndian16(int value) => [(byte)(value >> 8), (byte)value];

    private static byte[] BigEndian32(int value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, value);
        return bytes;
    }

    private static byte[] Box(string type, byte[] content) => [.. BigEndian32(content.Length + 8), .. Ascii(type), .. content];

    private static byte[] FullBox(string type, byte[] content) => Box(type, [0, 0, 0, 0, .. content]);

    /// <summary>A HEIC's boxes without any coded picture: item 2 is a decoy of another size, item 7 the primary one.</summary>
    private static byte[] Heic(int width, int height, byte quarters, byte[]? references = null, byte[]? associations = null, byte[]? last = null) =>
    [
        .. Box("ftyp", [.. Ascii("heic"), 0, 0, 0, 0]),
        .. FullBox("meta",
        [
            .. FullBox("pitm", BigEndian16(7)),
            .. references ?? [],
            .. Box("iprp",
            [
                .. Box("ipco",
                [
                    .. FullBox("ispe", [.. BigEndian32(8), .. BigEndian32(9)]),
                    .. FullBox("ispe", [.. BigEndian32(width), .. BigEndian32(height)]),
                    .. last ?? Box("irot", [quarters]),
                ]),
                .. associations ?? FullBox("ipma", [.. BigEndian32(2), .. BigEndian16(2), 1, 0x81, .. BigEndian16(7), 2, 2, 0x83]),
            ]),
        ]),
    ];

    private sealed class InMemory(byte[] bytes) : IRandomBytes
    {
        public long Length => bytes.Length;

        public int Read(Span<byte> buffer, long position)
        {
            var count = (int)Math.Min(buffer.Length, Length - position);
            bytes.AsSpan((int)position, count).CopyTo(buffer);
            return count;
        }

        public Task LoadAsync(long position, CancellationToken cancellationToken) => throw new NotSupportedException();
    }
}
