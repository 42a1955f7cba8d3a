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
    private readonly JsonNode _installation;

    private AperturProcess(Process process, string url, JsonNode installation)
    {
        (_process, Url, _installation) = (process, url, installation);
    }

    public string Url { get; }

    public AperturClient Client => new(_http, Url, Guid.Parse((string)_installation["project"]!["id"]!), (string)_installation["keys"]!["live"]!);

    /// <summary>Runs a command to its end.</summary>
    public static async Task<(int ExitCode, string Output, string Errors)> RunAsync(params string[] arguments)
    {
        using var process = Start(arguments);
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
    public static async Task<AperturProcess> ServeAsync(string dataFolder, JsonNode installation)
    {
        var process = Start("serve", "--data", dataFolder, "--urls", "http://127.0.0.1:0");
        while (await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken) is { } line)
        {
            if (Listening().Match(line) is not { Success: true } match)
                continue;

            // A pipe that nobody reads would stop the server when it is full.
            _ = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
            _ = process.StandardError.ReadToEndAsync(CancellationToken.None);
            return new AperturProcess(process, match.Groups[1].Value, installation);
        }

        throw new InvalidOperationException("The server ended: " + await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
    }

    /// <summary>Ends it as a power cut would: no handler of it runs.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        if (!_process.HasExited)
            _process.Kill();
        await _process.WaitForExitAsync(CancellationToken.None);
        _process.Dispose();
    }

    private static Process Start(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [_program, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["APERTUR__Outbound__AllowPrivateNetworks"] = "true";
        start.Environment["APERTUR__RateLimits__Enabled"] = "false";
        return Process.Start(start)!;
    }

    [GeneratedRegex(@"listening on (http://127\.0\.0\.1:\d+)")]
    private static partial Regex Listening();
}
