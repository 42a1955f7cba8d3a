using System.Collections.Concurrent;
using Apertur.Server.Audit;
using Apertur.Server.Http;
using Apertur.Server.Keys;
using Apertur.Server.Projects;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Auth;

/// <summary>
/// Authenticates requests for routes that need it, before the body is read, and checks the route's access rule. A route
/// without an <see cref="AccessRule"/> is refused.
/// </summary>
internal sealed partial class Authentication(
    RequestDelegate next, Tokens tokens, TimeProvider clock, ILogger<Authentication> log)
{
    // Enough for people to see which keys are in use, without a write on every call.
    private static readonly TimeSpan _lastUsedPrecision = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<Guid, DateTimeOffset> _noted = [];

    // Opens the database for itself and closes it again: a request that is held for minutes must not keep what only this needs.
    public async Task InvokeAsync(HttpContext context, Database database, AuditLog audit)
    {
        if (context.GetEndpoint() is RouteEndpoint endpoint)
        {
            var rule = endpoint.Metadata.GetMetadata<AccessRule>()
                ?? throw new InvalidOperationException($"{endpoint.DisplayName} has no access rule.");
            if (rule.Access is Access.Caller or Access.Person or Access.Operator)
            {
                var caller = await FindAsync(context, rule, endpoint, database);
                if (context.GetRouteValue("projectId") is string project)
                    caller.RoleIn(Ids.Parse(project));
                else if (endpoint.Metadata.GetMetadata<ChoosesScope>() is not null && context.Request.Query["projectId"] is [{ Length: > 0 } only])
                    caller = caller.Within(Ids.Parse(only));
                context.Features.Set(caller);
                audit.Watch(context, endpoint, caller);
            }
        }

        await next(context);
    }

    private async Task<Caller> FindAsync(HttpContext context, AccessRule rule, RouteEndpoint endpoint, Database database)
    {
        const string Scheme = "Bearer ";
        var header = context.Request.Headers.Authorization.ToString();
        if (!header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
            throw ApiErrors.Unauthenticated("Send an API key or a token as 'Authorization: Bearer …'.").ToException();

        await using var db = database.Open();
        var credential = header[Scheme.Length..].Trim();
        if (!credential.StartsWith(ApiKey.Mark, StringComparison.Ordinal))
            return await FindPersonAsync(context, credential, rule, endpoint, db);
        return await FindKeyAsync(context, credential, rule, db, database);
    }

    private async Task<Caller> FindKeyAsync(HttpContext context, string credential, AccessRule rule, AperturDb db, Database database)
    {
        var hash = ApiKey.HashOf(credential);
        var found = await (
            from k in db.ApiKeys
            join project in db.Projects on k.ProjectId equals project.Id
            where k.Hash == hash && k.IsActive && project.DeletedAt == null
            select new { Key = k, project.DisabledAt }).AsNoTracking().SingleOrDefaultAsync(context.RequestAborted)
            ?? throw ApiErrors.Unauthenticated("This API key is unknown or has been revoked.").ToException();
        if (found.DisabledAt is not null)
            throw ApiErrors.Forbidden("This project has been disabled.").ToException();

        if (rule.Access != Access.Caller)
            throw ApiErrors.Forbidden("This is for signed-in people, not for API keys.").ToException();

        var key = found.Key;
        await KeyRestrictions.CheckAsync(context, key);
        await NoteUseAsync(key, database, context.RequestAborted);
        return new Caller(new Dictionary<Guid, Role> { [key.ProjectId] = ApiKey.Role }, rule.Needed ?? Role.Viewer)
        {
            Key = key,
            Env = key.Env,
            Project = key.ProjectId,
        };
    }

    /// <summary>Records when the key was last used. When that cannot be written the request goes on.</summary>
    private async Task NoteUseAsync(ApiKey key, Database database, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        if (key.LastUsedAt > now - _lastUsedPrecision || _noted.GetValueOrDefault(key.Id) > now - _lastUsedPrecision)
            return;
        // Before the try: one that fails is not tried again with every request.
        _noted[key.Id] = now;
        try
        {
            // Whoever holds the row keeps nobody from what the key is used for, either.
            await database.WriteWithinAsync(
                TimeSpan.Zero,
                db => db.ApiKeys.Where(k => k.Id == key.Id).ExecuteUpdateAsync(k => k.SetProperty(x => x.LastUsedAt, now), cancellationToken),
                cancellationToken);
        }
        catch (Exception exception) when (StorageFault.Of(exception) != StorageFaultKind.None)
        {
            LogUnnoted(exception);
        }
    }

    private async Task<Caller> FindPersonAsync(HttpContext context, string credential, AccessRule rule, RouteEndpoint endpoint, AperturDb db)
    {
        var cancellationToken = context.RequestAborted;
        var (userId, signInId) = await tokens.ReadAsync(credential) ?? throw NotSignedIn();
        var found = await db.Users.AsNoTracking().Where(u => u.Id == userId)
            .Select(u => new { User = u, SignedIn = db.SignIns.Any(s => s.Id == signInId && s.UserId == u.Id) })
            .SingleOrDefaultAsync(cancellationToken) ?? throw NotSignedIn();
        if (found.User.DisabledAt is not null)
            throw ApiErrors.AccountDisabled.ToException();
        if (!found.SignedIn)
            throw NotSignedIn();
        if (rule.Access == Access.Operator && !found.User.IsOperator)
            throw ApiErrors.Forbidden("This is for whoever runs the server.").ToException();

        var roles = await (
            from member in db.Members
            join project in db.Projects on member.ProjectId equals project.Id
            where member.UserId == userId && project.DeletedAt == null && project.DisabledAt == null
            select new { project.Id, member.Role }).ToDictionaryAsync(m => m.Id, m => m.Role, cancellationToken);
        return new Caller(roles, rule.Needed ?? Role.Viewer)
        {
            Person = found.User,
            SignInId = signInId,
            Env = endpoint.Metadata.GetMetadata<ChoosesScope>() is null ? null : Chosen(context.Request),
        };
    }

    private static Env? Chosen(HttpRequest request) => request.Query["env"].ToString() switch
    {
        "" or "live" => Env.Live,
        "test" => Env.Test,
        "all" => null,
        _ => throw ApiErrors.Validation("env", "env must be live, test or all.").ToException(),
    };

    private static ApiErrorException NotSignedIn() =>
        ApiErrors.Unauthenticated("This is neither an API key nor a token that counts now. Sign in again.").ToException();

    [LoggerMessage(EventName = "key.unnoted", Level = LogLevel.Warning, Message = "key.unnoted: when the key was last used could not be written")]
    private partial void LogUnnoted(Exception exception);
}
