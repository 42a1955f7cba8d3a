using System.Globalization;
using System.Text;

namespace Apertur.Server.Uploads;

/// <summary>Text of strangers that is safe to show, to log and to put into a header.</summary>
internal static class PlainText
{
    /// <summary>Whether a character neither controls nor turns around what stands beside it.</summary>
    public static bool Takes(Rune rune) =>
        // Persian, Hindi and emoji cannot be written without the two joiners.
        rune.Value is 0x200C or 0x200D
        || (rune != Rune.ReplacementChar && Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.Format
            or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.PrivateUse));

    /// <summary>The text without other characters, and without white space around it.</summary>
    /// <param name="keepsLines">Whether line feeds stay; a space stands for each otherwise.</param>
    public static string Of(string text, bool keepsLines)
    {
        var plain = new StringBuilder();
        foreach (var rune in text.ReplaceLineEndings("\n").EnumerateRunes())
        {
            if (rune.Value == '\n')
                plain.Append(keepsLines ? '\n' : ' ');
            else if (Takes(rune))
                plain.Append(rune.ToString());
        }

        return plain.ToString().Trim();
    }
}
