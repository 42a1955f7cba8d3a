using System.Text.Json.Nodes;

namespace Apertur.Server.Pages;

/// <summary>
/// The API document as one page to read: every call with its fields, answers and a curl command, and every object by name. Made
/// here, without scripts, so that it is there at once on any device.
/// </summary>
internal static class ReferencePage
{
    /// <summary>What an object is called in the page's own addresses.</summary>
    private const string ObjectAnchor = "object-";

    public static Html Render(JsonNode document)
    {
        var calls = document["paths"]!.AsObject()
            .SelectMany(path => path.Value!.AsObject()
                .Select(verb => new Call(path.Key, verb.Key.ToUpperInvariant(), verb.Value!)))
            .GroupBy(call => call.Tag).ToDictionary(group => group.Key, group => group.ToList());
        var tags = document["tags"]!.AsArray().Select(tag => tag!).ToList();
        var objects = document["components"]!["schemas"]!.AsObject();
        return $"""
            <main>
            <header>
            <h1>Apertur API</h1>
            <p>{Text(document["info"]!["description"])}</p>
            <p>For programs: <a href="/openapi/v1.json">OpenAPI 3.1</a>. In the examples, <code>$APERTUR</code> is this server's
            address and <code>$KEY</code> an API key.</p>
            </header>
            <nav aria-label="Calls">{tags.Select(tag => Contents(tag, calls[(string)tag["name"]!]))}</nav>
            {tags.Select(tag => Section(tag, calls[(string)tag["name"]!], document))}
            <section>
            <h2 id="objects">Objects</h2>
            {objects.Select(one => Object(one.Key, one.Value!))}
            </section>
            </main>
            """;
    }

    private static Html Contents(JsonNode tag, List<Call> calls) => $"""
        <p>{Text(tag["name"])}</p>
        <ul>{calls.Select(call => (Html)$"<li><a href=\"#{call.Id}\">{Prose(call.Node["summary"])}</a></li>")}</ul>
        """;

    private static Html Section(JsonNode tag, List<Call> calls, JsonNode document) => $"""
        <section>
        <h2>{Text(tag["name"])}</h2>
        <p>{Prose(tag["description"])}</p>
        {calls.Select(call => Article(call, document))}
        </section>

        """;

    private static Html Article(Call call, JsonNode document) => $"""
        <article id="{call.Id}">
        <h3><span class="verb">{call.Verb}</span><code>{call.Path}</code></h3>
        <p>{Prose(call.Node["summary"])}.</p>
        {Html.If(call.Node["description"] is not null, $"<p>{Prose(call.Node["description"])}</p>")}
        <p class="quiet">{Credentials(call.Node)}</p>
        {Parameters(call.Node)}
        {call.Contents.Select(content => Body(content.Key, content.Value!["schema"]!, document))}
        <h4>Answers</h4>
        <dl>{call.Node["responses"]!.AsObject().Select(answer => Answer(answer.Key, answer.Value!))}</dl>
        <h4>Example</h4>
        <pre><code>{ReferenceExample.Of(call.Verb, call.Path, call.Node, document)}</code></pre>
        </article>

        """;

    private static string Credentials(JsonNode call)
    {
        var names = call["security"]!.AsArray().SelectMany(way => way!.AsObject()).Select(way => way.Key).ToList();
        return names.Count == 0 ? "Needs no key."
            : names.Contains("key") ? "Needs an API key, or the token of a signed-in person."
            : "Needs the token of a signed-in person.";
    }

    private static Html Parameters(JsonNode call)
    {
        if (call["parameters"] is not JsonArray parameters)
            return Html.Empty;
        var rows = parameters.Select(parameter => Field(
            (string)parameter!["name"]!, parameter["schema"]!, (bool?)parameter["required"] == true,
            parameter["description"], "in the " + (string)parameter["in"]!));
        return $"<h4>Parameters</h4><dl>{rows}</dl>";
    }

    private static Html Body(string type, JsonNode schema, JsonNode document) =>
        $"<h4>Body, <code>{type}</code></h4>{Fields(Resolve(schema, document))}";

    private static Html Answer(string status, JsonNode answer)
    {
        var words = (string?)answer["$ref"] is null ? (string)answer["description"]! : "A refusal.";
        var kinds = (answer["content"] as JsonObject)?.Select(content =>
            content.Value!["schema"] is { } schema ? (Html)$" {Kind(schema)}" : $" <code>{content.Key}</code>") ?? [];
        var error = Html.If(answer["$ref"] is not null, $" <a href=\"#{ObjectAnchor}Error\">Error</a>");
        return $"<div><dt><code>{(status == "default" ? "otherwise" : status)}</code></dt><dd>{words}{kinds}{error}</dd></div>";
    }

    private static Html Object(string name, JsonNode schema) => $"""
        <article id="{ObjectAnchor + name}">
        <h3>{name}</h3>
        <p>{Prose(schema["description"])}</p>
        {Fields(schema)}
        </article>

        """;

    private static Html Fields(JsonNode schema)
    {
        if (schema["properties"] is not JsonObject properties)
            return $"<p>{Kind(schema)}</p>";
        var required = (schema["required"] as JsonArray ?? []).Select(name => (string)name!).ToHashSet();
        var rows = properties.Select(p => Field(p.Key, p.Value!, required.Contains(p.Key), p.Value!["description"], null));
        return $"<dl>{rows}</dl>";
    }

    private static Html Field(string name, JsonNode schema, bool required, JsonNode? description, string? place)
    {
        var words = (schema["enum"] as JsonArray ?? []).Select(word => (Html)$" <code>{Text(word)}</code>");
        var limits = string.Join(", ", new[] { ("minimum", "at least"), ("maximum", "at most"), ("default", "default") }
            .Where(limit => schema[limit.Item1] is not null).Select(limit => $"{limit.Item2} {schema[limit.Item1]}"));
        return $"""
            <div><dt><code>{name}</code> {Html.If(required && place is null, $"<span class=\"must\">always</span>")}</dt>
            <dd>{Kind(schema)} {place} {Prose(description)}{words} {limits}</dd></div>

            """;
    }

    /// <summary>What a value is, with a link where it is an object that stands on this page.</summary>
    private static Html Kind(JsonNode schema)
    {
        if ((string?)schema["$ref"] is { } reference)
            return Link(reference.Split('/')[^1]);
        if (schema["anyOf"] is JsonArray either)
            return $"{either.Where(one => (string?)one!["type"] != "null").Select(one => Kind(one!))} or null";
        var kinds = schema["type"] is JsonArray several
            ? several.Select(kind => (string)kind!).ToList()
            : [(string?)schema["type"] ?? "anything"];
        var nullable = kinds.Remove("null") ? " or null" : "";
        if (kinds is ["array"] && schema["items"] is { } items)
            return $"list of {Kind(items)}{nullable}";
        var format = (string?)schema["format"] switch
        {
            "uuid" => " (UUID)",
            "date-time" => " (instant)",
            "binary" => " (file)",
            _ => "",
        };
        return $"{string.Join(" or ", kinds)}{format}{nullable}";
    }

    private static Html Link(string name) => $"<a href=\"#{ObjectAnchor + name}\">{name}</a>";

    /// <summary>Text in which words between backquotes are code.</summary>
    private static Html Prose(JsonNode? text)
    {
        var parts = Text(text).Split('`').Select((part, index) => index % 2 == 1 ? (Html)$"<code>{part}</code>" : $"{part}");
        return $"{parts}";
    }

    private static JsonNode Resolve(JsonNode schema, JsonNode document) =>
        (string?)schema["$ref"] is { } reference ? document["components"]!["schemas"]![reference.Split('/')[^1]]! : schema;

    private static string Text(JsonNode? text) => (string?)text ?? "";

    private sealed record Call(string Path, string Verb, JsonNode Node)
    {
        public string Id => (string)Node["operationId"]!;

        public string Tag => (string)Node["tags"]![0]!;

        public JsonObject Contents => Node["requestBody"]?["content"] as JsonObject ?? [];
    }
}
