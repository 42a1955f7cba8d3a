using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Apertur.Destinations;

/// <summary>
/// The condition under which a receiver's answer counts as success, for receivers that answer 200 whatever happened: a place in its JSON (RFC
/// 6901) and the value there.
/// </summary>
public sealed class SuccessRule
{
    /// <summary>An answer that is longer does not count.</summary>
    public const int MaxAnswerBytes = 64 * 1024;

    private const int MaxPointerLength = 1024;
    private const string Form = "must be an object such as { \"pointer\": \"/status\", \"equals\": \"ok\" }, with a JSON pointer (RFC 6901).";

    private readonly string[] _steps;
    private readonly JsonNode? _value;

    private SuccessRule(string[] steps, JsonNode? value) => (_steps, _value) = (steps, value);

    /// <summary>A message for a rule that cannot be applied; null for one that can.</summary>
    public static string? Problem(string json) => Parse(json) is null ? "The condition for success " + Form : null;

    /// <summary>The rule, or null when it is none.</summary>
    public static SuccessRule? Parse(string json)
    {
        if (JsonNode.Parse(json) is not JsonObject rule || rule.Count != 2 || !rule.TryGetPropertyValue("equals", out var value)
            || value is JsonObject or JsonArray || rule["pointer"] is not JsonValue text || !text.TryGetValue<string>(out var pointer)
            || pointer.Length > MaxPointerLength || (pointer.Length > 0 && pointer[0] != '/'))
            return null;
        var steps = pointer.Split('/')[1..];
        return Array.Exists(steps, step => step.Replace("~0", "", StringComparison.Ordinal).Replace("~1", "", StringComparison.Ordinal).Contains('~'))
            ? null
            : new([.. steps.Select(step => step.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal))], value);
    }

    /// <summary>Whether an answer meets the rule. One that is no JSON, or has nothing at that place, does not.</summary>
    public bool IsMetBy(ReadOnlySpan<byte> answer)
    {
        try
        {
            var node = JsonNode.Parse(answer, documentOptions: JsonApi.Strict);
            foreach (var step in _steps)
            {
                switch (node)
                {
                    case JsonObject members when members.TryGetPropertyValue(step, out var member):
                        node = member;
                        break;
                    case JsonArray items when Index(step) is { } index && index < items.Count:
                        node = items[index];
                        break;
                    default:
                        return false;
                }
            }

            return JsonNode.DeepEquals(node, _value);
        }
        catch (JsonException)
        {
            return false;
        }
    }

    // RFC 6901, 4: digits without a leading zero.
    private static int? Index(string step) =>
        step is "0" or [>= '1' and <= '9', ..] && int.TryParse(step, NumberStyles.None, CultureInfo.InvariantCulture, out var index) ? index : null;
}
