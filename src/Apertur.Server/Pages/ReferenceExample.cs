using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Apertur.Server.Pages;

/// <summary>One call as a curl command.</summary>
internal static class ReferenceExample
{
    private const string SomeId = "0197a3f0-5b1e-7c3a-9d52-6f0c8e4b2a11";

    // Enough to show the form of a body; the list of fields stands above it.
    private const int MaxFields = 4;

    public static string Of(string verb, string path, JsonNode call, JsonNode document)
    {
        var filled = string.Join('/', path.Split('/').Select(part => part.StartsWith('{') ? SomeId : part));
        var lines = new List<string> { (verb == "GET" ? "curl " : $"curl -X {verb} ") + $"\"$APERTUR{filled}\"" };
        if (call["security"]!.AsArray().Count > 0)
            lines.Add("-H \"Authorization: Bearer $KEY\"");
        var content = call["requestBody"]?["content"] as JsonObject;
        if (content?["multipart/form-data"] is not null)
            lines.Add("-F source=camera -F \"file=@photo.jpg\"");
        else if (content?["application/json"]?["schema"] is { } schema)
            lines.AddRange(["-H \"Content-Type: application/json\"", $"-d '{Sample(schema, document)}'"]);
        else if (call["responses"]!["200"]?["content"] is JsonObject answer && !answer.ContainsKey("application/json"))
            lines.Add("-o file");
        return new StringBuilder().AppendJoin(" \\\n  ", lines).ToString();
    }

    private static string Sample(JsonNode schema, JsonNode document)
    {
        if ((string?)schema["$ref"] is { } reference)
            schema = document["components"]!["schemas"]![reference.Split('/')[^1]]!;
        if (schema["example"] is { } given)
            return given.ToJsonString();
        var fields = (schema["properties"] as JsonObject ?? []).Take(MaxFields)
            .Select(field => KeyValuePair.Create(field.Key, Value(field.Key, field.Value!)));
        return new JsonObject(fields).ToJsonString(new JsonSerializerOptions(JsonSerializerOptions.Web));
    }

    private static JsonNode? Value(string name, JsonNode schema)
    {
        var kind = schema["type"] is JsonArray several ? (string?)several[0] : (string?)schema["type"];
        return kind switch
        {
            _ when schema["enum"] is JsonArray words => words[0]!.DeepClone(),
            "integer" or "number" => 1,
            "boolean" => true,
            "array" => new JsonArray(),
            "object" => new JsonObject(),
            _ => name.EndsWith("id", StringComparison.OrdinalIgnoreCase) ? SomeId : "text",
        };
    }
}
