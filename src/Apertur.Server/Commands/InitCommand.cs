using Apertur.Server.Projects;
using System.CommandLine;
using System.Text.Json;

namespace Apertur.Server.Commands;

/// <summary><c>init</c>: makes the first owner, a project and its keys, and prints the keys once.</summary>
internal static class InitCommand
{
    public static Command Create()
    {
        var email = new Option<string>("--email") { Description = "The owner's e-mail address.", Required = true };
        var project = new Option<string>("--project") { Description = "The name of the first project.", Required = true };
        var command = new Command("init", "Make the first owner, a project, a live and a test key. Asks for the owner's password.")
        {
            CommandLine.Data, email, PasswordInput.Argument, PasswordInput.StandardInput, project, CommandLine.Json,
        };
        command.SetAction((parsed, cancellationToken) => CommandLine.RunAsync(() => RunAsync(
            parsed.GetValue(CommandLine.Data)!, parsed.GetValue(email)!, PasswordInput.Require(parsed), parsed.GetValue(project)!,
            parsed.GetValue(CommandLine.Json), cancellationToken)));
        return command;
    }

    private static async Task RunAsync(
        string data, string email, string password, string project, bool json, CancellationToken cancellationToken)
    {
        await using var folder = await DataFolder.OpenOrMakeAsync(data, cancellationToken);
        var made = await Installation.CreateAsync(
            folder.Services, email, Installation.HashOf(password), project, beforeCommit: null, cancellationToken);
        Console.WriteLine(json ? Json(made) : Text(made));
    }

    /// <summary>The same for every command that makes a project.</summary>
    public static string Json(Installation made) => JsonSerializer.Serialize(
        new
        {
            user = new { id = made.Owner.Id, email = made.Owner.Email },
            project = new { id = made.Project.Id, name = made.Project.Name },
            keys = new { live = made.LiveKey, test = made.TestKey },
        });

    /// <inheritdoc cref="Json"/>
    public static string Text(Installation made) =>
        $"""
        Owner     {made.Owner.Email}
        Project   {made.Project.Name} ({made.Project.Id})
        Live key  {made.LiveKey}
        Test key  {made.TestKey}

        The keys are shown this once. Keep them somewhere safe.
        """;
}
