using System.Globalization;

namespace Apertur.Server.Pages;

/// <summary>
/// A project's colour as its pages use it. Text in it on the grounds of either scheme, and text on it, have a contrast of at least 4.5 (WCAG 2,
/// 1.4.3) whatever the colour: it is made darker in the light and lighter in the dark, no more than that needs.
/// </summary>
/// <param name="Light">On light grounds.</param>
/// <param name="Dark">On dark grounds.</param>
internal sealed record Accent(Colour Light, Colour Dark)
{
    public const double MinContrast = 4.5;

    private const int Steps = 256;

    /// <summary>What text in it stands on, --page and --card of <c>web/src/design/tokens.css</c>.</summary>
    public static IReadOnlyList<Colour> LightGrounds { get; } = [new(0xf6, 0xf7, 0xf5), Colour.White];

    /// <inheritdoc cref="LightGrounds"/>
    public static IReadOnlyList<Colour> DarkGrounds { get; } = [new(0x11, 0x15, 0x14), new(0x1b, 0x21, 0x20)];

    public static Accent Of(Colour colour) => new(Until(LightGrounds, colour, Colour.Black), Until(DarkGrounds, colour, Colour.White));

    /// <summary>Where the style sheet is that has it.</summary>
    public static string Path(string hex) => $"/accents/{hex}.css";

    /// <summary>GET /accents/{name}: a style sheet, since the pages' policy allows no style in the page itself.</summary>
    public static IResult Get(string name, HttpResponse response)
    {
        if (!name.EndsWith(".css", StringComparison.Ordinal) || Colour.Parse(name[..^4]) is not { } colour)
            return Results.NotFound();
        response.Headers.CacheControl = "public, max-age=31536000, immutable";
        response.Headers.XContentTypeOptions = "nosniff";
        return Results.Text(Of(colour).Css(), "text/css; charset=utf-8");
    }

    /// <summary>As <c>tokens.css</c> chooses between the schemes.</summary>
    public string Css() =>
        $":root{{{Words(Light)}}}:root[data-scheme=dark]{{{Words(Dark)}}}@media (prefers-color-scheme:dark){{:root:not([data-scheme]){{{Words(Dark)}}}}}";

    private static string Words(Colour colour) => $"--accent:#{colour};--on-accent:#{colour.TextOnIt}";

    private static Colour Until(IReadOnlyList<Colour> grounds, Colour colour, Colour end) =>
        Enumerable.Range(0, Steps + 1).Select(step => colour.Towards(end, (double)step / Steps))
            .First(mixed => grounds.All(ground => mixed.Contrast(ground) >= MinContrast));
}

/// <summary>A colour in sRGB.</summary>
internal readonly record struct Colour(byte Red, byte Green, byte Blue)
{
    public static Colour Black { get; } = new(0, 0, 0);

    public static Colour White { get; } = new(255, 255, 255);

    /// <summary>Black or white, whichever reads better: one of the two always has more than 4.5.</summary>
    public Colour TextOnIt => Contrast(Black) > Contrast(White) ? Black : White;

    /// <summary>Of three or six hex digits, with or without a number sign; null when it is none.</summary>
    public static Colour? Parse(string text)
    {
        var hex = text.TrimStart('#');
        if (hex.Length == 3)
            hex = string.Concat(hex.Select(digit => new string(digit, 2)));
        return hex.Length == 6 && int.TryParse(hex, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value)
            ? new((byte)(value >> 16), (byte)(value >> 8), (byte)value)
            : null;
    }

    /// <summary>WCAG 2: from 1 to 21.</summary>
    public double Contrast(Colour other)
    {
        var (one, two) = (Luminance + 0.05, other.Luminance + 0.05);
        return Math.Max(one, two) / Math.Min(one, two);
    }

    public Colour Towards(Colour end, double part) => new(Mix(Red, end.Red, part), Mix(Green, end.Green, part), Mix(Blue, end.Blue, part));

    /// <summary>Six hex digits.</summary>
    public override string ToString() => $"{Red:x2}{Green:x2}{Blue:x2}";

    private double Luminance => (0.2126 * Linear(Red)) + (0.7152 * Linear(Green)) + (0.0722 * Linear(Blue));

    private static double Linear(byte value) => value / 255.0 is var part && part <= 0.04045 ? part / 12.92 : Math.Pow((part + 0.055) / 1.055, 2.4);

    private static byte Mix(byte from, byte to, double part) => (byte)Math.Round(from + ((to - from) * part));
}
