using System.Security.Cryptography;
using System.Text.Json;
using Apertur.Server.Accounts;
using Apertur.Server.Dashboard;
using Apertur.Server.Storage;

namespace Apertur.Server.OpenId;

/// <summary>
/// Who somebody is at the provider, kept in the browser until the person has shown the password of the account with that address. In a cookie, so
/// that any node can go on; encrypted, so that nobody can make one.
/// </summary>
internal sealed class PendingOpenIdLink(OpenIdSignIn signIn, ColumnEncryption encryption, TimeProvider clock)
{
    private const string Name = "apertur_link";
    private const string Purpose = "openid.link";
    private static readonly TimeSpan _lifetime = TimeSpan.FromMinutes(10);

    public void Keep(HttpContext http, OpenIdPerson who)
    {
        var kept = JsonSerializer.Serialize(new Kept(who.Issuer, who.Subject, who.VerifiedEmail!, clock.GetUtcNow() + _lifetime), JsonSerializerOptions.Default);
        http.Response.Cookies.Append(Name, encryption.Protect(Purpose, Guid.Empty, kept), SessionCookie.Options(http, _lifetime));
    }

    /// <summary>Links it to the account of whoever has just signed in, if that is the one that it was kept for.</summary>
    public async Task TakeAsync(HttpContext http, User person, CancellationToken cancellationToken)
    {
        if (http.Request.Cookies[Name] is not { Length: > 0 } cookie)
            return;
        if (Read(cookie) is { } kept && kept.Email == person.Email && kept.Until > clock.GetUtcNow())
            await signIn.LinkAsync(new OpenIdPerson(kept.Issuer, kept.Subject, kept.Email), person, cancellationToken);
        http.Response.Cookies.Append(Name, "", SessionCookie.Options(http, TimeSpan.Zero));
    }

    private Kept? Read(string cookie)
    {
        try
        {
            return JsonSerializer.Deserialize<Kept>(encryption.Unprotect(Purpose, Guid.Empty, cookie), JsonSerializerOptions.Default);
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    private sealed record Kept(string Issuer, string Subject, string Email, DateTimeOffset Until);
}
