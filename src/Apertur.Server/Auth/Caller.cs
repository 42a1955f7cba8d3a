using Apertur.Server.Accounts;
using Apertur.Server.Http;
using Apertur.Server.Keys;
using Apertur.Server.Projects;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Auth;

/// <summary>
/// The authenticated caller of a request and the projects it may reach. Every query on tenants' data starts here: it shows only projects in
/// which the caller has the role that the route asks for, so a handler that forgets to ask shows too little, never too much.
/// </summary>
internal sealed class Caller
{
    // Named one by one, or the indexes of the lists, which go by environment, could not be used for both.
    private static readonly Env[] _envs = Enum.GetValues<Env>();

    private readonly IReadOnlyDictionary<Guid, Role> _roles;
    private readonly Role _needed;

    /// <param name="roles">The caller's projects, and as what.</param>
    /// <param name="needed">The least role the route asks for.</param>
    public Caller(IReadOnlyDictionary<Guid, Role> roles, Role needed)
    {
        (_roles, _needed) = (roles, needed);
        Projects = roles.Where(project => project.Value >= needed).ToDictionary();
    }

    /// <summary>The API key of the request; null for a person.</summary>
    public ApiKey? Key { get; init; }

    /// <summary>The key's id, or the person's.</summary>
    public Guid Id => Key?.Id ?? Person!.Id;

    /// <summary>The name to display: an e-mail address, or a key's prefix.</summary>
    public string Name => Key?.Prefix ?? Person!.Email;

    /// <summary>The person who signed in; null for a key.</summary>
    public User? Person { get; init; }

    /// <summary>The person's sign-in; null for a key.</summary>
    public Guid? SignInId { get; init; }

    /// <summary>The projects in which the caller may do what the route does, and the role there.</summary>
    public IReadOnlyDictionary<Guid, Role> Projects { get; }

    /// <summary>The only environment the caller sees; null for both.</summary>
    public required Env? Env { get; init; }

    /// <summary>The project that the request concerns; null until something was looked up in one.</summary>
    public Guid? Project { get; set; }

    /// <exception cref="ApiErrorException">404 when the project is not the caller's, 403 when the role there is too low.</exception>
    public Role RoleIn(Guid projectId)
    {
        if (!_roles.TryGetValue(projectId, out var role))
            throw ApiErrors.NotFound.ToException();
        if (role < _needed)
            throw ApiErrors.RoleTooLow(_needed).ToException();
        Project = projectId;
        return role;
    }

    /// <summary>The same caller, for whom there is only that project.</summary>
    /// <exception cref="ApiErrorException">404 when the project is not the caller's, 403 when the role there is too low.</exception>
    public Caller Within(Guid projectId) =>
        new(new Dictionary<Guid, Role> { [projectId] = RoleIn(projectId) }, _needed)
        {
            Key = Key,
            Person = Person,
            SignInId = SignInId,
            Env = Env,
            Project = projectId,
        };

    /// <summary>Those of the caller's projects, and of the environment that it sees.</summary>
    public IQueryable<T> See<T>(IQueryable<T> things)
        where T : class, ITenantData
    {
        // One by equality: PostgreSQL reads an index in its order then, and stops at the end of a page.
        var ofProjects = Projects.Keys.ToList() is [var project]
            ? things.Where(thing => thing.ProjectId == project)
            : things.Where(thing => Projects.Keys.Contains(thing.ProjectId));
        return Env is { } env ? ofProjects.Where(thing => thing.Env == env) : ofProjects.Where(thing => _envs.Contains(thing.Env));
    }

    /// <summary>The row that an id in a path names.</summary>
    /// <exception cref="ApiErrorException">404 when there is none or it is not the caller's, 403 when the role in its project is too low.</exception>
    public async Task<T> FindAsync<T>(IQueryable<T> things, string id, CancellationToken cancellationToken)
        where T : class, ITenantData
    {
        var thingId = Ids.Parse(id);
        var found = await things
            .Where(thing => thing.Id == thingId && _roles.Keys.Contains(thing.ProjectId) && (Env == null || thing.Env == Env))
            .SingleOrDefaultAsync(cancellationToken) ?? throw ApiErrors.NotFound.ToException();
        RoleIn(found.ProjectId);
        return found;
    }

    /// <summary>The caller that <see cref="Authentication"/> found; routes without one have no such parameter.</summary>
    public static ValueTask<Caller?> BindAsync(HttpContext context) => ValueTask.FromResult(context.Features.Get<Caller>());
}

/// <summary>A row that belongs to one environment of one project and is addressed by its own id.</summary>
internal interface ITenantData
{
    Guid Id { get; }

    Guid ProjectId { get; }

    Env Env { get; }
}
