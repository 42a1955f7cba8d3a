using Apertur.Tests.Support;
using Microsoft.Playwright;

namespace Apertur.Tests.Dashboard;

/// <summary>What axe-core finds on every page, in both colour schemes, on a phone and on a wide screen, and whether letters of twice the size find room.</summary>
public sealed class AccessibilityTests(ITestOutputHelper output)
{
    private static readonly int[] _widths = [390, 1440];

    /// <summary>How wide the page is when that is more than the window, and which elements are to blame.</summary>
    private const string Wide = """
        () => document.documentElement.scrollWidth <= innerWidth ? [] : [`${document.documentElement.scrollWidth} px`, ...[...document.querySelectorAll('body *')]
            .filter(element => element.getBoundingClientRect().right > innerWidth || element.scrollWidth > element.clientWidth)
            .map(element => `${element.tagName}.${element.className}`).slice(0, 12)]
        """;

    [Fact]
    public async Task Every_page_is_fit_for_everybody()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var things = await DashboardWorld.FillAsync(app, receiver);
        await using var browser = await Browser.StartAsync();
        var look = new BrowserNewContextOptions { ColorScheme = ColorScheme.Light, ReducedMotion = ReducedMotion.Reduce };
        var outside = await DashboardPage.OpenAsync(browser, app, "/", look: look);
        await Assertions.Expect(outside.Page.GetByLabel("Password")).ToBeVisibleAsync();
        var found = new List<string>(await LookAsync(outside, "sign-in"));
        // What finds nothing anywhere must find this.
        await outside.Page.EvaluateAsync("document.querySelector('main').append(new Image())");
        Assert.Contains(await outside.Page.ViolationsAsync(), violation => violation.Contains("image-alt", StringComparison.Ordinal));
        var page = await DashboardPage.SignInAsync(browser, app, look: look);

        await page.Page.Locator(".skip").FocusAsync();
        await page.Page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page.Page.Locator("#main")).ToBeFocusedAsync();

        string[] paths = [.. things.Paths, .. things.Forms];
        foreach (var path in paths)
        {
            await page.ShowAsync(path);
            found.AddRange(await LookAsync(page, path));
        }

        var said = $"axe-core at {string.Join(" and ", _widths)} px, light and dark: {paths.Length + 1} pages, {found.Count} violations.";
        output.WriteLine(said);
        Console.WriteLine(said);
        Assert.Empty(found);
    }

    private static async Task<List<string>> LookAsync(DashboardPage dashboard, string path)
    {
        var found = new List<string>();
        var page = dashboard.Page;
        foreach (var width in _widths)
        {
            await page.SetViewportSizeAsync(width, 900);
            var violations = (await page.ViolationsAsync()).ToList();
            await page.EmulateMediaAsync(new() { ColorScheme = ColorScheme.Dark, ReducedMotion = ReducedMotion.Reduce });
            violations.AddRange((await page.ContrastViolationsAsync()).Select(violation => "dark: " + violation));
            await page.EmulateMediaAsync(new() { ColorScheme = ColorScheme.Light, ReducedMotion = ReducedMotion.Reduce });
            found.AddRange(violations.Select(violation => $"{path}, {width} px: {violation}"));
            if (!await page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= innerWidth"))
                found.Add($"{path} is wider than {width} px");
            await page.EvaluateAsync("document.documentElement.style.fontSize = '200%'");
            var wide = await page.EvaluateAsync<string[]>(Wide);
            if (wide.Length > 0)
                found.Add($"{path} with letters of twice the size is wider than {width} px: {string.Join(", ", wide)}");
            await page.EvaluateAsync("document.documentElement.style.fontSize = ''");
        }

        return found;
    }
}
