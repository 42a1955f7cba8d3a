using System.CommandLine;
using System.Text.Json;

namespace Apertur.Server.Commands;

/// <summary><c>init</c>: makes the first owner, a project and its keys, and prints the keys once.</summary>
internal static class InitCommand
{
    public static Command Create()
    {
        var email = new Option<string>("--email") { Description = "The owner's e-mail address.", Required = true };
        var password = new Option<string>("--password") { Description = "The owner's password, at least 8 characters.", Required = true };
        var project = new Option<string>("--project") { Description = "The name of the first project.", Required = true };
        var json = new Option<bool>("--json") { Description = "Print JSON and nothing else." };
        var command = new Command("init", "Make the first owner, a project, a live and a test key.") { CommandLine.Data, email, password, project, json };
        command.SetAction((parsed, cancellationToken) => CommandLine.RunAsync(() => RunAsync(
            parsed.GetValue(CommandLine.Data)!, parsed.GetValue(email)!, parsed.GetValue(password)!, parsed.GetValue(project)!,
            parsed.GetValue(json), cancellationToken)));
        return command;
    }

    private static async Task RunAsync(
        string data, string email, string password, string project, bool json, CancellationToken cancellationToken)
    {
        var services = new ServiceCollection().AddLogging();
        AperturServer.AddStorage(services, Settings.Load(data));
        await using var provider = services.BuildServiceProvider();
        var made = await Installation.CreateAsync(provider, email, password, project, cancellationToken);
        Console.WriteLine(json ? Json(made) : Text(made));
    }

    private static string Json(Installation made) => JsonSerializer.Serialize(
        new
        {
            user = new { id = made.Owner.Id, email = made.Owner.Email },
            project = new { id = made.Project.Id, name = made.Project.Name },
            keys = new { live = made.LiveKey, test = made.TestKey },
        });

    private static string Text(Installation made) =>
        $"""
        Owner     {made.Owner.Email}
        Project   {made.Project.Name} ({made.Project.Id})
        Live key  {made.LiveKey}
        Test key  {made.TestKey}

        The keys are shown this once. Keep them somewhere safe.
        """;
}
