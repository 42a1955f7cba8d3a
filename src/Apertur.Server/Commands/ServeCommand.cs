using System.CommandLine;
using Apertur.Server.Accounts;
using Apertur.Server.Storage;

namespace Apertur.Server.Commands;

/// <summary><c>serve</c>: runs the server until it is told to stop.</summary>
internal static class ServeCommand
{
    public static Command Create()
    {
        var urls = new Option<string>("--urls")
        {
            Description = "Addresses to listen on, separated by semicolons.",
            DefaultValueFactory = _ => "http://127.0.0.1:5080",
        };
        var command = new Command("serve", "Run the server.") { CommandLine.Data, urls };
        command.SetAction((parsed, cancellationToken) => CommandLine.RunAsync(() => RunAsync(
            parsed.GetValue(CommandLine.Data)!, parsed.GetValue(urls)!, cancellationToken)));
        return command;
    }

    private static async Task RunAsync(string data, string urls, CancellationToken cancellationToken)
    {
        var settings = Settings.Load(data);
        using var dataLock = settings.Database.Provider == DatabaseProvider.Sqlite ? DataLock.Take(settings.DataFolder) : null;
        await using var app = AperturServer.Build(settings, urls.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
        await app.StartAsync(cancellationToken);
        Console.WriteLine($"Apertur is listening on {string.Join(" and ", app.Urls)}, data in {settings.DataFolder}. Ctrl+C stops it.");
        if (await OneTimeLink.ForFirstOwnerAsync(
                app.Services.GetRequiredService<Database>(), app.Services.GetRequiredService<TimeProvider>().GetUtcNow(), cancellationToken)
            is { } secret)
        {
            Console.WriteLine($"Nobody has an account yet. Set up the first owner here: "
                + OneTimeLink.Address(app.Services.GetRequiredService<PublicAddress>().Base, secret));
        }

        await app.WaitForShutdownAsync(cancellationToken);
    }
}
