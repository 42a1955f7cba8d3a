using System.Diagnostics;
using System.Text.Json.Nodes;
using Apertur.Tests.Repository;

namespace Apertur.Tests.Support;

/// <summary>Runs a script of <c>tests/clients</c>, where other people's clients and libraries are, by <c>npm ci</c>.</summary>
internal static class NodeScript
{
    /// <param name="script">The file's name.</param>
    /// <param name="input">Handed over on standard input.</param>
    /// <param name="minutes">After which it is ended.</param>
    /// <returns>What it printed.</returns>
    public static async Task<JsonNode> RunAsync(string script, JsonNode input, int minutes = 2)
    {
        var clients = Path.Combine(RepositoryFiles.Root, "tests", "clients");
        if (!Directory.Exists(Path.Combine(clients, "node_modules")))
        {
            Assert.True(Environment.GetEnvironmentVariable("CI") != "true", "Run 'npm ci' in tests/clients first.");
            Assert.Skip("Run 'npm ci' in tests/clients first.");
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromMinutes(minutes));
        using var node = Process.Start(new ProcessStartInfo(Components.Program("node"), script)
        {
            WorkingDirectory = clients,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        try
        {
            var output = node.StandardOutput.ReadToEndAsync(limit.Token);
            var errors = node.StandardError.ReadToEndAsync(limit.Token);
            await node.StandardInput.WriteAsync(input.ToJsonString());
            node.StandardInput.Close();
            await node.WaitForExitAsync(limit.Token);
            Assert.True(node.ExitCode == 0, await errors);
            return JsonNode.Parse(await output)!;
        }
        finally
        {
            if (!node.HasExited)
                node.Kill(entireProcessTree: true);
        }
    }
}
