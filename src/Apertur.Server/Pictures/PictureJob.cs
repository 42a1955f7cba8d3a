using System.Globalization;
using Apertur.Server.Metadata;

namespace Apertur.Server.Pictures;

/// <summary>What a picture becomes, in sRGB always.</summary>
internal enum PictureForm
{
    Jpeg,

    /// <summary>A PNG that keeps what is transparent; a drawing gets as large as it may be.</summary>
    Logo,
}

/// <summary>What is to be made of a picture, and what that may take.</summary>
internal sealed record PictureJob
{
    public PictureForm Form { get; init; }

    /// <summary>The longest side it may have, in pixels. Smaller pictures stay as they are.</summary>
    public int MaxSide { get; init; } = int.MaxValue;

    /// <summary>The most pixels it may have, width times height. Smaller pictures stay as they are.</summary>
    public long MaxPixels { get; init; } = long.MaxValue;

    /// <summary>Of a JPEG, 1 to 100.</summary>
    public required int Quality { get; init; }

    /// <summary>Which metadata of the picture it does not get.</summary>
    public required Strip Strip { get; init; }

    /// <summary>Whether a picture of which the end is missing is refused, rather than grey from there on.</summary>
    public bool MustBeWhole { get; init; }

    /// <summary>Megabytes that its process may map.</summary>
    public required int MemoryMb { get; init; }

    /// <summary>Seconds of processor time that its process may use.</summary>
    public required int CpuSeconds { get; init; }

    /// <summary>Bytes that what is made may have.</summary>
    public required long MaxBytes { get; init; }

    /// <summary>As arguments of <see cref="PictureWorker"/>: what it needs to know.</summary>
    public string[] ToArguments() => [.. new[] { MaxSide, MaxPixels, Quality, (int)Strip, MustBeWhole ? 1 : 0, MemoryMb, CpuSeconds, MaxBytes, (int)Form }
        .Select(number => number.ToString(CultureInfo.InvariantCulture))];

    public static PictureJob Parse(ReadOnlySpan<string> arguments)
    {
        var numbers = arguments.ToArray().Select(text => long.Parse(text, CultureInfo.InvariantCulture)).ToArray();
        return new()
        {
            MaxSide = (int)numbers[0],
            MaxPixels = numbers[1],
            Quality = (int)numbers[2],
            Strip = (Strip)numbers[3],
            MustBeWhole = numbers[4] == 1,
            MemoryMb = (int)numbers[5],
            CpuSeconds = (int)numbers[6],
            MaxBytes = numbers[7],
            Form = (PictureForm)numbers[8],
        };
    }
}
