using System.Net.Mail;
using Apertur.Server.Accounts;
using Apertur.Server.Keys;
using Apertur.Server.Projects;
using Apertur.Server.Storage;
using Microsoft.AspNetCore.Identity;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Commands;

/// <summary>A data folder's first owner, project and keys.</summary>
/// <param name="LiveKey">Shown now and never again.</param>
/// <param name="TestKey">Shown now and never again.</param>
internal sealed record Installation(User Owner, Project Project, string LiveKey, string TestKey)
{
    private const int MinPasswordLength = 8;

    /// <exception cref="CommandException">There is an owner already, or a value cannot be used.</exception>
    public static async Task<Installation> CreateAsync(
        IServiceProvider services, string email, string password, string projectName, CancellationToken cancellationToken)
    {
        email = email.Trim().ToLowerInvariant();
        if (!MailAddress.TryCreate(email, out _))
            throw new CommandException($"'{email}' is not an e-mail address.");
        if (password.Length < MinPasswordLength)
            throw new CommandException($"The password must have at least {MinPasswordLength} characters.");
        if (string.IsNullOrWhiteSpace(projectName))
            throw new CommandException("The project needs a name.");

        var database = services.GetRequiredService<Database>();
        await Migrator.RunAsync(database, cancellationToken);
        var now = services.GetRequiredService<TimeProvider>().GetUtcNow();
        var owner = new User
        {
            Id = Guid.CreateVersion7(now),
            Email = email,
            PasswordHash = new PasswordHasher<object>().HashPassword(email, password),
            CreatedAt = now,
        };
        var projectId = Guid.CreateVersion7(now);
        var project = new Project
        {
            Id = projectId,
            Name = projectName.Trim(),
            WebhookSecret = services.GetRequiredService<Secrets>().Protect(Project.WebhookSecretColumn, projectId, Secrets.Generate()),
            CreatedAt = now,
            UpdatedAt = now,
        };
        var (live, liveText) = ApiKey.Create(projectId, Env.Live, "Live", now);
        var (test, testText) = ApiKey.Create(projectId, Env.Test, "Test", now);
        await database.WriteAsync(
            async db =>
            {
                if (await db.Users.AnyAsync(cancellationToken))
                    throw new CommandException("This data folder has an owner already.");
                db.Users.Add(owner);
                db.Projects.Add(project);
                db.Members.Add(new Member { ProjectId = projectId, UserId = owner.Id, Role = Role.Owner, CreatedAt = now });
                db.ApiKeys.AddRange(live, test);
            },
            cancellationToken);
        return new Installation(owner, project, liveText, testText);
    }
}
