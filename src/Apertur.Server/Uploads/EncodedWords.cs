using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Apertur.Server.Uploads;

/// <summary>Names that mail libraries write as encoded words (RFC 2047): <c>=?UTF-8?B?w6kuanBn?=</c>. Forms have no such thing, but get it.</summary>
internal static partial class EncodedWords
{
    /// <summary>The text with its encoded words decoded; what is none, or cannot be decoded, stays as it is.</summary>
    public static string Decode(string text) => Word().Replace(Between().Replace(text, "?==?"), Decode);

    private static string Decode(Match word)
    {
        var encoding = word.Groups[1].Value.ToUpperInvariant() switch
        {
            "UTF-8" or "US-ASCII" => Encoding.UTF8,
            "ISO-8859-1" => Encoding.Latin1,
            _ => null,
        };
        var bytes = word.Groups[2].Value is "B" or "b" ? OfBase64(word.Groups[3].Value) : OfQuoted(word.Groups[3].Value);
        return encoding is null || bytes is null ? word.Value : encoding.GetString(bytes);
    }

    private static byte[]? OfBase64(string text) => Base64.IsValid(text) ? Convert.FromBase64String(text) : null;

    private static byte[]? OfQuoted(string text)
    {
        var bytes = new List<byte>(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            var value = text[i] == '_' ? (byte)' ' : (byte)text[i];
            if (text[i] == '=')
            {
                if (i + 2 >= text.Length
                    || !byte.TryParse(text.AsSpan(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value))
                    return null;
                i += 2;
            }

            bytes.Add(value);
        }

        return [.. bytes];
    }

    [GeneratedRegex(@"=\?([A-Za-z0-9-]+)(?:\*[A-Za-z-]*)?\?([BbQq])\?([!-~]*?)\?=")]
    private static partial Regex Word();

    // White space between two words belongs to neither (RFC 2047, 6.2): a long name is cut into several.
    [GeneratedRegex(@"\?=[ \t]+=\?")]
    private static partial Regex Between();
}
