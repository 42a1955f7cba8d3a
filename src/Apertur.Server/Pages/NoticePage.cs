using Apertur.Server.Http;

namespace Apertur.Server.Pages;

/// <summary>The pages for an unknown address and for refusals that a browser shows.</summary>
internal static class NoticePage
{
    private const string Entry = "src/account/page.ts";

    /// <summary>Whether an answer is read by a person: programs ask for <c>/api</c>, or not for HTML.</summary>
    public static bool IsReadIn(HttpRequest request) =>
        !request.Path.StartsWithSegments("/api") && request.GetTypedHeaders().Accept.Any(kind => kind.MediaType == "text/html");

    /// <summary>A refusal as a page.</summary>
    public static IResult Refusal(HttpRequest request, ApiError error)
    {
        var look = PageLook.Of(request);
        var texts = Texts.In(look.Language);
        var name = error.StatusCode == StatusCodes.Status404NotFound ? "page.notFound" : "page.failed";
        var title = texts[name + "Title"];
        return PageShell.Result(
            PageShell.Document(look, title, Entry, $"<main><h1>{title}</h1><p>{texts[name + "Text"]}</p></main>"), error.StatusCode);
    }
}
