using System.Globalization;
using Apertur.Server.Auth;
using Apertur.Server.Dashboard;
using Apertur.Server.OpenId;
using Apertur.Server.Projects;
using Apertur.Server.Realtime;
using Apertur.Server.Sessions;

namespace Apertur.Server.Http;

/// <summary>
/// Rate limits. Keys and people are counted by the class of the route, holders of a link by address and by session, and all others by
/// address: unauthenticated requests use up nothing of the others' limits, even from the same address. Every answer of the API says how much
/// is left, errors included.
/// </summary>
internal sealed class RateLimits(RateCounts counts, StrangerCounts strangers, SessionGate gate, Settings settings)
{
    // Nobody types more codes than this in a minute; whoever has stolen a key could otherwise go through them all.
    private const int CodesPerMinute = 10;

    // Pages and their scripts cost next to nothing; all else does.
    private static readonly string[] _counted = ["/api", Logos.Folder, SocketApi.Path, SessionCookie.Path, OpenIdApi.Path];

    private readonly RateLimitSettings _limits = settings.RateLimits;

    /// <summary>Counts unauthenticated requests and refuses those over a limit.</summary>
    public async Task BeforeAuthenticationAsync(HttpContext context, RequestDelegate next)
    {
        var access = context.GetEndpoint()?.Metadata.GetMetadata<AccessRule>()?.Access;
        if (!_limits.Enabled || (access is not Access.Session && !Array.Exists(_counted, path => context.Request.Path.StartsWithSegments(path))))
        {
            await next(context);
            return;
        }

        context.Response.OnStarting(WriteHeadersAsync, context);
        var address = AddressRanges.Subject(context.Connection.RemoteIpAddress);
        if (access is Access.Session && await SessionAsync(context) is { } session)
        {
            // Counted with everything else from there, but only refused for what came with such links.
            strangers.Count("address " + address, _limits.PerAddress);
            Charge(context, strangers.Count("links " + address, _limits.PerAddress));
            Charge(context, await counts.CountAsync(RateKind.Link, session, _limits.PerSession, context.RequestAborted));
            await next(context);
            return;
        }

        if (access is null or Access.Public or Access.Session)
        {
            Charge(context, strangers.Count("address " + address, _limits.PerAddress));
            await next(context);
            return;
        }

        Show(context, strangers.Look("failures " + address, _limits.FailuresPerAddress));
        try
        {
            await next(context);
        }
        catch (ApiErrorException refusal) when (refusal.Error.StatusCode == 401 && context.Features.Get<Caller>() is null)
        {
            Charge(context, strangers.Count("failures " + address, _limits.FailuresPerAddress));
            throw;
        }
    }

    /// <summary>Counts authenticated requests.</summary>
    public async Task AfterAuthenticationAsync(HttpContext context, RequestDelegate next)
    {
        if (_limits.Enabled && context.Features.Get<Caller>() is { } caller)
        {
            var kind = context.GetEndpoint()?.Metadata.GetMetadata<CountedAs>()?.Kind ?? RateKind.OtherCalls;
            context.Items.Remove(typeof(RateState));
            Charge(context, await counts.CountAsync(kind, caller.Id, LimitOf(kind), context.RequestAborted));
        }

        await next(context);
    }

    /// <summary>Counts what a stranger asks for without a request of its own, such as over a WebSocket.</summary>
    /// <param name="address">See <see cref="AddressRanges.Subject"/>.</param>
    /// <exception cref="ApiErrorException">429.</exception>
    public void ChargeStranger(string address)
    {
        var state = strangers.Count("address " + address, _limits.PerAddress);
        if (_limits.Enabled && state.IsExceeded)
            throw ApiErrors.RateLimited(state.Limit, state.RetryAfter).ToException();
    }

    /// <summary>Counts one evaluated code of a key, whether the other limits are on or not.</summary>
    /// <exception cref="ApiErrorException">429.</exception>
    public async Task CountCodeAsync(Guid keyId, CancellationToken cancellationToken)
    {
        var state = await counts.CountAsync(RateKind.Codes, keyId, CodesPerMinute, cancellationToken);
        if (state.IsExceeded)
            throw ApiErrors.RateLimited(state.Limit, state.RetryAfter).ToException();
    }

    /// <summary>The session that the path names, if there is one. It is looked up once in a minute: after that its count is there.</summary>
    private async Task<Guid?> SessionAsync(HttpContext context) =>
        Ids.TryParse(context.GetRouteValue("id") as string, out var id)
        && (counts.Knows(RateKind.Link, id) || await gate.ExistsAsync(id, context.RequestAborted))
            ? id : null;

    private int LimitOf(RateKind kind) => kind switch
    {
        RateKind.SessionCreations => _limits.SessionCreations,
        RateKind.Lists => _limits.Lists,
        _ => _limits.OtherCalls,
    };

    private static void Charge(HttpContext context, RateState state)
    {
        Show(context, state);
        if (state.IsExceeded)
            throw ApiErrors.RateLimited(state.Limit, state.RetryAfter).ToException();
    }

    /// <summary>Of several limits the one that is nearest is shown.</summary>
    private static void Show(HttpContext context, RateState state)
    {
        if (context.Items[typeof(RateState)] is not RateState shown || state.Remaining <= shown.Remaining)
            context.Items[typeof(RateState)] = state;
    }

    private static Task WriteHeadersAsync(object state)
    {
        var context = (HttpContext)state;
        if (context.Items[typeof(RateState)] is RateState shown)
        {
            var headers = context.Response.Headers;
            headers["X-RateLimit-Limit"] = shown.Limit.ToString(CultureInfo.InvariantCulture);
            headers["X-RateLimit-Remaining"] = shown.Remaining.ToString(CultureInfo.InvariantCulture);
            headers["X-RateLimit-Reset"] = shown.ResetsAt.ToString(CultureInfo.InvariantCulture);
        }

        return Task.CompletedTask;
    }
}

/// <summary>
/// The metadata that says which limit a known caller's calls of a route count against; without it, that of <see cref="RateKind.OtherCalls"/>.
/// </summary>
internal sealed record CountedAs(RateKind Kind);
