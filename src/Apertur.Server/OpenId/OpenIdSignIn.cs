using System.Net;
using Apertur.Server.Accounts;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.OpenId;

/// <summary>Why somebody whom the provider knows does not come in. The dashboard's sign-in page has words for each.</summary>
internal enum OpenIdRefusal
{
    /// <summary>The person, or the provider, said no.</summary>
    Denied,

    /// <summary>The provider does not answer.</summary>
    Unreachable,

    /// <summary>What came back does not belong to what this browser began, or was used before, or the provider refused to confirm it.</summary>
    Failed,

    /// <summary>An unknown person without an address that the provider has verified.</summary>
    Unverified,

    /// <summary>Neither an account, nor an invitation, nor a domain that needs none.</summary>
    Unknown,

    Disabled,

    /// <summary>There is an account with that address, whose password has to be shown once.</summary>
    Link,
}

/// <summary>
/// Who of this server's people somebody at the provider is. A verified address lets in whoever was invited by it; it does not open an account that
/// is there already: addresses are given to others, and what a provider calls verified is its own affair. Its password does, once.
/// </summary>
internal sealed class OpenIdSignIn(Database database, Settings settings, TimeProvider clock)
{
    /// <returns>The person, or why there is none.</returns>
    public Task<(User? Person, OpenIdRefusal? Refusal)> RunAsync(OpenIdPerson who, IPAddress? address, CancellationToken cancellationToken) =>
        database.WriteAsync(
            async db =>
            {
                var now = clock.GetUtcNow();
                var person = await (
                    from link in db.OpenIdLinks
                    join user in db.Users on link.UserId equals user.Id
                    where link.Issuer == who.Issuer && link.Subject == who.Subject
                    select user).SingleOrDefaultAsync(cancellationToken);
                var invitations = who.VerifiedEmail is { } verified
                    ? await Invitations.ToAsync(db, verified, now, cancellationToken)
                    : [];
                if (person is null)
                {
                    if (await RefusalOfAsync(db, who, invitations.Count > 0, cancellationToken) is { } refusal)
                        return (null, refusal);
                    person = User.WithoutPassword(who.VerifiedEmail!, now);
                    db.Users.Add(person);
                    db.OpenIdLinks.Add(Link(who, person, now));
                }

                if (person.DisabledAt is not null)
                    return (null, OpenIdRefusal.Disabled);
                foreach (var invitation in invitations.Where(link => link.Email == person.Email))
                {
                    if (await invitation.TakeAsync(db, cancellationToken))
                        await Invitations.JoinAsync(db, invitation, person, address, now, cancellationToken);
                }

                return ((User?)person, (OpenIdRefusal?)null);
            },
            cancellationToken);

    /// <summary>Remembers who a person is at the provider, after the person has shown that the account is theirs.</summary>
    public Task LinkAsync(OpenIdPerson who, User person, CancellationToken cancellationToken) =>
        database.WriteAsync(
            async db =>
            {
                if (!await db.OpenIdLinks.AnyAsync(link => link.Issuer == who.Issuer && link.Subject == who.Subject, cancellationToken))
                    db.OpenIdLinks.Add(Link(who, person, clock.GetUtcNow()));
            },
            cancellationToken);

    private async Task<OpenIdRefusal?> RefusalOfAsync(AperturDb db, OpenIdPerson who, bool invited, CancellationToken cancellationToken)
    {
        if (who.VerifiedEmail is not { } email)
            return OpenIdRefusal.Unverified;
        var known = await db.Users.Where(u => u.Email == email).Select(u => new { u.DisabledAt }).SingleOrDefaultAsync(cancellationToken);
        if (known is not null)
            return known.DisabledAt is null ? OpenIdRefusal.Link : OpenIdRefusal.Disabled;
        // Nobody becomes the first by coming early: that is for whoever started the server.
        return invited || (settings.OpenId.LetsIn(email) && await db.Users.AnyAsync(cancellationToken)) ? null : OpenIdRefusal.Unknown;
    }

    private static OpenIdLink Link(OpenIdPerson who, User person, DateTimeOffset now) =>
        new() { Issuer = who.Issuer, Subject = who.Subject, UserId = person.Id, CreatedAt = now };
}
