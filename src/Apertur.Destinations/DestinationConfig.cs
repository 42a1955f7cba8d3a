using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Apertur.Destinations;

/// <summary>
/// A destination's configuration in the clear, as its type reads it: the owner's values, the defaults of
/// <see cref="IDestinationType.Fields"/>, and what the server adds. Lives for one attempt and is never logged.
/// </summary>
public sealed class DestinationConfig(IReadOnlyList<ConfigField> fields, JsonObject values)
{
    /// <summary>What a secret field reads back as; sending it back changes nothing.</summary>
    public const string Mask = "********";

    private const int MaxTextLength = 16 * 1024;
    private const int MaxMapEntries = 50;
    private const int MaxNameShown = 64;

    /// <summary>The project's webhook secret, for types that sign what they send.</summary>
    public string ProjectSecret { get; init; } = "";

    /// <summary>The secret before that, while it still counts; null when there is none.</summary>
    public string? PreviousProjectSecret { get; init; }

    /// <summary>A valid access token for an <see cref="IOAuthDestination"/>; null while nobody has connected it.</summary>
    public string? AccessToken { get; init; }

    /// <summary>The value of a text, address, choice or document field; its default, or null, when absent.</summary>
    public string? Text(string name) => Value(name) switch
    {
        JsonValue value when value.TryGetValue<string>(out var text) => text,
        JsonObject document => document.ToJsonString(),
        _ => Field(name).Default as string,
    };

    /// <summary>The value of a required text field.</summary>
    public string Required(string name) =>
        Text(name) ?? throw new InvalidOperationException($"The configuration has no {name}.");

    public int Number(string name) => OptionalNumber(name)!.Value;

    /// <summary>The value of a number; when absent its default, and null when it has none.</summary>
    public int? OptionalNumber(string name) =>
        Value(name) is JsonValue value && value.TryGetValue<int>(out var number) ? number : Field(name).Default as int?;

    /// <summary>The value of a switch; when absent its default, and null when it has none.</summary>
    public bool? Switch(string name) =>
        Value(name) is JsonValue value && value.TryGetValue<bool>(out var on) ? on : Field(name).Default as bool?;

    public IReadOnlyDictionary<string, string> Map(string name) =>
        Value(name) is JsonObject map
            ? map.ToDictionary(entry => entry.Key, entry => (string?)entry.Value ?? "")
            : [];

    /// <summary>The values of a group; null when it is absent.</summary>
    public DestinationConfig? Group(string name) =>
        Value(name) is JsonObject group ? new DestinationConfig(Field(name).Fields, group) : null;

    private JsonNode? Value(string name) => values[Field(name).Name];

    private ConfigField Field(string name) =>
        fields.FirstOrDefault(field => field.Name == name)
        ?? throw new ArgumentException($"'{name}' is not a declared field.", nameof(name));

    /// <summary>
    /// Holds what a caller sent against the fields of a type. Unknown members are dropped, except those of a group, and explicit nulls count as absent.
    /// </summary>
    /// <param name="fields">The fields of the type.</param>
    /// <param name="sent">The <c>config</c> object as sent.</param>
    /// <param name="stored">The values kept so far: a masked secret takes its value from here. Null for a new
    /// destination.</param>
    /// <returns>The values to keep, and one message for each field that is wrong.</returns>
    public static (JsonObject Values, IReadOnlyList<(string Field, string Message)> Errors) Validate(
        IReadOnlyList<ConfigField> fields, JsonObject sent, JsonObject? stored = null)
    {
        var values = new JsonObject();
        var errors = new List<(string, string)>();
        foreach (var field in fields)
        {
            var value = field.Secret ? Unmask(sent[field.Name], stored?[field.Name]) : sent[field.Name];
            if (IsBlank(value))
            {
                if (field.Required)
                    errors.Add((field.Name, $"{field.Label} is required."));
                continue;
            }

            value = AsMeant(field, value!);
            if (field.Kind == ConfigFieldKind.Group && value is JsonObject group)
            {
                var (members, wrong) = Validate(field.Fields, group, stored?[field.Name] as JsonObject);
                values[field.Name] = members;
                errors.AddRange(wrong.Select(each => ($"{field.Name}.{each.Field}", each.Message)));
                errors.AddRange(group.Where(member => field.Fields.All(known => known.Name != member.Key)).Select(member => Unknown(field, member.Key)));
            }
            else if (Problem(field, value) is { } problem)
                errors.Add((field.Name, problem));
            else
                values[field.Name] = value.DeepClone();
        }

        return (values, errors);
    }

    /// <summary>
    /// What the API reads back: secrets are replaced by <see cref="Mask"/>, and what the type does not declare is left out, since nothing
    /// says whether it is one.
    /// </summary>
    public static JsonObject Masked(IReadOnlyList<ConfigField> fields, JsonObject values)
    {
        var masked = new JsonObject();
        foreach (var field in fields)
        {
            if (values[field.Name] is { } value)
                masked[field.Name] = !field.Secret ? value.DeepClone() : field.Kind == ConfigFieldKind.Map ? Masked(value.AsObject()) : Mask;
        }

        return masked;
    }

    /// <summary>A group decides what leaves the server: what was meant by a name that it does not know must not be guessed, nor left out.</summary>
    private static (string Field, string Message) Unknown(ConfigField group, string name)
    {
        var shown = name.Length <= MaxNameShown ? name : name[..MaxNameShown] + "…";
        return ($"{group.Name}.{shown}", $"{group.Label} has no field '{shown}', but {string.Join(", ", group.Fields.Select(field => field.Name))}.");
    }

    private static JsonObject Masked(JsonObject map) => new(map.Select(entry => KeyValuePair.Create(entry.Key, (JsonNode?)Mask)));

    private static JsonNode? Unmask(JsonNode? sent, JsonNode? stored)
    {
        if (sent is JsonValue value && value.TryGetValue<string>(out var text) && text == Mask)
            return stored;
        if (sent is not JsonObject map)
            return sent;

        var merged = new JsonObject();
        foreach (var (name, entry) in map)
        {
            var masked = entry is JsonValue v && v.TryGetValue<string>(out var s) && s == Mask;
            if ((masked ? (stored as JsonObject)?[name] : entry) is { } kept)
                merged[name] = kept.DeepClone();
        }

        return merged;
    }

    private static bool IsBlank(JsonNode? value) =>
        value is null || (value is JsonValue v && v.TryGetValue<string>(out var text) && string.IsNullOrWhiteSpace(text));

    /// <summary>
    /// Without what comes along when a key or an address is pasted; the values of a map are somebody else's headers, which lose it on their way.
    /// A switch may be 1 or 0, as which languages without a boolean type write it.
    /// </summary>
    private static JsonNode AsMeant(ConfigField field, JsonNode value)
    {
        if (field.Kind == ConfigFieldKind.Switch && value is JsonValue said && said.TryGetValue<int>(out var number) && number is 0 or 1)
            return number == 1;
        if (field.Kind is ConfigFieldKind.Text or ConfigFieldKind.Url && value is JsonValue scalar && scalar.TryGetValue<string>(out var text))
            return text.Trim();
        if (field.Kind != ConfigFieldKind.Map || value is not JsonObject map)
            return value;
        return new JsonObject(map.Select(entry => KeyValuePair.Create(
            entry.Key,
            entry.Value is JsonValue one && one.TryGetValue<string>(out var words) ? JsonValue.Create(words.Trim()) : entry.Value?.DeepClone())));
    }

    private static string? Problem(ConfigField field, JsonNode value)
    {
        var scalar = value as JsonValue;
        switch (field.Kind)
        {
            case ConfigFieldKind.Number:
                if (scalar is null || !scalar.TryGetValue<int>(out var number))
                    return $"{field.Label} must be a whole number.";
                return field.Range is var (min, max) && (number < min || number > max)
                    ? string.Create(CultureInfo.InvariantCulture, $"{field.Label} must be between {min} and {max}.")
                    : null;

            case ConfigFieldKind.Switch:
                return scalar is not null && scalar.TryGetValue<bool>(out _) ? null : $"{field.Label} must be true or false.";

            case ConfigFieldKind.Map:
                if (value is not JsonObject map || map.Any(entry => entry.Value?.GetValueKind() != JsonValueKind.String))
                    return $"{field.Label} must be an object whose values are strings.";
                return map.Count > MaxMapEntries || map.Any(entry => ((string)entry.Value!).Length > MaxTextLength)
                    ? string.Create(CultureInfo.InvariantCulture,
                        $"{field.Label} takes at most {MaxMapEntries} entries of at most {MaxTextLength} characters each.")
                    : map.Select(entry => field.CheckEntry?.Invoke(entry.Key, (string)entry.Value!))
                        .FirstOrDefault(problem => problem is not null);

            case ConfigFieldKind.Group:
                return $"{field.Label} must be an object.";

            case ConfigFieldKind.Document:
                return TryDocument(value, out var document)
                    ? field.Check?.Invoke(document)
                    : $"{field.Label} must be a JSON object, or a string that holds one.";

            default:
                if (scalar is null || !scalar.TryGetValue<string>(out var text))
                    return $"{field.Label} must be a string.";
                if (text.Length > MaxTextLength)
                    return $"{field.Label} is too long.";
                if (field.Allowed.Count > 0 && !field.Allowed.Contains(text))
                    return $"{field.Label} must be one of: {string.Join(", ", field.Allowed)}.";
                if (field.Kind == ConfigFieldKind.Url && !IsWebAddress(text))
                    return $"{field.Label} must be an absolute http or https address without a user name.";
                return field.Check?.Invoke(text);
        }
    }

    /// <summary>Whether a text is an absolute http or https address without user information.</summary>
    public static bool IsWebAddress(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var uri)
        && (uri.Scheme == Uri.UriSchemeHttps || uri.Scheme == Uri.UriSchemeHttp)
        && uri.UserInfo.Length == 0 && uri.Host.Length > 0;

    private static bool TryDocument(JsonNode value, out string document)
    {
        document = value.GetValueKind() switch
        {
            JsonValueKind.Object => value.ToJsonString(),
            JsonValueKind.String => (string)value!,
            _ => "",
        };
        try
        {
            return JsonNode.Parse(document) is JsonObject;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
