using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Apertur.Tests.Repository;
using Apertur.Tests.Support;

namespace Apertur.Tests.Scenarios.PowerCuts;

/// <summary>What loses power together: a disk, and the processes that work on it.</summary>
internal abstract class Machine(string kind, LoopDisk disk) : IAsyncDisposable
{
    public LoopDisk Disk => disk;

    /// <summary>As it is printed.</summary>
    public string Name => $"{kind} on {disk.FileSystem}";

    /// <summary>What a power cut does to processes.</summary>
    public abstract Task KillAsync();

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        await disk.DisposeAsync();
    }
}

/// <summary>Where the program is run, as a server or as a command.</summary>
/// <param name="disk">Where its data are.</param>
/// <param name="launcher">A program that starts the others, such as one that takes their syncs away.</param>
internal sealed class ServerMachine(LoopDisk disk, IReadOnlyList<string> launcher) : Machine("server", disk)
{
    private readonly List<Process> _commands = [];

    /// <summary>Null while none listens.</summary>
    public AperturProcess? Server { get; private set; }

    // Two levels: the names of folders can be lost too.
    private string Data => Path.Combine(Disk.Path, "srv", "apertur");

    /// <summary>Writes <c>apertur.json</c>, and keeps it as an operator's editor does.</summary>
    public async Task ConfigureAsync(JsonObject settings)
    {
        Directory.CreateDirectory(Data);
        await File.WriteAllTextAsync(Path.Combine(Data, "apertur.json"), settings.ToJsonString(), TestContext.Current.CancellationToken);
        await Disk.SyncAsync();
    }

    /// <summary>Runs a command to its end, or until it is killed.</summary>
    /// <returns>What it printed; null when it failed or was killed.</returns>
    public async Task<string?> CommandAsync(params string[] arguments)
    {
        var process = AperturProcess.Start(launcher, [.. arguments, "--data", Data]);
        _commands.Add(process);
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await errors;
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return process.ExitCode == 0 ? output : null;
    }

    /// <summary>Starts the server, unless it runs.</summary>
    public async Task ServeAsync() => Server ??= await AperturProcess.ServeAsync(Data, installation: null, launcher);

    public override async Task KillAsync()
    {
        foreach (var command in _commands)
        {
            if (!command.HasExited)
                command.Kill(entireProcessTree: true);
            await command.WaitForExitAsync(TestContext.Current.CancellationToken);
            command.Dispose();
        }

        _commands.Clear();
        if (Server is not null)
            await Server.DisposeAsync();
        Server = null;
    }
}

/// <summary>Where PostgreSQL runs, with all of its files.</summary>
internal sealed class DatabaseMachine : Machine
{
    private static readonly string _component = Path.Combine(RepositoryFiles.Root, "tests", "components", "postgres");

    private DatabaseMachine(LoopDisk disk)
        : base("PostgreSQL", disk)
    {
    }

    public string ConnectionString { get; private set; } = "";

    private string Home => Path.Combine(Disk.Path, "postgres");

    /// <param name="disk">Empty.</param>
    /// <param name="synced">Whether it syncs what it commits.</param>
    public static async Task<DatabaseMachine> MakeAsync(LoopDisk disk, bool synced)
    {
        var machine = new DatabaseMachine(disk);
        machine.ConnectionString = (await Shell.RunAsync($"{_component} start {machine.Home} {(synced ? "synced" : "")}")).Trim();
        await disk.SyncAsync();
        return machine;
    }

    /// <summary>Starts it on what the disk has; it replays its log.</summary>
    public Task RecoverAsync() => Shell.RunAsync(
        // A machine that starts has no process of before; here the number of one may belong to another by now, or to what is left of it.
        $"rm -f {Home}/data/postmaster.pid {Home}/.s.PGSQL.*; {_component} restart {Home} immediate || {{ tail -n 20 {Home}/data/server.log >&2; exit 1; }}");

    public override async Task KillAsync()
    {
        // The first of them starts others until it is gone.
        while (Processes() is [_, ..] processes)
        {
            foreach (var process in processes)
                process.Kill();
            foreach (var process in processes)
            {
                await process.WaitForExitAsync(TestContext.Current.CancellationToken);
                process.Dispose();
            }
        }
    }

    // Not by their name: those that the first one starts write what they do into theirs.
    private List<Process> Processes() =>
    [
        .. Process.GetProcesses().Where(process =>
            new FileInfo(string.Create(CultureInfo.InvariantCulture, $"/proc/{process.Id}/cwd")).LinkTarget == $"{Home}/data"),
    ];
}
