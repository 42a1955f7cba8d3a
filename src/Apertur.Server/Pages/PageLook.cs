namespace Apertur.Server.Pages;

/// <summary>Language and colour scheme of a page: as the link says, else as the browser asks.</summary>
/// <param name="Language">One of <see cref="Texts.Languages"/>.</param>
/// <param name="ColorScheme"><c>light</c>, <c>dark</c>, or null for the system's.</param>
internal sealed record PageLook(string Language, string? ColorScheme = null)
{
    public static PageLook Of(HttpRequest request)
    {
        string? language = request.Query["lang"];
        if (!Texts.Has(language))
        {
            language = request.GetTypedHeaders().AcceptLanguage
                .Where(wish => wish.Quality is null or > 0)
                .OrderByDescending(wish => wish.Quality ?? 1)
                .Select(wish => wish.Value.ToString().Split('-')[0].ToLowerInvariant())
                .FirstOrDefault(Texts.Has) ?? "en";
        }

        string? scheme = request.Query["colorScheme"];
        return new PageLook(language!, scheme is "light" or "dark" ? scheme : null);
    }

    /// <summary>Whether the language is written from right to left.</summary>
    public bool IsRightToLeft => Language == "ar";

    /// <summary>Carries the look on to the next page; starts with a question mark.</summary>
    public string Query => ColorScheme is null ? $"?lang={Language}" : $"?lang={Language}&colorScheme={ColorScheme}";
}
