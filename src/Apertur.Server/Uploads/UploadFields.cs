using Apertur.Server.Http;

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
    ];

    public required string Source { get; init; }

    /// <summary>Who sent it, of those on the page of its session, see <see cref="Sessions.Visitor"/>; null when it does not say.</summary>
    public required string? Visitor { get; init; }

    public static UploadFields Of(SentFields sent) => new()
    {
        Source = sent["source"]!,
        Visitor = sent["visitor"],
    };

    /// <summary>What stays of them when the photo goes: nothing that its sender wrote.</summary>
    public UploadFields WithoutWords() => new() { Source = Source, Visitor = null };

    private static string? CheckVisitor(string? text) =>
        string.IsNullOrEmpty(text) ? null
        : Ids.TryParse(text, out var id) ? id.ToString()
        : throw ApiErrors.Validation("visitor", "visitor must be a UUID.").ToException();

    public static UploadField? Find(string? name) => All.FirstOrDefault(field => field.Name == name);
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
}

/// <summary>The fields of one upload as they come in, each checked when it comes.</summary>
internal sealed class SentFields
{
    private readonly Dictionary<string, string?> _values = [];

    /// <summary>The value to store; that of an absent text when the field was not sent.</summary>
    public string? this[string name] => _values.TryGetValue(name, out var value) ? value : UploadFields.All.Single(field => field.Name == name).Check(null);

    /// <summary>The fields that the page without scripts gives by itself.</summary>
    public static SentFields OfPage()
    {
        var sent = new SentFields();
        foreach (var field in UploadFields.All.Where(field => field.OnPage is not null))
            sent.Take(field, field.OnPage);
        return sent;
    }

    /// <exception cref="ApiErrorException">400: the field does not take this.</exception>
    public void Take(UploadField field, string? text) => _values[field.Name] = field.Check(text);

    /// <summary>Takes what stands beside an envelope: a part of the form around it, before or after, counts for more.</summary>
    /// <exception cref="ApiErrorException">400: the field does not take this.</exception>
    public void TakeFromEnvelope(UploadField field, string? text) => _values.TryAdd(field.Name, field.CheckInEnvelope(text));
}
