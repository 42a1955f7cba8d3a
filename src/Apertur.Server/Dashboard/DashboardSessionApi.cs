using Apertur.Server.Accounts;
using Apertur.Server.Auth;
using Apertur.Server.Contract;
using Apertur.Server.Http;
using Apertur.Server.OpenId;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Apertur.Server.Dashboard;

/// <summary>
/// A person's sign-in in a browser. The script of the dashboard gets tokens for 15 minutes and keeps them in memory; what renews them stays
/// in <see cref="SessionCookie"/>. These are the only routes that go by a cookie, so they ask for proof that our own page calls.
/// </summary>
internal static class DashboardSessionApi
{
    private const string Header = "X-Apertur-Dashboard";

    /// <summary>POST: signs in.</summary>
    public static async Task<Ok<DashboardSessionResponse>> Begin(
        Body<LoginRequest> body, HttpContext http, PasswordSignIn passwords, PendingOpenIdLink pending, CancellationToken cancellationToken)
    {
        RequireOwnPage(http.Request);
        var pair = await passwords.RunAsync(body.Value, http.Connection.RemoteIpAddress, cancellationToken);
        await pending.TakeAsync(http, pair.Person, cancellationToken);
        return Answer(http, pair);
    }

    /// <summary>PUT: goes on with the sign-in that the cookie tells.</summary>
    public static async Task<Results<Ok<DashboardSessionResponse>, JsonHttpResult<ApiError>>> Renew(HttpContext http, SignIns signIns, CancellationToken cancellationToken)
    {
        RequireOwnPage(http.Request);
        if (SessionCookie.Read(http.Request) is not { Length: > 0 } token)
            throw ApiErrors.Unauthenticated("Nobody is signed in here.").ToException();
        try
        {
            return Answer(http, await signIns.RenewAsync(token, http.Connection.RemoteIpAddress, cancellationToken));
        }
        catch (ApiErrorException refusal) when (refusal.Error.StatusCode is StatusCodes.Status401Unauthorized or StatusCodes.Status403Forbidden)
        {
            // Answered here: what translates exceptions takes back every header.
            SessionCookie.Clear(http);
            return TypedResults.Json(refusal.Error, WireJson.Wire.ApiError, statusCode: refusal.Error.StatusCode);
        }
    }

    /// <summary>DELETE: signs out.</summary>
    public static async Task<NoContent> End(HttpContext http, SignIns signIns, CancellationToken cancellationToken)
    {
        RequireOwnPage(http.Request);
        if (SessionCookie.Read(http.Request) is { Length: > 0 } token)
            await signIns.EndAsync(token, cancellationToken);
        SessionCookie.Clear(http);
        return TypedResults.NoContent();
    }

    private static Ok<DashboardSessionResponse> Answer(HttpContext http, TokenPair pair)
    {
        SessionCookie.Write(http, pair.RefreshToken);
        http.Response.Headers.CacheControl = "no-store";
        return TypedResults.Ok(new DashboardSessionResponse(pair.Token, (int)Tokens.Lifetime.TotalSeconds, UserResponse.Of(pair.Person)));
    }

    /// <summary>
    /// Another site's page cannot send the header without asking first, which nothing here allows; a browser also says where a request comes
    /// from, and other ports of this host, which share its cookies, are elsewhere too.
    /// </summary>
    private static void RequireOwnPage(HttpRequest request)
    {
        var headers = request.Headers;
        var hosts = new[] { request.Host.Value, new Uri(request.HttpContext.RequestServices.GetRequiredService<PublicAddress>().Base).Authority };
        if (headers[Header] != "1"
            || (headers.Origin.Count > 0 && !(Uri.TryCreate(headers.Origin, UriKind.Absolute, out var origin) && hosts.Contains(origin.Authority)))
            || headers["Sec-Fetch-Site"] is not ([] or ["same-origin"]))
        {
            throw ApiErrors.Forbidden("This is for the dashboard's own pages.").ToException();
        }
    }
}
