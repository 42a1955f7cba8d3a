using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Apertur.Tests.Support;

/// <summary>Runs a script of <c>tests/clients</c> that needs nothing but Node: JSON in, JSON out.</summary>
internal static class NodeScript
{
    public static async Task<JsonNode> RunAsync(string script, JsonObject input)
    {
        var cancellation = TestContext.Current.CancellationToken;
        using var node = Process.Start(new ProcessStartInfo(Components.Program("node"), script)
        {
            WorkingDirectory = Path.Combine(Repository.RepositoryFiles.Root, "tests", "clients"),
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        try
        {
            var output = node.StandardOutput.ReadToEndAsync(cancellation);
            var errors = node.StandardError.ReadToEndAsync(cancellation);
            await node.StandardInput.WriteAsync(input.ToJsonString());
            node.StandardInput.Close();
            await node.WaitForExitAsync(cancellation);
            Assert.True(node.ExitCode == 0, await errors);
            return JsonNode.Parse(await output)!;
        }
        finally
        {
            if (!node.HasExited)
                node.Kill();
        }
    }
}
