using System.Net;
using System.Runtime.Versioning;
using System.Text.Json.Nodes;
using Apertur.Tests.Repository;
using Apertur.Tests.Support;

namespace Apertur.Tests.Deployment;

/// <summary>The folder that <c>./run publish</c> makes, which is also all that the image has.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class PublishTests
{
    private const string Command = "./run publish /app";
    private const string Nobody = "65534";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Published_folder_runs_where_no_dotnet_is_and_writes_to_its_data_folder_only()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The image is Linux's.");
        using var folder = new TempFolder();
        Assert.Contains($"\nRUN {Command}\n", RepositoryFiles.Read("deploy/Dockerfile"), StringComparison.Ordinal);
        await Shell.RunAsync($"cd '{RepositoryFiles.Root}' && {Command.Replace("/app", folder.File("app"), StringComparison.Ordinal)}");
        var data = Directory.CreateDirectory(folder.File("data")).FullName;
        File.SetUnixFileMode(folder.Path, (UnixFileMode)0b111_001_001);
        // Root may write everywhere.
        string[] user = Environment.UserName == "root" ? ["setpriv", $"--reuid={Nobody}", $"--regid={Nobody}", "--clear-groups"] : [];
        if (user.Length > 0)
            await Shell.RunAsync($"chown {Nobody}:{Nobody} '{data}'");
        // No path, no temporary folder, no home.
        string[] program =
        [
            .. user, "env", "-i", "PATH=/nonexistent", "TMPDIR=/nonexistent", "APERTUR__Telemetry__MetricsUrl=", "APERTUR__RateLimits__Enabled=false",
            folder.File("app/apertur"),
        ];
        using var init = AperturProcess.Start(
            [.. program, "init", "--data", data, "--email", "owner@example.com", "--password", "correct horse", "--project", "Claims", "--json"]);
        var installation = JsonNode.Parse(await init.StandardOutput.ReadToEndAsync(Cancellation))!;

        await using var server = await AperturProcess.ListeningAsync(
            AperturProcess.Start([.. program, "serve", "--data", data, "--urls", "http://127.0.0.1:0"]), installation);

        var id = (string)(await server.Client.UploadAsync(await server.Client.CreateSessionAsync(), Photos.Jpeg()))["id"]!;
        Assert.Equal(Photos.Jpeg(), (await server.Client.GetAsync($"uploads/{id}/download")).Expect(HttpStatusCode.OK).Bytes);
        // Native libraries, the process that decodes, and the pages.
        Assert.Equal([0xFF, 0xD8], (await server.Client.GetAsync($"uploads/{id}/thumbnail")).Expect(HttpStatusCode.OK).Bytes[..2]);
        (await server.ClientOf(null).GetAsync("/")).Expect(HttpStatusCode.OK);
        (await server.ClientOf(null).GetAsync("/readyz")).Expect(HttpStatusCode.OK);
    }
}
