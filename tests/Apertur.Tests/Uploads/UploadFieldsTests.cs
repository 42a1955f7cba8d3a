using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Apertur.Server.Uploads;
using Apertur.Tests.Encryption;
using Apertur.Tests.Events;
using Apertur.Tests.Repository;
using Apertur.Tests.Support;
using Apertur.Tests.Tus;

namespace Apertur.Tests.Uploads;

/// <summary>Each field that a sender may give with a photo comes in by every way and stands wherever it is told: what was forgotten is named.</summary>
public sealed class UploadFieldsTests
{
    private const string Response = "the answer to an upload (Contract/Uploads.cs, Uploads/ImageIntake.cs)";
    private const string Odoo = "what Odoo receives (OdooDestination.cs)";
    private const string Address = "beside an address (Fetching/FetchApi.cs)";

    private static readonly string[] _formats = ["json_base64", "link", "multipart", "binary"];

    // Where a field takes not any text.
    private static readonly Dictionary<string, string> _samples = new()
    {
        ["source"] = "instagram",
        ["visitor"] = "0b9f3c5e-0a4e-4a8b-9f57-6f1f3a1b2c3d",
    };

    // What the wire has never told, and so does not begin to tell.
    private static readonly Dictionary<string, string[]> _untold = new()
    {
        // Only that which the server fetches from.
        ["source"] = [Response, Odoo, Address, .. _formats.Select(Payload)],
        ["visitor"] = [Response, Odoo],
        ["caption"] = [Response],
    };

    [Fact]
    public void Each_field_that_is_read_is_stored() =>
        Assert.Equal(
            typeof(UploadFields).GetProperties().Where(property => property.GetMethod is { IsStatic: false }).Select(property => property.Name).Order(),
            // What a session asks for is kept as one, see AskedFieldsTests.
            UploadFields.All.Select(field => field.Name).Select(name => string.Concat(name.Split('_').Select(Capitalised)))
                .Append(nameof(UploadFields.Answers)).Order());

    [Theory, AllDatabases]
    public async Task Each_field_comes_in_by_every_way(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["allow_captions"] = true });
        var envelope = Sealed.Here(await app.ServerKeyAsync(), Photos.Jpeg());
        var withFields = new JsonObject(envelope.Select(member => KeyValuePair.Create(member.Key, member.Value?.DeepClone())));
        foreach (var field in UploadFields.All)
            withFields[field.Name] = Sample(field);

        var withOthers = envelope.DeepClone().AsObject();
        (withOthers["source"], withOthers["visitor"], withOthers["caption"]) = ("gallery", $"{Guid.NewGuid()}", "another");

        await using var source = await Receiver.StartAsync();
        source.Otherwise = context => context.Response.Body.WriteAsync(Photos.Jpeg()).AsTask();
        var request = new JsonObject { ["url"] = source.Url };
        foreach (var field in UploadFields.All.Where(field => !IsUntold(field, Address)))
            request[field.Name] = Sample(field);

        var ways = new Dictionary<string, Answer>
        {
            ["a form, before the file (Uploads/UploadApi.cs)"] = await PostFormAsync(app, $"/api/v1/upload/{session}/images", true, Photos.Jpeg()),
            ["a form, after the file (Uploads/UploadApi.cs)"] = await PostFormAsync(app, $"/api/v1/upload/{session}/images", false, Photos.Jpeg()),
            ["an envelope as the body (Encryption/Envelope.cs)"] = await app.PostJsonAsync(session, withFields.ToJsonString()),
            ["an envelope in a form (Encryption/EnvelopeIntake.cs)"] = await app.PostFormAsync(session, withFields.Bytes(), "beach.jpg.enc"),
            ["a form around an envelope (Encryption/EnvelopeIntake.cs)"] = await PostFormAsync(
                app, $"/api/v1/upload/{session}/images", false, envelope.Bytes(), ("X-Aptr-Encrypted", "default")),
            ["a form before an envelope that says something else (Uploads/UploadFields.cs)"] = await PostFormAsync(
                app, $"/api/v1/upload/{session}/images", true, withOthers.Bytes(), ("X-Aptr-Encrypted", "default")),
            [Address] = await app.ClientOf(null).PostAsync($"upload/{session}/images/from-url", request),
            ["tus, in its metadata (Tus/UploadMetadata.cs)"] = await app.ClientOf(null).TusAsync(
                HttpMethod.Post, $"/api/v1/upload/{session}/tus", Photos.Jpeg(), ("Upload-Length", $"{Photos.Jpeg().Length}"),
                ("Upload-Metadata", TusClient.Metadata([.. UploadFields.All.Select(field => (field.Name, Sample(field)))]))),
        };
        (await PostFormAsync(app, $"/u/{session}", true, Photos.Png())).Expect(HttpStatusCode.OK);

        var rows = (await app.Client.GetAsync("uploads/recent?limit=50")).Expect(HttpStatusCode.OK).Json.AsArray();
        var byPage = rows.Single(row => (string)row!["mimeType"]! == "image/png")!;
        var page = (await app.ClientOf(null).GetAsync($"/u/{session}")).Text;
        var script = RepositoryFiles.Read("web/src/upload/attempt.ts");
        List<string> lost = [];
        foreach (var field in UploadFields.All)
        {
            foreach (var (way, answer) in ways)
            {
                var id = (string)answer.Expect(HttpStatusCode.Created).Json["id"]!;
                Expect(lost, field, way, (string?)rows.Single(row => (string)row!["id"]! == id)![Camel(field.Name)] == Sample(field));
            }

            var place = "the page without scripts (Pages/UploadPage.cs, Pages/UploadPageApi.cs)";
            Expect(lost, field, place, ((string?)byPage[Camel(field.Name)] ?? "") == (field.OnPage ?? Sample(field)));
            Expect(lost, field, place + ", its input", field.OnPage is not null || page.Contains($"name=\"{field.Name}\"", StringComparison.Ordinal));
            Expect(lost, field, "the page's script (web/src/upload/attempt.ts)", script.Contains($"append('{field.Name}'", StringComparison.Ordinal));
        }

        Assert.True(lost.Count == 0, string.Join(Environment.NewLine, lost));
    }

    [Theory, AllDatabases]
    public async Task Each_field_is_told_wherever_photos_are_told_of(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var listener = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        await app.ListenAsync(listener, "project.upload.started");
        var places = new Dictionary<string, string>();
        foreach (var format in _formats)
        {
            var id = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = $"{receiver.Url}/{format}", ["format"] = format });
            places[id] = Payload(format);
        }

        places[await app.Client.CreateDestinationAsync("odoo", new JsonObject { ["url"] = $"{receiver.Url}/odoo", ["secret"] = "s" })] = Odoo;
        var session = await app.Client.CreateSessionAsync(new JsonObject
        {
            ["long_polling"] = true,
            ["allow_captions"] = true,
            ["destination_ids"] = new JsonArray([.. places.Keys.Select(id => JsonValue.Create(id))]),
        });

        var answer = (await PostFormAsync(app, $"/api/v1/upload/{session}/images", true, Photos.Jpeg())).Expect(HttpStatusCode.Created).Json;

        var told = new Dictionary<string, JsonNode?>
        {
            [Response] = answer,
            ["the list of recent uploads (Contract/ProjectData.cs, ProjectData/ProjectDataApi.cs)"] = await app.Client.UploadRowAsync((string)answer["id"]!),
            ["the list of uploads (Contract/ProjectData.cs, ProjectData/ProjectDataApi.cs)"] =
                (await app.Client.GetAsync("uploads")).Expect(HttpStatusCode.OK).Json["data"]![0],
            ["what is polled (Contract/Polling.cs, Polling/PollApi.cs)"] =
                (await app.Client.GetAsync($"upload-sessions/{session}/poll")).Expect(HttpStatusCode.OK).Json["images"]![0],
            ["event webhooks (Contract/Events.cs, Events/EventOutbox.cs)"] = (await listener.NextAsync()).Json()["data"],
        };
        List<Received> payloads = [];
        while (payloads.Count < places.Count)
            payloads.Add(await receiver.NextAsync());

        List<string> missing = [];
        foreach (var field in UploadFields.All)
        {
            foreach (var (place, json) in told)
                Expect(missing, field, place, Values(json, field).Contains(Sample(field)));
            foreach (var format in _formats)
                Expect(missing, field, Payload(format), Tells(payloads.Single(sent => sent.Path.EndsWith("/" + format, StringComparison.Ordinal)), format, field));
            var odoo = payloads.First(sent => sent.Path.EndsWith("/odoo", StringComparison.Ordinal));
            Expect(missing, field, Odoo, Values(odoo.Json()["data"], field).Contains(Sample(field)));
        }

        Assert.True(missing.Count == 0, string.Join(Environment.NewLine, missing));
    }

    [Fact]
    public void Each_field_is_documented()
    {
        var document = JsonNode.Parse(RepositoryFiles.Read("docs/openapi.json"))!;
        var contents = document["paths"]!["/api/v1/upload/{id}/images"]!["post"]!["requestBody"]!["content"]!.AsObject();
        var byAddress = document["paths"]!["/api/v1/upload/{id}/images/from-url"]!["post"]!["requestBody"]!["content"]!["application/json"]!;
        List<string> missing = [];
        foreach (var field in UploadFields.All)
        {
            foreach (var (type, content) in contents)
                Expect(missing, field, $"docs/openapi.json, {type}", content!["schema"]!["properties"]![field.Name] is not null);
            Expect(missing, field, "docs/openapi.json, from-url", byAddress["schema"]!["properties"]![field.Name] is not null);
            Expect(missing, field, "docs/events.md", RepositoryFiles.Read("docs/events.md").Contains($"\"{field.Name}\":", StringComparison.Ordinal));
            Expect(
                missing, field, "docs/webhook-deliveries.md",
                _formats.All(format => IsUntold(field, Payload(format)))
                || RepositoryFiles.Read("docs/webhook-deliveries.md").Contains($"\"{field.Name}\":", StringComparison.Ordinal));
        }

        Assert.Equal(["multipart/form-data", "application/json"], contents.Select(content => content.Key));
        Assert.True(missing.Count == 0, string.Join(Environment.NewLine, missing));
    }

    private static async Task<Answer> PostFormAsync(
        AperturApp app, string path, bool isBefore, byte[] file, params (string Name, string Value)[] headers)
    {
        using var form = new MultipartFormDataContent();
        if (!isBefore)
            form.Add(new ByteArrayContent(file), "file", "photo.jpg");
        foreach (var field in UploadFields.All)
            form.Add(new StringContent(Sample(field)), field.Name);
        if (isBefore)
            form.Add(new ByteArrayContent(file), "file", "photo.jpg");
        return await app.ClientOf(null).SendAsync(HttpMethod.Post, path, form, headers);
    }

    private static bool Tells(Received sent, string format, UploadField field) => format switch
    {
        "binary" => Uri.UnescapeDataString(sent["X-Aptr-" + field.Name.Replace('_', '-')] ?? "") == Sample(field),
        "multipart" => Encoding.UTF8.GetString(sent.Body).Contains($"name=\"{field.Name}\"\r\n\r\n{Sample(field)}\r\n", StringComparison.Ordinal),
        _ => Values(sent.Json(), field).Contains(Sample(field)),
    };

    private static void Expect(List<string> missing, UploadField field, string place, bool isThere)
    {
        if (!isThere && !IsUntold(field, place))
            missing.Add($"'{field.Name}' is missing in {place}");
    }

    private static bool IsUntold(UploadField field, string place) => _untold.GetValueOrDefault(field.Name, []).Contains(place);

    private static string Payload(string format) => $"what webhooks receive in the format {format} (WebhookBody.cs, WebhookHeaders.cs; DeliveryRun.cs)";

    // People write what no header carries as it is.
    private static string Sample(UploadField field) => _samples.GetValueOrDefault(field.Name, $"{field.Name} à la plage");

    /// <summary>The field, in the casing of the place.</summary>
    private static IEnumerable<string?> Values(JsonNode? json, UploadField field) => [(string?)json![field.Name], (string?)json[Camel(field.Name)]];

    private static string Camel(string name) => char.ToLowerInvariant(name[0]) + string.Concat(name.Split('_').Select(Capitalised))[1..];

    private static string Capitalised(string word) => char.ToUpperInvariant(word[0]) + word[1..];
}
