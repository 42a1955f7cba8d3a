using System.Security.Claims;
using Apertur.Server.Accounts;
using Microsoft.IdentityModel.JsonWebTokens;

namespace Apertur.Server.OpenId;

/// <summary>Whom the provider says it has before it.</summary>
/// <param name="Issuer">The provider.</param>
/// <param name="Subject">Its own name for the person.</param>
/// <param name="VerifiedEmail">As <see cref="User.CleanEmail"/> gives it; null when there is none that the provider has verified.</param>
internal sealed record OpenIdPerson(string Issuer, string Subject, string? VerifiedEmail)
{
    // OpenID Connect Core, 2: at most 255 ASCII characters.
    private const int MaxSubjectLength = 255;

    /// <returns>Null when the claims name nobody that can be told from others.</returns>
    public static OpenIdPerson? Of(ClaimsPrincipal claims)
    {
        var (issuer, subject) = (claims.FindFirstValue(JwtRegisteredClaimNames.Iss), claims.FindFirstValue(JwtRegisteredClaimNames.Sub));
        if (issuer is not { Length: > 0 } || subject is not { Length: > 0 and <= MaxSubjectLength } || !subject.All(char.IsAscii) || subject.Any(char.IsControl))
            return null;
        // Some providers write it as a text.
        var verified = string.Equals(claims.FindFirstValue(JwtRegisteredClaimNames.EmailVerified), "true", StringComparison.OrdinalIgnoreCase);
        return new OpenIdPerson(issuer, subject, verified ? User.CleanEmail(claims.FindFirstValue(JwtRegisteredClaimNames.Email)) : null);
    }
}
