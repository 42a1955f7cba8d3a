using Apertur.Tests.Support;
using Microsoft.Playwright;

namespace Apertur.Tests.Dashboard;

/// <summary>Pictures of every page, for people to look at: <c>tests/screenshots</c> says where to.</summary>
public sealed class ScreenshotTests
{
    [Theory(Explicit = true)]
    [InlineData(390, ColorScheme.Light)]
    [InlineData(390, ColorScheme.Dark)]
    [InlineData(1440, ColorScheme.Light)]
    [InlineData(1440, ColorScheme.Dark)]
    public async Task Every_page_is_pictured_empty_and_full(int width, ColorScheme scheme)
    {
        var folder = Environment.GetEnvironmentVariable("APERTUR_SCREENSHOTS") ?? throw new InvalidOperationException("Run tests/screenshots.");
        await using var receiver = await Receiver.StartAsync();
        await using var browser = await Browser.StartAsync();
        var look = new BrowserNewContextOptions { ViewportSize = new() { Width = width, Height = 900 }, ColorScheme = scheme };
        foreach (var full in new[] { false, true })
        {
            await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
            IReadOnlyList<string> paths = full
                ? (await DashboardWorld.FillAsync(app, receiver)).Paths
                : ["", "/start", "/sessions", "/uploads", "/destinations", "/keys", "/webhooks", "/members", "/audit"];
            var page = await DashboardPage.SignInAsync(browser, app, look: look);
            foreach (var path in paths)
            {
                await page.ShowAsync(path);
                var name = string.Concat((path.Length == 0 ? "home" : path).Select(c => char.IsAsciiLetterOrDigit(c) ? c : '-')).Trim('-');
                await page.Page.ScreenshotAsync(new()
                {
                    Path = Path.Combine(folder, $"{name[..Math.Min(name.Length, 20)]}-{(full ? "full" : "empty")}-{width}-{scheme}.png".ToLowerInvariant()),
                    FullPage = true,
                });
            }
        }
    }
}
