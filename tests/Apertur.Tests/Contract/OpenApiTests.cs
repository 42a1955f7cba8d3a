using System.Text.Json.Nodes;
using Apertur.Tests.Repository;
using Apertur.Tests.Support;

namespace Apertur.Tests.Contract;

/// <summary>The API document says what the server does.</summary>
public sealed class OpenApiTests
{
    private const string File = "docs/openapi.json";

    [Fact]
    public void Document_that_is_checked_in_is_what_the_code_says()
    {
        Accepting.Compare(Path.Combine(RepositoryFiles.Root, File), OpenApiDocument.Text(), "The API document");
    }

    [Fact]
    public void Every_route_says_what_it_does_and_what_it_answers()
    {
        var silent = Operations()
            .Where(operation => (string?)operation["summary"] is null or "" || !operation["responses"]!.AsObject().Any(r => r.Key[0] == '2'))
            .Select(operation => $"{operation["operationId"]}: give the handler a doc comment, and a typed answer or a note in OpenApiNotes");

        Assert.Empty(silent);
    }

    [Fact]
    public void Operations_have_names_of_their_own_and_notes_belong_to_handlers()
    {
        var names = Operations().Select(operation => (string)operation["operationId"]!).ToList();

        Assert.Equal(names.Distinct(), names);
        Assert.Subset(OpenApiDocument.Routes().Select(OpenApiDocument.HandlerOf).ToHashSet(), OpenApiNotes.Handlers.ToHashSet());
    }

    [Fact]
    public void Every_field_is_described_and_every_description_belongs_to_one()
    {
        var fields = JsonNode.Parse(OpenApiDocument.Text())!["components"]!["schemas"]!.AsObject()
            .SelectMany(schema => schema.Value!["properties"]?.AsObject().Select(field => (schema.Key, field.Key, Schema: field.Value!)) ?? [])
            .ToList();

        Assert.NotEmpty(fields);
        Assert.Empty(fields.Where(field => field.Schema["description"] is null).Select(field => $"{field.Item1}.{field.Item2}: say it in OpenApiFields"));
        Assert.Subset(OpenApiFields.Used, OpenApiFields.Names.ToHashSet());
    }

    [Fact]
    public void Every_json_body_has_an_example()
    {
        var without = Operations().SelectMany(operation => operation["responses"]!.AsObject().Where(r => r.Key[0] == '2').Select(r => r.Value!)
                .Append(operation["requestBody"])
                .Select(body => body?["content"]?["application/json"])
                .Where(content => content?["schema"]?["$ref"] is not null && content["example"] is null)
                .Select(content => $"{operation["operationId"]} {content!["schema"]!["$ref"]}"))
            .ToList();

        Assert.Empty(without);
        Assert.Subset(OpenApiDocument.Routes().Select(OpenApiDocument.HandlerOf).ToHashSet(), OpenApiExamples.Handlers.ToHashSet());
    }

    [Fact]
    public void References_lead_somewhere()
    {
        var document = JsonNode.Parse(OpenApiDocument.Text())!;

        Assert.All(References(document), reference =>
            Assert.NotNull(reference.Split('/').Skip(1).Aggregate<string, JsonNode?>(document, (node, name) => node?[name])));
    }

    [Fact]
    public async Task Server_hands_out_the_document()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);

        var document = await app.ClientOf(null).GetAsync("/openapi/v1.json");

        Assert.True(document.Text == RepositoryFiles.Read(File), "The server was built with another docs/openapi.json: build it again.");
        Assert.Equal("application/json", document.ContentHeaders.ContentType!.MediaType);
    }

    private static IEnumerable<JsonNode> Operations() =>
        JsonNode.Parse(OpenApiDocument.Text())!["paths"]!.AsObject().SelectMany(path => path.Value!.AsObject()).Select(method => method.Value!);

    private static IEnumerable<string> References(JsonNode? node) => node switch
    {
        JsonObject members => members.SelectMany(member => member.Key == "$ref" ? [(string)member.Value!] : References(member.Value)),
        JsonArray items => items.SelectMany(References),
        _ => [],
    };
}
