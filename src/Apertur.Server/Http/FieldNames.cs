using System.Collections.Concurrent;
using System.Text.Json.Nodes;

namespace Apertur.Server.Http;

/// <summary>Another name that a field of a request is sent under. The same name in snake_case or camelCase needs none.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class AliasAttribute(params string[] names) : Attribute
{
    public string[] Names { get; } = names;
}

/// <summary>A list of texts that may also be sent as an object: <c>{"claim": 17}</c> is <c>["claim:17"]</c>.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class PairsAttribute : Attribute;

/// <summary>A field that a request had once. It is refused, with the name of what took its place: ignoring it would lose photos.</summary>
[AttributeUsage(AttributeTargets.Class, AllowMultiple = true)]
internal sealed class RetiredFieldAttribute(string name, string replacement) : Attribute
{
    public string Name { get; } = name;
    public string Replacement { get; } = replacement;
}

/// <summary>
/// The names that the fields of a JSON object go by: the one of the contract, its twin in the other casing, and older ones. Names are compared
/// without underscores and case, so <c>max_images</c>, <c>maxImages</c> and <c>MaxImages</c> are one.
/// </summary>
internal sealed class FieldNames
{
    private const int MaxShown = 64;

    private static readonly ConcurrentDictionary<Type, FieldNames> _ofRequests = [];

    private readonly Dictionary<string, string> _names = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _retired = new(StringComparer.Ordinal);
    private readonly HashSet<string> _pairs = new(StringComparer.Ordinal);

    public FieldNames(IEnumerable<string> names)
    {
        foreach (var name in names)
            _names[Fold(name)] = name;
    }

    /// <summary>The fields of a request, as its record says.</summary>
    public static FieldNames Of(Type request) => _ofRequests.GetOrAdd(request, type =>
    {
        var properties = WireJson.Wire.GetTypeInfo(type)!.Properties;
        var names = new FieldNames(properties.Select(property => property.Name));
        foreach (var property in properties)
        {
            foreach (var alias in property.AttributeProvider?.GetCustomAttributes(typeof(AliasAttribute), false).Cast<AliasAttribute>() ?? [])
                alias.Names.ToList().ForEach(name => names._names.TryAdd(Fold(name), property.Name));
            if (property.AttributeProvider?.IsDefined(typeof(PairsAttribute), false) is true)
                names._pairs.Add(property.Name);
        }

        foreach (var retired in type.GetCustomAttributes(typeof(RetiredFieldAttribute), false).Cast<RetiredFieldAttribute>())
            names._retired[Fold(retired.Name)] = retired.Replacement;
        return names;
    });

    /// <summary>Sorts the members of an object into those that are fields, under the names of the contract, and the others.</summary>
    /// <exception cref="ApiErrorException">400: one field under two names with different values, or a field that is no more.</exception>
    public (JsonObject Fields, JsonObject Unknown) Sort(JsonObject sent)
    {
        var (fields, unknown) = (new JsonObject(), new JsonObject());
        var sentAs = new Dictionary<string, string>(StringComparer.Ordinal);
        var members = sent.ToList();
        sent.Clear();
        foreach (var (name, value) in members)
        {
            var folded = Fold(name);
            if (value is not null && _retired.TryGetValue(folded, out var replacement))
                throw ApiErrors.Validation(name, $"{name} is no field of this request any more: use {replacement}.").ToException();
            if (!_names.TryGetValue(folded, out var field))
                unknown[name] = value;
            else if (sentAs.TryAdd(field, name))
                fields[field] = _pairs.Contains(field) && value is JsonObject pairs ? Listed(name, pairs) : value;
            else if (!JsonNode.DeepEquals(fields[field], value))
                throw ApiErrors.Validation(field, $"{sentAs[field]} and {name} are the same field and have different values. Send one of them.").ToException();
        }

        return (fields, unknown);
    }

    /// <summary>Tells of a member that is no field, and which one may have been meant.</summary>
    public string Warning(string unknown, string prefix = "")
    {
        var folded = Fold(unknown);
        var nearest = _names.Keys.MinBy(name => Distance(folded, name));
        var meant = nearest is not null && Distance(folded, nearest) <= (folded.Length + 1) / 3
            ? $"; did you mean '{prefix}{_names[nearest]}'?"
            : ".";
        return $"Unknown field '{prefix}{(unknown.Length <= MaxShown ? unknown : unknown[..MaxShown] + "…")}'{meant}";
    }

    private static JsonArray Listed(string field, JsonObject pairs) =>
        pairs.Any(pair => pair.Value is null or JsonObject or JsonArray)
            ? throw ApiErrors.Validation(field, $"{field} must be a list of texts, or an object of texts and numbers.").ToException()
            : [.. pairs.Select(pair => JsonValue.Create($"{pair.Key}:{pair.Value}"))];

    private static string Fold(string name) => name.Replace("_", "", StringComparison.Ordinal).ToLowerInvariant();

    /// <summary>Levenshtein's, where two letters that changed places count once (optimal string alignment).</summary>
    private static int Distance(string a, string b)
    {
        if (Math.Abs(a.Length - b.Length) > MaxShown)
            return int.MaxValue;
        var table = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++)
        {
            for (var j = 0; j <= b.Length; j++)
            {
                table[i, j] = i == 0 || j == 0
                    ? i + j
                    : Math.Min(Math.Min(table[i - 1, j], table[i, j - 1]) + 1, table[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    table[i, j] = Math.Min(table[i, j], table[i - 2, j - 2] + 1);
            }
        }

        return table[a.Length, b.Length];
    }
}
