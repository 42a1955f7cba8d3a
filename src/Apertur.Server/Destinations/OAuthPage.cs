using Apertur.Server.Pages;

namespace Apertur.Server.Destinations;

/// <summary>The page at the end of the OAuth callback.</summary>
internal static class OAuthPage
{
    // The upload page's look; its script leaves a page alone that has no form.
    private const string Look = "src/upload/page.ts";

    public static IResult Connected(string provider, string destination) => Page(
        "Connected",
        $"{provider} is connected to the destination “{destination}”. Photos that waited for it are on their way. You can close this page.",
        StatusCodes.Status200OK);

    public static IResult Failed(string provider, string destination, string problem) => Page(
        "Not connected", $"{provider} is not connected to the destination “{destination}”. {problem}", StatusCodes.Status400BadRequest);

    /// <summary>
    /// One text for an authorisation that is unknown, used, expired, of another browser or no longer allowed, so that these cannot be told
    /// apart.
    /// </summary>
    public static IResult Stale() => Page(
        "Not connected", "This connection was finished already, or was begun too long ago or in another browser. Please start it again.",
        StatusCodes.Status400BadRequest);

    private static IResult Page(string title, string text, int status) =>
        PageShell.Result(
            PageShell.Document(new PageLook("en"), title, Look, $"<main>\n<header>\n<h1>{title}</h1>\n</header>\n<p>{text}</p>\n</main>"),
            status);
}
