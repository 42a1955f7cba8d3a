using System.Globalization;

namespace Apertur.Server.QrCodes;

/// <summary>An sRGB colour.</summary>
internal readonly record struct Rgb(byte R, byte G, byte B)
{
    public static Rgb Black { get; } = new(0, 0, 0);

    public static Rgb White { get; } = new(255, 255, 255);

    /// <summary>
    /// How light it is to a camera, 0 to 255: the luma of JPEG (ITU-R BT.601), which is also what scanners look at.
    /// </summary>
    public double Luma => (0.299 * R) + (0.587 * G) + (0.114 * B);

    public string Hex => $"{R:x2}{G:x2}{B:x2}";

    /// <summary>Reads 3 or 6 hexadecimal digits, as CSS does but without the number sign.</summary>
    public static bool TryParse(string text, out Rgb colour)
    {
        var full = text.Length == 3 ? $"{text[0]}{text[0]}{text[1]}{text[1]}{text[2]}{text[2]}" : text;
        var valid =
            uint.TryParse(full, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value) && full.Length == 6;
        colour = new Rgb((byte)(value >> 16), (byte)(value >> 8), (byte)value);
        return valid;
    }
}
