using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Apertur.Destinations;
using Apertur.Server.Auth;
using Apertur.Server.Contract;
using Apertur.Server.Http;
using Apertur.Server.Projects;
using Apertur.Server.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Destinations;

/// <summary>
/// Connecting a destination at an OAuth provider: the way there (RFC 6749, 4.1, with PKCE, RFC 7636), and the way back.
/// </summary>
internal static partial class OAuthApi
{
    /// <summary>How long a person may take at the provider.</summary>
    public static readonly TimeSpan RequestLifetime = TimeSpan.FromMinutes(10);

    private const int SecretBytes = 32;
    private const string CallbackPath = "/oauth/callback/";

    /// <summary>Gives the address at the provider where a person allows the connection.</summary>
    public static async Task<Ok<AuthorizeResponse>> Authorize(
        string projectId, string id, HttpContext http, Caller caller, AperturDb db, DestinationTypes types, ColumnEncryption encryption, PublicAddress address,
        TimeProvider clock, CancellationToken cancellationToken)
    {
        var destination = await DestinationsApi.FindAsync(caller, projectId, id, db, cancellationToken);
        if (types.Find(destination.Type) is not IOAuthDestination type)
            throw ApiErrors.BadRequest("Only types that are connected at a provider can be authorized; this one needs its config alone.").ToException();
        if (type.OAuth is not { } flow)
            throw ApiErrors.BadRequest(type.Missing(isConnected: false)!).ToException();

        var now = clock.GetUtcNow();
        var requestId = Guid.CreateVersion7(now);
        var state = RandomText();
        var verifier = OAuthFlow.NewVerifier();
        var callback = new Uri(address.BaseOf(http.Request) + CallbackPath + type.Type);
        // A person's browser must be the one that comes back: nobody can be talked into finishing what somebody else began. A key has no
        // browser; whoever holds it decides whom to give the address to.
        var cookie = caller.Key is null ? SetCookie(http, state) : null;
        await db.OAuthRequests.Where(request => request.ExpiresAt <= now).ExecuteDeleteAsync(cancellationToken);
        db.OAuthRequests.Add(new OAuthRequest
        {
            Id = requestId,
            StateHash = Hash(state),
            BrowserHash = cookie is null ? null : Hash(cookie),
            DestinationId = destination.Id,
            KeyId = caller.Key?.Id,
            UserId = caller.Person?.Id,
            Verifier = encryption.Protect(OAuthRequest.VerifierColumn, requestId, verifier),
            Callback = callback.AbsoluteUri,
            ExpiresAt = now + RequestLifetime,
        });
        await db.SaveChangesAsync(cancellationToken);
        return TypedResults.Ok(new AuthorizeResponse { Url = flow.AuthorizeAddress(callback, state, verifier).AbsoluteUri });
    }

    /// <summary>Where the provider sends the person back to: keeps the grant, and says on a page what came of it.</summary>
    public static async Task<IResult> Callback(
        string provider, HttpContext http, AperturDb db, Database database, DestinationTypes types, ColumnEncryption encryption, OAuthTokens tokens,
        AsyncAutoResetEvent deliver, TimeProvider clock, ILogger<OAuthTokens> log, CancellationToken cancellationToken)
    {
        var query = http.Request.Query;
        var state = query["state"].ToString();
        // Whatever comes of it, a state works once.
        var request = await TakeAsync(database, Hash(state), cancellationToken);
        if (request is null || request.ExpiresAt <= clock.GetUtcNow() || !IsSameBrowser(http, request, state))
            return OAuthPage.Stale();

        var destination = await db.Destinations.AsNoTracking()
            .SingleOrDefaultAsync(d => d.Id == request.DestinationId && d.Type == provider && d.DeletedAt == null, cancellationToken);
        if (destination is null || !await MayStillAsync(db, request, destination, cancellationToken)
            || types.Find(destination.Type) is not IOAuthDestination { OAuth: { } flow } type)
            return OAuthPage.Stale();

        var problem = query["error"].ToString() switch
        {
            "" => null,
            "access_denied" => "You did not allow the connection. Nothing has changed.",
            _ => $"{type.Label} refused the connection. Nothing has changed.",
        };
        if (problem is null)
        {
            var verifier = encryption.Unprotect(OAuthRequest.VerifierColumn, request.Id, request.Verifier);
            var answer = await flow.ExchangeAsync(query["code"].ToString(), new Uri(request.Callback), verifier, cancellationToken);
            problem = answer switch
            {
                OAuthAnswer.Granted { RefreshToken: null } => $"{type.Label} allowed access for a short time only. Please start again.",
                OAuthAnswer.Granted granted when await tokens.ConnectAsync(destination.Id, granted, cancellationToken) => null,
                OAuthAnswer.Granted => "The destination has been deleted.",
                OAuthAnswer.Misconfigured misconfigured => misconfigured.Reason,
                OAuthAnswer.TryAgain => $"{type.Label} did not answer as expected. Please start again in a few minutes.",
                _ => $"{type.Label} did not accept the answer: it was used already, or too old. Please start again.",
            };
            LogConnection(log, destination.Id, destination.Type, problem ?? "connected");
        }

        if (problem is not null)
            return OAuthPage.Failed(type.Label, destination.Name, problem);
        deliver.Set();
        return OAuthPage.Connected(type.Label, destination.Name);
    }

    private static Task<OAuthRequest?> TakeAsync(Database database, string stateHash, CancellationToken cancellationToken) =>
        database.WriteAsync(
            async db =>
            {
                var found = await db.OAuthRequests.AsNoTracking().SingleOrDefaultAsync(r => r.StateHash == stateHash, cancellationToken);
                // Of two that come at once, one deletes it.
                var taken = await db.OAuthRequests.Where(r => r.StateHash == stateHash).ExecuteDeleteAsync(cancellationToken);
                return taken == 1 ? found : null;
            },
            cancellationToken);

    /// <summary>
    /// Whether whoever began it could begin it now: a revoked key, or a member who was taken away, leaves nothing behind that
    /// still works.
    /// </summary>
    private static async Task<bool> MayStillAsync(
        AperturDb db, OAuthRequest request, Destination destination, CancellationToken cancellationToken)
    {
        var project = destination.ProjectId;
        if (!await db.Projects.AnyAsync(p => p.Id == project && p.DeletedAt == null && p.DisabledAt == null, cancellationToken))
            return false;
        if (request.KeyId is { } key)
            return await db.ApiKeys.AnyAsync(k => k.Id == key && k.IsActive && k.ProjectId == project, cancellationToken);

        var role = await (
            from member in db.Members
            join user in db.Users on member.UserId equals user.Id
            where member.UserId == request.UserId && member.ProjectId == project && user.DisabledAt == null
            select (Role?)member.Role).SingleOrDefaultAsync(cancellationToken);
        return role >= Role.Developer;
    }

    private static string SetCookie(HttpContext http, string state)
    {
        var value = RandomText();
        http.Response.Cookies.Append(CookieName(state), value, new CookieOptions
        {
            HttpOnly = true,
            Secure = http.Request.IsHttps,
            // The provider leads back here by a link.
            SameSite = SameSiteMode.Lax,
            Path = CallbackPath,
            MaxAge = RequestLifetime,
        });
        return value;
    }

    private static bool IsSameBrowser(HttpContext http, OAuthRequest request, string state) =>
        request.BrowserHash is null
        || (http.Request.Cookies[CookieName(state)] is { } cookie && Hash(cookie) == request.BrowserHash);

    /// <summary>One a connection, so that two can be under way in one browser.</summary>
    private static string CookieName(string state) => "apertur-connect-" + Hash(state)[..12];

    private static string RandomText() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(SecretBytes));

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    [LoggerMessage(EventName = "destination.connection", Level = LogLevel.Information,
        Message = "destination.connection {Destination} {Type}: {Result}")]
    private static partial void LogConnection(ILogger log, Guid destination, string type, string result);
}
