using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Apertur.Tests.Support.Fakes;

/// <summary>
/// An OAuth provider: authorise, exchange with PKCE, refresh, as RFC 6749 and RFC 7636 have it and Google and Dropbox answer.
/// The person at the authorise page always agrees.
/// </summary>
/// <param name="offline">The query parameter and value without which there is no refresh token.</param>
public sealed class FakeOAuth((string Name, string Value) offline)
{
    public const string ClientId = "apertur-client";
    public const string ClientSecret = "planted-client-secret";

    private readonly ConcurrentDictionary<string, (string Redirect, string Challenge, bool Offline)> _codes = new();
    private readonly ConcurrentDictionary<string, bool> _refreshTokens = new();
    private readonly ConcurrentDictionary<string, bool> _accessTokens = new();

    /// <summary>How this provider says that it does not know the client.</summary>
    public (int Status, string Error) WrongClient { get; init; } = (StatusCodes.Status401Unauthorized, "invalid_client");

    public TimeSpan TokenLifetime { get; } = TimeSpan.FromHours(1);

    /// <summary>A token as if somebody had just connected.</summary>
    public string IssueAccessToken()
    {
        var token = "planted-access-" + Random();
        _accessTokens[token] = true;
        return token;
    }

    public string IssueRefreshToken()
    {
        var token = "planted-refresh-" + Random();
        _refreshTokens[token] = true;
        return token;
    }

    /// <summary>What an hour does: access tokens end, the grant stays.</summary>
    public void Expire() => _accessTokens.Clear();

    /// <summary>The person withdraws the connection at the provider.</summary>
    public void Revoke()
    {
        _accessTokens.Clear();
        _refreshTokens.Clear();
    }

    /// <summary>
    /// Whether the request carries a token that is valid; the scheme's name counts in any case (RFC 9110, 11.1).
    /// </summary>
    public bool Knows(HttpRequest request)
    {
        var header = request.Headers.Authorization.ToString();
        return header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase)
            && _accessTokens.ContainsKey(header["Bearer ".Length..]);
    }

    public IResult Authorize(HttpRequest request)
    {
        var query = request.Query;
        if (query["client_id"] != ClientId || query["response_type"] != "code")
            return Results.BadRequest("invalid_client");
        if (query["code_challenge_method"] != "S256" || query["code_challenge"].ToString().Length != 43)
            return Results.BadRequest("invalid_request: code_challenge");

        var code = "planted-code-" + Random();
        _codes[code] = (query["redirect_uri"]!, query["code_challenge"]!, query[offline.Name] == offline.Value);
        return Results.Redirect($"{query["redirect_uri"]}?state={Uri.EscapeDataString(query["state"]!)}&code={code}");
    }

    public async Task<IResult> TokenAsync(HttpRequest request)
    {
        // Dropbox's own client for Node writes the parameters into the address.
        var form = request.HasFormContentType
            ? await request.ReadFormAsync()
            : new FormCollection(request.Query.ToDictionary(parameter => parameter.Key, parameter => parameter.Value));
        if (form["client_id"] != ClientId || form["client_secret"] != ClientSecret)
            return Error(WrongClient.Error, WrongClient.Status);

        if (form["grant_type"] == "refresh_token")
            return _refreshTokens.ContainsKey(form["refresh_token"]!) ? Tokens(withRefresh: false) : Error("invalid_grant");
        if (form["grant_type"] != "authorization_code")
            return Error("unsupported_grant_type");

        // A code works once, whatever comes of it.
        if (!_codes.TryRemove(form["code"]!, out var code) || code.Redirect != form["redirect_uri"])
            return Error("invalid_grant");
        var challenge = Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(form["code_verifier"].ToString())));
        return challenge == code.Challenge ? Tokens(code.Offline) : Error("invalid_grant");
    }

    private IResult Tokens(bool withRefresh)
    {
        var answer = new JsonObject
        {
            ["access_token"] = IssueAccessToken(),
            ["expires_in"] = (long)TokenLifetime.TotalSeconds,
            ["token_type"] = "bearer",
        };
        if (withRefresh)
            answer["refresh_token"] = IssueRefreshToken();
        return FakeJson.Answer(answer);
    }

    public static IResult Error(string error, int status = StatusCodes.Status400BadRequest) =>
        FakeJson.Answer(new JsonObject { ["error"] = error, ["error_description"] = "planted-description" }, status);

    private static string Random() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(24));
}

/// <summary>Answers of the stand-ins.</summary>
internal static class FakeJson
{
    public static IResult Answer(JsonNode json, int status = StatusCodes.Status200OK) =>
        Results.Text(json.ToJsonString(), "application/json; charset=UTF-8", Encoding.UTF8, status);
}
