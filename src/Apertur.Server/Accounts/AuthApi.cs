using Apertur.Server.Auth;
using Apertur.Server.Contract;
using Apertur.Server.Http;
using Apertur.Server.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Accounts;

/// <summary>Signing in and out.</summary>
internal static class AuthApi
{
    /// <summary>Signs a person in by password, and by a code too when the person has switched codes on.</summary>
    public static async Task<Ok<LoginResponse>> Login(
        Body<LoginRequest> body, HttpContext http, AperturDb db, Database database, SignIns signIns, LoginThrottle throttle, ColumnEncryption encryption,
        TimeProvider clock, CancellationToken cancellationToken)
    {
        var email = User.CleanEmail(body.Value.Email) ?? "";
        await throttle.CountSignInAsync(email, http.Connection.RemoteIpAddress, cancellationToken);
        var person = await db.Users.AsNoTracking().SingleOrDefaultAsync(u => u.Email == email, cancellationToken);
        if (!Passwords.Verify(person?.PasswordHash, body.Value.Password))
            throw ApiErrors.Unauthenticated("The e-mail address or the password is wrong.").ToException();
        if (person!.DisabledAt is not null)
            throw ApiErrors.AccountDisabled.ToException();
        if (person.TotpOn)
            await CheckCodeAsync(person, body.Value.Totp, database, encryption, clock, cancellationToken);

        await throttle.ForgetSignInAsync(email, http.Connection.RemoteIpAddress, cancellationToken);
        return TypedResults.Ok(Describe(await signIns.BeginAsync(person, cancellationToken)));
    }

    /// <summary>Takes a refresh token for a new pair. It is good once: a second use ends the sign-in.</summary>
    public static async Task<Ok<LoginResponse>> Refresh(Body<RefreshRequest> body, SignIns signIns, CancellationToken cancellationToken) =>
        TypedResults.Ok(Describe(await signIns.RenewAsync(body.Value.RefreshToken ?? "", cancellationToken)));

    /// <summary>Ends the sign-in that the token belongs to. Its tokens count no more from the next call on.</summary>
    public static async Task<NoContent> Logout(Caller caller, SignIns signIns, CancellationToken cancellationToken)
    {
        await signIns.EndAsync(caller.SignInId!.Value, cancellationToken);
        return TypedResults.NoContent();
    }

    private static async Task CheckCodeAsync(
        User person, string? code, Database database, ColumnEncryption encryption, TimeProvider clock, CancellationToken cancellationToken)
    {
        if (string.IsNullOrWhiteSpace(code))
            throw ApiErrors.TotpRequired.ToException();
        var secret = Convert.FromHexString(encryption.Unprotect(User.TotpSecretColumn, person.Id, person.TotpSecret!));
        // The step is taken by one conditional update: of two calls with the same code one wins.
        var taken = Totp.Verify(secret, code, person.TotpLastStep, clock.GetUtcNow()) is { } step
            && await database.WriteAsync(
                db => db.Users.Where(u => u.Id == person.Id && u.TotpLastStep < step)
                    .ExecuteUpdateAsync(u => u.SetProperty(x => x.TotpLastStep, step), cancellationToken),
                cancellationToken) == 1;
        if (!taken)
            throw ApiErrors.Unauthenticated("This code is wrong or has been used. Wait for the next one.").ToException();
    }

    private static LoginResponse Describe(TokenPair pair) =>
        new(pair.Token, pair.ExpiresAt, pair.RefreshToken,
            new UserResponse(pair.Person.Id, pair.Person.Email, pair.Person.TotpOn, pair.Person.CreatedAt));
}
