using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text;

namespace Apertur.Destinations;

/// <summary>
/// The authorisation code flow (RFC 6749, 4.1) with PKCE (RFC 7636, S256) and a refresh token, for one registered client.
/// </summary>
/// <param name="http">Carries every request.</param>
/// <param name="client">This server's registration, with id and secret.</param>
/// <param name="offline">Query parameters by which this provider gives a refresh token, which no standard names.</param>
/// <param name="clock">Reads <c>Retry-After</c> dates.</param>
public sealed class OAuthFlow(
    OutboundHttp http, OAuthClient client, IReadOnlyDictionary<string, string> offline, TimeProvider clock)
{
    // Providers may leave expires_in out (RFC 6749, 5.1); then the token counts as short-lived.
    private static readonly TimeSpan _defaultLifetime = TimeSpan.FromMinutes(5);

    private readonly JsonApi _api = new(http, clock);

    /// <summary>A fresh PKCE verifier, to be kept beside the state until the callback.</summary>
    public static string NewVerifier() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));

    /// <summary>Where the person goes to allow the connection.</summary>
    /// <param name="callback">Where the provider sends the person back to; registered at the provider.</param>
    /// <param name="state">Comes back with the code; single-use, unguessable and bound to the person by the caller.</param>
    /// <param name="verifier">From <see cref="NewVerifier"/>; only its hash leaves in this address.</param>
    public Uri AuthorizeAddress(Uri callback, string state, string verifier)
    {
        var query = new Dictionary<string, string>(offline)
        {
            ["response_type"] = "code",
            ["client_id"] = client.ClientId,
            ["redirect_uri"] = callback.AbsoluteUri,
            ["scope"] = client.Scope,
            ["state"] = state,
            ["code_challenge"] = Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(verifier))),
            ["code_challenge_method"] = "S256",
        };
        return new UriBuilder(client.AuthorizeEndpoint) { Query = JsonApi.Query(query) }.Uri;
    }

    /// <summary>Turns the code of a callback into tokens; a code works once.</summary>
    public Task<OAuthAnswer> ExchangeAsync(string code, Uri callback, string verifier, CancellationToken cancellationToken) =>
        AskAsync(
            new()
            {
                ["grant_type"] = "authorization_code",
                ["code"] = code,
                ["redirect_uri"] = callback.AbsoluteUri,
                ["code_verifier"] = verifier,
            },
            cancellationToken);

    /// <summary>
    /// A new access token. When the answer brings a refresh token too, it replaces the old one.
    /// </summary>
    public Task<OAuthAnswer> RefreshAsync(string refreshToken, CancellationToken cancellationToken) =>
        AskAsync(new() { ["grant_type"] = "refresh_token", ["refresh_token"] = refreshToken }, cancellationToken);

    private async Task<OAuthAnswer> AskAsync(Dictionary<string, string> form, CancellationToken cancellationToken)
    {
        form["client_id"] = client.ClientId;
        form["client_secret"] = client.ClientSecret;
        using var request = new HttpRequestMessage(HttpMethod.Post, client.TokenEndpoint);
        request.Content = new FormUrlEncodedContent(form);
        OAuthAnswer? answer = null;
        var failure = await _api.AttemptAsync(0, async deadline =>
        {
            var said = await _api.SendAsync(request, deadline);
            answer = Read(said);
            return said.Outcome;
        }, cancellationToken);
        return answer ?? new OAuthAnswer.TryAgain(failure.ReasonText!);
    }

    private static OAuthAnswer Read(ApiAnswer answer)
    {
        if (answer.IsSuccess && answer.Token("access_token") is { } token)
        {
            var lifetime = answer.Seconds("expires_in") ?? _defaultLifetime;
            return new OAuthAnswer.Granted(token, lifetime, answer.Token("refresh_token"));
        }

        // RFC 6749, 5.2. Google and Dropbox both answer invalid_grant when a person has withdrawn the connection. Dropbox puts
        // more behind some of the words: "invalid_client: Invalid client_id or client_secret".
        return answer.Text("error")?.Split(':')[0] switch
        {
            "invalid_grant" => new OAuthAnswer.Revoked(
                "The connection was withdrawn or has ended. Connect the destination again."),
            "invalid_client" or "unauthorized_client" => new OAuthAnswer.Misconfigured(
                "The provider does not accept this server's client id and secret."),
            "redirect_uri_mismatch" => new OAuthAnswer.Misconfigured(
                "The provider does not know this server's callback address."),
            "invalid_request" or "invalid_scope" or "unsupported_grant_type" => new OAuthAnswer.Misconfigured(
                "The provider refused the request of this server's client."),
            _ when answer.Status == HttpStatusCode.Unauthorized => new OAuthAnswer.Misconfigured(
                "The provider does not accept this server's client id and secret."),
            _ => new OAuthAnswer.TryAgain($"The provider's token endpoint answered {(int)answer.Status}.", answer.RetryAfter),
        };
    }
}

/// <summary>What the provider's token endpoint said.</summary>
public abstract record OAuthAnswer
{
    private OAuthAnswer() { }

    /// <param name="AccessToken">For <see cref="DestinationConfig.AccessToken"/>.</param>
    /// <param name="ExpiresIn">How long it is valid from now on.</param>
    /// <param name="RefreshToken">A new one to keep; null when the old one stays.</param>
    public sealed record Granted(string AccessToken, TimeSpan ExpiresIn, string? RefreshToken) : OAuthAnswer
    {
        /// <summary>Without the tokens.</summary>
        public override string ToString() => "Granted";
    }

    /// <summary>The grant is gone (<c>invalid_grant</c>): only the person who connected can help.</summary>
    public sealed record Revoked(string Reason) : OAuthAnswer;

    /// <summary>The operator's registration at the provider is wrong; the grant may be good.</summary>
    public sealed record Misconfigured(string Reason) : OAuthAnswer;

    /// <summary>Nothing is known of the grant: too many requests, a server's error, no answer.</summary>
    public sealed record TryAgain(string Reason, TimeSpan? After = null) : OAuthAnswer;
}
