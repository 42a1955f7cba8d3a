namespace Apertur.Server.Pages;

/// <summary>
/// Instructions as somebody wrote them for the page of a session: empty lines part paragraphs, lines that begin with a hyphen are a list, and
/// **words** are bold. All else is text. <c>web/src/upload/instructions.ts</c> reads the same where a password stands before them.
/// </summary>
internal static class Instructions
{
    public static Html Render(string? text)
    {
        if (string.IsNullOrWhiteSpace(text))
            return Html.Empty;
        var blocks = text.ReplaceLineEndings("\n").Split("\n\n", StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        return $"{blocks.SelectMany(Blocks)}";
    }

    private static IEnumerable<Html> Blocks(string block)
    {
        var lines = block.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        for (var at = 0; at < lines.Length;)
        {
            var isList = IsItem(lines[at]);
            var run = lines.Skip(at).TakeWhile(line => IsItem(line) == isList).ToList();
            at += run.Count;
            yield return isList
                ? (Html)$"<ul>{run.Select(line => (Html)$"<li>{Words(line[2..])}</li>")}</ul>"
                : $"<p>{Words(string.Join(' ', run))}</p>";
        }
    }

    private static bool IsItem(string line) => line.StartsWith("- ", StringComparison.Ordinal);

    private static IEnumerable<Html> Words(string text)
    {
        var parts = text.Split("**");
        for (var at = 0; at < parts.Length; at++)
        {
            // A mark without its other half is text.
            var isOpen = at % 2 == 1;
            yield return isOpen && at == parts.Length - 1 ? (Html)$"**{parts[at]}" : isOpen ? (Html)$"<strong>{parts[at]}</strong>" : $"{parts[at]}";
        }
    }
}
