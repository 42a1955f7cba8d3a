using System.CommandLine;
using Apertur.Server.Audit;
using Apertur.Server.Projects;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Commands;

/// <summary><c>project</c>: the projects on this server, for whoever runs it.</summary>
internal static class ProjectCommand
{
    public static Command Create()
    {
        var name = new Option<string>("--name") { Description = "What the project is called.", Required = true };
        var owner = new Option<string>("--owner") { Description = "The e-mail address of a user who will own it.", Required = true };
        var project = new Option<string>("--project") { Description = "The project's id.", Required = true };
        var days = new Option<int?>("--days") { Description = "Days that photos are kept after everything of them is done; 0: not at all; none given: for ever." };
        var rows = new Option<RetentionRows>("--rows") { Description = "Whether their rows stay." };
        return new Command("project", "List, create, disable and enable projects, and say how long their photos are kept.")
        {
            UserCommand.Act("list", "Show every project.", [], (parsed, token) =>
                ListAsync(UserCommand.Data(parsed), UserCommand.Json(parsed), token)),
            UserCommand.Act("create", "Make a project, a live and a test key, and print the keys once.", [name, owner], (parsed, token) =>
                CreateAsync(UserCommand.Data(parsed), parsed.GetValue(name)!, parsed.GetValue(owner)!, UserCommand.Json(parsed), token)),
            UserCommand.Act("disable", "Keep members, keys and links out of a project; deliveries that wait go on.", [project], (parsed, token) =>
                SwitchAsync(UserCommand.Data(parsed), parsed.GetValue(project)!, disable: true, UserCommand.Json(parsed), token)),
            UserCommand.Act("enable", "Let them in again.", [project], (parsed, token) =>
                SwitchAsync(UserCommand.Data(parsed), parsed.GetValue(project)!, disable: false, UserCommand.Json(parsed), token)),
            UserCommand.Act("retention", "Say how long the photos of a project are kept.", [project, days, rows], (parsed, token) => RetainAsync(
                UserCommand.Data(parsed), parsed.GetValue(project)!, parsed.GetValue(days), parsed.GetValue(rows), UserCommand.Json(parsed), token)),
        };
    }

    /// <exception cref="CommandException">There is none.</exception>
    public static async Task<Project> FindAsync(IQueryable<Project> projects, string id, CancellationToken cancellationToken)
    {
        var found = Guid.TryParse(id, out var projectId)
            ? await projects.SingleOrDefaultAsync(p => p.Id == projectId && p.DeletedAt == null, cancellationToken)
            : null;
        return found ?? throw new CommandException($"There is no project '{id}'. See 'project list'.");
    }

    private static async Task ListAsync(string data, bool json, CancellationToken cancellationToken)
    {
        await using var folder = await DataFolder.OpenAsync(data, cancellationToken);
        await using var db = folder.Database.Open();
        var projects = await db.Projects.AsNoTracking().Where(p => p.DeletedAt == null).OrderBy(p => p.CreatedAt).ToListAsync(cancellationToken);
        var owners = (await (
            from member in db.Members
            join user in db.Users on member.UserId equals user.Id
            where member.Role == Role.Owner
            select new { member.ProjectId, user.Email }).ToListAsync(cancellationToken)).ToLookup(o => o.ProjectId, o => o.Email);
        DataFolder.Print(
            json,
            projects.ConvertAll(p => new { p.Id, p.Name, Owners = owners[p.Id].Order().ToArray(), Disabled = p.DisabledAt is not null, p.CreatedAt }),
            p => [p.Id.ToString(), p.Name, string.Join(' ', p.Owners), p.Disabled ? "disabled" : "active"]);
    }

    private static async Task CreateAsync(string data, string name, string owner, bool json, CancellationToken cancellationToken)
    {
        await using var folder = await DataFolder.OpenAsync(data, cancellationToken);
        var made = await Installation.AddProjectAsync(folder.Services, name, owner, cancellationToken);
        Console.WriteLine(json ? InitCommand.Json(made) : InitCommand.Text(made));
    }

    private static async Task SwitchAsync(string data, string id, bool disable, bool json, CancellationToken cancellationToken)
    {
        await using var folder = await DataFolder.OpenAsync(data, cancellationToken);
        var project = await folder.Database.WriteAsync(
            async db =>
            {
                var found = await FindAsync(db.Projects, id, cancellationToken);
                found.DisabledAt = disable ? found.DisabledAt ?? folder.Now : null;
                AuditLog.AddOperator(db, found.Id, disable ? "projects.disable" : "projects.enable", found.Id, folder.Now);
                return found;
            },
            cancellationToken);
        DataFolder.Print(
            json,
            new { project = new { id = project.Id, name = project.Name, disabled = disable } },
            $"{project.Name} is {(disable ? "disabled" : "enabled")}.");
    }

    private static async Task RetainAsync(
        string data, string id, int? days, RetentionRows rows, bool json, CancellationToken cancellationToken)
    {
        if (days is < 0 or > Project.MaxRetentionDays)
            throw new CommandException($"--days takes 0 to {Project.MaxRetentionDays}.");
        await using var folder = await DataFolder.OpenAsync(data, cancellationToken);
        var project = await folder.Database.WriteAsync(
            async db =>
            {
                var found = await FindAsync(db.Projects, id, cancellationToken);
                (found.RetentionDays, found.RetentionRows, found.UpdatedAt) = (days, rows, folder.Now);
                AuditLog.AddOperator(db, found.Id, "projects.update", found.Id, folder.Now);
                return found;
            },
            cancellationToken);
        DataFolder.Print(
            json,
            new { project = new { id = project.Id, name = project.Name, retentionDays = days, retentionRows = rows.WireName() } },
            days is null ? $"Photos of {project.Name} are kept for ever." : $"Photos of {project.Name} are kept for {days} days.");
    }
}
