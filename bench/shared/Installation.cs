using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Apertur.Bench;

/// <summary>This repository's server with its default settings, except that it does not limit rates: all clients come from one address.</summary>
internal sealed partial class Installation
{
    private readonly string _program;
    private readonly Dictionary<string, string> _environment;

    private Installation(string program, string data, Dictionary<string, string> environment)
    {
        (_program, Data, _environment) = (program, data, environment);
        string[] arguments =
            ["init", "--data", data, "--email", "bench@example.com", "--password", "bench-bench-bench", "--project", "Bench", "--json"];
        var init = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true };
        foreach (var (name, value) in environment)
            init.Environment[name] = value;
        using var made = Process.Start(init)!;
        using var printed = JsonDocument.Parse(made.StandardOutput.ReadToEnd());
        made.WaitForExit();
        Key = printed.RootElement.GetProperty("keys").GetProperty("live").GetString()!;
        Project = printed.RootElement.GetProperty("project").GetProperty("id").GetString()!;
    }

    public string Data { get; }

    /// <summary>The connection string of its database; null on SQLite.</summary>
    public string? Postgres => _environment.GetValueOrDefault("APERTUR__Database__ConnectionString");

    public string Key { get; }

    public string Project { get; }

    /// <param name="program">How the server is started.</param>
    /// <param name="folder">Where its data goes.</param>
    /// <param name="postgres">A connection string; null for SQLite.</param>
    /// <param name="allowDataLoss">Whether the PostgreSQL may be one that syncs nothing.</param>
    public static Installation Make(string program, string folder, string? postgres, bool allowDataLoss)
    {
        // It may call receivers on this machine, and all clients have one address.
        var environment = new Dictionary<string, string>
        {
            ["APERTUR__RateLimits__Enabled"] = "false",
            ["APERTUR__Outbound__AllowPrivateNetworks"] = "true",
            ["APERTUR__Telemetry__MetricsUrl"] = "",
        };
        if (postgres is not null)
        {
            environment["APERTUR__Database__Provider"] = "PostgreSql";
            environment["APERTUR__Database__ConnectionString"] = postgres;
            environment["APERTUR__Database__AllowDataLoss"] = allowDataLoss ? "true" : "false";
        }

        return new(program, Path.Combine(folder, "ours"), environment);
    }

    /// <summary>Starts a server and returns when it says that it listens.</summary>
    /// <param name="arguments">More of <c>serve</c>, such as a role.</param>
    /// <exception cref="IOException">It ended instead.</exception>
    public Ours Serve(params string[] arguments)
    {
        var port = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        var process = Peer.Start(_program, _environment, line =>
        {
            if (line is null)
                port.TrySetException(new IOException("ours: the server ended."));
            else if (Listening().Match(line) is { Success: true } match)
                port.TrySetResult(int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture));
        }, ["serve", "--data", Data, "--urls", "http://127.0.0.1:0", .. arguments]);
        return new Ours(this, port.Task.GetAwaiter().GetResult(), process);
    }

    [GeneratedRegex("listening on http://127.0.0.1:([0-9]+)")]
    private static partial Regex Listening();
}
