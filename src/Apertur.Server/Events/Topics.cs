namespace Apertur.Server.Events;

/// <summary>The names of what can happen in a project, and the patterns that choose among them.</summary>
internal static class Topics
{
    public const string UploadStarted = "project.upload.started";
    public const string UploadCompleted = "project.upload.completed";
    public const string UploadFailed = "project.upload.failed";
    public const string UploadCaptioned = "project.upload.captioned";
    public const string UploadDamaged = "project.upload.damaged";
    public const string SessionCreated = "project.session.created";
    public const string SessionCompleted = "project.session.completed";
    public const string SessionExpired = "project.session.expired";
    public const string DestinationDisabled = "project.destination.disabled";
    public const string DestinationFailing = "project.destination.failing";
    public const string DestinationRecovered = "project.destination.recovered";

    /// <summary>Sent on demand only; no pattern is needed to receive it.</summary>
    public const string Test = "project.webhook.test";

    public static IReadOnlyList<string> All { get; } =
    [
        UploadStarted, UploadCompleted, UploadFailed, UploadCaptioned, UploadDamaged, SessionCreated, SessionCompleted, SessionExpired,
        DestinationDisabled, DestinationFailing, DestinationRecovered,
    ];

    /// <summary>Words between dots.</summary>
    public const int MaxWords = 6;

    // Shorter names that newer clients and their documentation use.
    private static readonly Dictionary<string, string[]> _aliases = new(StringComparer.Ordinal)
    {
        [UploadStarted] = ["upload.started", "image.uploaded", "project.upload.image.uploaded"],
        [UploadCompleted] = ["upload.completed", "image.delivered", "project.upload.image.delivered"],
        [UploadFailed] = ["upload.failed", "image.failed"],
        [SessionCreated] = ["session.created"],
        [SessionCompleted] = ["session.completed"],
        [SessionExpired] = ["session.expired"],
    };

    /// <summary>Whether a text can be a topic or a pattern, whether or not there is such a topic.</summary>
    public static bool IsWellFormed(string pattern) =>
        pattern.Split('.') is { Length: <= MaxWords } words && Array.TrueForAll(words, word =>
            word == "*" || (word.Length > 0 && word.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '_')));

    /// <summary>What to tell who asks for topics that nothing raises.</summary>
    public static IEnumerable<string> Warnings(IEnumerable<string> patterns) => patterns
        .Where(pattern => All.All(topic => SpellingFor([pattern], topic) is null))
        .Select(pattern => $"Nothing raises the topic '{pattern}'. Topics are: {string.Join(", ", All)}.");

    /// <summary>
    /// How who asked for those patterns spells a topic: by its own name or one of its aliases, as the first pattern that chooses it does; null
    /// when none does.
    /// </summary>
    public static string? SpellingFor(IEnumerable<string> patterns, string topic)
    {
        string[] spellings = [topic, .. _aliases.GetValueOrDefault(topic, [])];
        return patterns.Select(pattern => Array.Find(spellings, spelling => Matches(pattern, spelling))).FirstOrDefault(found => found is not null);
    }

    /// <summary>
    /// Whether a pattern chooses a topic. A <c>*</c> stands for one part between dots, at the end for all that follow, and alone
    /// for everything.
    /// </summary>
    public static bool Matches(string pattern, string topic)
    {
        var wanted = pattern.Split('.');
        var parts = topic.Split('.');
        for (var i = 0; i < wanted.Length; i++)
        {
            if (i == parts.Length || (wanted[i] != "*" && wanted[i] != parts[i]))
                return false;
        }

        return wanted.Length == parts.Length || wanted[^1] == "*";
    }
}
