using System.Diagnostics;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Apertur.Destinations;

namespace Apertur.Tests.Support;

/// <summary>The program as an operator runs it: a process of its own, which can be killed.</summary>
internal sealed partial class AperturProcess : IAsyncDisposable
{
    private static readonly string _program = Path.Combine(AppContext.BaseDirectory, "apertur.dll");

    private readonly OutboundHttp _http = new(allowPrivateNetworks: true);
    private readonly Process _process;
    private readonly JsonNode? _installation;

    // A pipe that nobody reads would stop the server when it is full.
    private readonly Task<string> _output;
    private readonly Task<string> _errors;

    private bool _isEnded;

    private AperturProcess(Process process, string url, JsonNode? installation)
    {
        (_process, Url, _installation) = (process, url, installation);
        _output = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        _errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
    }

    public string Url { get; }

    public int Id => _process.Id;

    public AperturClient Client =>
        ClientOf((string)_installation!["keys"]!["live"]!, Guid.Parse((string)_installation["project"]!["id"]!));

    /// <summary>Calls this server with that key or token, or with none.</summary>
    public AperturClient ClientOf(string? key, Guid project = default) => new(_http, Url, project, key);

    /// <summary>The most memory that it has had so far, in megabytes.</summary>
    public long MostMemoryMb
    {
        get
        {
            _process.Refresh();
            return _process.PeakWorkingSet64 / (1024 * 1024);
        }
    }

    /// <summary>Runs a command to its end.</summary>
    public static Task<(int ExitCode, string Output, string Errors)> RunAsync(params string[] arguments) => RunAsync("", arguments);

    /// <summary>Runs a command that reads from standard input to its end.</summary>
    public static async Task<(int ExitCode, string Output, string Errors)> RunAsync(
        string input, string[] arguments, params IReadOnlyList<string> launcher)
    {
        using var process = Start(launcher, arguments);
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await output, await errors);
    }

    /// <summary>Makes an installation in a folder, and gives what <c>init --json</c> printed.</summary>
    public static async Task<JsonNode> InitAsync(string dataFolder)
    {
        var (exitCode, output, errors) = await RunAsync(
            "init", "--data", dataFolder, "--email", "owner@example.com", "--password", "correct horse", "--project", "Claims", "--json");
        Assert.True(exitCode == 0, errors);
        return JsonNode.Parse(output)!;
    }

    /// <summary>Starts <c>serve</c> and waits until it listens.</summary>
    /// <param name="dataFolder">Made when missing.</param>
    /// <param name="installation">What <c>init</c> printed; without it there is no <see cref="Client"/>.</param>
    /// <param name="launcher">A program, with its arguments, that starts the server.</param>
    public static Task<AperturProcess> ServeAsync(string dataFolder, JsonNode? installation, params IReadOnlyList<string> launcher) =>
        ListeningAsync(Start(launcher, "serve", "--data", dataFolder, "--urls", "http://127.0.0.1:0"), installation);

    /// <summary>Waits until a server that was started listens.</summary>
    public static async Task<AperturProcess> ListeningAsync(Process process, JsonNode? installation)
    {
        while (await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken) is { } line)
        {
            if (Listening().Match(line) is not { Success: true } match)
                continue;

            return new AperturProcess(process, match.Groups[1].Value, installation);
        }

        throw new InvalidOperationException("The server ended: " + await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
    }

    /// <summary>Ends it as a power cut would: no handler of it runs.</summary>
    public async Task KillAsync()
    {
        _isEnded = true;
        _process.Kill();
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync(CancellationToken.None);
        }
        else if (!_isEnded)
        {
            TestContext.Current.TestOutputHelper?.WriteLine(
                $"The server ended by itself with code {_process.ExitCode}: {await _output}{await _errors}");
        }

        _process.Dispose();
    }

    /// <summary>Program and arguments as a shell would take them.</summary>
    public static string[] CommandLine(params string[] arguments) => ["dotnet", _program, .. arguments];

    /// <summary>Starts a command.</summary>
    /// <inheritdoc cref="ServeAsync" path="/param[@name='launcher']"/>
    public static Process Start(IReadOnlyList<string> launcher, params string[] arguments) => Start([.. launcher, .. CommandLine(arguments)]);

    /// <summary>Starts a program with its arguments.</summary>
    public static Process Start(string[] command)
    {
        var start = new ProcessStartInfo(command[0], command[1..])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["APERTUR__Outbound__AllowPrivateNetworks"] = "true";
        start.Environment["APERTUR__RateLimits__Enabled"] = "false";
        start.Environment["APERTUR__Telemetry__MetricsUrl"] = "";
        return Process.Start(start)!;
    }

    [GeneratedRegex(@"listening on (http://127\.0\.0\.1:\d+)")]
    private static partial Regex Listening();
}
