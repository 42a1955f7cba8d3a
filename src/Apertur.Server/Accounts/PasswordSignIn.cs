using System.Net;
using Apertur.Server.Audit;
using Apertur.Server.Auth;
using Apertur.Server.Contract;
using Apertur.Server.Http;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Accounts;

/// <summary>Signs a person in by password or by a link in its place, and by a code too when the person has switched codes on.</summary>
internal sealed class PasswordSignIn(
    Database database, SignIns signIns, LoginThrottle throttle, ColumnEncryption encryption, TimeProvider clock)
{
    /// <exception cref="ApiErrorException">401: wrong, or a code is missing; 403: disabled; 429: too many guesses.</exception>
    public async Task<TokenPair> RunAsync(LoginRequest request, IPAddress? address, CancellationToken cancellationToken)
    {
        var email = User.CleanEmail(request.Email) ?? "";
        await throttle.CountSignInAsync(email, address, cancellationToken);
        await using var db = database.Open();
        var person = await db.Users.AsNoTracking().SingleOrDefaultAsync(u => u.Email == email, cancellationToken);
        if (!Passwords.Verify(person?.PasswordHash, request.Password))
            throw ApiErrors.Unauthenticated("The e-mail address or the password is wrong.").ToException();
        if (person!.DisabledAt is not null)
            throw ApiErrors.AccountDisabled.ToException();
        if (person.TotpOn)
            await CheckCodeAsync(person, request.Totp, cancellationToken);

        await throttle.ForgetSignInAsync(email, address, cancellationToken);
        return await signIns.BeginAsync(person, cancellationToken);
    }

    /// <summary>Takes a link for what a password is otherwise: guesses at the code count as sign-ins do.</summary>
    /// <returns>Null when the link was used meanwhile.</returns>
    /// <exception cref="ApiErrorException">401: the code is wrong or missing; 403: disabled; 429: too many guesses.</exception>
    public async Task<TokenPair?> RunAsync(OneTimeLink link, string? code, IPAddress? address, CancellationToken cancellationToken)
    {
        await throttle.CountSignInAsync(link.Email!, address, cancellationToken);
        await using var db = database.Open();
        var person = await db.Users.AsNoTracking().SingleAsync(u => u.Id == link.UserId, cancellationToken);
        if (person.TotpOn)
            await CheckCodeAsync(person, code, cancellationToken);

        var now = clock.GetUtcNow();
        var pair = await database.WriteAsync(
            async write =>
            {
                // Who is kept out at this moment is, and a link is used up by a sign-in and by nothing else.
                person = await database.Locked(write.Users, [person.Id]).AsNoTracking().SingleAsync(cancellationToken);
                if (person.DisabledAt is not null)
                    throw ApiErrors.AccountDisabled.ToException();
                if (!await link.TakeAsync(write, cancellationToken))
                    return null;
                foreach (var project in await write.Members.Where(m => m.UserId == person.Id).Select(m => m.ProjectId).ToListAsync(cancellationToken))
                    AuditLog.Add(write, project, person, "members.sign_in_by_link", person.Id, address?.ToString(), now);
                return signIns.Begin(write, person);
            },
            cancellationToken);
        if (pair is not null)
            await throttle.ForgetSignInAsync(link.Email!, address, cancellationToken);
        return pair;
    }

    private async Task CheckCodeAsync(User person, string? code, CancellationToken cancellationToken)
    {
        if (string.IsNullOrWhiteSpace(code))
            throw ApiErrors.TotpRequired.ToException();
        var secret = Convert.FromHexString(encryption.Unprotect(User.TotpSecretColumn, person.Id, person.TotpSecret!));
        // The step is taken by one conditional update: of two calls with the same code one wins.
        var used = Totp.Verify(secret, code, person.UsedCodes, clock.GetUtcNow()) is { } step ? person.UsedCodes.With(step) : (UsedCodes?)null;
        var taken = used is { } now && await database.WriteAsync(
            db => db.Users.Where(u => u.Id == person.Id && u.TotpLastStep == person.TotpLastStep).ExecuteUpdateAsync(
                u => u.SetProperty(x => x.TotpLastStep, now.Last).SetProperty(x => x.TotpHighestStep, now.Highest), cancellationToken),
            cancellationToken) == 1;
        if (!taken)
            throw ApiErrors.Unauthenticated("This code is wrong or has been used. Wait for the next one.").ToException();
    }
}
