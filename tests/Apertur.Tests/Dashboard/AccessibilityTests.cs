using Apertur.Tests.Support;
using Deque.AxeCore.Commons;
using Deque.AxeCore.Playwright;
using Microsoft.Playwright;

namespace Apertur.Tests.Dashboard;

/// <summary>What axe-core finds on every page, in both colour schemes, on a phone and on a wide screen.</summary>
public sealed class AccessibilityTests(ITestOutputHelper output)
{
    private static readonly AxeRunOptions _everything = new()
    {
        RunOnly = new() { Type = "tag", Values = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] },
    };

    // Nothing else changes with the colour scheme.
    private static readonly AxeRunOptions _colours = new() { RunOnly = new() { Type = "rule", Values = ["color-contrast"] } };

    [Theory]
    [InlineData(390)]
    [InlineData(1440)]
    public async Task Every_page_is_fit_for_everybody(int width)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var things = await DashboardWorld.FillAsync(app, receiver);
        await using var browser = await Browser.StartAsync();
        var look = new BrowserNewContextOptions
        {
            ViewportSize = new() { Width = width, Height = 900 },
            ColorScheme = ColorScheme.Light,
            ReducedMotion = ReducedMotion.Reduce,
        };
        var outside = await DashboardPage.OpenAsync(browser, app, "/", look: look);
        await Assertions.Expect(outside.Page.GetByLabel("Password")).ToBeVisibleAsync();
        var found = new List<string>(await LookAsync(outside, "sign-in"));
        var page = await DashboardPage.SignInAsync(browser, app, look: look);

        string[] paths = [.. things.Paths, .. things.Forms];
        foreach (var path in paths)
        {
            await page.ShowAsync(path);
            found.AddRange(await LookAsync(page, path));
            Assert.True(
                await page.Page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= innerWidth"), $"{path} is wider than the screen");
        }

        var said = $"axe-core at {width} px, light and dark: {paths.Length + 1} pages, {found.Count} violations.";
        output.WriteLine(said);
        Console.WriteLine(said);
        Assert.Empty(found);
    }

    private static async Task<List<string>> LookAsync(DashboardPage dashboard, string path)
    {
        var found = new List<string>();
        foreach (var (scheme, rules) in new[] { (ColorScheme.Light, _everything), (ColorScheme.Dark, _colours) })
        {
            await dashboard.Page.EmulateMediaAsync(new() { ColorScheme = scheme, ReducedMotion = ReducedMotion.Reduce });
            var result = await dashboard.Page.RunAxe(rules);
            found.AddRange(result.Violations.Select(violation =>
                $"{path}, {scheme}: {violation.Impact} {violation.Id}: {string.Join(" | ", violation.Nodes.Take(3).Select(node => node.Html))}"));
        }
        await dashboard.Page.EmulateMediaAsync(new() { ColorScheme = ColorScheme.Light, ReducedMotion = ReducedMotion.Reduce });
        return found;
    }
}
