using Apertur.Server.Http;
using Apertur.Server.Keys;
using Apertur.Server.Projects;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Auth;

/// <summary>
/// Finds out who calls, for routes that ask for it, before anything of the request is read. A route without an <see cref="Access"/> rule is
/// refused.
/// </summary>
internal sealed class Authentication(RequestDelegate next)
{
    // Enough for people to see which keys are in use, without a write on every call.
    private static readonly TimeSpan _lastUsedPrecision = TimeSpan.FromMinutes(1);

    // Opens the database for itself and closes it again: a request that is held for minutes must not keep what only this needs.
    public async Task InvokeAsync(HttpContext context, Database database, TimeProvider clock)
    {
        if (context.GetEndpoint() is RouteEndpoint endpoint)
        {
            var access = endpoint.Metadata.GetMetadata<AccessRule>()
                ?? throw new InvalidOperationException($"{endpoint.DisplayName} has no access rule.");
            if (access.Access == Access.Caller)
                context.Features.Set(await FindAsync(context, database, clock));
        }

        await next(context);
    }

    private static async Task<Caller> FindAsync(HttpContext context, Database database, TimeProvider clock)
    {
        var header = context.Request.Headers.Authorization.ToString();
        if (!header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase))
            throw ApiErrors.Unauthenticated("Send an API key as 'Authorization: Bearer aptr_…'.").ToException();

        await using var db = database.Open();
        var hash = ApiKey.HashOf(header["Bearer ".Length..].Trim());
        var key = await db.ApiKeys.AsNoTracking().SingleOrDefaultAsync(k => k.Hash == hash && k.IsActive, context.RequestAborted)
            ?? throw ApiErrors.Unauthenticated("This API key is unknown or has been revoked.").ToException();

        await KeyRestrictions.CheckAsync(context, key);
        var now = clock.GetUtcNow();
        if (key.LastUsedAt is null || key.LastUsedAt < now - _lastUsedPrecision)
            await db.ApiKeys.Where(k => k.Id == key.Id).ExecuteUpdateAsync(k => k.SetProperty(x => x.LastUsedAt, now), context.RequestAborted);
        return new Caller { Key = key, Env = key.Env, Projects = new Dictionary<Guid, Role> { [key.ProjectId] = Role.Developer } };
    }
}

/// <summary>The metadata that holds a route's <see cref="Auth.Access"/>.</summary>
internal sealed record AccessRule(Access Access);
