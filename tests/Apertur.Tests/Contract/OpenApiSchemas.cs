using System.Reflection;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Apertur.Server.Http;

namespace Apertur.Tests.Contract;

/// <summary>
/// The JSON Schema of everything on the wire, from the serializer itself, so that it cannot say anything else than what is sent.
/// </summary>
internal sealed class OpenApiSchemas(XmlDocs docs)
{
    private readonly SortedDictionary<string, JsonNode> _named = new(StringComparer.Ordinal);

    public JsonObject Named => new(_named.Select(pair => KeyValuePair.Create(pair.Key, (JsonNode?)pair.Value.DeepClone())));

    /// <summary>Records stand under their names and are referred to.</summary>
    public JsonNode Of(Type type) => IsRecord(type) ? Refer(type) : Export(type);

    private static bool IsRecord(Type type) => type.Namespace is { } space
        && space.StartsWith("Apertur.Server", StringComparison.Ordinal) && type.IsClass;

    private static string NameOf(Type type) => type == typeof(ApiError) ? "Error"
        : type.IsGenericType ? string.Concat(type.GetGenericArguments().Select(NameOf)) + type.Name.Split('`')[0]
        : type.Name.EndsWith("Response", StringComparison.Ordinal) && type.Name != "Response" ? type.Name[..^"Response".Length]
        : type.Name;

    private JsonObject Refer(Type type)
    {
        var name = NameOf(type);
        if (_named.TryAdd(name, new JsonObject()))
            _named[name] = Export(type);
        return new JsonObject { ["$ref"] = $"#/components/schemas/{name}" };
    }

    private JsonNode Export(Type type) => WireJson.Wire.Options.GetJsonSchemaAsNode(
        type, new JsonSchemaExporterOptions { TreatNullObliviousAsNonNullable = true, TransformSchemaNode = Transform });

    private JsonObject Transform(JsonSchemaExporterContext context, JsonNode schema)
    {
        var type = Nullable.GetUnderlyingType(context.TypeInfo.Type) ?? context.TypeInfo.Type;
        var property = context.PropertyInfo;
        var member = property?.AttributeProvider as MemberInfo;
        var sentWithoutNull = member?.GetCustomAttribute<JsonIgnoreAttribute>() is not null;
        var nullable = property is { IsGetNullable: true } && !sentWithoutNull;
        if (type == typeof(DateTimeOffset))
            schema = new JsonObject { ["type"] = "string", ["format"] = "date-time" };
        else if (type == typeof(bool))
            schema = new JsonObject { ["type"] = "boolean" };
        else if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(Optional<>))
            (schema, nullable) = (type.GetGenericArguments()[0] is var given && IsRecord(given) ? Refer(given) : Export(given), true);
        else if (context.Path.Length > 0 && IsRecord(type))
            schema = Refer(type);
        else if (schema is not JsonObject)
            schema = new JsonObject();
        // Said, because generators of clients take an object without members for one that has none.
        if (type == typeof(JsonObject))
            schema["additionalProperties"] = true;

        var result = schema.AsObject();
        if (context.Path.Length == 0 && context.TypeInfo.Kind == JsonTypeInfoKind.Object)
            Complete(result, context.TypeInfo);
        if (property is null)
            return result;

        SetNullable(result, nullable);
        result = nullable && result.ContainsKey("$ref")
            ? new JsonObject { ["anyOf"] = new JsonArray(result, new JsonObject { ["type"] = "null" }) }
            : result;
        if (member is not null && OpenApiNotes.Words.TryGetValue($"{member.DeclaringType!.Name}.{member.Name}", out var words))
            result["enum"] = new JsonArray([.. words.Select(word => JsonValue.Create(word))]);
        if (member is not null && docs.Of(member) is { Length: > 0 } description)
            result["description"] = description;
        if (member is not null)
            OpenApiFields.Complete(member.DeclaringType!.Name, property.Name, result);
        return result;
    }

    /// <summary>
    /// An answer has every field that it does not leave out on purpose; a request needs what its handler asks for.
    /// </summary>
    private void Complete(JsonObject schema, JsonTypeInfo type)
    {
        if (!type.Type.Name.EndsWith("Request", StringComparison.Ordinal))
        {
            schema["required"] = new JsonArray([.. type.Properties
                .Where(p => p.Get is not null && (p.AttributeProvider as MemberInfo)?.GetCustomAttribute<JsonIgnoreAttribute>() is null)
                .Select(p => JsonValue.Create(p.Name))]);
        }

        if ((OpenApiNotes.Descriptions.GetValueOrDefault(type.Type.Name) ?? docs.Of(type.Type)) is { Length: > 0 } description)
            schema["description"] = description;
    }

    private static void SetNullable(JsonObject schema, bool nullable)
    {
        var kinds = schema["type"] switch
        {
            JsonArray several => [.. several.Select(kind => (string)kind!)],
            JsonValue one => new List<string> { (string)one! },
            _ => [],
        };
        if (kinds.Count == 0)
            return;
        kinds.Remove("null");
        if (nullable)
            kinds.Add("null");
        schema["type"] = kinds.Count == 1 ? JsonValue.Create(kinds[0]) : new JsonArray([.. kinds.Select(kind => JsonValue.Create(kind))]);
    }
}
