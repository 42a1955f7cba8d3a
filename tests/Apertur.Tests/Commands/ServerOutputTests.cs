using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Apertur.Tests.Support;

namespace Apertur.Tests.Commands;

/// <summary>What a server and the commands beside it print.</summary>
public sealed partial class ServerOutputTests
{
    [Fact]
    public async Task Link_of_a_new_user_leads_to_the_server_that_runs_there()
    {
        using var data = new TempFolder();
        var installation = await AperturProcess.InitAsync(data.Path);
        await using var server = await AperturProcess.ServeAsync(data.Path, installation);

        var (_, output, _) = await AperturProcess.RunAsync("user", "create", "--data", data.Path, "--email", "second@example.com", "--json");

        var link = (string)JsonNode.Parse(output)!["passwordUrl"]!;
        Assert.StartsWith(server.Url + "/", link, StringComparison.Ordinal);
        (await server.ClientOf(null).GetAsync(link[server.Url.Length..])).Expect(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Every_line_of_the_log_says_when()
    {
        using var data = new TempFolder();
        await AperturProcess.InitAsync(data.Path);
        using var process = AperturProcess.Start([], "serve", "--data", data.Path, "--urls", "http://127.0.0.1:0");

        var line = await FindAsync(process.StandardOutput, "pump.started");

        process.Kill();
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info: ", line);
    }

    /// <summary>A phone cannot open an address of this machine alone.</summary>
    [Fact]
    public async Task Demo_begins_with_a_link_that_signs_in_and_shows_a_code_to_scan_only_where_a_phone_can_open_it()
    {
        using var data = new TempFolder();
        var shown = await DemoAsync(data.Path);

        Assert.Matches("^Dashboard     http://127.0.0.1:[0-9]+/link/[A-Za-z0-9_-]{43}$", shown.First(line => line.Contains("http", StringComparison.Ordinal) && !line.Contains("info:", StringComparison.Ordinal)));
        Assert.DoesNotContain(shown, line => line.Contains('█', StringComparison.Ordinal));
        Assert.Contains(shown, line => line.Contains("./run demo --lan", StringComparison.Ordinal));
        Assert.Contains(shown, line => UploadLink().IsMatch(line));
    }

    /// <summary>Two ports side by side, which somebody else may have: then others.</summary>
    private static async Task<List<string>> DemoAsync(string data)
    {
        for (var tries = 1; ; tries++)
        {
            using var process = AperturProcess.Start([], "demo", "--data", data, "--port", $"{Random.Shared.Next(15_000, 30_000)}");
            try
            {
                return await UntilAsync(process.StandardOutput, "Ctrl+C");
            }
            catch (InvalidOperationException) when (tries < 5)
            {
            }
            finally
            {
                process.Kill();
            }
        }
    }

    private static async Task<string> FindAsync(StreamReader output, string text) => (await UntilAsync(output, text))[^1];

    private static async Task<List<string>> UntilAsync(StreamReader output, string text)
    {
        var lines = new List<string>();
        while (await output.ReadLineAsync(TestContext.Current.CancellationToken) is { } line)
        {
            lines.Add(line);
            if (line.Contains(text, StringComparison.Ordinal))
                return lines;
        }

        throw new InvalidOperationException($"There was no '{text}' in:\n" + string.Join('\n', lines));
    }

    [GeneratedRegex("^Upload link   http://127.0.0.1:")]
    private static partial Regex UploadLink();
}
