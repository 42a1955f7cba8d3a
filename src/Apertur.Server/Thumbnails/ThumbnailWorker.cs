using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Apertur.Server.Uploads;
using Microsoft.Win32.SafeHandles;
using NetVips;

namespace Apertur.Server.Thumbnails;

/// <summary>What is made of a picture.</summary>
internal enum PictureForm
{
    /// <summary>A small JPEG, of as much as there is of a photo.</summary>
    Thumbnail,

    /// <summary>A PNG that keeps what is transparent, of a picture that is whole; a drawing gets as large as it may be.</summary>
    Logo,
}

/// <summary>
/// What the child process of <see cref="ThumbnailProcess"/> does: decodes one picture with libvips, after it has given up whatever it does
/// not need for that, writes what it is to be to standard output and ends. It knows no settings, no database and no key.
/// </summary>
internal static class ThumbnailWorker
{
    /// <summary>The first argument of the program, which no help mentions.</summary>
    public const string Command = "thumbnail-worker";

    /// <summary>The longer side of a thumbnail, in pixels. Smaller pictures stay as they are.</summary>
    public const int Side = 256;

    /// <summary>Pixels of a logo at most.</summary>
    public const int LogoWidth = 480;

    /// <inheritdoc cref="LogoWidth"/>
    public const int LogoHeight = 160;

    /// <summary>The media type of drawings, which are taken for logos only.</summary>
    public const string Svg = "image/svg+xml";

    /// <summary>The first byte of its output: libvips works here. What goes wrong from then on is the picture's fault.</summary>
    public const byte Ready = 1;

    /// <summary>Its exit code for a picture that libvips refuses; the reason is on standard error.</summary>
    public const int Undecodable = 1;

    /// <param name="arguments">
    /// How many bytes the picture has that standard input holds, 0 to only see whether its type can be decoded; its type; what to make
    /// of it; the limits of memory in megabytes and of processor time in seconds; the file name of the system's libvips.
    /// </param>
    public static int Run(ReadOnlySpan<string> arguments)
    {
        var (length, type) = (int.Parse(arguments[0], CultureInfo.InvariantCulture), arguments[1]);
        var form = Enum.Parse<PictureForm>(arguments[2]);
        var memoryMb = int.Parse(arguments[3], CultureInfo.InvariantCulture);
        var cpuSeconds = int.Parse(arguments[4], CultureInfo.InvariantCulture);
        // Before NetVips is touched: the one that comes with it has no decoder for HEVC.
        if (type == ImageHeader.Heic)
            UseSystemLibrary(arguments[5]);
        return Run(length, type, form, () => ProcessLimits.Apply(memoryMb, cpuSeconds));
    }

    // A method of its own, because NetVips loads its library as soon as a method that names it is compiled.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Run(int length, string type, PictureForm form, Action limit)
    {
        global::NetVips.NetVips.Concurrency = 1;
        Cache.Max = 0;
        AllowOnly(type);
        // Not Console, which opens more of them when it first writes.
        using var output = Standard(1);
        using var errors = Standard(2);
        var picture = new byte[length];
        using (var input = Standard(0, FileAccess.Read))
            input.ReadExactly(picture);
        // Whatever is loaded at its first use is used once before the limits, under which no file can be opened: the code for a picture
        // that is good and for one that is not.
        Make(Sample(type), type, form);
        try
        {
            Make([0], type, form);
        }
        catch (VipsException)
        {
        }

        limit();
        output.WriteByte(Ready);
        if (length == 0)
            return 0;
        try
        {
            output.Write(Make(picture, type, form));
            return 0;
        }
        catch (VipsException exception)
        {
            errors.Write(Encoding.UTF8.GetBytes(exception.Message));
            return Undecodable;
        }
    }

    private static byte[] Make(byte[] picture, string type, PictureForm form) =>
        form == PictureForm.Logo ? MakeLogo(picture, type == Svg) : MakeThumbnail(picture);

    private static byte[] MakeLogo(byte[] picture, bool isDrawing)
    {
        var options = new VOption
        {
            { "height", LogoHeight }, { "size", isDrawing ? Enums.Size.Both : Enums.Size.Down }, { "export_profile", "srgb" }, { "fail_on", Enums.FailOn.Error },
        };
        using var logo = (Image)Operation.Call("thumbnail_buffer", options, picture, LogoWidth);
        return logo.WriteToBuffer(".png[strip]");
    }

    /// <summary>
    /// The thumbnail as a JPEG: turned as the picture says, in sRGB, on white, without metadata, so that it never tells where a photo was
    /// taken. What is missing at the end of a picture that was cut off stays grey, as in other viewers.
    /// </summary>
    private static byte[] MakeThumbnail(byte[] picture)
    {
        // Options by the names that libvips 8.13 knows too.
        var options = new VOption { { "height", Side }, { "size", Enums.Size.Down }, { "export_profile", "srgb" } };
        using var small = (Image)Operation.Call("thumbnail_buffer", options, picture, Side);
        using var opaque = small.HasAlpha() ? small.Flatten(background: [255]) : small.Copy();
        return opaque.WriteToBuffer(".jpg[Q=80,strip]");
    }

    private static FileStream Standard(int descriptor, FileAccess access = FileAccess.Write) =>
        new(new SafeFileHandle(descriptor, ownsHandle: false), access, bufferSize: 0);

    private static void UseSystemLibrary(string name)
    {
        // NetVips sets a resolver of its own when it is first used, and leaves one that is there.
        NativeLibrary.SetDllImportResolver(Assembly.Load("NetVips"), (_, _, _) => NativeLibrary.Load(name));
    }

    private static void AllowOnly(string type)
    {
        Operation.Block("VipsForeignLoad", true);
        Operation.Block(
            type switch
            {
                ImageHeader.Jpeg => "VipsForeignLoadJpeg",
                ImageHeader.Png => "VipsForeignLoadPng",
                ImageHeader.WebP => "VipsForeignLoadWebp",
                Svg => "VipsForeignLoadSvg",
                _ => "VipsForeignLoadHeif",
            },
            false);
    }

    private static byte[] Sample(string type)
    {
        if (type == ImageHeader.Heic)
        {
            using var probe = typeof(ThumbnailWorker).Assembly.GetManifestResourceStream("probe.heic")!;
            var bytes = new byte[probe.Length];
            probe.ReadExactly(bytes);
            return bytes;
        }

        if (type == Svg)
            return "<svg xmlns='http://www.w3.org/2000/svg' width='8' height='8'><text y='8'>a</text></svg>"u8.ToArray();
        using var black = Image.Black(8, 8);
        return black.WriteToBuffer(type switch { ImageHeader.Jpeg => ".jpg", ImageHeader.Png => ".png", _ => ".webp" });
    }
}
