using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Unicode;

namespace Apertur.Server.Pages;

/// <summary>
/// Markup written as an interpolated string. Its literal parts stand as they are; every hole is encoded for text and
/// double-quoted attributes alike, unless it is itself <see cref="Html"/>. So nobody can forget to encode a hostile name.
/// </summary>
[InterpolatedStringHandler]
internal sealed class Html
{
    // Letters of every script stay readable in the source of the page; only what markup gives a meaning to is escaped.
    private static readonly HtmlEncoder _encoder = HtmlEncoder.Create(UnicodeRanges.All);

    private readonly StringBuilder _text;

    public Html(int literalLength, int formattedCount) => _text = new StringBuilder(literalLength + 32 * formattedCount);

    public static Html Empty { get; } = $"";

    public void AppendLiteral(string markup) => _text.Append(markup);

    public void AppendFormatted(Html? markup) => _text.Append(markup?._text);

    public void AppendFormatted(IEnumerable<Html> parts)
    {
        foreach (var part in parts) _text.Append(part._text);
    }

    public void AppendFormatted(string? text) => _text.Append(text is null ? null : _encoder.Encode(text));

    public void AppendFormatted(int number) => _text.Append(number);

    public static Html If(bool condition, Html markup) => condition ? markup : Empty;

    /// <summary>Takes over text that is markup already, such as JSON that was escaped for a script element.</summary>
    public static Html Raw(string markup)
    {
        var html = new Html(markup.Length, 0);
        html.AppendLiteral(markup);
        return html;
    }

    public override string ToString() => _text.ToString();
}
