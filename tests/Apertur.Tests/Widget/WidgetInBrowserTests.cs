using System.Diagnostics;
using System.Text.RegularExpressions;
using Apertur.Tests.Repository;
using Apertur.Tests.Support;
using Microsoft.Playwright;

namespace Apertur.Tests.Widget;

/// <summary>The page and the server of docs/widget.md, as they stand there, with a desk and a phone before them.</summary>
public sealed partial class WidgetInBrowserTests(ITestOutputHelper output) : BrowserTests
{
    // Playwright's own waiting is eval, which the policy forbids.
    private const string ThumbnailIsThere = """
        new Promise((done, fail) => {
          const picture = () => document.querySelector('apertur-photos').shadowRoot.querySelector('li img');
          setInterval(() => picture()?.naturalWidth > 0 && done(), 5);
          setTimeout(fail, 60_000, 'no thumbnail');
        })
        """;

    [Fact]
    public async Task Photos_of_a_phone_are_in_the_form_of_a_page_with_a_strict_policy()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite, new Dictionary<string, string?> { ["Thumbnails:AtOnce"] = "2" });
        using var folder = new TempFolder();
        using var site = StartSite(app, folder);
        try
        {
            var address = await site.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken);
            Assert.NotNull(address);
            var desk = await Chromium.OpenAsync("about:blank", look: new() { ColorScheme = ColorScheme.Dark });
            var complaints = new List<string>();
            desk.Console += (_, message) => complaints.AddRange(message.Type is "error" or "warning" ? [message.Text] : []);
            await desk.GotoAsync(address);

            await Assertions.Expect(desk.Locator("img.qr")).ToHaveJSPropertyAsync("naturalWidth", 300);
            await Assertions.Expect(desk.GetByRole(AriaRole.Status)).ToContainTextAsync("Scan this code");
            Assert.False(await desk.EvaluateAsync<bool>("document.forms[0].checkValidity()"));
            Assert.Empty(await desk.ViolationsAsync());
            var link = await desk.GetByRole(AriaRole.Link).GetAttributeAsync("href");
            var phone = await Chromium.OpenAsync($"{link}?lang=en", Browser.Phone);
            await Assertions.Expect(desk.GetByRole(AriaRole.Status)).ToContainTextAsync("Phone connected");
            await Assertions.Expect(desk.Locator("img.qr")).ToBeHiddenAsync();

            var received = await SendAsync(phone, seed: 1);
            var since = Stopwatch.GetTimestamp();
            await desk.EvaluateAsync(ThumbnailIsThere);
            output.WriteLine($"From the photo's 201 to its thumbnail: {Stopwatch.GetElapsedTime(since).TotalMilliseconds:0} ms.");
            Assert.Empty(await desk.ViolationsAsync());

            await desk.ReloadAsync();
            await Assertions.Expect(desk.Locator("li")).ToHaveCountAsync(1);
            await Assertions.Expect(desk.GetByRole(AriaRole.Status)).ToContainTextAsync("Photos: 1");
            await Assertions.Expect(desk.Locator("img.qr")).ToBeHiddenAsync();
            var second = await SendAsync(phone, seed: 2);
            await Assertions.Expect(desk.Locator("li")).ToHaveCountAsync(2);
            Assert.Empty(complaints);
            await desk.GetByRole(AriaRole.Button).ClickAsync();
            await Assertions.Expect(desk.Locator("body")).ToContainTextAsync($"Photos: {received} {second}");

            await desk.GotoAsync(address);
            await Assertions.Expect(desk.GetByRole(AriaRole.Status)).ToContainTextAsync("Scan this code");
            Assert.NotEqual(link, await desk.GetByRole(AriaRole.Link).GetAttributeAsync("href"));
        }
        finally
        {
            site.Kill(entireProcessTree: true);
        }
    }

    /// <returns>The id that the photo was answered with.</returns>
    private static async Task<string> SendAsync(IPage phone, int seed)
    {
        var answer = await phone.RunAndWaitForResponseAsync(
            () => phone.Locator("#gallery").SetInputFilesAsync(
                new FilePayload { Name = $"photo-{seed}.jpg", MimeType = "image/jpeg", Buffer = Photos.Jpeg(60_000, seed) }),
            response => response.Status == 201);
        return (await answer.JsonAsync())!.Value.GetProperty("id").GetString()!;
    }

    private static Process StartSite(AperturApp app, TempFolder folder)
    {
        File.WriteAllText(Path.Combine(folder.Path, "page.html"), Snippet("html").Replace("https://photos.example.com", app.Url, StringComparison.Ordinal));
        File.WriteAllText(Path.Combine(folder.Path, "server.mjs"), Snippet("js"));
        return Process.Start(new ProcessStartInfo(Components.Program("node"), "server.mjs")
        {
            WorkingDirectory = folder.Path,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["APERTUR_SERVER"] = app.Url, ["APERTUR_KEY"] = app.LiveKey, ["PORT"] = "0" },
        })!;
    }

    private static string Snippet(string language) =>
        Assert.Single(Blocks().Matches(RepositoryFiles.Read("docs/widget.md")), block => block.Groups[1].Value == language).Groups[2].Value;

    [GeneratedRegex(@"^```([a-z]+)\n(.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Blocks();
}
