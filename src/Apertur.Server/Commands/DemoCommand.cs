using System.CommandLine;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using Apertur.Server.Accounts;
using Apertur.Server.Commands.Demo;
using Apertur.Server.QrCodes;
using Apertur.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Server.Commands;

/// <summary><c>demo</c>: a whole working system in one folder, with an inbox that shows what a webhook receives.</summary>
internal static class DemoCommand
{
    public static Command Create()
    {
        var port = new Option<int>("--port") { Description = "The port to listen on; the inbox takes the next one.", DefaultValueFactory = _ => 5080 };
        port.Validators.Add(given =>
        {
            if (given.Tokens is [var token] && int.TryParse(token.Value, out var value) && value is < 1 or >= IPEndPoint.MaxPort)
                given.AddError($"--port takes 1 to {IPEndPoint.MaxPort - 1}; the inbox takes the next one.");
        });
        var lan = new Option<bool>("--lan") { Description = "Let phones on the same network open the upload link." };
        var command = new Command("demo", "Run a demo: a server, a session to send photos to, and an inbox that shows them arrive.")
        {
            CommandLine.Data, port, lan,
        };
        command.SetAction((parsed, cancellationToken) => CommandLine.RunAsync(() => RunAsync(
            parsed.GetValue(CommandLine.Data)!, parsed.GetValue(port), parsed.GetValue(lan), cancellationToken)));
        return command;
    }

    private static async Task RunAsync(string data, int port, bool lan, CancellationToken cancellationToken)
    {
        var settings = Settings.Load(data,
        [
            // The inbox is on this machine.
            new("Outbound:AllowPrivateNetworks", "true"),
            // E-mail of the demo goes nowhere: it can be read in the data folder.
            new("Sharing:EmailTransport", "Folder"),
            new("Sharing:EmailFrom", "Apertur <demo@localhost.localdomain>"),
            new("Telemetry:MetricsUrl", ""),
            new("Server:PublicUrl", $"http://{(lan ? LanAddress() : IPAddress.Loopback)}:{port}"),
        ]);
        using var dataLock = DataLock.Take(settings.DataFolder);
        await using var app = AperturServer.Build(settings, [$"http://{(lan ? IPAddress.Any : IPAddress.Loopback)}:{port}"]);
        var state = await DemoState.OpenAsync(app.Services, settings.DataFolder, cancellationToken);
        await using var inbox = await Inbox.StartAsync(
            Path.Combine(settings.DataFolder, "inbox"), port + 1, state.InboxSecret,
            app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Apertur.Inbox"), cancellationToken);
        await app.StartAsync(cancellationToken);
        app.Services.GetRequiredService<PublicAddress>().Save();

        using var client = new DemoClient(settings.Server.PublicUrl, state);
        (state, var link) = await client.PrepareAsync($"http://127.0.0.1:{port + 1}/hook", cancellationToken);
        state.Save(settings.DataFolder);
        var secret = await SignInLinkAsync(app.Services, state.Email, cancellationToken);
        Console.WriteLine(Greeting(state, link, secret is null ? null : OneTimeLink.Address($"http://127.0.0.1:{port}", secret), settings, port, lan));
        await app.WaitForShutdownAsync(cancellationToken);
    }

    /// <summary>Null when the demo's owner has another address by now, or none.</summary>
    private static Task<string?> SignInLinkAsync(IServiceProvider services, string email, CancellationToken cancellationToken) =>
        services.GetRequiredService<Database>().WriteAsync(
            async db => await db.Users.SingleOrDefaultAsync(u => u.Email == email, cancellationToken) is { } owner
                ? await OneTimeLink.ForSignInAsync(db, owner, services.GetRequiredService<TimeProvider>().GetUtcNow(), cancellationToken)
                : null,
            cancellationToken);

    private static string Greeting(DemoState state, string link, string? signIn, Settings settings, int port, bool lan) =>
        $"""

        {(lan ? QrCode.ForTerminal(link, ansi: !Console.IsOutputRedirected) : "")}
        Dashboard     {signIn ?? $"http://127.0.0.1:{port}/"}
                      {(signIn is null ? "Sign" : "Signs you in once, within half an hour; after that sign")} in as {state.Email} with {state.Password}
        Upload link   {link}
        Inbox         http://127.0.0.1:{port + 1}/
        API           http://127.0.0.1:{port}/docs
        API key       {state.Key}
        Data          {settings.DataFolder}

        {(lan ? "Scan the code with a phone on the same network, or open the link" : "Open the link")}, send a photo, and watch it arrive in the inbox.{(lan
            ? ""
            : "\nOnly this machine reaches the link. For a QR code that phones on the same network can open: ./run demo --lan")}

        Or send one from here:

          curl -F file=@photo.jpg {link.Replace("/u/", "/api/v1/upload/", StringComparison.Ordinal)}/images
          curl -H "Authorization: Bearer {state.Key}" "{settings.Server.PublicUrl}/api/v1/uploads/recent?limit=5"
          curl -H "Authorization: Bearer {state.Key}" -X POST {settings.Server.PublicUrl}/api/v1/upload-sessions

        Ctrl+C stops it; the next start goes on with the same data.

        """;

    /// <summary>This machine's address in the network that leads out.</summary>
    /// <exception cref="CommandException">It has none.</exception>
    private static IPAddress LanAddress() =>
        NetworkInterface.GetAllNetworkInterfaces()
            .Where(nic => nic.OperationalStatus == OperationalStatus.Up && nic.NetworkInterfaceType != NetworkInterfaceType.Loopback)
            // An interface with a gateway is the one that a phone's network is on; containers' bridges have none.
            .OrderByDescending(nic => nic.GetIPProperties().GatewayAddresses.Count)
            .SelectMany(nic => nic.GetIPProperties().UnicastAddresses)
            .Select(unicast => unicast.Address)
            .FirstOrDefault(address => address.AddressFamily == AddressFamily.InterNetwork)
        ?? throw new CommandException("This machine has no network address that a phone could reach. Leave out --lan.");
}
