using System.Text.Json;
using Apertur.Server.Fetching;

namespace Apertur.Server.Pages;

/// <summary>
/// The window in which somebody picks photos at a provider, opened by the upload page, so that the provider's script is loaded only when it was asked
/// for, and has frames and styles to itself. It shares the origin of this server's pages, and can act as they can.
/// </summary>
internal static class PickPage
{
    private const string Entry = "src/pick/page.ts";

    public static string Path(string session, CloudSource cloud, PageLook look) => $"/u/{session}/pick/{cloud.Name}{look.Query}";

    public static IResult Result(UploadPageModel model, CloudSource cloud)
    {
        var texts = Texts.In(model.Look.Language);
        var title = texts.Fill("page.pickFrom", ("source", cloud.Title));
        var data = JsonSerializer.Serialize(
            new { Source = cloud.Name, cloud.Title, cloud.Ids, cloud.Addresses, Return = PickPageApi.ReturnPath, Texts = texts.OfPicker }, UploadPage.ScriptJson);
        return PageShell.Result(PageShell.Document(model.Look, title, Entry, $"""
            <main>
            <header>
            {UploadPage.Project(model)}
            <h1>{title}</h1>
            </header>
            <noscript><p class="bad">{texts["page.noScriptText"]}</p></noscript>
            <p id="state" role="status"></p>
            <p id="problem" class="bad" role="alert"></p>
            <button id="open" class="primary" type="button" hidden></button>
            <button id="back" type="button" hidden></button>
            <div id="picker" hidden></div>
            <script id="page-data" type="application/json">{Html.Raw(data)}</script>
            </main>
            """, model.Accent), cloud.Policy);
    }

    /// <summary>Where a provider sends somebody back to who has signed in there.</summary>
    public static IResult Return(PageLook look)
    {
        var texts = Texts.In(look.Language);
        return PageShell.Result(PageShell.Document(look, texts["title"], Entry, $"<main><p>{texts["page.pickReturn"]}</p></main>"), 200, mayBeFramed: false);
    }
}
