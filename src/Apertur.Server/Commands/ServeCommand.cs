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
        var role = new Option<string>("--role")
        {
            Description = "With PostgreSQL: web answers requests only, worker delivers and cleans up only, all does both.",
            DefaultValueFactory = _ => "all",
        };
        role.AcceptOnlyFromAmong("web", "worker", "all");
        var command = new Command("serve", "Run the server.") { CommandLine.Data, urls, role };
        command.SetAction((parsed, cancellationToken) => CommandLine.RunAsync(() => RunAsync(
            parsed.GetValue(CommandLine.Data)!, parsed.GetValue(urls)!, Enum.Parse<NodeRole>(parsed.GetValue(role)!, ignoreCase: true), cancellationToken)));
        return command;
    }

    private static async Task RunAsync(string data, string urls, NodeRole role, CancellationToken cancellationToken)
    {
        var addresses = urls.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        // Without any, Kestrel would take an address that nobody asked for. TLS is the business of the proxy in front.
        if (addresses.Length == 0 || !Array.TrueForAll(addresses, IsAddress))
            throw new CommandException($"--urls takes addresses such as http://127.0.0.1:5080, separated by semicolons; not '{urls}'.");
        var settings = Settings.Load(data);
        settings.Role = role;
        if (role != NodeRole.All && settings.Database.Provider == DatabaseProvider.Sqlite)
            throw new CommandException("--role is for several nodes on one PostgreSQL; with SQLite one server does all.");
        using var dataLock = settings.Database.Provider == DatabaseProvider.Sqlite ? DataLock.Take(settings.DataFolder) : null;
        var libraries = Task.Run(Libraries.LoadAll, cancellationToken);
        await using var app = AperturServer.Build(settings, addresses);
        await libraries;
        await app.StartAsync(cancellationToken);
        var address = app.Services.GetRequiredService<PublicAddress>();
        address.Save();
        Console.WriteLine($"Apertur is listening on {string.Join(" and ", app.Urls)}, data in {settings.DataFolder}. Ctrl+C stops it.");
        if (await OneTimeLink.ForFirstOwnerAsync(
                app.Services.GetRequiredService<Database>(), app.Services.GetRequiredService<TimeProvider>().GetUtcNow(), cancellationToken)
            is { } secret)
        {
            Console.WriteLine($"Nobody has an account yet. Set up the first owner here: "
                + OneTimeLink.Address(address.Base, secret));
        }

        await app.WaitForShutdownAsync(cancellationToken);
    }

    // Kestrel also takes * and + for every address of the machine.
    private static bool IsAddress(string text) =>
        Uri.TryCreate(text.Replace("//*", "//0.0.0.0", StringComparison.Ordinal).Replace("//+", "//0.0.0.0", StringComparison.Ordinal),
            UriKind.Absolute, out var address)
        && address.Scheme == Uri.UriSchemeHttp && address.PathAndQuery == "/";
}
