using Apertur.Server.Http;
using Apertur.Server.Keys;
using Apertur.Server.Projects;
using Apertur.Server.Sessions;
using Apertur.Server.Uploads;

namespace Apertur.Server.Auth;

/// <summary>Who is asking and what is theirs. Every query on tenants' data starts here.</summary>
internal sealed class Caller
{
    /// <summary>The key that was shown; null for a person.</summary>
    public ApiKey? Key { get; init; }

    /// <summary>The key's id, or the person's.</summary>
    public Guid Id => Key!.Id;

    /// <summary>The projects the caller has access to, and as what.</summary>
    public required IReadOnlyDictionary<Guid, Role> Projects { get; init; }

    /// <summary>The only environment the caller sees; null for both.</summary>
    public required Env? Env { get; init; }

    /// <exception cref="ApiErrorException">404 when the project is not the caller's.</exception>
    public Role RoleIn(Guid projectId) =>
        Projects.TryGetValue(projectId, out var role) ? role : throw ApiErrors.NotFound.ToException();

    /// <exception cref="ApiErrorException">404 when the project is not the caller's, 403 when the caller may not do such things
    /// in it.</exception>
    public void Require(Guid projectId, Role least)
    {
        if (RoleIn(projectId) < least)
            throw ApiErrors.Forbidden($"This needs the role {least.ToString().ToLowerInvariant()} in the project.").ToException();
    }

    public IQueryable<UploadSession> See(IQueryable<UploadSession> sessions) =>
        sessions.Where(session => Projects.Keys.Contains(session.ProjectId) && (Env == null || session.Env == Env));

    public IQueryable<Upload> See(IQueryable<Upload> uploads) =>
        uploads.Where(upload => Projects.Keys.Contains(upload.ProjectId) && (Env == null || upload.Env == Env));

    /// <summary>The caller that <see cref="Authentication"/> found; routes without one have no such parameter.</summary>
    public static ValueTask<Caller?> BindAsync(HttpContext context) => ValueTask.FromResult(context.Features.Get<Caller>());
}

/// <summary>Who may call a route. Every route carries one.</summary>
internal enum Access
{
    /// <summary>Anybody.</summary>
    Public,

    /// <summary>Whoever holds the link of the session in the path.</summary>
    Session,

    /// <summary>An API key, or a signed-in person.</summary>
    Caller,
}
