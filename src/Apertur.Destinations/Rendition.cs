using System.Globalization;
using System.Text.Json.Nodes;

namespace Apertur.Destinations;

/// <summary>
/// What a destination gets in place of the original: a JPEG in sRGB, turned as the photo says, on white. The choice is a field of every type's
/// configuration; the server makes the JPEG, and types see no difference.
/// </summary>
/// <param name="MaxPixels">The most pixels it has, width times height; null for as many as the original.</param>
/// <param name="Quality">Of the JPEG, 1 to 100.</param>
/// <param name="Strip">Which metadata it does not get: <c>none</c>, <c>location</c> or <c>all</c>.</param>
public sealed record Rendition(int? MaxPixels, int Quality, string Strip)
{
    public const string MimeType = "image/jpeg";

    private const string Name = "rendition";
    private const string Format = "jpeg";

    // The longest side that a JPEG can have: whoever gives less most likely means a side.
    private const int LongestSide = 65_535;
    private const int MostPixels = 100_000_000;

    /// <summary>The field that every type's configuration has beside its own.</summary>
    public static ConfigField Field { get; } = new(Name, "Rendition", ConfigFieldKind.Group)
    {
        Help = "What is sent in place of the original: a JPEG in sRGB, turned upright. The original, byte for byte, when left empty.",
        Fields =
        [
            new("format", "Rendition format") { Required = true, Allowed = [Format] },
            new("maxPixels", "Most pixels", ConfigFieldKind.Number)
            {
                Range = (1, MostPixels),
                Help = "Width times height: 2000000 for two megapixels. Smaller photos keep their size; all do when left empty.",
            },
            new("quality", "JPEG quality", ConfigFieldKind.Number) { Default = 85, Range = (1, 100) },
            new("strip", "Leave out")
            {
                Default = "all",
                Allowed = ["none", "location", "all"],
                Help = "Which metadata it does not get: all, where it was taken, or none of them.",
            },
        ],
    };

    /// <summary>What a configuration asks for; null when it is the original.</summary>
    public static Rendition? Of(DestinationConfig config) =>
        config.Group(Name) is { } chosen ? new(chosen.OptionalNumber("maxPixels"), chosen.Number("quality"), chosen.Required("strip")) : null;

    /// <summary>What to tell of a choice that is unlikely to be meant; null when there is nothing.</summary>
    /// <param name="config">As it was sent.</param>
    public static string? Doubt(JsonObject config) =>
        config[Name] is JsonObject chosen && chosen["maxPixels"] is JsonValue value && value.TryGetValue<int>(out var most) && most is > 0 and <= LongestSide
            ? $"config.{Name}.maxPixels is width times height: {most} is a picture of some {Math.Sqrt(most):0} by {Math.Sqrt(most):0}."
            : null;

    /// <summary>All of it in one word, such as <c>jpeg-2000000-85-all</c>: the same for the same bytes.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Format}-{MaxPixels ?? 0}-{Quality}-{Strip}");

    /// <summary>What <see cref="ToString"/> has written; null when that is not it.</summary>
    public static Rendition? Parse(string word) =>
        word.Split('-') is [Format, var pixels, var quality, { Length: > 0 } strip]
        && int.TryParse(pixels, NumberStyles.None, CultureInfo.InvariantCulture, out var most)
        && int.TryParse(quality, NumberStyles.None, CultureInfo.InvariantCulture, out var written)
            ? new(most > 0 ? most : null, written, strip)
            : null;
}
