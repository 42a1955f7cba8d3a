using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Apertur.Tests.Support;
using Microsoft.Playwright;

namespace Apertur.Tests.Dashboard;

/// <summary>Pictures of every page, for people to look at: <c>tests/screenshots</c> says where to.</summary>
public sealed partial class ScreenshotTests
{
    private static readonly Dictionary<string, string?> _settings = new()
    {
        ["Thumbnails:AtOnce"] = "1",
        // Nobody follows the button on the sign-in page.
        ["OpenId:Authority"] = "https://login.example.com",
        ["OpenId:ClientId"] = "apertur",
        ["OpenId:ClientSecret"] = "secret",
        ["OpenId:Name"] = "Example Login",
    };

    [Theory(Explicit = true)]
    [InlineData(390, ColorScheme.Light)]
    [InlineData(390, ColorScheme.Dark)]
    [InlineData(1440, ColorScheme.Light)]
    [InlineData(1440, ColorScheme.Dark)]
    public async Task Every_page_is_pictured_empty_busy_and_failing(int width, ColorScheme scheme)
    {
        var root = Environment.GetEnvironmentVariable("APERTUR_SCREENSHOTS") ?? throw new InvalidOperationException("Run tests/screenshots.");
        var folder = Directory.CreateDirectory(Path.Combine(root, $"{width}-{scheme}".ToLowerInvariant())).FullName;
        await using var receiver = await Receiver.StartAsync();
        await using var browser = await Browser.StartAsync();
        var look = new BrowserNewContextOptions { ViewportSize = new() { Width = width, Height = 900 }, ColorScheme = scheme, ReducedMotion = ReducedMotion.Reduce };
        IReadOnlyList<string> everywhere = [];
        foreach (var state in new[] { "failing", "busy", "empty" })
        {
            await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite, _settings);
            var things = state == "failing" ? await DashboardWorld.FillAsync(app, receiver) : null;
            everywhere = state switch
            {
                "failing" => [.. things!.Paths, .. things.Forms],
                "busy" => [.. everywhere.Where(path => !Id().IsMatch(path)), .. await KeepBusyAsync(app, receiver)],
                _ => [.. everywhere.Where(path => !Id().IsMatch(path))],
            };
            var outside = await DashboardPage.OpenAsync(browser, app, "/", look: look);
            await Assertions.Expect(outside.Page.GetByLabel("Password")).ToBeVisibleAsync();
            await TakeAsync(outside, folder, state, "sign-in");
            var page = await DashboardPage.SignInAsync(browser, app, look: look);
            foreach (var path in everywhere)
            {
                await page.ShowAsync(path);
                if (path == "/destinations?new=1")
                    await page.Page.Locator(".choice", new() { HasText = "S3" }).First.ClickAsync();
                foreach (var more in await page.Page.Locator("dialog[open] summary, main:not(:has(dialog[open])) summary").AllAsync())
                    await more.ClickAsync();
                await page.Page.EvaluateAsync("scrollTo(0, 0)");
                await TakeAsync(page, folder, state, path);
            }
        }
    }

    /// <summary>Photos come and arrive.</summary>
    /// <returns>The pages of some of them.</returns>
    private static async Task<string[]> KeepBusyAsync(AperturApp app, Receiver receiver)
    {
        var destination = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var session = "";
        var upload = "";
        for (var i = 0; i < 24; i++)
        {
            if (i % 8 == 0)
            {
                session = await app.Client.CreateSessionAsync(new JsonObject
                {
                    ["label"] = $"Claim {2041 + i}",
                    ["tags"] = new JsonArray("roof", $"claim:{2041 + i}"),
                    ["destination_ids"] = new JsonArray(destination),
                });
            }

            upload = (string)(await app.Client.UploadAsync(session, Photos.Jpeg(), $"IMG_{4711 + i}.jpg"))["id"]!;
            await app.Client.UploadBecomesAsync(upload, "delivered");
        }

        return [$"/sessions/{session}", $"/uploads/{upload}", $"/destinations/{destination}"];
    }

    private static Task TakeAsync(DashboardPage page, string folder, string state, string path)
    {
        var name = string.Concat(Id().Replace(path, "").Select(c => char.IsAsciiLetterOrDigit(c) ? c : '-')).Trim('-');
        var number = Directory.GetFiles(folder, $"{state}-*").Length;
        return page.Page.ScreenshotAsync(new() { Path = Path.Combine(folder, $"{state}-{number:00}-{(name.Length == 0 ? "home" : name)}.png"), FullPage = true });
    }

    [GeneratedRegex("/[0-9a-f-]{36}")]
    private static partial Regex Id();
}
