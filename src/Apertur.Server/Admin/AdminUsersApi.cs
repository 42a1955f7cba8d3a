using Apertur.Server.Accounts;
using Apertur.Server.Auth;
using Apertur.Server.Contract;
using Apertur.Server.Http;
using Apertur.Server.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Admin;

/// <summary>Everybody with an account, and who of them may come in.</summary>
internal static partial class AdminUsersApi
{
    /// <summary>A stretch of the people by their addresses, or the one who has a certain address.</summary>
    public static async Task<Ok<AdminUserPage>> List(HttpRequest request, AperturDb db, CancellationToken cancellationToken)
    {
        var limit = Paging.Number(request, "limit", 50, 1, 100);
        var cursor = Address(request, "cursor");
        var email = Address(request, "email");
        var rows = await db.Users.AsNoTracking()
            .Where(user => (cursor == null || string.Compare(user.Email, cursor) > 0) && (email == null || user.Email == email))
            .OrderBy(user => user.Email).Take(limit + 1)
            .Select(user => new { User = user, Projects = db.Members.Count(member => member.UserId == user.Id) })
            .ToListAsync(cancellationToken);
        return TypedResults.Ok(new AdminUserPage(
            [.. rows.Take(limit).Select(row => Describe(row.User, row.Projects))], rows.Count > limit ? rows[limit - 1].User.Email : null));
    }

    /// <summary>Keeps somebody out, from the next call on.</summary>
    public static Task<Ok<AdminUser>> Disable(
        string userId, Caller caller, Database database, TimeProvider clock, ILogger<User> log, CancellationToken cancellationToken) =>
        SwitchAsync(userId, disable: true, caller, database, clock, log, cancellationToken);

    /// <summary>Lets somebody in again.</summary>
    public static Task<Ok<AdminUser>> Enable(
        string userId, Caller caller, Database database, TimeProvider clock, ILogger<User> log, CancellationToken cancellationToken) =>
        SwitchAsync(userId, disable: false, caller, database, clock, log, cancellationToken);

    private static async Task<Ok<AdminUser>> SwitchAsync(
        string userId, bool disable, Caller caller, Database database, TimeProvider clock, ILogger<User> log, CancellationToken cancellationToken)
    {
        var id = Ids.Parse(userId);
        // So there is always an operator left who can let others in again.
        if (id == caller.Person!.Id)
            throw ApiErrors.BadRequest("You cannot keep yourself out.").ToException();
        var described = await database.WriteAsync(
            async db =>
            {
                var people = await database.Locked(db.Users, [id, caller.Person.Id]).ToListAsync(cancellationToken);
                // Two who keep each other out at the same moment would leave nobody.
                if (people.Find(user => user.Id == caller.Person.Id) is not { IsOperator: true, DisabledAt: null })
                    throw ApiErrors.Forbidden("You are no operator any more.").ToException();
                var person = people.Find(user => user.Id == id) ?? throw ApiErrors.NotFound.ToException();
                await SignIns.SwitchAsync(database, db, person, disable, clock.GetUtcNow(), cancellationToken);
                return Describe(person, await db.Members.CountAsync(member => member.UserId == id, cancellationToken));
            },
            cancellationToken);
        LogSwitch(log, id, disable, caller.Person.Id);
        return TypedResults.Ok(described);
    }

    private static string? Address(HttpRequest request, string name) => request.Query[name].ToString() switch
    {
        "" => null,
        var text => User.CleanEmail(text) ?? throw ApiErrors.Validation(name, $"{name} must be an e-mail address.").ToException(),
    };

    private static AdminUser Describe(User person, int projects) =>
        new(person.Id, person.Email, person.IsOperator, person.DisabledAt, person.TotpOn, person.HasPassword, projects, person.CreatedAt);

    [LoggerMessage(EventName = "user.switched", Level = LogLevel.Information, Message = "user.switched {User}: disabled {Disabled} by {Operator}")]
    private static partial void LogSwitch(ILogger log, Guid user, bool disabled, Guid @operator);
}
