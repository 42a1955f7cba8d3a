using System.CommandLine;
using Apertur.Server.Accounts;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Commands;

/// <summary><c>user</c>: the people who may sign in, for whoever runs the server.</summary>
internal static class UserCommand
{
    public static Command Create()
    {
        var email = new Option<string>("--email") { Description = "The person's e-mail address.", Required = true };
        var remove = new Option<bool>("--remove") { Description = "Take it back." };
        return new Command("user", "List, create, disable and enable people, or make a link to sign in or to set a password.")
        {
            Act("list", "Show everybody.", [], (parsed, token) => ListAsync(Data(parsed), Json(parsed), token)),
            Act("create", "Make an account. Without a password a link to set one is printed.",
                [email, PasswordInput.Argument, PasswordInput.StandardInput], (parsed, token) =>
                CreateAsync(Data(parsed), parsed.GetValue(email)!, PasswordInput.Read(parsed), Json(parsed), token)),
            Act("disable", "Keep somebody out, from the next call on.", [email], (parsed, token) =>
                SwitchAsync(Data(parsed), parsed.GetValue(email)!, disable: true, Json(parsed), token)),
            Act("enable", "Let somebody in again.", [email], (parsed, token) =>
                SwitchAsync(Data(parsed), parsed.GetValue(email)!, disable: false, Json(parsed), token)),
            Act("operator", "Let somebody see to the whole server in the dashboard.", [email, remove], (parsed, token) =>
                GrantAsync(Data(parsed), parsed.GetValue(email)!, !parsed.GetValue(remove), Json(parsed), token)),
            Act("sign-in-link", "Make a link that signs somebody in, once, within half an hour, in place of the password. Codes of an app are asked for.", [email],
                (parsed, token) => SignInLinkAsync(Data(parsed), parsed.GetValue(email)!, Json(parsed), token)),
            Act("reset", "Make a link that sets a new password, once, within a day. Codes of an app and links to single sign-on end.", [email], (parsed, token) =>
                ResetAsync(Data(parsed), parsed.GetValue(email)!, Json(parsed), token)),
        };
    }

    /// <summary>One command of a group such as this, with the options that all have.</summary>
    public static Command Act(string name, string description, Option[] options, Func<ParseResult, CancellationToken, Task> run)
    {
        var command = new Command(name, description) { CommandLine.Data, CommandLine.Json };
        foreach (var option in options)
            command.Add(option);
        command.SetAction((parsed, cancellationToken) => CommandLine.RunAsync(() => run(parsed, cancellationToken)));
        return command;
    }

    public static string Data(ParseResult parsed) => parsed.GetValue(CommandLine.Data)!;

    public static bool Json(ParseResult parsed) => parsed.GetValue(CommandLine.Json);

    private static async Task ListAsync(string data, bool json, CancellationToken cancellationToken)
    {
        await using var folder = await DataFolder.OpenAsync(data, cancellationToken);
        await using var db = folder.Database.Open();
        var users = await db.Users.AsNoTracking().OrderBy(u => u.Email).ToListAsync(cancellationToken);
        DataFolder.Print(
            json,
            users.ConvertAll(u => new { u.Id, u.Email, Disabled = u.DisabledAt is not null, u.IsOperator, TotpEnabled = u.TotpOn, u.CreatedAt }),
            u => [u.Id.ToString(), u.Email, u.Disabled ? "disabled" : "active", u.IsOperator ? "operator" : ""]);
    }

    private static async Task CreateAsync(string data, string email, string? password, bool json, CancellationToken cancellationToken)
    {
        var address = User.CleanEmail(email) ?? throw new CommandException($"'{email}' is not an e-mail address.");
        if (password is not null && Passwords.Problem(password) is { } problem)
            throw new CommandException(problem);

        await using var folder = await DataFolder.OpenAsync(data, cancellationToken);
        // Without a password nobody knows what was set here, until the link is followed.
        var person = User.Create(address, Passwords.Hash(password ?? OneTimeSecret.Generate()), folder.Now);
        var (link, secret) = OneTimeLink.ForPassword(person, folder.Now);
        await folder.Database.WriteAsync(
            async db =>
            {
                if (await db.Users.AnyAsync(u => u.Email == address, cancellationToken))
                    throw new CommandException($"There is a user '{address}' already.");
                db.Users.Add(person);
                if (password is null)
                {
                    await db.SaveChangesAsync(cancellationToken);
                    db.OneTimeLinks.Add(link);
                }
            },
            cancellationToken);
        var url = password is null ? OneTimeLink.Address(folder.BaseUrl, secret) : null;
        DataFolder.Print(
            json,
            new { user = new { id = person.Id, email = person.Email }, passwordUrl = url },
            $"User  {person.Email} ({person.Id})" + (url is null ? "" : $"\nLink  {url}"));
    }

    private static async Task SwitchAsync(string data, string email, bool disable, bool json, CancellationToken cancellationToken)
    {
        await using var folder = await DataFolder.OpenAsync(data, cancellationToken);
        var person = await folder.Database.WriteAsync(
            async db =>
            {
                var user = await FindAsync(db.Users, email, cancellationToken);
                await SignIns.SwitchAsync(folder.Database, db, user, disable, folder.Now, cancellationToken);
                return user;
            },
            cancellationToken);
        DataFolder.Print(
            json,
            new { user = new { id = person.Id, email = person.Email, disabled = disable } },
            $"{person.Email} is {(disable ? "disabled" : "enabled")}.");
    }

    private static async Task GrantAsync(string data, string email, bool isOperator, bool json, CancellationToken cancellationToken)
    {
        await using var folder = await DataFolder.OpenAsync(data, cancellationToken);
        var person = await folder.Database.WriteAsync(
            async db =>
            {
                var user = await FindAsync(db.Users, email, cancellationToken);
                user.IsOperator = isOperator;
                return user;
            },
            cancellationToken);
        DataFolder.Print(
            json,
            new { user = new { id = person.Id, email = person.Email, isOperator } },
            $"{person.Email} is {(isOperator ? "an operator" : "no operator")}.");
    }

    private static async Task SignInLinkAsync(string data, string email, bool json, CancellationToken cancellationToken)
    {
        await using var folder = await DataFolder.OpenAsync(data, cancellationToken);
        var (person, secret) = await folder.Database.WriteAsync(
            async db =>
            {
                var user = await FindAsync(db.Users, email, cancellationToken);
                return (user, await OneTimeLink.ForSignInAsync(db, user, folder.Now, cancellationToken));
            },
            cancellationToken);
        var url = OneTimeLink.Address(folder.BaseUrl, secret);
        DataFolder.Print(json, new { user = new { id = person.Id, email = person.Email }, signInUrl = url }, $"Link  {url}");
    }

    private static async Task ResetAsync(string data, string email, bool json, CancellationToken cancellationToken)
    {
        await using var folder = await DataFolder.OpenAsync(data, cancellationToken);
        var (person, secret) = await folder.Database.WriteAsync(
            async db =>
            {
                var user = await FindAsync(db.Users, email, cancellationToken);
                var (link, text) = OneTimeLink.ForPassword(user, folder.Now);
                await db.OneTimeLinks.Where(l => l.UserId == user.Id).ExecuteDeleteAsync(cancellationToken);
                db.OneTimeLinks.Add(link);
                user.TotpOn = false;
                user.TotpSecret = null;
                // Until the link is followed nobody comes in: not with the old password, which may be what was stolen.
                user.PasswordHash = "";
                await SignIns.EndAllAsync(folder.Database, db, user.Id, except: null, cancellationToken);
                await db.OpenIdLinks.Where(l => l.UserId == user.Id).ExecuteDeleteAsync(cancellationToken);
                return (user, text);
            },
            cancellationToken);
        var url = OneTimeLink.Address(folder.BaseUrl, secret);
        DataFolder.Print(json, new { user = new { id = person.Id, email = person.Email }, passwordUrl = url }, $"Link  {url}");
    }

    private static async Task<User> FindAsync(IQueryable<User> users, string email, CancellationToken cancellationToken)
    {
        var address = User.CleanEmail(email);
        return await users.SingleOrDefaultAsync(u => u.Email == address, cancellationToken)
            ?? throw new CommandException($"There is no user '{email}'.");
    }
}
