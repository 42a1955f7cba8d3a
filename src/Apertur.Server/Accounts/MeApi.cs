using Apertur.Server.Auth;
using Apertur.Server.Contract;
using Apertur.Server.Http;
using Apertur.Server.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Accounts;

/// <summary>What people see and change of themselves.</summary>
internal static class MeApi
{
    /// <summary>Who is signed in, with the projects that the person is a member of.</summary>
    public static async Task<Ok<MeResponse>> Get(Caller caller, AperturDb db, CancellationToken cancellationToken)
    {
        var me = caller.Person!;
        var names = await db.Projects.Where(p => caller.Projects.Keys.Contains(p.Id))
            .Select(p => new { p.Id, p.Name }).ToListAsync(cancellationToken);
        return TypedResults.Ok(new MeResponse(
            me.Id, me.Email, me.TotpOn, me.HasPassword, me.IsOperator, me.CreatedAt,
            [.. names.OrderBy(p => p.Name, StringComparer.Ordinal).Select(p => new MyProject(p.Id, p.Name, caller.Projects[p.Id].WireName()))]));
    }

    /// <summary>Sets another password, and ends every other sign-in.</summary>
    public static async Task<NoContent> ChangePassword(
        Body<ChangePasswordRequest> body, Caller caller, HttpContext http, Database database, LoginThrottle throttle, CancellationToken cancellationToken)
    {
        var me = caller.Person!;
        if (Passwords.Problem(body.Value.NewPassword) is { } problem)
            throw ApiErrors.Validation("newPassword", problem).ToException();
        await CheckAsync(me, "currentPassword", body.Value.CurrentPassword, http, throttle, cancellationToken);
        var hash = Passwords.Hash(body.Value.NewPassword!);
        await database.WriteAsync(
            async db =>
            {
                await db.Users.Where(u => u.Id == me.Id).ExecuteUpdateAsync(u => u.SetProperty(x => x.PasswordHash, hash), cancellationToken);
                await SignIns.EndAllAsync(database, db, me.Id, caller.SignInId, cancellationToken);
            },
            cancellationToken);
        return TypedResults.NoContent();
    }

    /// <summary>Makes a secret for an authenticator app. Codes are asked for only after a first one was confirmed.</summary>
    public static async Task<Ok<TotpSecretResponse>> CreateTotp(Caller caller, Database database, ColumnEncryption encryption, CancellationToken cancellationToken)
    {
        var me = caller.Person!;
        var secret = Totp.GenerateSecret();
        var kept = encryption.Protect(User.TotpSecretColumn, me.Id, Convert.ToHexString(secret));
        var stored = await database.WriteAsync(
            db => db.Users.Where(u => u.Id == me.Id && !u.TotpOn)
                .ExecuteUpdateAsync(u => u.SetProperty(x => x.TotpSecret, kept), cancellationToken),
            cancellationToken);
        return stored == 1
            ? TypedResults.Ok(new TotpSecretResponse(Totp.Text(secret), Totp.Address(secret, me.Email)))
            : throw ApiErrors.BadRequest("Codes are on already. Switch them off before making another secret.").ToException();
    }

    /// <summary>Switches codes on, once the app has shown a right one.</summary>
    public static async Task<NoContent> ConfirmTotp(
        Body<CodeRequest> body, Caller caller, Database database, ColumnEncryption encryption, LoginThrottle throttle, TimeProvider clock,
        CancellationToken cancellationToken)
    {
        var me = caller.Person!;
        await throttle.CountAsync($"code {me.Id}", 5, 20, cancellationToken);
        var step = me.TotpSecret is { } kept
            ? Totp.Verify(
                Convert.FromHexString(encryption.Unprotect(User.TotpSecretColumn, me.Id, kept)), body.Value.Code, me.UsedCodes, clock.GetUtcNow())
            : throw ApiErrors.BadRequest("There is no secret yet. Make one with POST /api/v1/me/totp.").ToException();
        if (step is null)
            throw ApiErrors.Validation("code", "This code is wrong. Check the clock of the phone, and try the next one.").ToException();
        var used = me.UsedCodes.With(step.Value);
        await database.WriteAsync(
            db => db.Users.Where(u => u.Id == me.Id && u.TotpSecret == kept).ExecuteUpdateAsync(
                u => u.SetProperty(x => x.TotpOn, true).SetProperty(x => x.TotpLastStep, used.Last).SetProperty(x => x.TotpHighestStep, used.Highest),
                cancellationToken),
            cancellationToken);
        return TypedResults.NoContent();
    }

    /// <summary>Switches codes off; asks for the password, because a stolen token must not.</summary>
    public static async Task<NoContent> DeleteTotp(
        Body<PasswordRequest> body, Caller caller, HttpContext http, Database database, LoginThrottle throttle, CancellationToken cancellationToken)
    {
        var me = caller.Person!;
        await CheckAsync(me, "password", body.Value.Password, http, throttle, cancellationToken);
        await database.WriteAsync(
            db => db.Users.Where(u => u.Id == me.Id).ExecuteUpdateAsync(
                u => u.SetProperty(x => x.TotpOn, false).SetProperty(x => x.TotpSecret, (string?)null), cancellationToken),
            cancellationToken);
        return TypedResults.NoContent();
    }

    // Not a 401, which programs take for the end of the sign-in.
    private static async Task CheckAsync(
        User me, string field, string? password, HttpContext http, LoginThrottle throttle, CancellationToken cancellationToken)
    {
        await throttle.CountSignInAsync(me.Email, http.Connection.RemoteIpAddress, cancellationToken);
        if (!Passwords.Verify(me.PasswordHash, password))
            throw ApiErrors.Validation(field, "The password is wrong.").ToException();
        await throttle.ForgetSignInAsync(me.Email, http.Connection.RemoteIpAddress, cancellationToken);
    }
}
