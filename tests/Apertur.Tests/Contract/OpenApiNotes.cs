using System.Text.Json.Nodes;
using static Apertur.Tests.Contract.OpenApiParts;

namespace Apertur.Tests.Contract;

/// <summary>
/// What the document says that the code does not: handlers that read their query themselves, take forms, or answer with bytes. A
/// route that has a doc comment, a <c>Body</c> and a typed answer needs nothing here.
/// </summary>
internal sealed record OpenApiNotes
{
    public const string Introduction =
        "Collects photos from phones over upload sessions and delivers them to destinations. Instants are ISO 8601 in UTC, ids are UUIDs. "
        + "Every error has the same shape, and its message says what to do. A field of a request may be written in snake_case or in camelCase. "
        + "Fields that do not exist are ignored and told in `warnings`; with the header `Apertur-Strict: true` they are a 400.";

    private static readonly JsonArray _range =
    [
        Query("from", Instant(), "Only what was created at this instant or later."), Query("to", Instant(), "Only what was created before this instant."),
    ];

    private static readonly JsonObject _env =
        Query("env", OneOf("live", "test", "all"), "For people: which environment; live by default. Keys have their own.");

    private static readonly JsonArray _scope =
    [
        Query("projectId", Id(), "Only of this project; without it of all that the caller reaches."),
        _env.DeepClone(),
    ];

    private static readonly OpenApiNotes _recent = new() { Parameters = [Query("limit", Number(1, 50, 10), "How many."), .. Copies(_scope)] };

    private static readonly OpenApiNotes _sums = new() { Parameters = [.. Copies(_range), .. Copies(_scope)] };

    private static readonly OpenApiNotes _sessions = Pages("A session's id, or a part of its label or of a tag.", "pending", "active", "completed", "expired", "failed");

    private static readonly OpenApiNotes _uploads = Pages(
        "An upload's or a session's id, or a part of the file's name.", "stored_only", "pending", "delivered", "failed", "partial").With(
        Query("sessionId", Id(), "Only of this session."),
        Query("destinationId", Id(), "Only what goes to this destination, or went there."),
        Query("source", OneOf("camera", "gallery", "url", "google_drive", "google_photos", "dropbox", "onedrive", "box", "instagram"), "Only from there."));

    private static readonly OpenApiNotes _photo = new()
    {
        Answer = Bytes("The photo, or the envelope it came in.", "image/jpeg", "image/png", "image/webp", "image/heic", "application/json"),
    };

    private static readonly string[] _roles = ["owner", "admin", "developer", "viewer"];

    private static readonly JsonObject _password = Header("x-session-password", "The session's password, when it has one.");

    private static readonly (string, JsonObject, string)[] _answers =
    [
        ("name", Text(), "Of whoever sends it, where the session asks for it; at most 200 characters."),
        ("email", Text(), "E-mail address, where the session asks for it; at most 254 characters."),
        ("phone", Text(), "Phone number, where the session asks for it; at most 40 characters."),
        ("reference", Text(), "What the session's owner knows the matter by, where the session asks for it; at most 200 characters."),
        ("note", Text(), "Lines of text, where the session asks for it; at most 1,000 characters."),
    ];

    private static readonly JsonObject _visitor = Query("visitor", Id(), "The id that this visitor of the page goes by.");

    private static readonly JsonObject _widgetToken = Query("token", Text(), "The session's `widget_token`, in place of its password.");

    private static readonly JsonArray _tus = [_password.DeepClone(), Header("Tus-Resumable", "The version of tus.", OneOf("1.0.0"))];

    private static readonly JsonObject _source = OneOf(
        "camera", "gallery", "url", "google_drive", "google_photos", "dropbox", "onedrive", "box", "instagram");

    private static readonly Dictionary<string, OpenApiNotes> _all = new()
    {
        ["SessionsApi.Qr"] = new()
        {
            Parameters =
            [
                Query("format", OneOf("png", "svg", "jpeg"), "Kind of image; png by default."),
                Query("size", Number(64, 2000, 300), "Pixels of a side."),
                Query("style", OneOf("square", "rounded"), "Shape of the modules; square by default."),
                Query("fg", Colour("000000"), "Colour of the modules, hex without #."),
                Query("bg", Colour("ffffff"), "Colour behind them, hex without #."),
                Query("borderSize", Number(0, 16, 4), "Width of the border in modules."),
                Query("borderColor", Colour("ffffff"), "Colour of the border, hex without #."),
            ],
            Answer = Bytes("The link as a QR code.", "image/png", "image/svg+xml", "image/jpeg"),
        },
        ["ReplaysApi.Create"] = new() { Parameters = [_env] },
        ["UploadApi.ArchiveTicket"] = new() { Errors = [410] },
        ["UploadApi.SignedArchive"] = new()
        {
            Body = new JsonObject
            {
                ["required"] = true,
                ["content"] = new JsonObject
                {
                    ["application/x-www-form-urlencoded"] = new JsonObject
                    {
                        ["schema"] = Object(["ticket"], [("ticket", Text(), "What `archive-ticket` gave.")]),
                    },
                },
            },
            Answer = Bytes("The photos, in a zip archive.", "application/zip"),
            Errors = [404, 410],
        },
        ["UploadApi.Archive"] = new() { Answer = Bytes("The photos, in a zip archive.", "application/zip"), Errors = [410] },
        ["UploadApi.Create"] = new()
        {
            Parameters =
            [
                _password.DeepClone(),
                Header("X-Aptr-Encrypted",
                    "`default`: the photo is in an envelope that the server opens. `e2e`: in one that only the project's owner can open; "
                    + "it is stored and delivered as it comes.", OneOf("default", "e2e")),
                Header("Content-Digest", "RFC 9530, by sha-256 or sha-512: checked before the photo is taken. As a header of the part `file`, of the file."),
                Header("Repr-Digest", "As Content-Digest."),
                Header("Content-MD5", "As Content-Digest: base64 of 16 bytes."),
                Header("Idempotency-Key", "At most 128 characters: sent again within 24 hours, it gives the same answer and no second photo."),
            ],
            Body = new JsonObject
            {
                ["required"] = true,
                ["content"] = new JsonObject
                {
                    ["multipart/form-data"] = new JsonObject
                    {
                        ["schema"] = Object(
                            ["file"],
                            [
                                ("file", new() { ["type"] = "string", ["format"] = "binary" }, "The photo, or its envelope. Its type is what its bytes say."),
                                ("source", _source, "Where the photo came from; camera by default."),
                                ("visitor", Id(), "Which of the people on the page sends it, by an id of their own."),
                                ("caption", Text(), "What is said of the photo, where the session has `allow_captions`; at most 500 characters."),
                                .. _answers,
                                ("sha256", Text(), "SHA-256 of the file in hex: checked before the photo is taken."),
                            ]),
                    },
                    ["application/json"] = new JsonObject
                    {
                        ["schema"] = Object(
                            ["encryptedKey", "iv", "encryptedData", "algorithm"],
                            [
                                ("encryptedKey", Text(), "Base64 of a fresh AES-256 key, wrapped by RSA-OAEP with SHA-256."),
                                ("iv", Text(), "Base64 of 12 bytes."),
                                ("encryptedData", Text(), "Base64 of the photo encrypted by AES-256-GCM, with the tag of 16 bytes at its end."),
                                ("algorithm", OneOf("RSA-OAEP+AES-256-GCM"), "What the other members are made by."),
                                ("filename", Text(), "The photo's name."),
                                ("mimeType", Text(), "Not needed: the type is what the bytes say."),
                                ("source", Text(), "As in the form; `sdk` means camera."),
                                ("visitor", Id(), "As in the form."),
                                ("caption", Text(), "As in the form."),
                                .. _answers,
                            ]),
                    },
                },
            },
            Errors = [400, 408, 409, 410, 413, 415, 422, 507],
        },
        ["FetchApi.Create"] = new()
        {
            Parameters =
            [
                _password.DeepClone(),
                Header("Idempotency-Key", "At most 128 characters: sent again within 24 hours, it gives the same answer, and nothing is fetched again."),
            ],
            Body = new JsonObject
            {
                ["required"] = true,
                ["content"] = new JsonObject
                {
                    ["application/json"] = new JsonObject
                    {
                        ["schema"] = Object(
                            ["url"],
                            [
                                ("url", Text(), "Where the photo is: an https address without a user name. Redirects are followed."),
                                ("filename", Text(), "What the file is called. Without it: the name that the source says (`Content-Disposition`), else the end of the address when it names a picture, else a neutral name."),
                                ("access_token", Text(), "For a source at which photos are picked, but for `dropbox`: the access token that its picker gave. It is shown to that provider's own hosts, goes along with no redirect to another, and is kept nowhere."),
                                ("sha256", Text(), "SHA-256 of the file in hex: checked before the photo is taken."),
                                ("source", OneOf("url", "google_drive", "google_photos", "dropbox", "onedrive", "box"), "Where the photo comes from; `url` without it. A provider only where this server is registered there, and then `url` must be an address at which it gives photos out."),
                                ("visitor", Id(), "As in the form of a photo that is sent."),
                                ("caption", Text(), "As in that form."),
                                .. _answers,
                            ]),
                    },
                },
            },
            Errors = [400, 403, 408, 409, 410, 413, 415, 422, 507],
        },
        ["TusApi.Options"] = new() { Parameters = [] },
        ["TusApi.Create"] = new()
        {
            Parameters =
            [
                .. Copies(_tus),
                Header("Upload-Length", "Bytes of the whole photo, or of its envelope.", Number(1)),
                Header("Upload-Metadata", "Names with values in base64, separated by commas: `filename`, `sha256` (hex), the fields of the form, such as `source`, and what the session asks for as `answer.name` and so on."),
                Header("Upload-Checksum", "Of the bytes in this request: `sha1`, `sha256`, `sha512` or `md5`, a space, base64."),
                Header("Idempotency-Key", "At most 128 characters: sent again, it goes on with the same photo."),
                Header("X-Aptr-Encrypted", "As for photos in one request.", OneOf("default", "e2e")),
            ],
            Body = Piece(),
            Errors = [401, 409, 410, 412, 413, 415, 422, 460, 507],
        },
        ["TusApi.Get"] = new() { Parameters = [_password.DeepClone()], Errors = [401, 409, 410, 415, 422] },
        ["TusApi.Append"] = new()
        {
            Parameters =
            [
                .. Copies(_tus),
                Header("Upload-Offset", "How many bytes are there already: what HEAD of this address said.", Number(0)),
                Header("Upload-Checksum", "Of the bytes in this request: `sha1`, `sha256`, `sha512` or `md5`, a space, base64."),
            ],
            Body = Piece(),
            Errors = [401, 408, 409, 410, 412, 413, 415, 422, 460, 507],
        },
        ["TusApi.Delete"] = new() { Parameters = [.. Copies(_tus)], Errors = [401, 412] },
        ["TusApi.Override"] = new()
        {
            Parameters = [.. Copies(_tus), Header("X-HTTP-Method-Override", "The method that is meant.", OneOf("PATCH", "DELETE"))],
            Body = Piece(),
            Errors = [401, 405, 409, 412],
        },
        ["UploadApi.Download"] = _photo,
        ["UploadApi.Thumbnail"] = new() { Answer = Bytes("The thumbnail.", "image/jpeg") },
        ["UploadApi.SignedDownload"] = _photo with
        {
            Parameters =
            [
                Query("rendition", Text(), "Which rendition of it; the image as it is stored when there is none."),
                Query("expires", Number(), "Until when, in unix seconds."),
                Query("signature", Text(), "What makes the link valid."),
            ],
        },
        ["WidgetApi.Images"] = new() { Parameters = [_widgetToken.DeepClone()], Errors = [401] },
        ["WidgetApi.Thumbnail"] = new() { Parameters = [_widgetToken.DeepClone()], Answer = Bytes("The thumbnail.", "image/jpeg"), Errors = [401] },
        ["SessionLinkApi.Info"] = new() { Parameters = [_password.DeepClone()], Errors = [401] },
        ["SessionLinkApi.Complete"] = new() { Parameters = [_password.DeepClone(), _visitor.DeepClone()], Errors = [401] },
        ["SessionLinkApi.UpdateImage"] = new() { Parameters = [_password.DeepClone(), _visitor.DeepClone()], Errors = [401, 403, 409] },
        ["SessionLinkApi.Withdraw"] = new() { Parameters = [_password.DeepClone(), _visitor.DeepClone()], Errors = [401, 403, 409] },
        ["SessionStream.Open"] = new()
        {
            Parameters =
            [
                _password.DeepClone(),
                Query("visitor", Id(), "Shows the session that this visitor has the page open. `session:changed` tells then of what is no other event."),
                _widgetToken.DeepClone(),
                Query("ticket", Text(), "In place of the password: what `POST …/event-ticket` gave, once, within a minute."),
                Header("Last-Event-ID", "The id of the last event seen: what came since then, within 5 minutes, is sent again."),
            ],
            Answer = Bytes(
                "Server-sent events: `connected`, `image:ready`, `image:delivering`, `image:delivered`, `image:failed`, `session:completed`, "
                + "with `token` also `session:changed` and `session:visitors`, each with JSON as its data; a comment every 15 seconds.", "text/event-stream"),
            Errors = [401],
        },
        ["ProjectStream.Open"] = new()
        {
            Parameters =
            [
                .. Copies(_scope),
                Query("topic", Text(), "Only these events, separated by commas; a `*` at the end stands for any ending, as in `image:*`."),
                Header("Last-Event-ID", "The id of the last event seen: what came since then, within 5 minutes, is sent again."),
            ],
            Answer = Bytes(
                "Server-sent events: `connected`, then those of each session's stream and `session:changed`, with `projectId` and `sessionId` in their "
                + "data; a comment every 15 seconds.", "text/event-stream"),
            Errors = [429],
        },
        ["DeliveryStatusApi.Get"] = new()
        {
            Parameters = [Query("pollFrom", Instant(), "Holds the answer until `lastChanged` is later than this, at most 5 minutes.")],
        },
        ["PollApi.List"] = new()
        {
            Parameters = [Query("timeout", Number(1, 30), "Seconds to hold the answer until there is a photo; without it the answer comes at once.")],
        },
        ["PollApi.Image"] = _photo,
        ["PollApi.Acknowledge"] = new() { Errors = [409] },
        ["EventTicket.Create"] = new() { Parameters = [_password.DeepClone()], Errors = [401] },
        ["PollApi.AcknowledgeImage"] = new() { Errors = [409] },
        ["ProjectDataApi.Stats"] = _sums,
        ["ProjectDataApi.DailyStats"] = _sums,
        ["DestinationHealthApi.Hours"] = new() { Parameters = [Query("hours", Number(1, 168, 24), "Of how many hours, the current one included.")] },
        ["ProjectDataApi.Sessions"] = _sessions,
        ["ProjectDataApi.Uploads"] = _uploads,
        ["ProjectDataApi.RecentSessions"] = _recent,
        ["ProjectDataApi.RecentUploads"] = _recent,
        ["EventDeliveriesApi.List"] = new()
        {
            Parameters =
            [
                Query("page", Number(1, null, 1), "Which page, from 1."), Query("limit", Number(1, 100, 20), "Rows of a page."),
                Query("status", OneOf("sent", "failed", "retrying"), "Only those."),
            ],
        },
        ["DeliveriesApi.ListOfProject"] = new()
        {
            Parameters =
            [
                Query("page", Number(1, null, 1), "Which page, from 1."), Query("pageSize", Number(1, 100, 20), "Rows of a page."),
                Query("status", OneOf("failed", "retrying", "sending", "pending"), "Only those; without it `failed`."),
                Query("destinationId", Id(), "Only to this destination."),
            ],
        },
        ["AuthApi.Login"] = new() { Errors = [401, 403] },
        ["AuthApi.Refresh"] = new() { Errors = [401, 403] },
        ["MembersApi.Update"] = new() { Errors = [409] },
        ["MembersApi.Delete"] = new() { Errors = [409] },
        ["AuditApi.List"] = new()
        {
            Parameters =
            [
                Query("limit", Number(1, 200, 50), "How many."),
                Query("cursor", Id(), "The `next` of the stretch before; without it the newest entries come."),
            ],
        },
        ["AdminApi.ListProjects"] = new()
        {
            Parameters =
            [
                Query("limit", Number(1, 100, 50), "How many."),
                Query("cursor", Id(), "The `next` of the stretch before; without it the newest projects come."),
            ],
        },
        ["AdminUsersApi.List"] = new()
        {
            Parameters =
            [
                Query("limit", Number(1, 100, 50), "How many."),
                Query("cursor", Text(), "The `next` of the stretch before."),
                Query("email", Text(), "Only the person with this address."),
            ],
        },
        ["AdminUsersApi.Disable"] = new() { Errors = [400] },
        ["AdminUsersApi.Enable"] = new() { Errors = [400] },
        ["HealthApi.Alive"] = new() { Errors = [400] },
        ["HealthApi.Ready"] = new() { Errors = [400, 503, 507] },
    };

    /// <summary>Fields that hold one of a few words, as <c>Record.Property</c>.</summary>
    public static IReadOnlyDictionary<string, string[]> Words { get; } = new Dictionary<string, string[]>
    {
        ["SessionInfo.Status"] = ["pending", "active", "completed", "expired"],
        ["SessionRow.Status"] = ["pending", "active", "completed", "expired", "failed"],
        ["EventDeliveryResponse.Status"] = ["sent", "failed", "retrying"],
        ["EventWebhookResponse.SignatureMethod"] = ["hmac_sha256", "svix"],
        ["ProjectResponse.Role"] = _roles,
        ["MyProject.Role"] = _roles,
        ["MemberResponse.Role"] = _roles,
        ["InvitationResponse.Role"] = _roles,
        ["AuditActor.Type"] = ["person", "key", "operator"],
        ["UploadRow.Status"] = ["stored_only", "pending", "delivered", "failed", "partial"],
    };

    /// <summary>Of records whose own doc comment speaks to the server's developers.</summary>
    public static IReadOnlyDictionary<string, string> Descriptions { get; } = new Dictionary<string, string>
    {
        ["ApiError"] = "A refusal: `code` is for programs, `message` for people.",
    };

    /// <summary>Handlers that have a note; each of them must exist.</summary>
    public static IEnumerable<string> Handlers => _all.Keys;

    public JsonArray Parameters { get; init; } = [];

    /// <summary>The request body; null when the handler's own says it.</summary>
    public JsonObject? Body { get; init; }

    /// <summary>The answer of a handler whose return type does not tell, under <see cref="Status"/>.</summary>
    public JsonObject? Answer { get; init; }

    public string Status { get; init; } = "200";

    /// <summary>Beside what any route of its kind may answer.</summary>
    public IReadOnlyList<int> Errors { get; init; } = [];

    private static IEnumerable<JsonNode?> Copies(JsonArray parameters) => parameters.Select(parameter => parameter!.DeepClone());

    private static JsonObject Piece() => new()
    {
        ["content"] = new JsonObject
        {
            ["application/offset+octet-stream"] = new JsonObject { ["schema"] = new JsonObject { ["type"] = "string", ["format"] = "binary" } },
        },
    };

    private OpenApiNotes With(params JsonNode[] more) => this with { Parameters = [.. Copies(Parameters), .. more] };

    private static OpenApiNotes Pages(string words, params string[] states) => new()
    {
        Parameters =
        [
            Query("page", Number(1, null, 1), "Which page, from 1."), Query("pageSize", Number(1, 100, 20), "Rows of a page."),
            .. Copies(_range), .. Copies(_scope),
            Query("status", OneOf(states), "Only those. With this or one of the following, `total` stops at 10,000."), Query("q", Text(), words),
        ],
    };

    public static OpenApiNotes Of(string handler) => _all.GetValueOrDefault(handler) ?? new OpenApiNotes();

    public static JsonObject SecuritySchemes() => new()
    {
        ["key"] = new JsonObject
        {
            ["type"] = "http",
            ["scheme"] = "bearer",
            ["description"] = "An API key, `aptr_live_…` or `aptr_test_…`: reaches its own project and environment.",
        },
        ["person"] = new JsonObject
        {
            ["type"] = "http",
            ["scheme"] = "bearer",
            ["bearerFormat"] = "JWT",
            ["description"] = "The token of a signed-in person: reaches every project the person is a member of, by role.",
        },
    };

    /// <summary>What a route wants to see, by its access rule; an empty list asks for nothing.</summary>
    public static JsonArray Security(string access) => access switch
    {
        "Caller" => [new JsonObject { ["key"] = new JsonArray() }, new JsonObject { ["person"] = new JsonArray() }],
        "Person" or "Operator" => [new JsonObject { ["person"] = new JsonArray() }],
        _ => [],
    };
}
