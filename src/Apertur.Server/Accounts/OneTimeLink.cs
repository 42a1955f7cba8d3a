using Apertur.Server.Audit;
using Apertur.Server.Projects;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Accounts;

/// <summary>A one-time link: a bearer capability for one act. Only the hash of what stands in it is kept.</summary>
internal sealed class OneTimeLink
{
    public required Guid Id { get; init; }
    public required string Hash { get; init; }
    public required OneTimeLinkKind Kind { get; init; }

    /// <summary>Whose password it sets, or who signs in by it.</summary>
    public Guid? UserId { get; init; }

    /// <summary>The project it leads into, as <see cref="Role"/>.</summary>
    public Guid? ProjectId { get; init; }

    /// <summary>The e-mail address it was made for.</summary>
    public string? Email { get; init; }

    public Role? Role { get; init; }

    /// <summary>The person who invites; null on the command line.</summary>
    public Guid? CreatedBy { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>For whoever sets up this server, while it has nobody. Links made before for that end.</summary>
    /// <returns>What stands in the link; null when there is somebody.</returns>
    public static Task<string?> ForFirstOwnerAsync(Database database, DateTimeOffset now, CancellationToken cancellationToken) =>
        database.WriteAsync(
            async db =>
            {
                if (await db.Users.AnyAsync(cancellationToken))
                    return null;
                await db.OneTimeLinks.Where(l => l.Kind == OneTimeLinkKind.Owner).ExecuteDeleteAsync(cancellationToken);
                var secret = OneTimeSecret.Generate();
                db.OneTimeLinks.Add(new OneTimeLink
                {
                    Id = Guid.CreateVersion7(now),
                    Hash = OneTimeSecret.HashOf(secret),
                    Kind = OneTimeLinkKind.Owner,
                    ExpiresAt = now.AddDays(7),
                    CreatedAt = now,
                });
                return secret;
            },
            cancellationToken);

    /// <summary>For a person to set a password; ends after a day.</summary>
    public static (OneTimeLink Row, string Secret) ForPassword(User person, DateTimeOffset now)
    {
        var secret = OneTimeSecret.Generate();
        var row = new OneTimeLink
        {
            Id = Guid.CreateVersion7(now),
            Hash = OneTimeSecret.HashOf(secret),
            Kind = OneTimeLinkKind.Password,
            UserId = person.Id,
            Email = person.Email,
            ExpiresAt = now.AddDays(1),
            CreatedAt = now,
        };
        return (row, secret);
    }

    /// <summary>
    /// For a person to sign in without a password; ends after half an hour, and with it the one before. Made by whoever runs the server, which
    /// the audit log of each of the person's projects says.
    /// </summary>
    /// <returns>What stands in the link.</returns>
    public static async Task<string> ForSignInAsync(AperturDb db, User person, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await db.OneTimeLinks.Where(l => l.UserId == person.Id && l.Kind == OneTimeLinkKind.SignIn).ExecuteDeleteAsync(cancellationToken);
        var secret = OneTimeSecret.Generate();
        db.OneTimeLinks.Add(new OneTimeLink
        {
            Id = Guid.CreateVersion7(now),
            Hash = OneTimeSecret.HashOf(secret),
            Kind = OneTimeLinkKind.SignIn,
            UserId = person.Id,
            Email = person.Email,
            ExpiresAt = now.AddMinutes(30),
            CreatedAt = now,
        });
        foreach (var project in await db.Members.Where(m => m.UserId == person.Id).Select(m => m.ProjectId).ToListAsync(cancellationToken))
            AuditLog.AddOperator(db, project, "members.create_sign_in_link", person.Id, now);
        return secret;
    }

    /// <summary>For somebody to become a member; ends after a week.</summary>
    public static (OneTimeLink Row, string Secret) ForInvitation(Guid projectId, string email, Role role, Guid createdBy, DateTimeOffset now)
    {
        var secret = OneTimeSecret.Generate();
        var row = new OneTimeLink
        {
            Id = Guid.CreateVersion7(now),
            Hash = OneTimeSecret.HashOf(secret),
            Kind = OneTimeLinkKind.Invitation,
            ProjectId = projectId,
            Email = email,
            Role = role,
            CreatedBy = createdBy,
            ExpiresAt = now.AddDays(7),
            CreatedAt = now,
        };
        return (row, secret);
    }

    /// <summary>Where a browser opens it.</summary>
    public static string Address(string baseUrl, string secret) => $"{baseUrl}/link/{secret}";

    public static Task<OneTimeLink?> FindAsync(AperturDb db, string secret, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var hash = OneTimeSecret.HashOf(secret);
        return db.OneTimeLinks.AsNoTracking().SingleOrDefaultAsync(l => l.Hash == hash && l.ExpiresAt > now, cancellationToken);
    }

    /// <summary>Uses it up.</summary>
    /// <returns>False when somebody else was first.</returns>
    public async Task<bool> TakeAsync(AperturDb db, CancellationToken cancellationToken) =>
        await db.OneTimeLinks.Where(l => l.Id == Id).ExecuteDeleteAsync(cancellationToken) == 1;
}

internal enum OneTimeLinkKind
{
    Owner,
    Password,
    Invitation,
    SignIn,
}
