using Apertur.Server.Accounts;
using Apertur.Server.Audit;
using Apertur.Server.Keys;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Projects;

/// <summary>A data folder's first owner, project and keys.</summary>
/// <param name="LiveKey">Shown now and never again.</param>
/// <param name="TestKey">Shown now and never again.</param>
internal sealed record Installation(User Owner, Project Project, string LiveKey, string TestKey)
{
    /// <param name="services">Database and encryption.</param>
    /// <param name="email">The owner's.</param>
    /// <param name="passwordHash">Of the password, by <see cref="HashOf"/>.</param>
    /// <param name="projectName">Of the first project.</param>
    /// <param name="beforeCommit">Gets what is about to be made, to put away what is shown only once.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="InstallationException">There is an owner already, or a value cannot be used.</exception>
    public static async Task<Installation> CreateAsync(
        IServiceProvider services, string email, string passwordHash, string projectName, Action<Installation>? beforeCommit,
        CancellationToken cancellationToken)
    {
        var now = services.GetRequiredService<TimeProvider>().GetUtcNow();
        var owner = NewOwner(email, passwordHash, projectName, now);
        var (project, live, test) = NewProject(projectName, services.GetRequiredService<ColumnEncryption>(), now);
        var made = new Installation(owner, project, live.PlainText, test.PlainText);
        beforeCommit?.Invoke(made);
        await WriteAsync(services, owner, project, [live.Row, test.Row], link: null, now, cancellationToken);
        return made;
    }

    /// <summary>The first owner and project for whoever follows the link; without keys, which people make when a program needs one.</summary>
    /// <exception cref="InstallationException">There is an owner already, or a value cannot be used.</exception>
    public static async Task<(User Owner, Project Project)> SetUpAsync(
        IServiceProvider services, string email, string password, string projectName, OneTimeLink link, CancellationToken cancellationToken)
    {
        var now = services.GetRequiredService<TimeProvider>().GetUtcNow();
        var owner = NewOwner(email, HashOf(password), projectName, now);
        var project = Project.Create(projectName.Trim(), services.GetRequiredService<ColumnEncryption>(), now);
        await WriteAsync(services, owner, project, [], link, now, cancellationToken);
        return (owner, project);
    }

    /// <summary>Another project for somebody who is known, with its keys.</summary>
    /// <exception cref="InstallationException">The owner is unknown, or the name cannot be used.</exception>
    public static async Task<Installation> AddProjectAsync(
        IServiceProvider services, string name, string ownerEmail, CancellationToken cancellationToken)
    {
        if (Project.NameProblem(name) is { } problem)
            throw new InstallationException(problem);
        var now = services.GetRequiredService<TimeProvider>().GetUtcNow();
        var (project, live, test) = NewProject(name, services.GetRequiredService<ColumnEncryption>(), now);
        var owner = await services.GetRequiredService<Database>().WriteAsync(
            async db =>
            {
                var email = User.CleanEmail(ownerEmail);
                var person = await db.Users.SingleOrDefaultAsync(u => u.Email == email, cancellationToken)
                    ?? throw new InstallationException($"There is no user '{ownerEmail}'. Make one with 'user create'.");
                Add(db, project, [live.Row, test.Row], person, now);
                AuditLog.AddOperator(db, project.Id, "projects.create", project.Id, now);
                return person;
            },
            cancellationToken);
        return new Installation(owner, project, live.PlainText, test.PlainText);
    }

    /// <summary>What is kept of an owner's password.</summary>
    /// <exception cref="InstallationException">It cannot be one.</exception>
    public static string HashOf(string password) =>
        Passwords.Problem(password) is { } problem ? throw new InstallationException(problem) : Passwords.Hash(password);

    private static (Project Project, (ApiKey Row, string PlainText) Live, (ApiKey Row, string PlainText) Test) NewProject(
        string name, ColumnEncryption encryption, DateTimeOffset now)
    {
        var project = Project.Create(name.Trim(), encryption, now);
        return (project, ApiKey.Create(project.Id, Env.Live, "Live", now), ApiKey.Create(project.Id, Env.Test, "Test", now));
    }

    private static User NewOwner(string email, string passwordHash, string projectName, DateTimeOffset now)
    {
        var address = User.CleanEmail(email) ?? throw new InstallationException($"'{email}' is not an e-mail address.");
        if (Project.NameProblem(projectName) is { } nameProblem)
            throw new InstallationException(nameProblem);
        var owner = User.Create(address, passwordHash, now);
        // Whoever begins has the machine, or its terminal.
        owner.IsOperator = true;
        return owner;
    }

    private static async Task WriteAsync(
        IServiceProvider services, User owner, Project project, IReadOnlyList<ApiKey> keys, OneTimeLink? link, DateTimeOffset now,
        CancellationToken cancellationToken)
    {
        var database = services.GetRequiredService<Database>();
        await Migrator.RunAsync(database, cancellationToken);
        await database.WriteAsync(
            async db =>
            {
                // First, because with PostgreSQL only this keeps apart two who follow the link at once.
                if (link is not null && !await link.TakeAsync(db, cancellationToken))
                    throw new InstallationException("This link has been used.");
                if (await db.Users.AnyAsync(cancellationToken))
                    throw new InstallationException("This data folder has an owner already.");
                db.Users.Add(owner);
                Add(db, project, keys, owner, now);
            },
            cancellationToken);
    }

    private static void Add(AperturDb db, Project project, IReadOnlyList<ApiKey> keys, User owner, DateTimeOffset now)
    {
        db.Projects.Add(project);
        db.Members.Add(new Member { ProjectId = project.Id, UserId = owner.Id, Role = Role.Owner, CreatedAt = now });
        db.ApiKeys.AddRange(keys);
    }
}

/// <summary>A first owner or a project cannot be made; the message says why and what to do.</summary>
internal sealed class InstallationException(string message) : Exception(message);
