using System.Text.RegularExpressions;

namespace Apertur.Server.Auth;

/// <summary>The allowed origins of an API key, by host. <c>*.example.com</c> stands for every subdomain, not for itself.</summary>
internal static partial class PageHosts
{
    private const int MaxLength = 253;

    public static bool IsPattern(string? text) => text is { Length: <= MaxLength } && Pattern().IsMatch(text);

    /// <summary>
    /// Whether the request comes from one of the hosts. Browsers send Origin with whatever another site's page asks; Referer is the fallback.
    /// </summary>
    public static bool Allow(IEnumerable<string> patterns, IHeaderDictionary headers)
    {
        var from = headers.Origin.Count > 0 ? headers.Origin : headers.Referer;
        return Uri.TryCreate(from.ToString(), UriKind.Absolute, out var page) && page.Scheme is "http" or "https"
            && patterns.Any(pattern => Matches(pattern, page.IdnHost));
    }

    private static bool Matches(string pattern, string host) => pattern.StartsWith("*.", StringComparison.Ordinal)
        ? host.Length >= pattern.Length && host.EndsWith(pattern[1..], StringComparison.OrdinalIgnoreCase)
        : host.Equals(pattern, StringComparison.OrdinalIgnoreCase);

    [GeneratedRegex(@"^(\*\.)?([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)*[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\z")]
    private static partial Regex Pattern();
}
