using Apertur.Server.Accounts;
using Apertur.Server.Dashboard;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.EntityFrameworkCore;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;

namespace Apertur.Server.OpenId;

/// <summary>Signing in to the dashboard at an OpenID provider: the way there, and the way back.</summary>
internal static partial class OpenIdApi
{
    public const string Path = "/dashboard/openid";
    public const string CallbackPath = "/dashboard/openid/callback";

    /// <summary>Sends the person to the provider.</summary>
    public static async Task Begin(HttpContext http, OpenIdClient client, ILogger<OpenIdSignIn> log)
    {
        http.Response.Headers.CacheControl = "no-store";
        var returnTo = Local(http.Request.Query["return"]);
        try
        {
            await client.ChallengeAsync(http, returnTo);
        }
        catch (Exception exception) when (exception is InvalidOperationException or HttpRequestException or OperationCanceledException or OpenIdConnectProtocolException)
        {
            // InvalidOperationException is what the library says when it cannot read what the provider publishes of itself.
            LogFailure(log, OpenIdRefusal.Unreachable, exception);
            Refuse(http, returnTo, OpenIdRefusal.Unreachable);
        }
    }

    /// <summary>Where the provider sends the person back to.</summary>
    public static async Task Callback(
        HttpContext http, OpenIdClient client, OpenIdSignIn people, SignIns signIns, PendingOpenIdLink pending,
        ILogger<OpenIdSignIn> log, CancellationToken cancellationToken)
    {
        http.Response.Headers.CacheControl = "no-store";
        var answer = await client.ReceiveAsync(http);
        var returnTo = Local(answer.ReturnTo);
        if (answer.Person is null || OpenIdPerson.Of(answer.Person) is not { } who)
        {
            var refusal = RefusalOf(answer.Failure);
            LogFailure(log, refusal, answer.Failure);
            Refuse(http, returnTo, refusal);
            return;
        }

        var (person, refused) = await FindAsync(http, people, who, cancellationToken);
        LogSignIn(log, person?.Id, refused);
        if (refused == OpenIdRefusal.Link)
            pending.Keep(http, who);
        if (person is null)
        {
            Refuse(http, returnTo, refused!.Value);
            return;
        }

        SessionCookie.Write(http, (await signIns.BeginAsync(person, cancellationToken)).RefreshToken);
        http.Response.Redirect(returnTo);
    }

    private static async Task<(User? Person, OpenIdRefusal? Refusal)> FindAsync(
        HttpContext http, OpenIdSignIn people, OpenIdPerson who, CancellationToken cancellationToken)
    {
        try
        {
            return await people.RunAsync(who, http.Connection.RemoteIpAddress, cancellationToken);
        }
        catch (DbUpdateException)
        {
            // Somebody made the account at the same moment.
            return (null, OpenIdRefusal.Failed);
        }
    }

    /// <summary>One of the dashboard's own pages; its first one for everything else, such as another site that a link was to lead to.</summary>
    private static string Local(string? address) =>
        address is not null && (address == "/" || address.StartsWith("/p/", StringComparison.Ordinal) || address is "/account" or "/admin" || address.StartsWith("/admin/", StringComparison.Ordinal))
        && address.All(c => c is > ' ' and < '\x7f' and not '\\') && !address.Contains("//", StringComparison.Ordinal) ? address : "/";

    private static void Refuse(HttpContext http, string returnTo, OpenIdRefusal refusal) =>
        http.Response.Redirect(QueryHelpers.AddQueryString(returnTo, "sign-on", refusal.WireName()));

    private static OpenIdRefusal RefusalOf(Exception? failure)
    {
        for (var cause = failure; cause is not null; cause = cause.InnerException)
        {
            if (cause is HttpRequestException or IOException or TimeoutException or OperationCanceledException)
                return OpenIdRefusal.Unreachable;
        }

        return failure?.Data["error"] is "access_denied" ? OpenIdRefusal.Denied : OpenIdRefusal.Failed;
    }

    [LoggerMessage(EventName = "signin.openid", Level = LogLevel.Information, Message = "signin.openid {Person}: {Refusal}")]
    private static partial void LogSignIn(ILogger log, Guid? person, OpenIdRefusal? refusal);

    [LoggerMessage(EventName = "signin.openid.failed", Level = LogLevel.Warning, Message = "signin.openid.failed: {Refusal}")]
    private static partial void LogFailure(ILogger log, OpenIdRefusal refusal, Exception? exception);
}
