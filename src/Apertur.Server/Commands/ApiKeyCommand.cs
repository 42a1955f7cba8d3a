using System.CommandLine;
using Apertur.Server.Audit;
using Apertur.Server.Keys;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Commands;

/// <summary><c>apikey</c>: the API keys of projects, for whoever runs the server.</summary>
internal static class ApiKeyCommand
{
    public static Command Create()
    {
        var project = new Option<string>("--project") { Description = "The id of the project that the key belongs to.", Required = true };
        var anyProject = new Option<string?>("--project") { Description = "Only keys of the project with this id." };
        var label = new Option<string>("--label") { Description = "What the key is for.", Required = true };
        var env = new Option<string>("--env") { Description = "live or test.", DefaultValueFactory = _ => "live" }.AcceptOnlyFromAmong("live", "test");
        var key = new Option<string>("--key") { Description = "The key's id, or its prefix as 'apikey list' shows it.", Required = true };
        var command = new Command("apikey", "List, create and disable API keys.")
        {
            UserCommand.Act("list", "Show keys.", [anyProject], (parsed, token) =>
                ListAsync(UserCommand.Data(parsed), parsed.GetValue(anyProject), UserCommand.Json(parsed), token)),
            UserCommand.Act("create", "Make a key and print it, once.", [project, label, env], (parsed, token) => CreateAsync(
                UserCommand.Data(parsed), parsed.GetValue(project)!, parsed.GetValue(label)!, parsed.GetValue(env)!, UserCommand.Json(parsed), token)),
            UserCommand.Act("disable", "Refuse a key from the next call on.", [key], (parsed, token) =>
                DisableAsync(UserCommand.Data(parsed), parsed.GetValue(key)!, UserCommand.Json(parsed), token)),
        };
        command.Aliases.Add("key");
        return command;
    }

    private static async Task ListAsync(string data, string? project, bool json, CancellationToken cancellationToken)
    {
        await using var folder = await DataFolder.OpenAsync(data, cancellationToken);
        await using var db = folder.Database.Open();
        var of = project is null ? null : (await ProjectCommand.FindAsync(db.Projects, project, cancellationToken)).Id as Guid?;
        var keys = await db.ApiKeys.AsNoTracking().Where(k => of == null || k.ProjectId == of).OrderBy(k => k.CreatedAt).ToListAsync(cancellationToken);
        DataFolder.Print(
            json,
            keys.ConvertAll(k => new { k.Id, k.ProjectId, k.Prefix, k.Label, Env = k.Env.WireName(), k.IsActive, k.LastUsedAt, k.CreatedAt }),
            k => [k.Id.ToString(), k.ProjectId.ToString(), k.Prefix, k.Env, k.IsActive ? "active" : "disabled", k.Label]);
    }

    private static async Task CreateAsync(string data, string project, string label, string env, bool json, CancellationToken cancellationToken)
    {
        if (label.Trim().Length is 0 or > ApiKey.MaxLabelLength)
            throw new CommandException($"The key's label must have 1 to {ApiKey.MaxLabelLength} characters.");
        await using var folder = await DataFolder.OpenAsync(data, cancellationToken);
        var (row, plainText) = await folder.Database.WriteAsync(
            async db =>
            {
                var owner = await ProjectCommand.FindAsync(db.Projects, project, cancellationToken);
                var made = ApiKey.Create(owner.Id, EnumNames.Parse<Env>(env)!.Value, label.Trim(), folder.Now);
                db.ApiKeys.Add(made.Row);
                AuditLog.AddOperator(db, owner.Id, "keys.create", made.Row.Id, folder.Now);
                return made;
            },
            cancellationToken);
        DataFolder.Print(
            json,
            new { key = new { id = row.Id, projectId = row.ProjectId, prefix = row.Prefix, label = row.Label, env }, plainTextKey = plainText },
            $"Key  {plainText}\n\nIt is shown this once. Keep it somewhere safe.");
    }

    private static async Task DisableAsync(string data, string key, bool json, CancellationToken cancellationToken)
    {
        await using var folder = await DataFolder.OpenAsync(data, cancellationToken);
        var row = await folder.Database.WriteAsync(
            async db =>
            {
                Guid? id = Guid.TryParse(key, out var parsed) ? parsed : null;
                var found = await db.ApiKeys.Where(k => k.Id == id || k.Prefix == key).Take(2).ToListAsync(cancellationToken);
                if (found.Count != 1)
                    throw new CommandException($"There is {(found.Count == 0 ? "no" : "more than one")} key '{key}'. See 'apikey list'.");
                found[0].IsActive = false;
                AuditLog.AddOperator(db, found[0].ProjectId, "keys.disable", found[0].Id, folder.Now);
                return found[0];
            },
            cancellationToken);
        DataFolder.Print(json, new { key = new { id = row.Id, prefix = row.Prefix, isActive = false } }, $"{row.Prefix}… is disabled.");
    }
}
