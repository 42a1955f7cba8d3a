using Apertur.Server.Contract;
using Apertur.Server.Fetching;
using Apertur.Server.Http;
using Apertur.Server.Metadata;

namespace Apertur.Server.Pages;

internal enum UploadPageStatus
{
    Open,
    Completed,
    Expired,
    Full,
    NotFound,
}

/// <summary>All that the upload page shows. Values that come from people are plain text here; the page encodes them.</summary>
internal sealed record UploadPageModel
{
    /// <summary>What any session may accept.</summary>
    public static readonly IReadOnlyList<string> AllTypes = ["image/jpeg", "image/png", "image/webp", "image/heic"];

    /// <summary>As it stands in the address; null when there is no such session.</summary>
    public string? SessionId { get; init; }

    public required UploadPageStatus Status { get; init; }

    public required PageLook Look { get; init; }

    /// <summary>What the project is called, or wants to be called here.</summary>
    public string? ProjectName { get; init; }

    /// <summary>Path of the project's logo.</summary>
    public string? Logo { get; init; }

    /// <summary>The project's colour, six hex digits.</summary>
    public string? Accent { get; init; }

    public string? Label { get; init; }

    /// <summary>Media types, as in session info.</summary>
    public IReadOnlyList<string> AcceptedTypes { get; init; } = AllTypes;

    /// <summary>Over the whole session.</summary>
    public int MaxImages { get; init; }

    public int ImagesCount { get; init; }

    public int MaxImageSizeMb { get; init; }

    /// <summary>Pixels of the longer side; null without limit.</summary>
    public int? MaxImageDimension { get; init; }

    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>The session has a password: label and limits are withheld until the script has verified it.</summary>
    public bool PasswordNeeded { get; init; }

    /// <summary>Visitors may take back what they have sent.</summary>
    public bool AllowWithdraw { get; init; } = true;

    /// <summary>Of the session's creator, see <see cref="Pages.Instructions"/>.</summary>
    public string? Instructions { get; init; }

    public string? ThankYou { get; init; }

    public string? ReturnUrl { get; init; }

    /// <summary>Photos may be given by an address that this server fetches them from.</summary>
    public bool TakesAddresses { get; init; }

    /// <summary>That address may be one without a certificate.</summary>
    public bool TakesHttp { get; init; }

    /// <summary>Providers whose pickers are offered.</summary>
    public IReadOnlyList<CloudSource> Clouds { get; init; } = [];

    /// <summary>Only the camera is offered.</summary>
    public bool CameraOnly { get; init; }

    /// <summary>Each photo may have a caption.</summary>
    public bool AllowCaptions { get; init; }

    /// <summary>What is removed from photos.</summary>
    public Strip Strip { get; init; }

    /// <summary>What is asked of whoever sends photos.</summary>
    public IReadOnlyList<AskedField> Ask { get; init; } = [];

    /// <summary>What was typed of it in a form that was sent without script.</summary>
    public IReadOnlyDictionary<string, string> Typed { get; init; } = new Dictionary<string, string>();

    /// <summary>Why nothing was taken of that form: which of its fields are missing, or wrong with the API's words for it.</summary>
    public IReadOnlyDictionary<string, string> Wrong { get; init; } = new Dictionary<string, string>();

    /// <summary>By the server's clock.</summary>
    public DateTimeOffset Now { get; init; }

    /// <summary>The project has a key of its own that this session cannot use: photos are sent as they are, and the page says so.</summary>
    public bool SealingDowngraded { get; init; }

    /// <summary>Seconds until another password may be tried; null while one may.</summary>
    public int? PasswordWait { get; init; }

    /// <summary>PEM of the key that photos are encrypted to before they leave the browser; null when they are sent as they are.</summary>
    public string? SealingKey { get; init; }

    /// <summary>The form was sent without script and its password was missing or wrong.</summary>
    public bool PasswordWrong { get; init; }

    /// <summary>Its password was right, so what stands behind it may be shown.</summary>
    public bool PasswordGiven { get; init; }

    /// <summary>Why nothing was taken of a form that was sent without script; null when its files were looked at.</summary>
    public ApiError? Refused { get; init; }

    /// <summary>What became of each file of a form that was sent without script.</summary>
    public IReadOnlyList<UploadPageResult> Results { get; init; } = [];
}

/// <summary>One file of the form. Without <paramref name="Code"/> it was received.</summary>
/// <param name="FileName">As the browser sent it.</param>
/// <param name="Code">The API's error code, such as <c>IMAGE_TOO_LARGE</c>.</param>
/// <param name="Message">The API's message, shown for codes that the page has no words for.</param>
internal sealed record UploadPageResult(string FileName, string? Code = null, string? Message = null);
