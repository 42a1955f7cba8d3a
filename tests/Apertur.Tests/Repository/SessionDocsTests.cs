using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Apertur.Tests.Support;

namespace Apertur.Tests.Repository;

/// <summary>The programs of docs/sessions.md do what they say, as they stand there.</summary>
public sealed partial class SessionDocsTests
{
    [Theory]
    [InlineData("python", "python3", "pull.py")]
    [InlineData("js", "node", "watch.mjs")]
    public async Task Program_gets_every_photo_of_its_session_and_ends(string language, string program, string file)
    {
        Components.Program(program);
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        using var folder = new TempFolder();
        Write(folder, file, Assert.Single(Snippets(language)));
        using var process = Start(app, folder, program, file);
        try
        {
            var session = await SessionAsync(process);
            byte[][] photos = [Photos.Jpeg(), Photos.Png()];
            foreach (var photo in photos)
                await app.ClientOf(null).UploadAsync(session, photo);
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);

            Assert.True(process.ExitCode == 0, await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
            AssertHas(folder, photos);
        }
        finally
        {
            process.Kill(entireProcessTree: true);
        }
    }

    [Fact]
    public async Task Webhook_gets_every_photo_of_its_session()
    {
        Components.Program("php");
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        using var folder = new TempFolder();
        var snippets = Snippets("php");
        Write(folder, "setup.php", snippets[0]);
        Write(folder, "receive.php", snippets[1]);
        var address = $"127.0.0.1:{FreePort()}";
        using var receiver = Start(app, folder, "php", "-S", address, "receive.php");
        try
        {
            using var setup = Start(app, folder, "php", "setup.php", $"http://{address}/");
            var session = await SessionAsync(setup);
            await Eventually.Becomes(() => Task.FromResult(Listens(address)), listens => listens, "the receiver listens");

            var upload = await app.ClientOf(null).UploadAsync(session, Photos.Jpeg());

            await app.Client.UploadBecomesAsync((string)upload["id"]!, "delivered");
            AssertHas(folder, [Photos.Jpeg()]);
        }
        finally
        {
            receiver.Kill(entireProcessTree: true);
        }
    }

    private static void AssertHas(TempFolder folder, byte[][] photos) => Assert.Equal(
        photos.Select(Convert.ToBase64String).Order(),
        Directory.GetFiles(Path.Combine(folder.Path, "photos")).Select(path => Convert.ToBase64String(File.ReadAllBytes(path))).Order());

    /// <summary>The session behind the link that a program prints first.</summary>
    private static async Task<string> SessionAsync(Process process)
    {
        var link = await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken);
        Assert.False(link is null, link is null ? await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken) : "");
        return link!.Split('/')[^1];
    }

    private static Process Start(AperturApp app, TempFolder folder, string program, params string[] arguments) =>
        Process.Start(new ProcessStartInfo(Components.Program(program), arguments)
        {
            WorkingDirectory = folder.Path,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["APERTUR_SERVER"] = app.Url, ["APERTUR_KEY"] = app.LiveKey, ["APERTUR_PROJECT"] = app.ProjectId.ToString() },
        })!;

    private static void Write(TempFolder folder, string file, string text) => File.WriteAllText(Path.Combine(folder.Path, file), text);

    // Below the range that the system gives to outgoing connections, of which the tests beside this one open hundreds.
    private static int FreePort()
    {
        while (true)
        {
            try
            {
                using var held = new TcpListener(IPAddress.Loopback, Random.Shared.Next(15_000, 30_000));
                held.Start();
                return ((IPEndPoint)held.LocalEndpoint).Port;
            }
            catch (SocketException)
            {
                // Somebody has it.
            }
        }
    }

    private static bool Listens(string address)
    {
        using var client = new TcpClient();
        try
        {
            client.Connect(IPEndPoint.Parse(address));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static IReadOnlyList<string> Snippets(string language) =>
        [.. Blocks().Matches(RepositoryFiles.Read("docs/sessions.md")).Where(block => block.Groups[1].Value == language).Select(block => block.Groups[2].Value)];

    [GeneratedRegex(@"^```([a-z]+)\n(.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Blocks();
}
