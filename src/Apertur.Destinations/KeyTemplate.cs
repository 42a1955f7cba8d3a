using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Apertur.Destinations;

/// <summary>
/// The name an image gets at a destination, from a template such as <c>apertur/{date}/{session}/{index}-{filename}</c>.
/// Slashes come from the template alone: a variable never adds a path segment and never yields <c>.</c> or <c>..</c>.
/// </summary>
public static partial class KeyTemplate
{
    public const string Default = "apertur/{date}/{session}/{index}-{filename}";

    /// <summary>The longest key S3 and Google Cloud Storage take, in bytes of UTF-8.</summary>
    public const int MaxKeyBytes = 1024;

    // What common file systems and drives take for one name.
    private const int MaxSegmentBytes = 255;

    // Leaves room for a name below whatever the template says literally.
    private const int MaxTemplateBytes = 512;
    private const string Variables = "{project}, {session}, {id}, {index}, {date}, {filename}, {ext}, {tag:NAME}";

    /// <summary>A message when a template cannot be used, null when it can. For <see cref="ConfigField.Check"/>.</summary>
    public static string? Problem(string template)
    {
        if (Encoding.UTF8.GetByteCount(template) > MaxTemplateBytes)
            return string.Create(CultureInfo.InvariantCulture, $"The template is longer than {MaxTemplateBytes} bytes.");
        if (Variable().Replace(template, "").IndexOfAny(['{', '}']) >= 0)
            return $"The template has an unknown variable. Known are {Variables}.";
        var fixedText = Variable().Replace(template, "x");
        if (fixedText.Split('/').Any(segment => segment is "." or ".."))
            return "The template must not hold the path segments . or ...";
        return fixedText.Any(char.IsControl) || fixedText.Contains('\\', StringComparison.Ordinal)
            ? "The template must not hold control characters or backslashes."
            : null;
    }

    /// <summary>
    /// The key for one delivery: no leading or trailing slash, no empty segment, at most <see cref="MaxKeyBytes"/>. A
    /// template whose last segment comes out empty, or that ends in a slash, names a folder; the image's id is the name in it.
    /// </summary>
    public static string Render(string template, Delivery delivery)
    {
        var segments = template.Split('/')
            .Select(segment => Segment(Variable().Replace(segment, match => Value(match.Groups[1].Value, delivery))))
            .ToList();
        var name = segments[^1].Length > 0 ? segments[^1] : Segment(delivery.ImageId + Extension(delivery));
        return Join(segments[..^1], name);
    }

    /// <summary>
    /// The key to use when <paramref name="key"/> is taken by another image: the image's id goes before the extension, so a
    /// repeat of the same delivery arrives at the same name. A rendition adds the start of its hash, so that no other one of the image has its name.
    /// </summary>
    public static string Alternative(string key, Delivery delivery)
    {
        var segments = key.Split('/');
        var extension = Path.GetExtension(segments[^1]);
        var stem = segments[^1][..^extension.Length];
        var own = delivery.IsRendition ? $"{delivery.ImageId}-{delivery.Sha256[..8]}" : delivery.ImageId.ToString();
        return Join(segments[..^1], Segment($"{Truncate(stem, MaxSegmentBytes - 64)}-{own}{extension}"));
    }

    /// <summary>
    /// Drops the innermost folders of a key that is too long: what remains is inside of the template's prefix.
    /// </summary>
    private static string Join(IEnumerable<string> folders, string name)
    {
        var kept = folders.Where(folder => folder.Length > 0).ToList();
        while (kept.Sum(folder => Encoding.UTF8.GetByteCount(folder) + 1) + Encoding.UTF8.GetByteCount(name) > MaxKeyBytes)
            kept.RemoveAt(kept.Count - 1);
        return string.Join('/', [.. kept, name]);
    }

    private static string Extension(Delivery delivery) => Path.GetExtension(Safe(delivery.Filename));

    private static string Value(string variable, Delivery delivery) => Safe(variable switch
    {
        "project" => delivery.ProjectName,
        "session" => delivery.SessionId.ToString(),
        "id" => delivery.ImageId.ToString(),
        "index" => delivery.ImageIndex.ToString(CultureInfo.InvariantCulture),
        "date" => delivery.ReceivedAt.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
        "filename" => delivery.Filename,
        "ext" => Path.GetExtension(delivery.Filename).TrimStart('.'),
        _ => Tag(variable["tag:".Length..], delivery.Tags),
    });

    private static string Tag(string name, IReadOnlyList<string> tags) =>
        tags.FirstOrDefault(tag => tag.StartsWith(name + ":", StringComparison.Ordinal)) is { } tag
            ? tag[(name.Length + 1)..]
            : "";

    /// <summary>
    /// Untrusted text as part of one segment: separators, control, format and unpaired surrogate characters become
    /// <c>_</c>, and so do the code points that are no characters: XML cannot hold U+FFFE and U+FFFF, and lists of S3 are XML.
    /// </summary>
    private static string Safe(string text)
    {
        var safe = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            var refused = rune == Rune.ReplacementChar || (rune.Value & 0xFFFE) == 0xFFFE || rune.Value is >= 0xFDD0 and <= 0xFDEF
                || rune.Value is '/' or '\\' or ':' or '*' or '?' or '"' or '<' or '>' or '|'
                || Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format
                    or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.PrivateUse;
            safe.Append(refused ? "_" : rune.ToString());
        }

        return safe.ToString();
    }

    private static string Segment(string segment)
    {
        segment = segment.Trim();
        // "." and ".." would climb; a name of dots alone is refused by Windows and by several drives.
        if (segment.All(c => c is '.' or ' '))
            segment = segment.Replace('.', '_');
        var extension = Path.GetExtension(segment);
        if (Encoding.UTF8.GetByteCount(extension) > 16)
            extension = "";
        return Truncate(segment[..^extension.Length], MaxSegmentBytes - Encoding.UTF8.GetByteCount(extension)) + extension;
    }

    private static string Truncate(string text, int maxBytes)
    {
        var bytes = 0;
        var length = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            if ((bytes += rune.Utf8SequenceLength) > maxBytes)
                break;
            length += rune.Utf16SequenceLength;
        }

        return text[..length];
    }

    [GeneratedRegex(@"\{(project|session|id|index|date|filename|ext|tag:[A-Za-z0-9_.\-]{1,64})\}")]
    private static partial Regex Variable();
}
