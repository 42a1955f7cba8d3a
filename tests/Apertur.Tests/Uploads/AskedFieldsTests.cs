using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Apertur.Tests.Encryption;
using Apertur.Tests.Events;
using Apertur.Tests.Support;
using Apertur.Tests.Tus;

namespace Apertur.Tests.Uploads;

/// <summary>What a session asks of whoever sends photos comes along with each, and is told wherever photos are.</summary>
public sealed class AskedFieldsTests
{
    private const string Visitor = "0b9f3c5e-0a4e-4a8b-9f57-6f1f3a1b2c3d";

    private static readonly (string Name, string Value)[] _answers =
    [
        ("name", "Ann Ødegård"), ("email", "ann@example.com"), ("phone", "+47 22 00 00 00"), ("reference", "<b>4711</b>"), ("note", "two\nlines"),
    ];

    private static JsonObject Answers => new(_answers.Select(each => KeyValuePair.Create(each.Name, (JsonNode?)each.Value)));

    private static JsonArray AskAll => Ask([.. _answers.Select(each => (each.Name, each.Name == "email"))]);

    [Theory, AllDatabases]
    public async Task What_is_asked_for_comes_in_by_every_way(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["ask"] = AskAll });
        var phone = app.ClientOf(null);
        var envelope = Sealed.Here(await app.ServerKeyAsync(), Photos.Jpeg());
        foreach (var (name, value) in _answers)
            envelope[name] = value;

        Answer[] ways =
        [
            await PostAsync(app, session, _answers),
            await PostAsync(app, session, [.. _answers, ("visitor", Visitor)]),
            await app.PostJsonAsync(session, envelope.ToJsonString()),
            await phone.TusAsync(
                HttpMethod.Post, $"/api/v1/upload/{session}/tus", Photos.Jpeg(), ("Upload-Length", $"{Photos.Jpeg().Length}"),
                ("Upload-Metadata", TusClient.Metadata([("name", "beach.jpg"), .. _answers.Select(each => ("answer." + each.Name, each.Value))]))),
        ];

        foreach (var way in ways)
        {
            var row = await app.Client.UploadRowAsync((string)way.Expect(HttpStatusCode.Created).Json["id"]!);
            Assert.Equal(Answers.ToJsonString(), row["answers"]!.ToJsonString());
        }

        Assert.Equal("beach.jpg", (string)ways[^1].Json["filename"]!);
    }

    [Theory, AllDatabases]
    public async Task What_was_given_is_told_wherever_photos_are_told_of(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var listener = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        await app.ListenAsync(listener, "project.upload.started");
        List<string> destinations = [];
        foreach (var format in new[] { "json_base64", "link", "multipart", "binary" })
            destinations.Add(await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = $"{receiver.Url}/{format}", ["format"] = format }));
        destinations.Add(await app.Client.CreateDestinationAsync("odoo", new JsonObject { ["url"] = $"{receiver.Url}/odoo", ["secret"] = "s" }));
        var session = await app.Client.CreateSessionAsync(new JsonObject
        {
            ["ask"] = AskAll,
            ["long_polling"] = true,
            ["destination_ids"] = new JsonArray([.. destinations.Select(id => JsonValue.Create(id))]),
        });

        var id = (string)(await PostAsync(app, session, _answers)).Expect(HttpStatusCode.Created).Json["id"]!;

        var expected = Answers.ToJsonString();
        Assert.Equal(expected, (await app.Client.GetAsync("uploads")).Json["data"]![0]!["answers"]!.ToJsonString());
        Assert.Equal(expected, (await app.Client.GetAsync($"uploads/{id}")).Json["answers"]!.ToJsonString());
        Assert.Equal(expected, (await app.Client.GetAsync($"upload-sessions/{session}/poll")).Json["images"]![0]!["answers"]!.ToJsonString());
        Assert.Equal(expected, (await listener.NextAsync()).Json()["data"]!["answers"]!.ToJsonString());
        for (var count = 0; count < destinations.Count; count++)
        {
            var sent = await receiver.NextAsync();
            var told = sent.Path.Split('/')[^1] switch
            {
                "binary" => JsonNode.Parse(sent["X-Aptr-Answers"]!),
                "multipart" => JsonNode.Parse(Encoding.UTF8.GetString(sent.Body).Split("name=\"answers\"\r\n\r\n")[1].Split("\r\n")[0]),
                "odoo" => sent.Json()["data"]!["answers"],
                _ => sent.Json()["answers"],
            };
            Assert.Equal(expected, told!.ToJsonString());
        }
    }

    [Theory, AllDatabases]
    public async Task Page_must_bring_what_is_required_and_programs_need_not(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["ask"] = Ask(("name", true), ("email", true), ("note", false)) });
        var tus = await app.ClientOf(null).TusAsync(
            HttpMethod.Post, $"/api/v1/upload/{session}/tus", null, ("Upload-Length", "1000"),
            ("Upload-Metadata", TusClient.Metadata(("visitor", Visitor), ("answer.name", "Ann"))));
        var form = await PostAsync(app, session, [("visitor", Visitor), ("name", "Ann"), ("email", " ")]);

        foreach (var refused in new[] { tus, form })
        {
            var error = Assert.Single(refused.Expect(HttpStatusCode.BadRequest).Json["errors"]!.AsArray());
            Assert.Equal("email", (string)error!["field"]!);
        }

        Assert.Empty((await app.Client.GetAsync("uploads/recent")).Json.AsArray());
        (await PostAsync(app, session, [("visitor", Visitor), ("name", "Ann"), ("email", "a@b.example")])).Expect(HttpStatusCode.Created);
        (await PostAsync(app, session, [])).Expect(HttpStatusCode.Created);
    }

    [Theory, AllDatabases]
    public async Task Answer_that_is_given_when_a_photo_in_pieces_is_begun_again_comes_with_it(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        var visitor = app.ClientOf(null);
        var photo = Photos.Jpeg();
        var begun = await visitor.BeginAsync(session, photo.Length, TusClient.Metadata(("visitor", Visitor)), ("Idempotency-Key", "one"));
        (await app.Client.SendAsync(HttpMethod.Patch, $"upload-sessions/{session}", new JsonObject { ["ask"] = Ask(("name", true)) }))
            .Expect(HttpStatusCode.OK);

        var again = await visitor.BeginAsync(
            session, photo.Length, TusClient.Metadata(("visitor", Visitor), ("answer.name", "Ann")), ("Idempotency-Key", "one"));
        (await visitor.PatchAsync(again, photo, 0)).Expect(HttpStatusCode.NoContent);

        Assert.Equal(begun, again);
        var row = Assert.Single((await app.Client.GetAsync("uploads/recent")).Json.AsArray())!;
        Assert.Equal("""{"name":"Ann"}""", row["answers"]!.ToJsonString());
    }

    [Theory, AllDatabases]
    public async Task Session_asks_for_what_it_was_told_to_and_later_for_something_else(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        async Task<string> AskedAsync() => (await app.Client.GetAsync($"upload/{session}/session")).Json["ask"]!.ToJsonString();
        async Task ChangeAsync(JsonObject change) =>
            (await app.Client.SendAsync(HttpMethod.Patch, $"upload-sessions/{session}", change)).Expect(HttpStatusCode.OK);

        Assert.Equal("[]", await AskedAsync());
        var unasked = (string)(await PostAsync(app, session, _answers)).Expect(HttpStatusCode.Created).Json["id"]!;
        Assert.Null((await app.Client.UploadRowAsync(unasked))["answers"]);
        await ChangeAsync(new() { ["ask"] = Ask(("phone", true), ("name", false)) });
        await ChangeAsync(new() { ["max_images"] = 9 });
        Assert.Equal("""[{"field":"phone","required":true},{"field":"name","required":false}]""", await AskedAsync());
        await ChangeAsync(new() { ["ask"] = new JsonArray() });
        Assert.Equal("[]", await AskedAsync());

        await ChangeAsync(new() { ["ask"] = AskAll, ["password"] = "open sesame" });
        Assert.Equal("[]", (await app.ClientOf(null).GetAsync($"upload/{session}/session")).Json["ask"]!.ToJsonString());
    }

    [Theory]
    [InlineData("""[{"field":"name"},{"field":"name","required":true}]""")]
    [InlineData("""[{"field":"shoe_size"}]""")]
    [InlineData("""[{"field":"name"},{"field":"email"},{"field":"phone"},{"field":"reference"},{"field":"note"},{"field":"city"}]""")]
    [InlineData("""[{"field":null}]""")]
    [InlineData("""[{"required":true}]""")]
    [InlineData("""[{"field":"name","requird":true}]""")]
    [InlineData("""[null]""")]
    [InlineData("""["name"]""")]
    [InlineData("""{"field":"name"}""")]
    public async Task Session_cannot_ask_for_what_does_not_exist_or_twice(string ask)
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        foreach (var answer in new[]
        {
            await app.Client.PostAsync("upload-sessions", new JsonObject { ["ask"] = JsonNode.Parse(ask) }),
            await app.Client.SendAsync(HttpMethod.Patch, $"upload-sessions/{session}", new JsonObject { ["ask"] = JsonNode.Parse(ask) }),
        })
            Assert.StartsWith("ask", (string)answer.Expect(HttpStatusCode.BadRequest).Json["errors"]![0]!["field"]!, StringComparison.Ordinal);
    }

    [Theory, AllDatabases]
    public async Task Hostile_text_is_made_plain_or_refused(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["ask"] = AskAll });
        foreach (var (name, value) in new[]
        {
            ("name", new string('x', 10_000)), ("note", new string('x', 1001)), ("phone", new string('1', 41)), ("email", "ann"),
            ("email", "ann @example.com"), ("email", "a@b@c"), ("email", "@b"), ("email", "a@"), ("visitor", "me"),
        })
        {
            var refused = (await PostAsync(app, session, [(name, value)])).Expect(HttpStatusCode.BadRequest).Json;
            Assert.Equal(name, (string)refused["errors"]![0]!["field"]!);
        }

        var taken = await PostAsync(
            app, session,
            [("name", " <script>\0alert(1)\u202Egpj\u0007\r\nX-Evil: 1 "), ("note", "one\r\ntwo\u2028three"), ("reference", "\u200B \u202E"), ("phone", "ä\uFEFF5")]);

        var answers = (await app.Client.UploadRowAsync((string)taken.Expect(HttpStatusCode.Created).Json["id"]!))["answers"]!;
        Assert.Equal("<script>alert(1)gpj X-Evil: 1", (string)answers["name"]!);
        Assert.Equal("one\ntwo\nthree", (string)answers["note"]!);
        Assert.Null(answers["reference"]);
        Assert.Equal("ä5", (string)answers["phone"]!);
    }

    [Fact]
    public async Task Form_without_scripts_asks_too_and_keeps_what_was_typed()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["ask"] = Ask(("name", true), ("email", true), ("note", false)) });

        var missing = await SendAsync(app, session, [("name", "Ann <b>\"'"), ("email", "ann"), ("note", "")]);
        Assert.Equal(HttpStatusCode.BadRequest, missing.Status);
        Assert.Contains("value=\"Ann &lt;b&gt;&quot;&#x27;\"", missing.Text, StringComparison.Ordinal);
        Assert.Contains("This is no e-mail address", missing.Text, StringComparison.Ordinal);
        Assert.Contains("This is needed: Your name", (await SendAsync(app, session, [("email", "ann@b.example")])).Text, StringComparison.Ordinal);
        Assert.Empty((await app.Client.GetAsync("uploads/recent")).Json.AsArray());

        var sent = await SendAsync(app, session, [("name", "Ann"), ("email", "ann@b.example"), ("note", "")]);
        Assert.Equal(HttpStatusCode.OK, sent.Status);
        Assert.Equal(
            """{"name":"Ann","email":"ann@b.example"}""",
            Assert.Single((await app.Client.GetAsync("uploads/recent")).Json.AsArray())!["answers"]!.ToJsonString());
    }

    [Fact]
    public async Task Form_without_scripts_tells_what_it_asks_after_the_password_only()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["ask"] = Ask(("name", true)), ["password"] = "open sesame" });

        var page = (await app.ClientOf(null).GetAsync($"/u/{session}?lang=en")).Text;
        Assert.DoesNotContain("Your name\"", page.Split("<script")[0], StringComparison.Ordinal);
        Assert.DoesNotContain("name=\"name\"", page, StringComparison.Ordinal);
        var wrong = await SendAsync(app, session, [("password", "guess")]);
        Assert.Equal(HttpStatusCode.Unauthorized, wrong.Status);
        Assert.DoesNotContain("name=\"name\"", wrong.Text, StringComparison.Ordinal);
        var right = await SendAsync(app, session, [("password", "open sesame")]);
        Assert.Equal(HttpStatusCode.BadRequest, right.Status);
        Assert.Contains("name=\"name\"", right.Text, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await SendAsync(app, session, [("name", "Ann"), ("password", "open sesame")])).Status);
    }

    public static JsonArray Ask(params (string Field, bool Required)[] fields) =>
        [.. fields.Select(each => new JsonObject { ["field"] = each.Field, ["required"] = each.Required })];

    private static Task<Answer> PostAsync(AperturApp app, string session, (string Name, string Value)[] parts) =>
        FormAsync(app, $"/api/v1/upload/{session}/images", parts);

    private static Task<Answer> SendAsync(AperturApp app, string session, (string Name, string Value)[] parts) =>
        FormAsync(app, $"/u/{session}?lang=en", parts);

    private static async Task<Answer> FormAsync(AperturApp app, string path, (string Name, string Value)[] parts)
    {
        using var form = new MultipartFormDataContent();
        foreach (var (name, value) in parts)
            form.Add(new StringContent(value), name);
        form.Add(new ByteArrayContent(Photos.Jpeg()), "file", "photo.jpg");
        return await app.ClientOf(null).PostAsync(path, form);
    }
}
