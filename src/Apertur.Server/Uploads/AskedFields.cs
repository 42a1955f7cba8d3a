using Apertur.Server.Contract;
using Apertur.Server.Http;

namespace Apertur.Server.Uploads;

/// <summary>What the page of a session may ask of whoever sends photos.</summary>
internal static class AskedFields
{
    private const string Note = "note";
    private const string Email = "email";

    // By name: how many characters an answer may have.
    private static readonly Dictionary<string, int> _longest = new()
    {
        ["name"] = 200,
        [Email] = 254,
        ["phone"] = 40,
        ["reference"] = 200,
        [Note] = 1000,
    };

    public static int Longest(string name) => _longest[name];

    /// <summary>Why a session cannot ask this; null when it can.</summary>
    public static string? Problem(IReadOnlyList<AskedField> asked) =>
        asked.Any(each => each?.Field is null || !_longest.ContainsKey(each.Field)) || asked.DistinctBy(each => each.Field).Count() < asked.Count
            ? $"ask is a list of {{ field, required }}, each field once, of {string.Join(", ", _longest.Keys)}."
            : null;

    /// <summary>The field of an upload that carries the answer.</summary>
    public static UploadField Of(AskedField asked) => new(asked.Field, text => Check(asked.Field, text));

    private static string? Check(string name, string? text)
    {
        var answer = PlainText.Of(text ?? "", keepsLines: name == Note);
        if (answer.Length > _longest[name])
            throw ApiErrors.Validation(name, $"{name} may have up to {_longest[name]} characters.").ToException();
        if (name == Email && answer.Length > 0 && !HasShapeOfEmail(answer))
            throw ApiErrors.Validation(name, "email must be an e-mail address.").ToException();
        return answer.Length == 0 ? null : answer;
    }

    /// <summary>Whether browsers could take it for one, and more: only a message that arrives proves an address.</summary>
    private static bool HasShapeOfEmail(string text) =>
        text.IndexOf('@', StringComparison.Ordinal) is > 0 and var at && at < text.Length - 1
        && text.LastIndexOf('@') == at && !text.Any(char.IsWhiteSpace);
}
