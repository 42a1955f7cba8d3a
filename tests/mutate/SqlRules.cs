using System.Text.RegularExpressions;

namespace Apertur.Mutate;

/// <summary>
/// Finds what can be left out of a statement: one of the conditions that AND or OR joins, one of the columns that an update sets, an order.
/// </summary>
internal static partial class SqlRules
{
    /// <returns>What is left out, and the statement without it.</returns>
    public static IEnumerable<(string Gone, string Left)> Of(string text)
    {
        foreach (Match more in More().Matches(text))
            yield return Without(text, more.Index, EndOf(text, more.Index + more.Length, Clause()));
        foreach (Match where in Where().Matches(text))
        {
            var first = where.Index + where.Length;
            var end = EndOf(text, first, Clause());
            if (And().Match(text, end) is { Success: true } next && next.Index == end)
                yield return Without(text, first, end + next.Length);
        }

        foreach (Match set in Set().Matches(text))
        {
            var (from, last) = (set.Index + set.Length, EndOf(text, set.Index + set.Length, Clause()));
            var first = EndOf(text, from, Column());
            if (first < last && text[first] == ',')
                yield return Without(text, from, first + 1);
            for (var comma = first; comma < last && text[comma] == ',';)
            {
                var end = EndOf(text, comma + 1, Column());
                yield return Without(text, comma, end);
                comma = end;
            }
        }
    }

    private static (string Gone, string Left) Without(string text, int start, int end) => (text[start..end].Trim(' ', ','), text[..start] + text[end..]);

    /// <summary>Where, outside of brackets, something begins that is not part of it any more.</summary>
    private static int EndOf(string text, int start, Regex next)
    {
        var depth = 0;
        for (var at = start; at < text.Length; at++)
        {
            if (depth == 0 && next.IsMatch(text, at))
                return at;
            depth += text[at] == '(' ? 1 : text[at] == ')' ? -1 : 0;
            if (depth < 0)
                return at;
        }

        return text.Length;
    }

    [GeneratedRegex(@"\sAND\s+")]
    private static partial Regex And();

    [GeneratedRegex(@"\bWHERE\s+")]
    private static partial Regex Where();

    [GeneratedRegex(@"\s(AND|OR|ORDER BY)\s+")]
    private static partial Regex More();

    [GeneratedRegex(@"\bSET\s+")]
    private static partial Regex Set();

    [GeneratedRegex("""\G(\s+(AND|OR|ORDER|LIMIT|RETURNING|GROUP|FOR|JOIN|CROSS|UNION|FROM|WHERE|THEN|ELSE|END|ON)\b|\s*"+$)""")]
    private static partial Regex Clause();

    [GeneratedRegex("""\G(,|\s+(RETURNING|FROM|WHERE)\b|\s*"+$)""")]
    private static partial Regex Column();
}
