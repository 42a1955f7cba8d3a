using System.Globalization;

namespace Apertur.Server.QrCodes;

/// <summary>How a QR code is to look. Every style that can be asked for gives a picture that scans.</summary>
internal sealed record QrStyle
{
    // Of 255. Less leaves too little for glare, a dim screen or a bad print.
    private const double LeastContrast = 100;

    /// <summary>One of <see cref="Formats"/>.</summary>
    public string Format { get; init; } = "png";

    /// <summary>The side of the whole picture in pixels, 64 to 2000.</summary>
    public int Size { get; init; } = 300;

    public bool Rounded { get; init; }

    public Rgb Foreground { get; init; } = Rgb.Black;

    public Rgb Background { get; init; } = Rgb.White;

    public Rgb BorderColour { get; init; } = Rgb.White;

    /// <summary>Width of the border in modules, 0 to 16.</summary>
    public int BorderSize { get; init; } = 4;

    public static IReadOnlyList<string> Formats { get; } = ["png", "svg", "jpeg"];

    /// <summary>What each parameter of the address does, for developers to read.</summary>
    public static IReadOnlyDictionary<string, string> Params { get; } = new Dictionary<string, string>
    {
        ["format"] = "Kind of picture: png (default), svg or jpeg.",
        ["size"] = "Side of the whole picture in pixels, 64 to 2000 (default 300).",
        ["style"] = "Shape of the modules: square (default) or rounded.",
        ["fg"] = "Colour of the modules as 3 or 6 hex digits without # (default 000000); clearly darker than bg.",
        ["bg"] = "Colour behind the modules as 3 or 6 hex digits without # (default ffffff).",
        ["borderColor"] =
            "Colour of the border as 3 or 6 hex digits without # (default: that of bg); inside a dark one, bg keeps the code clear.",
        ["borderSize"] = "Width of the border in modules, 0 to 16 (default 4); narrower in a picture that is too small for it.",
    };

    /// <summary>
    /// Whether scanners can tell the dark colour from the light one. Not the other way round: many do not read light on dark.
    /// </summary>
    public static bool Contrasts(Rgb dark, Rgb light) => light.Luma - dark.Luma >= LeastContrast;

    /// <summary>Reads the query string of a picture's address; what is absent or empty has its default.</summary>
    /// <param name="query">The address's parameters.</param>
    /// <param name="problems">The parameters that cannot be obeyed, and what each must be; empty when the style is good.</param>
    public static QrStyle Parse(IQueryCollection query, out IReadOnlyList<(string Field, string Message)> problems)
    {
        var found = new List<(string Field, string Message)>();
        var background = Colour("bg", Rgb.White);
        var style = new QrStyle
        {
            Format = Choice("format", [.. Formats]),
            Size = Number("size", 300, 64, 2000),
            Rounded = Choice("style", "square", "rounded") == "rounded",
            Foreground = Colour("fg", Rgb.Black),
            Background = background,
            BorderColour = Colour("borderColor", background),
            BorderSize = Number("borderSize", 4, 0, 16),
        };
        if (found.Count == 0 && !Contrasts(style.Foreground, style.Background))
            found.Add(("fg", "fg must be clearly darker than bg, or the code will not scan: take a darker fg or a lighter bg."));
        problems = found;
        return style;

        string Choice(string name, params string[] allowed)
        {
            var text = query[name].ToString();
            if (text.Length > 0 && !allowed.Contains(text))
                found.Add((name, $"{name} must be {string.Join(", ", allowed[..^1])} or {allowed[^1]}."));
            return text.Length > 0 ? text : allowed[0];
        }

        int Number(string name, int byDefault, int min, int max)
        {
            var text = query[name].ToString();
            if (text.Length == 0)
                return byDefault;
            if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                || number < min || number > max)
                found.Add((name, $"{name} must be a whole number from {min} to {max}."));
            return number;
        }

        Rgb Colour(string name, Rgb byDefault)
        {
            var text = query[name].ToString();
            if (text.Length == 0)
                return byDefault;
            if (!Rgb.TryParse(text, out var colour))
                found.Add((name, $"{name} must be a colour of 3 or 6 hexadecimal digits without #, for example 1a2b3c."));
            return colour;
        }
    }
}
