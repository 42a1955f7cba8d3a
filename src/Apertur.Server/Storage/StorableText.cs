using System.Diagnostics.CodeAnalysis;

namespace Apertur.Server.Storage;

/// <summary>
/// Untrusted text in the form that both databases store: PostgreSQL refuses NUL and half of a surrogate pair, and with it the whole row.
/// </summary>
internal static class StorableText
{
    /// <summary>The text without NUL, and of that up to so many characters.</summary>
    [return: NotNullIfNotNull(nameof(text))]
    public static string? Of(string? text, int length)
    {
        text = text?.Replace("\0", "", StringComparison.Ordinal);
        return text is null || text.Length <= length ? text : text[..(char.IsHighSurrogate(text[length - 1]) ? length - 1 : length)];
    }
}
