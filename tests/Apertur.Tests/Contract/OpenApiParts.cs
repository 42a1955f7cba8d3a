using System.Text.Json.Nodes;

namespace Apertur.Tests.Contract;

/// <summary>Pieces of an OpenAPI document, for <see cref="OpenApiNotes"/>.</summary>
internal static class OpenApiParts
{
    public static JsonObject Query(string name, JsonObject schema, string description) => Parameter("query", name, schema, description);

    public static JsonObject Header(string name, string description, JsonObject? schema = null) =>
        Parameter("header", name, schema ?? Text(), description);

    /// <summary>A part of a path: an id, unless it is one of the few that are not.</summary>
    public static JsonObject Path(string name)
    {
        var parameter = Parameter("path", name, name is "provider" or "name" ? Text() : Id(), "");
        parameter.Remove("description");
        parameter["required"] = true;
        return parameter;
    }

    public static JsonObject Number(int? min = null, int? max = null, int? byDefault = null)
    {
        var schema = new JsonObject { ["type"] = "integer" };
        foreach (var (name, value) in new[] { ("minimum", min), ("maximum", max), ("default", byDefault) })
        {
            if (value is not null)
                schema[name] = value;
        }

        return schema;
    }

    public static JsonObject Text() => new() { ["type"] = "string" };

    public static JsonObject Id() => new() { ["type"] = "string", ["format"] = "uuid" };

    public static JsonObject Instant() => new() { ["type"] = "string", ["format"] = "date-time" };

    public static JsonObject OneOf(params string[] words) =>
        new() { ["type"] = "string", ["enum"] = new JsonArray([.. words.Select(word => JsonValue.Create(word))]) };

    public static JsonObject Colour(string byDefault) =>
        new() { ["type"] = "string", ["pattern"] = "^([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$", ["default"] = byDefault };

    /// <summary>An answer that is a file.</summary>
    public static JsonObject Bytes(string description, params string[] types) => new()
    {
        ["description"] = description,
        ["content"] = new JsonObject(types.Select(type => KeyValuePair.Create(type, (JsonNode?)new JsonObject()))),
    };

    public static JsonObject Object(string[] required, params (string Name, JsonObject Schema, string Description)[] members) => new()
    {
        ["type"] = "object",
        ["required"] = new JsonArray([.. required.Select(name => JsonValue.Create(name))]),
        ["properties"] = new JsonObject(members.Select(member =>
        {
            var schema = member.Schema.DeepClone();
            schema["description"] = member.Description;
            return KeyValuePair.Create(member.Name, (JsonNode?)schema);
        })),
    };

    private static JsonObject Parameter(string place, string name, JsonObject schema, string description) =>
        new() { ["name"] = name, ["in"] = place, ["description"] = description, ["schema"] = schema };
}
