using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using Apertur.Server.Contract;
using Apertur.Server.Uploads;

namespace Apertur.Server.Pages;

/// <summary>
/// The page behind an upload link. It is complete as it leaves the server: a form that works in any browser. The script in
/// <c>web/src/upload</c> takes the same elements and adds the camera, progress and retries.
/// </summary>
internal static class UploadPage
{
    // Letters of every script as they are, which the default would write as six characters each; what could end a script element is escaped all the same.
    public static readonly JsonSerializerOptions ScriptJson = new(JsonSerializerOptions.Web) { Encoder = JavaScriptEncoder.Create(UnicodeRanges.All) };

    private static readonly Html _cameraIcon = Icon(
        "M4 8h3l1.5-2.5h7L17 8h3a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V9a1 1 0 0 1 1-1z"
        + "M12 16.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7z");

    private static readonly Html _galleryIcon = Icon(
        "M4 5h16a1 1 0 0 1 1 1v12a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1z"
        + "M3 16l5-5 4.5 4.5L15 13l6 5M16.5 10a1 1 0 1 0 0-2 1 1 0 0 0 0 2z");

    /// <summary>The page with the status that fits it, for GET and for the answer to a form alike.</summary>
    public static IResult Result(UploadPageModel model) => PageShell.Result(Render(model), model switch
    {
        { Status: UploadPageStatus.NotFound } => StatusCodes.Status404NotFound,
        { Status: UploadPageStatus.Expired } => StatusCodes.Status410Gone,
        { Refused: { } refused } => refused.StatusCode,
        { PasswordWait: not null } => StatusCodes.Status429TooManyRequests,
        { PasswordWrong: true } => StatusCodes.Status401Unauthorized,
        { Wrong.Count: > 0 } => StatusCodes.Status400BadRequest,
        { Results.Count: > 0 } when model.Results.All(result => result.Code is not null) =>
            StatusCodes.Status422UnprocessableEntity,
        _ => StatusCodes.Status200OK,
    });

    public static Html Render(UploadPageModel model)
    {
        var texts = Texts.In(model.Look.Language);
        var body = model.Status == UploadPageStatus.Open ? OpenBody(model, texts) : ClosedBody(model, texts);
        return PageShell.Document(model.Look, texts["title"], "src/upload/page.ts", $"<main>\n{body}\n</main>", model.Accent);
    }

    private static Html ClosedBody(UploadPageModel model, Texts texts)
    {
        var (title, text) = model.Status switch
        {
            UploadPageStatus.Completed => ("page.completedTitle", "page.completedText"),
            UploadPageStatus.Expired => ("page.expiredTitle", "page.expiredText"),
            UploadPageStatus.Full => ("page.fullTitle", "fullText"),
            _ => ("page.notFoundTitle", "page.notFoundText"),
        };
        return $"""
            <header>
            {Project(model)}
            <h1>{texts[title]}</h1>
            </header>
            {Results(model, texts)}
            {WithExpiry(model, texts, text)}
            """;
    }

    /// <summary>A sentence that may name the time of expiry; the script says it again in the reader's own time.</summary>
    private static Html WithExpiry(UploadPageModel model, Texts texts, string name)
    {
        if (model.ExpiresAt is not { } expiry) return $"<p>{texts[name]}</p>";
        var instant = expiry.UtcDateTime.ToString("O", CultureInfo.InvariantCulture);
        return $"""
            <p id="until" data-text="{texts[name]}" data-instant="{instant}">{texts.Fill(name, ("date", texts.Date(expiry)))}</p>
            """;
    }

    private static Html OpenBody(UploadPageModel model, Texts texts)
    {
        // Before the password, a page must not tell more than the API does.
        var known = model is { PasswordNeeded: true, PasswordGiven: false } ? null : model;
        var title = string.IsNullOrWhiteSpace(known?.Label) ? texts["title"] : known.Label;
        return $"""
            <header>
            {Project(model)}
            <h1 id="title" dir="auto">{title}</h1>
            <p id="limits">{(known is null ? null : LimitsLine(known, texts))}</p>
            {(model.ExpiresAt is null ? null : WithExpiry(model, texts, "page.openUntil"))}
            </header>
            <p id="strip" class="hint">{(known is null ? null : texts["strip." + known.Strip.WireName()])}</p>
            <div id="instructions" dir="auto" data-text="{known?.Instructions ?? ""}">{Instructions.Render(known?.Instructions)}</div>
            {Html.If(model.SealingDowngraded, $"<p class=\"hint\">{texts["page.notSealed"]}</p>")}
            <p id="sealing" class="hint" hidden></p>
            <p id="notice" class="notice" role="alert" hidden></p>
            {Results(model, texts)}
            {Questions(model, known?.Ask ?? [], texts)}
            {(known?.AllowCaptions == true ? Caption(known, texts) : null)}
            <div id="bar">
            {Form(model, texts)}
            <button id="done" type="button" hidden>{texts["done"]}</button>
            </div>
            <p id="summary" role="status"></p>
            <ul id="photos" class="photos" aria-label="{texts["page.yourPhotos"]}" hidden></ul>
            <p id="announcement" class="unseen" aria-live="polite"></p>
            <section id="thanks" hidden>
            <h1 id="thanks-title" tabindex="-1">{texts["thanks"]}</h1>
            <p id="thanks-text"></p>
            <button id="more" type="button">{texts["page.sendMore"]}</button>
            <p><a id="return" href="{known?.ReturnUrl ?? ""}" hidden>{texts["page.goBack"]}</a></p>
            </section>
            <script id="page-data" type="application/json">{Data(model, model.PasswordNeeded ? null : model, texts)}</script>
            """;
    }

    private static Html Form(UploadPageModel model, Texts texts)
    {
        // HEIF is HEIC to people, and some browsers know these files by their ending only.
        var types = model.PasswordNeeded ? UploadPageModel.AllTypes : model.AcceptedTypes;
        var accept = string.Join(',', types.Contains("image/heic") ? [.. types, "image/heif", ".heic", ".heif"] : types);
        var error = model.PasswordWait is { } wait ? texts.Count("passwordWait", wait) : model.PasswordWrong ? texts["passwordWrong"] : "";
        var password = !model.PasswordNeeded ? Html.Empty : (Html)$"""
            <div id="protected" class="field">
            <label for="password">{texts["password"]}</label>
            <input id="password" name="password" type="password" required maxlength="128" autocomplete="off"
                aria-describedby="password-hint password-error">
            <p id="password-error" class="bad" role="alert">{error}</p>
            <p id="password-hint" class="hint">{texts["page.passwordHint"]}</p>
            </div>
            """;
        // Without its script the page cannot encrypt, and then it must not send.
        var sealing = model.SealingKey is not null;
        // Without scripts this is the only input; a phone opens its camera for it.
        var several = Html.Raw(model.CameraOnly ? " capture=\"environment\"" : " multiple");
        var locked = Html.If(sealing, Html.Raw(" disabled"));
        return $"""
            {Html.If(sealing, $"<noscript><p class=\"bad\">{texts["page.sealingNeedsScript"]}</p></noscript>")}
            <form id="upload" method="post" enctype="multipart/form-data"
                action="/u/{model.SessionId}{model.Look.Query}" autocomplete="off">
            {password}
            <div id="pick">
            <label id="take" class="big" hidden>{_cameraIcon}<span>{texts["page.takePhoto"]}</span>
            <input id="camera" type="file" accept="image/*" capture="environment"></label>
            <label id="choose" class="big">{_galleryIcon}<span>{texts["page.choosePhotos"]}</span>
            <input id="gallery" type="file" name="file"{several} required accept="{accept}"{locked}></label>
            {Elsewhere(model, texts)}
            <p id="drop-hint">{texts["page.dropHint"]}</p>
            </div>
            <button id="send" class="primary" type="submit"{locked}>{texts["send"]}</button>
            </form>
            """;
    }

    /// <summary>What the server fetches, which takes the script. Where there is more than one place it is folded up: most people come with their photos.</summary>
    private static Html Elsewhere(UploadPageModel model, Texts texts)
    {
        var http = Html.If(model.TakesHttp, Html.Raw(" data-http"));
        var web = Html.If(model.TakesAddresses, $"""
            <button id="web" class="from" name="url" type="button" aria-expanded="false"{http} hidden>{texts["page.webAddress"]}</button>
            """);
        var clouds = model.Clouds.Select(cloud => (Html)$"""
            <button class="from" name="{cloud.Name}" value="{PickPage.Path(model.SessionId!, cloud, model.Look)}" type="button" hidden>{texts.Fill("page.pickFrom", ("source", cloud.Title))}</button>

            """);
        return model.Clouds.Count == 0 ? web : $"<details id=\"elsewhere\"><summary>{texts["page.elsewhere"]}</summary><div>{web}{clouds}</div></details>";
    }

    /// <summary>What is asked for. The script folds it up once it is answered, and fills it in for a session whose password hides it yet.</summary>
    private static Html Questions(UploadPageModel model, IReadOnlyList<AskedField> ask, Texts texts) => $"""
        <details id="asked" open{Html.If(ask.Count == 0, Html.Raw(" hidden"))}>
        <summary>{texts["page.ask.title"]}</summary>
        <div id="questions">{ask.Select(asked => Question(model, asked, texts))}</div>
        </details>
        """;

    private static Html Question(UploadPageModel model, AskedField asked, Texts texts)
    {
        var label = texts["ask." + asked.Field];
        var typed = model.Typed.GetValueOrDefault(asked.Field, "");
        var problem = !model.Wrong.TryGetValue(asked.Field, out var words) ? ""
            : string.IsNullOrWhiteSpace(typed) ? texts.Fill("ask.missing", ("field", label))
            : asked.Field == "email" ? texts["ask.wrongEmail"]
            : words;
        var (type, autocomplete) = asked.Field switch
        {
            "name" => ("text", "name"),
            "email" => ("email", "email"),
            "phone" => ("tel", "tel"),
            _ => ("text", "off"),
        };
        // Not in the form, which stays at the bottom of a phone, but of it.
        Html attributes = $"""
            id="ask-{asked.Field}" name="{asked.Field}" form="upload" autocomplete="{autocomplete}" maxlength="{AskedFields.Longest(asked.Field)}"
            aria-describedby="ask-{asked.Field}-error"{Html.If(asked.Required, Html.Raw(" required"))}
            """;
        // The first line feed of a text area is none of its text.
        var input = asked.Field == "note"
            ? (Html)$"<textarea {attributes} rows=\"3\">\n{typed}</textarea>"
            : $"<input {attributes} type=\"{type}\" value=\"{typed}\">";
        return $"""
            <div class="field">
            <label for="ask-{asked.Field}">{(asked.Required ? label : texts.Fill("ask.optional", ("field", label)))}</label>
            {input}
            <p id="ask-{asked.Field}-error" class="bad" role="alert">{problem}</p>
            </div>
            """;
    }

    /// <summary>Without scripts there is one for all photos of the form; the script has one for each instead.</summary>
    private static Html Caption(UploadPageModel model, Texts texts) => $"""
        <div id="captioned" class="field">
        <label for="caption">{texts.Fill("ask.optional", ("field", texts["caption"]))}</label>
        <input id="caption" name="caption" form="upload" type="text" autocomplete="off" maxlength="{UploadFields.MaxCaptionLength}"
            value="{model.Typed.GetValueOrDefault("caption", "")}">
        <p class="bad" role="alert">{model.Wrong.GetValueOrDefault("caption", "")}</p>
        </div>
        """;

    private static Html Results(UploadPageModel model, Texts texts)
    {
        if (model.Refused is { } refused)
            return $"<p class=\"bad\" role=\"alert\">{texts.Refusal(refused.Code, refused.Message)}</p>";
        if (model.Results.Count == 0) return Html.Empty;
        var rows = model.Results.Select(result => (Html)$"""
            <li data-state="{(result.Code is null ? "sent" : "refused")}"><div class="text">
            <bdi class="name">{result.FileName}</bdi><span class="state">{Outcome(result, texts)}</span></div></li>

            """);
        return $"<ul class=\"photos\" role=\"status\" aria-label=\"{texts["page.yourPhotos"]}\">\n{rows}</ul>";
    }

    private static string Outcome(UploadPageResult result, Texts texts) =>
        result.Code is null ? texts["received"] : texts.Refusal(result.Code, result.Message ?? result.Code);

    /// <summary>Whose page it is.</summary>
    public static Html Project(UploadPageModel model) =>
        string.IsNullOrWhiteSpace(model.ProjectName) ? Html.Empty : $"<p class=\"project\" dir=\"auto\">{Logo(model.Logo)}{model.ProjectName}</p>";

    // The name stands beside it. On a narrow line what takes photos comes first.
    private static Html Logo(string? path) => path is null ? Html.Empty : $"<img src=\"{path}\" alt=\"\" fetchpriority=\"low\" decoding=\"async\"> ";

    private static string LimitsLine(UploadPageModel model, Texts texts)
    {
        var left = Left(model);
        List<string> parts =
        [
            texts.Count("left", left),
            string.Join(", ", model.AcceptedTypes.Select(TypeName)),
            texts.Fill("sizeEach", ("n", model.MaxImageSizeMb)),
        ];
        if (model.MaxImageDimension is { } side) parts.Add(texts.Fill("sideEach", ("n", side)));
        return string.Join(" · ", parts);
    }

    private static int Left(UploadPageModel model) => Math.Max(0, model.MaxImages - model.ImagesCount);

    private static string TypeName(string type) => type switch
    {
        "image/jpeg" => "JPEG",
        "image/png" => "PNG",
        "image/webp" => "WebP",
        "image/heic" => "HEIC",
        _ => type,
    };

    /// <summary>For the script.</summary>
    private static Html Data(UploadPageModel model, UploadPageModel? known, Texts texts) => Html.Raw(JsonSerializer.Serialize(
        new
        {
            model.SessionId,
            Limits = known is null ? null : new
            {
                Left = Left(known),
                Types = known.AcceptedTypes,
                MaxMegabytes = known.MaxImageSizeMb,
                MaxSide = known.MaxImageDimension,
            },
            MayWithdraw = model.AllowWithdraw,
            AllowCaptions = known?.AllowCaptions ?? false,
            known?.ThankYou,
            model.CameraOnly,
            Ask = known?.Ask ?? [],
            Expires = model.ExpiresAt?.ToUnixTimeMilliseconds(),
            Now = model.Now.ToUnixTimeMilliseconds(),
            model.SealingKey,
            Texts = texts.OfScript(seals: model.SealingKey is not null),
        },
        ScriptJson));

    private static Html Icon(string path) => $"""
        <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linejoin="round" aria-hidden="true">
        <path d="{path}"/></svg>
        """;
}
