using Apertur.Server.Accounts;
using Apertur.Server.Auth;
using Apertur.Server.Contract;
using Apertur.Server.Http;
using Apertur.Server.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Projects;

/// <summary>Who belongs to a project. Nobody gives, changes or takes a role above their own, and a project always has an owner.</summary>
internal static class MembersApi
{
    /// <summary>Everybody who belongs to a project, newest first.</summary>
    public static async Task<Ok<List<MemberResponse>>> List(string projectId, AperturDb db, CancellationToken cancellationToken)
    {
        var project = Ids.Parse(projectId);
        var members = await (
            from member in db.Members
            join user in db.Users on member.UserId equals user.Id
            where member.ProjectId == project
            orderby member.CreatedAt descending, member.UserId
            select new { member, user.Email }).AsNoTracking().ToListAsync(cancellationToken);
        return TypedResults.Ok(members.ConvertAll(m => Describe(m.member, m.Email)));
    }

    /// <summary>Invites somebody: the answer has a link to pass on. There is no mail in this server.</summary>
    public static async Task<Created<InvitationResponse>> Invite(
        string projectId, Body<MemberRequest> body, Caller caller, AperturDb db, Database database, PublicAddress address, TimeProvider clock,
        HttpRequest http, CancellationToken cancellationToken)
    {
        var project = Ids.Parse(projectId);
        var role = Wanted(body.Value, caller.RoleIn(project));
        var email = User.CleanEmail(body.Value.Email)
            ?? throw ApiErrors.Validation("email", "email must be an e-mail address.").ToException();
        if (await db.Members.AnyAsync(m => m.ProjectId == project && db.Users.Any(u => u.Id == m.UserId && u.Email == email), cancellationToken))
            throw ApiErrors.Validation("email", "This person is a member already.").ToException();

        var (link, secret) = OneTimeLink.ForInvitation(project, email, role, caller.Person!.Id, clock.GetUtcNow());
        await database.AddAsync([link], cancellationToken);
        return TypedResults.Created(
            $"/api/v1/projects/{project}/invitations/{link.Id}", Describe(link, OneTimeLink.Address(address.BaseOf(http), secret)));
    }

    /// <summary>Invitations that nobody has followed yet.</summary>
    public static async Task<Ok<List<InvitationResponse>>> ListInvitations(
        string projectId, AperturDb db, TimeProvider clock, CancellationToken cancellationToken)
    {
        var project = Ids.Parse(projectId);
        var now = clock.GetUtcNow();
        var links = await db.OneTimeLinks.AsNoTracking().Where(l => l.ProjectId == project && l.ExpiresAt > now)
            .OrderByDescending(l => l.CreatedAt).ThenByDescending(l => l.Id).ToListAsync(cancellationToken);
        return TypedResults.Ok(links.ConvertAll(link => Describe(link, null)));
    }

    /// <summary>Takes an invitation back.</summary>
    public static async Task<NoContent> DeleteInvitation(
        string projectId, string id, Database database, CancellationToken cancellationToken)
    {
        var (project, link) = (Ids.Parse(projectId), Ids.Parse(id));
        var deleted = await database.WriteAsync(
            db => db.OneTimeLinks.Where(l => l.Id == link && l.ProjectId == project).ExecuteDeleteAsync(cancellationToken), cancellationToken);
        return deleted == 1 ? TypedResults.NoContent() : throw ApiErrors.NotFound.ToException();
    }

    /// <summary>Gives a member another role.</summary>
    public static async Task<Ok<MemberResponse>> Update(
        string projectId, string userId, Body<MemberRequest> body, Caller caller, Database database, CancellationToken cancellationToken)
    {
        var (project, user) = (Ids.Parse(projectId), Ids.Parse(userId));
        var mine = caller.RoleIn(project);
        var role = Wanted(body.Value, mine);
        return TypedResults.Ok(await database.WriteAsync(
            async db =>
            {
                var member = await FindAsync(db, database, project, user, cancellationToken);
                if (member.Role > mine)
                    throw ApiErrors.RoleTooLow(member.Role).ToException();
                if (role != Role.Owner)
                    await KeepAnOwnerAsync(db, member, cancellationToken);
                member.Role = role;
                return Describe(member, await db.Users.Where(u => u.Id == user).Select(u => u.Email).SingleAsync(cancellationToken));
            },
            cancellationToken));
    }

    /// <summary>Takes a member away, from the next call on. Everybody may leave; taking others away needs an admin.</summary>
    public static async Task<NoContent> Delete(
        string projectId, string userId, Caller caller, Database database, CancellationToken cancellationToken)
    {
        var (project, user) = (Ids.Parse(projectId), Ids.Parse(userId));
        var mine = caller.RoleIn(project);
        if (user != caller.Person!.Id && mine < Role.Admin)
            throw ApiErrors.RoleTooLow(Role.Admin).ToException();
        await database.WriteAsync(
            async db =>
            {
                var member = await FindAsync(db, database, project, user, cancellationToken);
                if (member.Role > mine)
                    throw ApiErrors.RoleTooLow(member.Role).ToException();
                await KeepAnOwnerAsync(db, member, cancellationToken);
                db.Members.Remove(member);
            },
            cancellationToken);
        return TypedResults.NoContent();
    }

    private static Role Wanted(MemberRequest request, Role mine)
    {
        var role = EnumNames.Parse<Role>(request.Role)
            ?? throw ApiErrors.Validation("role", "role must be owner, admin, developer or viewer.").ToException();
        return role <= mine ? role : throw ApiErrors.RoleTooLow(role).ToException();
    }

    private static async Task<Member> FindAsync(
        AperturDb db, Database database, Guid project, Guid user, CancellationToken cancellationToken)
    {
        // One change of a project's members at a time, or two owners could leave at once.
        await database.Locked(db.Projects, [project]).SingleAsync(cancellationToken);
        return await db.Members.SingleOrDefaultAsync(m => m.ProjectId == project && m.UserId == user, cancellationToken)
            ?? throw ApiErrors.NotFound.ToException();
    }

    private static async Task KeepAnOwnerAsync(AperturDb db, Member member, CancellationToken cancellationToken)
    {
        if (member.Role == Role.Owner
            && !await db.Members.AnyAsync(
                m => m.ProjectId == member.ProjectId && m.UserId != member.UserId && m.Role == Role.Owner
                    && db.Users.Any(u => u.Id == m.UserId && u.DisabledAt == null),
                cancellationToken))
        {
            throw ApiErrors.LastOwner.ToException();
        }
    }

    private static MemberResponse Describe(Member member, string email) => new(member.UserId, email, member.Role.WireName(), member.CreatedAt);

    private static InvitationResponse Describe(OneTimeLink link, string? url) =>
        new(link.Id, link.Email!, link.Role!.Value.WireName(), link.CreatedAt, link.ExpiresAt, url);
}
