using System.Text.Json.Nodes;
using Apertur.Server.Contract;
using Apertur.Server.Http;
using Apertur.Server.Sessions;

namespace Apertur.Server.Uploads;

/// <summary>
/// The fields that a sender may give with a photo, as they are stored. A form, an envelope and the page without scripts read them from one
/// list, <see cref="All"/>; <c>docs/add-an-upload-field.md</c> says where else a new one appears.
/// </summary>
internal sealed record UploadFields
{
    public static IReadOnlyList<UploadField> All { get; } =
    [
        new("source", Sources.Check) { CheckInEnvelope = Sources.CheckInEnvelope, OnPage = "gallery" },
        new("visitor", CheckVisitor) { OnPage = "" },
        new("caption", CheckCaption) { IsReadIn = session => session.AllowCaptions },
    ];

    /// <summary>Characters of a caption.</summary>
    public const int MaxCaptionLength = 500;

    public required string Source { get; init; }

    /// <summary>Who sent it, of those on the page of its session, see <see cref="Sessions.Visitor"/>; null when it does not say.</summary>
    public required string? Visitor { get; init; }

    /// <summary>What its sender says of this photo; null when nothing, or when its session takes no captions.</summary>
    public required string? Caption { get; init; }

    /// <summary>What its session asked for and the sender gave, see <see cref="AskedFields"/>: a JSON object of texts; null when nothing was given.</summary>
    public required string? Answers { get; init; }

    public static UploadFields Of(SentFields sent) => new()
    {
        Source = sent["source"]!,
        Visitor = sent["visitor"],
        Caption = sent["caption"],
        Answers = sent.Answers,
    };

    /// <summary><see cref="Answers"/> to be told.</summary>
    public static JsonObject? Read(string? answers) => answers is null ? null : JsonNode.Parse(answers)!.AsObject();

    /// <summary>What stays of them when the photo goes: nothing that its sender wrote.</summary>
    public UploadFields WithoutWords() => new() { Source = Source, Visitor = null, Caption = null, Answers = null };

    private static string? CheckVisitor(string? text) =>
        string.IsNullOrEmpty(text) ? null
        : Ids.TryParse(text, out var id) ? id.ToString()
        : throw ApiErrors.Validation("visitor", "visitor must be a UUID.").ToException();

    /// <summary>A caption as it is stored: one line, null when there is nothing in it.</summary>
    /// <exception cref="ApiErrorException">400: it is too long.</exception>
    public static string? CheckCaption(string? text)
    {
        var caption = PlainText.Of(text ?? "", keepsLines: false);
        return caption.Length > MaxCaptionLength
            ? throw ApiErrors.Validation("caption", $"caption may have up to {MaxCaptionLength} characters.").ToException()
            : caption.Length == 0 ? null : caption;
    }
}

/// <summary>One field that a sender may give.</summary>
/// <param name="Name">Of the part in a form, of the member beside an envelope, and of the input in the page.</param>
/// <param name="Check">The value to store for the text that was sent, or for null when none was. Throws what refuses the upload.</param>
internal sealed record UploadField(string Name, Func<string?, string?> Check)
{
    /// <summary>The same for what stands beside an envelope.</summary>
    public Func<string?, string?> CheckInEnvelope { get; init; } = Check;

    /// <summary>What the page without scripts gives, which then has no input for it; empty when it gives nothing, null when it has an input.</summary>
    public string? OnPage { get; init; }

    /// <summary>Whether uploads to that session may have it; where they may not, nobody reads it.</summary>
    public Func<UploadSession, bool> IsReadIn { get; init; } = static _ => true;
}

/// <summary>The fields of one upload as they come in, each checked when it comes.</summary>
/// <param name="session">What it asks for is a field each.</param>
internal sealed class SentFields(UploadSession session)
{
    private readonly AskedField[] _asked = session.Ask;
    private readonly Dictionary<string, string?> _values = [];

    /// <summary>All that may be sent.</summary>
    public IReadOnlyList<UploadField> Fields { get; } =
        [.. UploadFields.All.Where(field => field.IsReadIn(session)), .. session.Ask.Select(AskedFields.Of)];

    /// <summary>What was given of what is asked for, as a JSON object; null when nothing was.</summary>
    public string? Answers
    {
        get
        {
            var given = _asked.Where(each => this[each.Field] is not null).ToList();
            return given.Count == 0 ? null
                : new JsonObject(given.Select(each => KeyValuePair.Create(each.Field, (JsonNode?)this[each.Field]))).ToJsonString();
        }
    }

    /// <summary>What must be given and was not.</summary>
    public IEnumerable<string> Missing => _asked.Where(each => each.Required && this[each.Field] is null).Select(each => each.Field);

    /// <summary>The value to store; that of an absent text when the field was not sent, null when nobody reads it.</summary>
    public string? this[string name] => _values.TryGetValue(name, out var value) ? value : Find(name)?.Check(null);

    /// <summary>The fields that the page without scripts gives by itself.</summary>
    public static SentFields OfPage(UploadSession session)
    {
        var sent = new SentFields(session);
        foreach (var field in UploadFields.All)
            sent.Take(field, field.OnPage);
        return sent;
    }

    public UploadField? Find(string? name) => Fields.FirstOrDefault(field => field.Name == name);

    /// <summary>Holds who sends from the page, which a visitor's id shows, to what it asks for. Programs need not know of it.</summary>
    /// <exception cref="ApiErrorException">400: something is missing.</exception>
    public void RequireAnswers()
    {
        if (this["visitor"] is not null && Missing.ToList() is { Count: > 0 } missing)
            throw ApiErrors.Validation([.. missing.Select(name => new FieldError(name, $"{name} is asked for in this session."))]).ToException();
    }

    /// <exception cref="ApiErrorException">400: the field does not take this.</exception>
    public void Take(UploadField field, string? text) => _values[field.Name] = field.Check(text);

    /// <summary>Takes what stands beside an envelope: a part of the form around it, before or after, counts for more.</summary>
    /// <exception cref="ApiErrorException">400: the field does not take this.</exception>
    public void TakeFromEnvelope(UploadField field, string? text) => _values.TryAdd(field.Name, field.CheckInEnvelope(text));
}
