namespace Apertur.Destinations;

/// <summary>
/// What the operator decides about destination types, for all projects: the registered OAuth clients, and other addresses for
/// services that are reached over a private endpoint. Never part of a destination's own configuration.
/// </summary>
public sealed record DestinationSettings
{
    /// <summary>Root of the Cloud Storage JSON API, <c>/storage/v1</c> and <c>/upload/storage/v1</c> below it.</summary>
    public Uri GcsApi { get; init; } = new("https://storage.googleapis.com/");

    /// <summary>Root of the Drive API, <c>/drive/v3</c> and <c>/upload/drive/v3</c> below it.</summary>
    public Uri DriveApi { get; init; } = new("https://www.googleapis.com/");

    /// <summary>Root of Dropbox's RPC endpoints.</summary>
    public Uri DropboxApi { get; init; } = new("https://api.dropboxapi.com/");

    /// <summary>Root of Dropbox's content endpoints.</summary>
    public Uri DropboxContent { get; init; } = new("https://content.dropboxapi.com/");

    /// <summary>
    /// The client for Google Drive. The default scope reaches only what this server made itself, which Google grants without a
    /// review; folders that people made need <c>https://www.googleapis.com/auth/drive</c>.
    /// </summary>
    public OAuthClient GoogleDrive { get; init; } = new()
    {
        AuthorizeEndpoint = new("https://accounts.google.com/o/oauth2/v2/auth"),
        TokenEndpoint = new("https://oauth2.googleapis.com/token"),
        Scope = "https://www.googleapis.com/auth/drive.file",
    };

    /// <summary>The client for Dropbox.</summary>
    public OAuthClient Dropbox { get; init; } = new()
    {
        AuthorizeEndpoint = new("https://www.dropbox.com/oauth2/authorize"),
        TokenEndpoint = new("https://api.dropboxapi.com/oauth2/token"),
        Scope = "files.content.write files.metadata.read",
    };
}

/// <summary>This server as it is registered at an OAuth provider.</summary>
public sealed record OAuthClient
{
    /// <summary>Empty while the operator has not registered this server.</summary>
    public string ClientId { get; init; } = "";

    public string ClientSecret { get; init; } = "";

    public required Uri AuthorizeEndpoint { get; init; }

    public required Uri TokenEndpoint { get; init; }

    /// <summary>What is asked for, separated by spaces.</summary>
    public required string Scope { get; init; }

    public bool IsConfigured => ClientId.Length > 0 && ClientSecret.Length > 0;

    /// <summary>Without the secret.</summary>
    public override string ToString() => $"OAuth client {ClientId}";
}
