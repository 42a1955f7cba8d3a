using System.Text;

namespace Apertur.Server.Uploads;

/// <summary>Names of images as people may see them.</summary>
internal static class Filenames
{
    private const int MaxLength = 200;

    /// <summary>
    /// A name that is safe to show, to log and to put into a header: the last segment of what was sent, without control, format and
    /// bidirectional characters, at most 200 characters long, with an ending that agrees with the bytes.
    /// </summary>
    public static string Sanitise(string? sent, string mimeType)
    {
        var text = Clean(sent);
        var extension = Path.GetExtension(text);
        if (IsEnding(extension) || Agrees(extension, mimeType))
            text = text[..^extension.Length].TrimEnd(' ', '.');
        if (!Agrees(extension, mimeType))
        {
            // x.jpg.php: what is left ends as it should.
            extension = Path.GetExtension(text);
            if (Agrees(extension, mimeType))
                text = text[..^extension.Length].TrimEnd(' ', '.');
            else
                extension = "." + Extension(mimeType);
        }

        if (text.Length == 0)
            text = "photo";
        return Shorten(text, MaxLength - extension.Length) + extension;
    }

    /// <summary>Whether this is what programs go by, rather than the end of a name: 12.30.45 and "No. 5" have none.</summary>
    private static bool IsEnding(string extension) =>
        extension.Length <= 5 && extension.Skip(1).All(char.IsAsciiLetterOrDigit) && extension.Any(char.IsAsciiLetter);

    private static bool Agrees(string extension, string mimeType) => (mimeType, extension.ToLowerInvariant()) is
        (ImageHeader.Jpeg, ".jpg" or ".jpeg" or ".jpe" or ".jfif")
        or ("image/png", ".png")
        or ("image/webp", ".webp")
        or ("image/heic", ".heic" or ".heif" or ".hif" or ".heics" or ".heifs");

    /// <summary>The name of a photo that stays encrypted: its own, as safe, with what it is wrapped in.</summary>
    public static string Sealed(string? sent)
    {
        const string ending = ".enc.json";
        var text = Clean(sent);
        return Shorten(text.Length == 0 ? "photo" : text, MaxLength - ending.Length) + ending;
    }

    /// <summary>The usual ending for a type, without the dot.</summary>
    public static string Extension(string mimeType) => mimeType switch
    {
        ImageHeader.Jpeg => "jpg",
        _ => mimeType["image/".Length..],
    };

    private static string Clean(string? sent)
    {
        var name = new StringBuilder();
        foreach (var rune in (sent ?? "").EnumerateRunes())
        {
            if (rune.Value is '/' or '\\')
                name.Clear();
            else if (PlainText.Takes(rune))
                name.Append(rune.ToString());
        }

        return name.ToString().Trim(' ', '.');
    }

    private static string Shorten(string text, int length)
    {
        if (text.Length <= length)
            return text;
        return text[..(char.IsHighSurrogate(text[length - 1]) ? length - 1 : length)];
    }
}
