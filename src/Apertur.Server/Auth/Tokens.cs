using System.Security.Claims;
using Apertur.Server.Storage;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Apertur.Server.Auth;

/// <summary>
/// Access tokens of signed-in people: JWTs, valid for 15 minutes. They only name a sign-in; what counts is its row, which
/// every call looks up.
/// </summary>
internal sealed class Tokens
{
    public static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(15);

    private const int MaxLength = 8 * 1024;
    private const string Issuer = "apertur";
    private const string Audience = "apertur-api";

    // RFC 9068: a token made for something else by the same key is not taken for one of these.
    private const string Type = "at+jwt";
    private const string SignInClaim = "sid";

    private readonly TimeProvider _clock;
    private readonly JsonWebTokenHandler _handler = new() { SetDefaultTimesOnTokenCreation = false, MaximumTokenSizeInBytes = MaxLength };
    private readonly SymmetricSecurityKey _key;
    private readonly TokenValidationParameters _rules;

    public Tokens(DerivedKeys keys, TimeProvider clock)
    {
        _clock = clock;
        _key = new SymmetricSecurityKey(keys.Key("jwt"));
        _rules = new TokenValidationParameters
        {
            IssuerSigningKey = _key,
            ValidAlgorithms = [SecurityAlgorithms.HmacSha256],
            ValidTypes = [Type],
            ValidIssuer = Issuer,
            ValidAudience = Audience,
            LifetimeValidator = (from, until, _, _) => from <= _clock.GetUtcNow().UtcDateTime && _clock.GetUtcNow().UtcDateTime < until,
        };
    }

    public (string Token, DateTimeOffset ExpiresAt) Create(Guid userId, Guid signInId)
    {
        // The claims have whole seconds.
        var now = DateTimeOffset.FromUnixTimeSeconds(_clock.GetUtcNow().ToUnixTimeSeconds());
        var expiresAt = now + Lifetime;
        var token = _handler.CreateToken(new SecurityTokenDescriptor
        {
            Issuer = Issuer,
            Audience = Audience,
            TokenType = Type,
            IssuedAt = now.UtcDateTime,
            NotBefore = now.UtcDateTime,
            Expires = expiresAt.UtcDateTime,
            Subject = new ClaimsIdentity([new(JwtRegisteredClaimNames.Sub, userId.ToString()), new(SignInClaim, signInId.ToString())]),
            SigningCredentials = new SigningCredentials(_key, SecurityAlgorithms.HmacSha256),
        });
        return (token, expiresAt);
    }

    /// <summary>
    /// The user and sign-in that a token names; null when issuer, audience, signature or time are wrong. Longer ones than we make are not
    /// looked at, nor ones with padding, which a token never has (RFC 7515, 2) and the library overlooks.
    /// </summary>
    public async Task<(Guid UserId, Guid SignInId)?> ReadAsync(string token)
    {
        if (token.Length > MaxLength || token.Contains('='))
            return null;
        var result = await _handler.ValidateTokenAsync(token, _rules);
        return result.IsValid && result.SecurityToken is JsonWebToken jwt
            && Guid.TryParse(jwt.Subject, out var userId)
            && jwt.TryGetPayloadValue<string>(SignInClaim, out var signIn) && Guid.TryParse(signIn, out var signInId)
                ? (userId, signInId)
                : null;
    }
}
