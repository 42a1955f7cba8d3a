using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Apertur.Server.Metadata;
using Apertur.Server.Uploads;
using Microsoft.Win32.SafeHandles;
using NetVips;

namespace Apertur.Server.Pictures;

/// <summary>
/// What the child process of <see cref="PictureProcess"/> does: decodes one picture with libvips, after it has given up whatever it does
/// not need for that, writes what it becomes to standard output and ends. It knows no settings, no database and no key.
/// </summary>
internal static class PictureWorker
{
    /// <summary>The first argument of the program, which no help mentions.</summary>
    public const string Command = "picture-worker";

    /// <summary>The first byte of its output: libvips works here. What goes wrong from then on is the picture's fault.</summary>
    public const byte Ready = 1;

    /// <summary>Its exit code for a picture that libvips refuses; the reason is on standard error.</summary>
    public const int Undecodable = 1;

    /// <summary>Its exit code where there is no decoder for pictures of that type; what was missing is on standard error.</summary>
    public const int NoDecoder = 2;

    /// <summary>Pixels of a logo at most.</summary>
    public const int LogoWidth = 480;

    /// <inheritdoc cref="LogoWidth"/>
    public const int LogoHeight = 160;

    /// <summary>The media type of drawings, which are taken for logos only.</summary>
    public const string Svg = "image/svg+xml";

    /// <param name="arguments">
    /// How many bytes the picture has that standard input holds, 0 to only see whether its type can be decoded; its type; the file name of the
    /// system's libvips; and the <see cref="PictureJob"/>.
    /// </param>
    public static int Run(ReadOnlySpan<string> arguments)
    {
        var (length, type) = (int.Parse(arguments[0], CultureInfo.InvariantCulture), arguments[1]);
        try
        {
            // Before NetVips is touched: the one that comes with it has no decoder for HEVC.
            if (type == ImageHeader.Heic)
                UseSystemLibrary(arguments[2]);
            return Run(length, type, PictureJob.Parse(arguments[3..]));
        }
        catch (Exception exception) when (exception is DllNotFoundException or TypeInitializationException or VipsException)
        {
            using var errors = Standard(2);
            errors.Write(Encoding.UTF8.GetBytes((exception.InnerException ?? exception).Message));
            return NoDecoder;
        }
    }

    // A method of its own, because NetVips loads its library as soon as a method that names it is compiled.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Run(int length, string type, PictureJob job)
    {
        var code = Work(length, type, job);
        ProcessLimits.Exit(code);
        return code;
    }

    private static int Work(int length, string type, PictureJob job)
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
        LoadAll(type, job);
        ProcessLimits.Apply(job.MemoryMb, job.CpuSeconds);
        output.WriteByte(Ready);
        if (length == 0)
            return 0;
        try
        {
            output.Write(Make(picture, type, job));
            return 0;
        }
        catch (Exception exception) when (exception is VipsException or InvalidDataException)
        {
            errors.Write(Encoding.UTF8.GetBytes(exception.Message));
            return Undecodable;
        }
    }

    /// <summary>
    /// Whatever is loaded at its first use is used once before the limits, under which no file can be opened: the code for a picture that is
    /// good and for one that is not, and for metadata likewise.
    /// </summary>
    private static void LoadAll(string type, PictureJob job)
    {
        Make(Sample(type), type, job);
        try
        {
            Make([0], type, job);
        }
        catch (VipsException)
        {
        }

        if (job.Strip == Strip.Location)
        {
            XmpPacket.RemoveLocation("<a xmlns:g='g:' g:city='x'><g:lat>1</g:lat></a>  "u8.ToArray());
            XmpPacket.RemoveLocation("<a"u8.ToArray());
        }
    }

    private static ReadOnlySpan<byte> Make(byte[] picture, string type, PictureJob job) =>
        job.Form == PictureForm.Logo ? MakeLogo(picture, type == Svg) : MakeJpeg(picture, job);

    private static byte[] MakeLogo(byte[] picture, bool isDrawing)
    {
        var options = new VOption
        {
            { "height", LogoHeight }, { "size", isDrawing ? Enums.Size.Both : Enums.Size.Down }, { "export_profile", "srgb" }, { "fail_on", Enums.FailOn.Error },
        };
        using var logo = (Image)Operation.Call("thumbnail_buffer", options, picture, LogoWidth);
        return logo.WriteToBuffer(".png[strip]");
    }

    /// <summary>The JPEG: turned as the picture says, in sRGB, on white.</summary>
    private static ReadOnlySpan<byte> MakeJpeg(byte[] picture, PictureJob job)
    {
        using var small = Fit(picture, job);
        using var opaque = small.HasAlpha() ? small.Flatten(background: [255]) : small.Copy();
        // The word that all versions of libvips know for leaving everything out.
        var jpeg = opaque.WriteToBuffer($".jpg[Q={job.Quality}{(job.Strip == Strip.All ? ",strip" : "")}]");
        return job.Strip == Strip.Location ? jpeg.AsSpan(0, MetadataRemoval.Run(jpeg, ImageHeader.Jpeg, Strip.Location)) : jpeg;
    }

    /// <summary>The picture in the colours and the size that it gets.</summary>
    private static Image Fit(byte[] picture, PictureJob job)
    {
        for (var side = SideOf(picture, job); ; side--)
        {
            // Options by the names that libvips 8.13 knows too.
            var options = new VOption { { "height", side }, { "size", Enums.Size.Down }, { "export_profile", "srgb" } };
            if (job.MustBeWhole)
                options.Add("fail_on", Enums.FailOn.Truncated);
            var made = (Image)Operation.Call("thumbnail_buffer", options, picture, side);
            // The shorter side is rounded.
            if ((long)made.Width * made.Height <= job.MaxPixels)
                return made;
            made.Dispose();
        }
    }

    /// <summary>How long the longer side may be.</summary>
    private static int SideOf(byte[] picture, PictureJob job)
    {
        if (job.MaxPixels == long.MaxValue && job.MaxSide != int.MaxValue)
            return job.MaxSide;
        using var header = Image.NewFromBuffer(picture);
        var (longer, shorter) = (Math.Max(header.Width, header.Height), Math.Min(header.Width, header.Height));
        var most = (long)longer * shorter <= job.MaxPixels ? longer : (int)Math.Sqrt((double)job.MaxPixels * longer / shorter);
        return Math.Min(most, job.MaxSide);
    }

    private static FileStream Standard(int descriptor, FileAccess access = FileAccess.Write) =>
        new(new SafeFileHandle(descriptor, ownsHandle: false), access, bufferSize: 0);

    private static void UseSystemLibrary(string name)
    {
        var library = NativeLibrary.Load(name);
        // NetVips sets a resolver of its own when it is first used, and leaves one that is there.
        NativeLibrary.SetDllImportResolver(Assembly.Load("NetVips"), (_, _, _) => library);
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
            using var probe = typeof(PictureWorker).Assembly.GetManifestResourceStream("probe.heic")!;
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
