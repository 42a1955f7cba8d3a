namespace Apertur.Server.Destinations;

/// <summary>An OAuth grant (refresh and access token) of one destination.</summary>
internal sealed class OAuthGrant
{
    /// <summary>The places that the tokens are bound to when encrypted.</summary>
    public const string RefreshTokenColumn = "oauth_grants.refresh_token";
    public const string AccessTokenColumn = "oauth_grants.access_token";

    /// <summary>The destination's.</summary>
    public required Guid Id { get; init; }

    /// <summary>Encrypted.</summary>
    public required string RefreshToken { get; set; }

    /// <summary>Encrypted; null when it has to be renewed before the next use.</summary>
    public string? AccessToken { get; set; }

    /// <summary>From then on it is renewed: some time before it ends, so that a long upload still ends with it.</summary>
    public required DateTimeOffset AccessUntil { get; set; }

    /// <summary>Changes with every change of a token, so that a result for an older one is recognised as stale.</summary>
    public required Guid Version { get; set; }

    /// <summary>Names the worker that is asking the provider for a new token; null when nobody is.</summary>
    public Guid? Refresher { get; set; }

    public DateTimeOffset? RefreshUntil { get; set; }
    public required DateTimeOffset ConnectedAt { get; set; }
}

/// <summary>A pending OAuth authorisation request.</summary>
internal sealed class OAuthRequest
{
    /// <summary>The place that <see cref="Verifier"/> is bound to when encrypted.</summary>
    public const string VerifierColumn = "oauth_requests.verifier";

    public required Guid Id { get; init; }

    /// <summary>SHA-256 of the state that comes back from the provider, hex.</summary>
    public required string StateHash { get; init; }

    /// <summary>SHA-256 of the cookie of the browser that began it, hex; null when an API key asked, which has no browser.</summary>
    public string? BrowserHash { get; init; }

    public required Guid DestinationId { get; init; }

    /// <summary>The key that asked; null for a person.</summary>
    public Guid? KeyId { get; init; }

    /// <summary>The person who asked; null for a key.</summary>
    public Guid? UserId { get; init; }

    /// <summary>The PKCE verifier, encrypted.</summary>
    public required string Verifier { get; init; }

    /// <summary>Where the provider sends the person back to: said again, to the letter, when the code is exchanged.</summary>
    public required string Callback { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }
}
