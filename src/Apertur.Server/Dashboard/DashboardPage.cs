using Apertur.Server.Pages;

namespace Apertur.Server.Dashboard;

/// <summary>The document that the dashboard runs in: the same at each of its addresses, for the script shows what belongs there.</summary>
internal static class DashboardPage
{
    private const string Entry = "src/dashboard/main.tsx";

    /// <summary>Every address that people find the dashboard at.</summary>
    public static readonly string[] Paths = ["/", "/p/{**page}", "/account", "/admin/{**page}"];

    public static IResult Open(HttpRequest request, Settings settings)
    {
        // Before anybody is signed in there is nothing that the script could ask.
        var signOn = Html.If(settings.OpenId.IsOn, $" data-sign-on=\"{settings.OpenId.Name}\"");
        var look = PageLook.Of(request);
        var texts = Texts.In(look.Language);
        return PageShell.Result(
            PageShell.Document(look, "Apertur", Entry, $"""
                <div id="app"{signOn}></div>
                <noscript><main><h1>Apertur</h1><p>{texts["page.noScriptText"]}</p><p><a href="/docs">{texts["page.startDocs"]}</a></p></main></noscript>
                """),
            StatusCodes.Status200OK,
            mayBeFramed: false);
    }
}
