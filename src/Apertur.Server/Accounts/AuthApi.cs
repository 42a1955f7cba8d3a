using Apertur.Server.Auth;
using Apertur.Server.Contract;
using Apertur.Server.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Apertur.Server.Accounts;

/// <summary>Signing in and out.</summary>
internal static class AuthApi
{
    /// <summary>Signs a person in by password, and by a code too when the person has switched codes on.</summary>
    public static async Task<Ok<LoginResponse>> Login(
        Body<LoginRequest> body, HttpContext http, PasswordSignIn passwords, CancellationToken cancellationToken) =>
        TypedResults.Ok(Describe(await passwords.RunAsync(body.Value, http.Connection.RemoteIpAddress, cancellationToken)));

    /// <summary>
    /// Takes a refresh token for a new pair. It is good once: a second use ends the sign-in, unless it comes from the same address within 20
    /// seconds, as from several tabs of one browser.
    /// </summary>
    public static async Task<Ok<LoginResponse>> Refresh(
        Body<RefreshRequest> body, HttpContext http, SignIns signIns, CancellationToken cancellationToken) =>
        TypedResults.Ok(Describe(await signIns.RenewAsync(body.Value.RefreshToken ?? "", http.Connection.RemoteIpAddress, cancellationToken)));

    /// <summary>Ends the sign-in that the token belongs to. Its tokens count no more from the next call on.</summary>
    public static async Task<NoContent> Logout(Caller caller, SignIns signIns, CancellationToken cancellationToken)
    {
        await signIns.EndAsync(caller.SignInId!.Value, cancellationToken);
        return TypedResults.NoContent();
    }

    private static LoginResponse Describe(TokenPair pair) =>
        new(pair.Token, pair.ExpiresAt, pair.RefreshToken, UserResponse.Of(pair.Person));
}
