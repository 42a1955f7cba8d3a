namespace Apertur.Server.Events;

/// <summary>The names of what can happen in a project, and the patterns that choose among them.</summary>
internal static class Topics
{
    public const string UploadStarted = "project.upload.started";
    public const string UploadCompleted = "project.upload.completed";
    public const string UploadFailed = "project.upload.failed";
    public const string UploadDamaged = "project.upload.damaged";
    public const string SessionCreated = "project.session.created";
    public const string SessionCompleted = "project.session.completed";
    public const string SessionExpired = "project.session.expired";
    public const string DestinationDisabled = "project.destination.disabled";

    /// <summary>Sent on demand only; no pattern is needed to receive it.</summary>
    public const string Test = "project.webhook.test";

    public static IReadOnlyList<string> All { get; } =
    [
        UploadStarted, UploadCompleted, UploadFailed, UploadDamaged, SessionCreated, SessionCompleted, SessionExpired, DestinationDisabled,
    ];

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
