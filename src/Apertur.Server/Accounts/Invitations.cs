using System.Net;
using Apertur.Server.Audit;
using Apertur.Server.Projects;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Accounts;

/// <summary>What invitations are worth, and what following one does.</summary>
internal static class Invitations
{
    /// <summary>Whether one still counts: only as long as whoever sent it could send it again.</summary>
    public static async Task<bool> CountsAsync(AperturDb db, OneTimeLink link, CancellationToken cancellationToken)
    {
        var least = link.Role > Role.Admin ? link.Role.Value : Role.Admin;
        var open = await db.Projects.AnyAsync(p => p.Id == link.ProjectId && p.DeletedAt == null && p.DisabledAt == null, cancellationToken);
        var sender = await (
            from member in db.Members
            join user in db.Users on member.UserId equals user.Id
            where member.ProjectId == link.ProjectId && user.Id == link.CreatedBy && user.DisabledAt == null
            select (Role?)member.Role).SingleOrDefaultAsync(cancellationToken);
        return open && sender >= least;
    }

    /// <summary>Those to an address that count.</summary>
    public static async Task<IReadOnlyList<OneTimeLink>> ToAsync(AperturDb db, string email, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var links = await db.OneTimeLinks.AsNoTracking()
            .Where(l => l.Email == email && l.Kind == OneTimeLinkKind.Invitation && l.ExpiresAt > now).OrderBy(l => l.Id).ToListAsync(cancellationToken);
        var counting = new List<OneTimeLink>();
        foreach (var link in links)
        {
            if (await CountsAsync(db, link, cancellationToken))
                counting.Add(link);
        }

        return counting;
    }

    /// <summary>Makes a person a member, who keeps the role of a member already.</summary>
    public static async Task JoinAsync(
        AperturDb db, OneTimeLink link, User person, IPAddress? address, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var project = link.ProjectId!.Value;
        if (await db.Members.AnyAsync(m => m.ProjectId == project && m.UserId == person.Id, cancellationToken)
            || db.Members.Local.Any(m => m.ProjectId == project && m.UserId == person.Id))
            return;
        db.Members.Add(new Member { ProjectId = project, UserId = person.Id, Role = link.Role!.Value, CreatedAt = now });
        AuditLog.Add(db, project, person, "members.join", person.Id, address?.ToString(), now);
    }
}
