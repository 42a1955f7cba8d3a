using System.Diagnostics;
using Npgsql;

namespace Apertur.Tests.Support;

/// <summary>Commands as an operator types them.</summary>
internal static class Shell
{
    /// <summary>Runs a script, which must succeed.</summary>
    /// <param name="script">For bash; it ends at the first command that fails.</param>
    /// <param name="environment">Further variables.</param>
    /// <returns>What it printed.</returns>
    public static async Task<string> RunAsync(string script, IReadOnlyDictionary<string, string>? environment = null)
    {
        var start = new ProcessStartInfo("bash", ["-euo", "pipefail", "-c", script]) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(process.ExitCode == 0, $"{script}: {process.ExitCode}: {await errors} {await output}");
        return await output;
    }

    /// <summary>What PostgreSQL's own programs need to know to reach a server.</summary>
    public static Dictionary<string, string> PostgreSql(string connectionString)
    {
        var parts = new NpgsqlConnectionStringBuilder(connectionString);
        return new()
        {
            ["PGHOST"] = parts.Host!,
            ["PGPORT"] = $"{parts.Port}",
            ["PGUSER"] = parts.Username!,
        };
    }
}
