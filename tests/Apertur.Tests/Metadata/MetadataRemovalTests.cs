using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Apertur.Server.Metadata;
using Apertur.Server.Uploads;
using Apertur.Tests.Support;
using NetVips;
using static Apertur.Tests.Metadata.Located;

namespace Apertur.Tests.Metadata;

/// <summary>What is to go from a photo goes, wherever it is; what may stay, and the picture, stay as they are.</summary>
public sealed class MetadataRemovalTests
{
    [Fact]
    public async Task No_place_is_left_in_a_hundred_photos()
    {
        Assert.Equal(100, LocatedPhotos.All.Count);
        var before = await ExifTool.ReadAsync(LocatedPhotos.All.Select(photo => (photo.Name, photo.File)));
        var after = await ExifTool.ReadAsync(LocatedPhotos.All.Select(photo => (photo.Name, Without(photo, Strip.Location))));

        foreach (var photo in LocatedPhotos.All)
        {
            Assert.True(ExifTool.Places(before[photo.Name]).Count > 0 || IsIn(photo.File), $"{photo.Name} told no place before");
            Assert.True(ExifTool.Places(after[photo.Name]) is [], $"{photo.Name} tells {string.Join(", ", ExifTool.Places(after[photo.Name]))}");
            Assert.False(IsIn(Without(photo, Strip.Location)), photo.Name);
        }
    }

    [Fact]
    public async Task Place_that_another_program_wrote_goes_too()
    {
        var photos = new[] { ("photo.jpg", Photos.Jpeg()), ("photo.png", Photos.Png()), ("photo.webp", Photos.WebP()), ("photo.heic", Photos.Heic()) };
        var located = await ExifTool.WritePlaceAsync(photos);
        var before = await ExifTool.ReadAsync(located);
        var after = await ExifTool.ReadAsync(located.Select(photo => (photo.Name, Without(photo.File, ImageHeader.TypeOf(photo.File)!, Strip.Location))));

        Assert.All(before.Values, tags => Assert.True(ExifTool.Places(tags).Count >= 8));
        Assert.All(after.Values, tags => Assert.Empty(ExifTool.Places(tags)));
        Assert.All(after.Values, tags => Assert.Equal("Camera works", (string?)tags["IFD0:Make"]));
    }

    [Fact]
    public async Task What_tells_no_place_stays()
    {
        string[] names = ["jpg-00.jpg", "jpg-04.jpg", "jpg-07.jpg", "png-00.png", "webp-00.webp", "webp-04.webp", "heic-04.heic", "heic-07.heic"];
        var photos = LocatedPhotos.All.Where(photo => names.Contains(photo.Name)).ToList();
        var tags = await ExifTool.ReadAsync(photos.Select(photo => (photo.Name, Without(photo, Strip.Location))));

        Assert.Equal(names.Length, photos.Count);
        foreach (var (name, found) in tags)
        {
            Assert.True((string?)found["IFD0:Make"] == "Camera works", name);
            Assert.Equal("Rotate 90 CW", (string?)found["IFD0:Orientation"]);
            Assert.Equal("2026:06:12 09:44:41", (string?)found["ExifIFD:DateTimeOriginal"]);
            Assert.Equal("by the gate", (string?)found["ExifIFD:UserComment"]);
            Assert.Equal("R98 - DCF basic file (sRGB)", (string?)found["InteropIFD:InteropIndex"]);
            Assert.Equal("Ann Ødegård", (string?)found["XMP-dc:Creator"]);
            Assert.Equal("4", found["XMP-xmp:Rating"]!.ToString());
            // It tells of fill bytes between segments too, which the standard allows.
            Assert.True(((string?)found["ExifTool:Warning"])?.StartsWith("[minor]", StringComparison.Ordinal) ?? true, $"{name}: {found["ExifTool:Warning"]}");
        }

        Assert.Equal("by the gate", (string?)tags["png-00.png"]["PNG:Comment"]);
        Assert.NotNull(tags["jpg-00.jpg"]["IFD1:ThumbnailImage"]);
    }

    [Fact]
    public async Task Nothing_but_orientation_and_colour_is_left_of_all_metadata()
    {
        // What the picture is, what holds it together, and the two.
        string[] left =
        [
            "JFIF:", "PNG:Image", "PNG:BitDepth", "PNG:ColorType", "PNG:Compression", "PNG:Filter", "PNG:Interlace", "PNG:WhitePoint", "PNG:Gamma", "PNG:PixelsPer",
            "PNG:PixelUnits", "PNG-pHYs", "RIFF:", "QuickTime:", "Meta:", "Composite:ImageSize", "Composite:Megapixels", "Composite:Gamma",
            "IFD0:Orientation", "ExifIFD:ColorSpace", "ExifIFD:Gamma", "InteropIFD:InteropIndex", "ICC", "Track",
        ];
        var tags = await ExifTool.ReadAsync(LocatedPhotos.All.Select(photo => (photo.Name, Without(photo, Strip.All))));

        foreach (var photo in LocatedPhotos.All)
        {
            var others = ExifTool.Tags(tags[photo.Name]).Where(tag => !left.Any(known => tag.StartsWith(known, StringComparison.Ordinal))).ToList();
            Assert.True(others is [], $"{photo.Name} has {string.Join(", ", others)}");
            Assert.False(IsIn(Without(photo, Strip.All)), photo.Name);
        }

        foreach (var name in new[] { "jpg-00.jpg", "png-00.png", "webp-00.webp", "heic-00.heic" })
        {
            Assert.Equal("Rotate 90 CW", (string?)tags[name]["IFD0:Orientation"]);
            Assert.Equal("sRGB", (string?)tags[name]["ExifIFD:ColorSpace"]);
        }
    }

    [Fact]
    public void Pictures_stay_bit_for_bit()
    {
        foreach (var kind in LocatedPhotos.All.Where(photo => photo.MimeType != "image/heic").GroupBy(photo => photo.MimeType))
        {
            // What decoders make of text between segments they complain about once for all.
            var picture = Decoded(kind.First().File);
            foreach (var photo in kind)
            {
                Assert.Equal(picture, Decoded(Without(photo, Strip.Location)));
                Assert.Equal(picture, Decoded(Without(photo, Strip.All)));
            }
        }
    }

    [Fact]
    public async Task Pictures_of_HEIC_stay_bit_for_bit()
    {
        Components.Program("vips");
        using var folder = new TempFolder();
        var photos = LocatedPhotos.All.Where(photo => photo.MimeType == "image/heic").ToList();
        await File.WriteAllBytesAsync(folder.File("sample.heic"), Photos.Heic(), TestContext.Current.CancellationToken);
        foreach (var photo in photos)
        {
            await File.WriteAllBytesAsync(folder.File("1" + photo.Name), Without(photo, Strip.Location), TestContext.Current.CancellationToken);
            await File.WriteAllBytesAsync(folder.File("2" + photo.Name), Without(photo, Strip.All), TestContext.Current.CancellationToken);
        }

        var sums = await Shell.RunAsync(
            $"cd '{folder.Path}'; for photo in *.heic; do vips rawsave $photo $photo.raw; sha256sum <$photo.raw; done");

        var lines = sums.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(1 + (2 * photos.Count), lines.Length);
        Assert.Single(lines.Distinct());
    }

    [Fact]
    public void Colour_profile_and_real_photos_stay_as_they_are()
    {
        foreach (var path in Directory.EnumerateFiles(Path.Combine(AppContext.BaseDirectory, "Photos")))
        {
            var file = File.ReadAllBytes(path);
            var type = ImageHeader.TypeOf(file)!;
            foreach (var strip in new[] { Strip.Location, Strip.All })
            {
                var cleaned = Without(file, type, strip);
                Assert.Equal(file.Length, cleaned.Length);
                if (type != "image/heic")
                    Assert.Equal(Decoded(file), Decoded(cleaned));
                if (path.Contains("wide-gamut", StringComparison.Ordinal))
                    Assert.Equal(Profile(file), Profile(cleaned));
            }
        }
    }

    [Fact]
    public void What_was_cleaned_is_clean()
    {
        foreach (var photo in LocatedPhotos.All)
        {
            foreach (var strip in new[] { Strip.Location, Strip.All })
            {
                var once = Without(photo, strip);
                Assert.Equal(once, Without(once, photo.MimeType, strip));
            }
        }
    }

    [Fact]
    public void Photo_that_was_cut_off_anywhere_is_cleaned_or_refused()
    {
        foreach (var photo in LocatedPhotos.All.Where(photo => photo.Name.Contains("-00", StringComparison.Ordinal)))
        {
            for (var length = 12; length < photo.File.Length; length++)
                RequireCleanOrRefused(photo.File[..length], photo.MimeType);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Photo_with_any_bytes_changed_ends_in_an_answer(int seed)
    {
        var random = new Random(seed);
        foreach (var photo in LocatedPhotos.All)
        {
            for (var round = 0; round < 40; round++)
            {
                var file = (byte[])photo.File.Clone();
                for (var changes = random.Next(1, 9); changes > 0; changes--)
                    file[random.Next(4, file.Length)] = random.Next(4) == 0 ? (byte)0xFF : (byte)random.Next(256);
                try
                {
                    Assert.InRange(MetadataRemoval.Run(file, photo.MimeType, round % 2 == 0 ? Strip.Location : Strip.All), 0, file.Length);
                }
                catch (InvalidDataException)
                {
                    // Refused.
                }
            }
        }
    }

    public static TheoryData<string> HostileExif => new(_hostileExif.Keys);

    [Theory, MemberData(nameof(HostileExif))]
    public void Hostile_EXIF_loses_its_place(string name)
    {
        foreach (var strip in new[] { Strip.Location, Strip.All })
        {
            var jpeg = JpegWith(Segment(0xE1, "Exif\0\0", _hostileExif[name]()));
            Assert.True(IsIn(jpeg));
            Assert.False(IsIn(Without(jpeg, "image/jpeg", strip)));
        }
    }

    private static readonly Dictionary<string, Func<byte[]>> _hostileExif = new()
    {
        ["first directory behind the end"] = () => Pointing(Exif(true), 0x7FFFFFFF),
        ["first directory in the header"] = () => Pointing(Exif(true), 2),
        ["first directory at the end"] = () => Pointing(Exif(true), (uint)Exif(true).Length - 1),
        ["not TIFF"] = () => [.. "IM"u8, .. Exif(true)[2..]],
        ["continued from another segment"] = () => Exif(true)[40..],
        ["directories in a circle"] = () => Circle(0x8769),
        ["previews in a circle"] = () => Circle(0),
        ["65,535 entries"] = () => Counting(65_535),
        ["GPS directory taken for another"] = () => Disguised(),
        ["value as long as 2^32 rationals"] = () => Overlong(),
    };

    private static byte[] Pointing(byte[] exif, uint to)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(exif.AsSpan(4), to);
        return exif;
    }

    private static byte[] Circle(int pointer)
    {
        var tiff = new Tiff(little: true);
        tiff.Add(Bytes(Place));
        var main = tiff.Build(tiff.Add(pointer == 0 ? [(0x0103, Tiff.Short, tiff.Number(6))] : [(pointer, Tiff.Long, [0, 0, 0, 0])]));
        var at = BinaryPrimitives.ReadUInt32LittleEndian(main.AsSpan(4));
        BinaryPrimitives.WriteUInt32LittleEndian(main.AsSpan((int)at + (pointer == 0 ? 14 : 10)), at);
        return main;
    }

    private static byte[] Counting(int entries)
    {
        var exif = Exif(true);
        BinaryPrimitives.WriteUInt16LittleEndian(exif.AsSpan((int)BinaryPrimitives.ReadUInt32LittleEndian(exif.AsSpan(4))), (ushort)entries);
        return exif;
    }

    /// <summary>As the directory of interoperability, whose tags have the numbers of GPS's.</summary>
    private static byte[] Disguised()
    {
        var tiff = new Tiff(little: true);
        var gps = tiff.Add([(0x0001, Tiff.Ascii, Bytes("N\0")), (0x0002, Tiff.Rational, tiff.Numbers(48, 1, 51, 1, Seconds, 1))]);
        var exif = tiff.Add([(0xA005, Tiff.Long, tiff.Numbers(gps))]);
        return tiff.Build(tiff.Add([(0x8769, Tiff.Long, tiff.Numbers(exif)), (0x8825, Tiff.Long, tiff.Numbers(gps))]));
    }

    private static byte[] Overlong()
    {
        var tiff = new Tiff(little: true);
        tiff.Add(Bytes(Place));
        var exif = tiff.Build(tiff.Add([(0x829A, Tiff.Rational, tiff.Numbers(1, 1))]));
        BinaryPrimitives.WriteUInt32LittleEndian(exif.AsSpan(exif.Length - 12), uint.MaxValue);
        return exif;
    }

    [Theory]
    [InlineData("<x:xmpmeta xmlns:x='adobe:ns:meta/'><unclosed>")]
    [InlineData("<!DOCTYPE a [<!ENTITY b 'Nowhere Street 99'>]><a>&b;</a>")]
    [InlineData("{ \"city\": 1 }")]
    [InlineData("<city>Nowhere Street 99</city>")]
    public void XMP_that_cannot_be_read_goes_whole(string packet)
    {
        var cleaned = Without(JpegWith(Segment(0xE1, "http://ns.adobe.com/xap/1.0/\0", Bytes(packet + Place))), "image/jpeg", Strip.Location);
        Assert.True(cleaned.AsSpan().IndexOf("ns.adobe.com"u8) < 0);
        Assert.False(IsIn(cleaned));
    }

    [Fact]
    public void XMP_without_a_place_stays_as_it_is()
    {
        var packet = Encoding.UTF8.GetString(Xmp(0))
            .Replace("exif:GPSLatitude", "exif:Flash", StringComparison.Ordinal).Replace("City", "Credit", StringComparison.Ordinal);
        var jpeg = JpegWith(Segment(0xE1, "http://ns.adobe.com/xap/1.0/\0", Bytes(packet)));
        Assert.Equal(jpeg, Without(jpeg, "image/jpeg", Strip.Location));
    }

    public static TheoryData<string> Refused => new(_refused.Keys);

    [Theory, MemberData(nameof(Refused))]
    public void File_whose_parts_cannot_be_told_apart_is_refused(string name)
    {
        var (type, file) = _refused[name]();
        Assert.Throws<InvalidDataException>(() => Without(file, type, Strip.Location));
        Assert.Throws<InvalidDataException>(() => Without(file, type, Strip.All));
    }

    private static readonly Dictionary<string, Func<(string Type, byte[] File)>> _refused = new()
    {
        ["PNG with text between its chunks"] = () => ("image/png", [.. Photos.Png()[..33], .. Bytes(Place), .. Photos.Png()[33..]]),
        ["WebP that ends before it begins"] = () => ("image/webp", Changed(Photos.WebP(), 4, 0)),
        ["HEIC whose item lies nowhere"] = () => ("image/heic", Changed(Heic("Exif"), Find(Heic("Exif"), "iloc") + 47, 2)),
        ["HEIC whose item lies in what may be another file"] = () => ("image/heic", Changed(Heic("Exif"), Find(Heic("Exif"), "iloc") + 49, 1)),
        ["HEIC with a JPEG in pieces"] = () => ("image/heic", Heic("jpeg")),
        ["HEIC with two items of one number"] = () => ("image/heic", Changed(Heic("Exif"), FindLast(Heic("Exif"), "infe") + 9, 1)),
        ["HEIC with a box in its meta that is longer than it"] = () => ("image/heic", Changed(Photos.Heic(), 41, 0xFF)),
        ["HEIC with text between its boxes"] = () => ("image/heic", [.. Photos.Heic(), .. Bytes(Place)]),
        ["HEIC with a track of metadata"] = () => (
            "image/heic", [.. Photos.Heic(), .. Box("moov", Box("trak", Box("mdia", Box("hdlr", new byte[8], Bytes("meta"), new byte[13]))))]),
        ["HEIC that is a film in pieces"] = () => ("image/heic", [.. Photos.Heic(), .. Box("moof")]),
        ["HEIC whose items lie over each other"] = () => ("image/heic", Overlapping()),
    };

    private static byte[] Heic(string type)
    {
        var heic = new HeicWriter();
        heic.Add(type, "", [0, 0, 0, 0, .. Exif(true)]);
        return heic.Build();
    }

    private static byte[] Overlapping()
    {
        var heic = new HeicWriter();
        for (var count = 0; count < 40; count++)
            heic.Add("uri ", "", Bytes(Place));
        var file = heic.Build();
        for (var at = Find(file, "iloc") + 12 + (2 * 16); at < Find(file, "iinf") - 4; at += 16)
            BinaryPrimitives.WriteUInt32BigEndian(file.AsSpan(at + 12), (uint)file.Length / 8);
        return file;
    }

    private static byte[] Changed(byte[] file, int at, byte value)
    {
        file[at] = value;
        return file;
    }

    private static int Find(byte[] file, string type) => file.AsSpan().IndexOf(Bytes(type));

    private static int FindLast(byte[] file, string type) => file.AsSpan().LastIndexOf(Bytes(type));

    private static void RequireCleanOrRefused(byte[] file, string type)
    {
        try
        {
            Assert.False(IsIn(Without(file, type, Strip.Location)), $"{type} of {file.Length} bytes");
            Assert.False(IsIn(Without(file, type, Strip.All)), $"{type} of {file.Length} bytes");
        }
        catch (InvalidDataException)
        {
            // Refused.
        }
    }

    private static byte[] Without(LocatedPhoto photo, Strip strip) => Without(photo.File, photo.MimeType, strip);

    private static byte[] Without(byte[] file, string type, Strip strip)
    {
        var copy = (byte[])file.Clone();
        return copy[..MetadataRemoval.Run(copy, type, strip)];
    }

    private static byte[] Decoded(byte[] file)
    {
        using var image = Image.NewFromBuffer(file);
        return image.Format == Enums.BandFormat.Ushort
            ? MemoryMarshal.AsBytes(image.WriteToMemory<ushort>().AsSpan()).ToArray() : image.WriteToMemory<byte>();
    }

    private static byte[] Profile(byte[] file)
    {
        using var image = Image.NewFromBuffer(file);
        return (byte[])image.Get("icc-profile-data");
    }
}
