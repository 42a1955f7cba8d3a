using System.Text.RegularExpressions;
using Apertur.Tests.Support;
using Microsoft.Playwright;

namespace Apertur.Tests.Dashboard;

/// <summary>A person at the dashboard. Notes what went wrong on the way, for tests that say nothing may.</summary>
internal sealed class DashboardPage
{
    private DashboardPage(IPage page, AperturApp app)
    {
        (Page, App) = (page, app);
        page.Console += (_, message) =>
        {
            // What the browser itself says of an answer is seen by its status.
            if (message.Type == "error" && !message.Text.StartsWith("Failed to load resource", StringComparison.Ordinal))
                Errors.Add(message.Text);
        };
        page.PageError += (_, error) => Errors.Add(error);
        page.Response += (_, response) =>
        {
            if (response.Status == 403)
                Refused.Add($"{response.Request.Method} {new Uri(response.Url).AbsolutePath}");
        };
    }

    public IPage Page { get; }

    public AperturApp App { get; }

    /// <summary>What scripts complained of, such as a broken rule of the content security policy.</summary>
    public List<string> Errors { get; } = [];

    /// <summary>What was answered 403.</summary>
    public List<string> Refused { get; } = [];

    /// <summary>Opens an address; the browser has the server's time of day.</summary>
    public static async Task<DashboardPage> OpenAsync(
        Browser browser, AperturApp app, string path, string? device = null, BrowserNewContextOptions? look = null)
    {
        var page = await browser.OpenAsync("about:blank", device, look: look);
        await page.Clock.InstallAsync(new() { TimeDate = app.Clock.GetUtcNow().UtcDateTime });
        var dashboard = new DashboardPage(page, app);
        await dashboard.GoAsync(path);
        return dashboard;
    }

    /// <summary>Opens an address and signs in there.</summary>
    public static async Task<DashboardPage> SignInAsync(
        Browser browser, AperturApp app, string path = "", string email = People.OwnerEmail, BrowserNewContextOptions? look = null)
    {
        var dashboard = await OpenAsync(browser, app, $"/p/{app.ProjectId}{path}", look: look);
        await dashboard.Page.GetByLabel("E-mail address").FillAsync(email);
        await dashboard.Page.GetByLabel("Password").FillAsync(People.OwnerPassword);
        await dashboard.Page.GetByRole(AriaRole.Button, new() { Name = "Sign in" }).ClickAsync();
        await dashboard.IsThereAsync();
        return dashboard;
    }

    public Task GoAsync(string path) => Page.GotoAsync(App.Url + path);

    /// <summary>Opens a page of the project and waits until it is there.</summary>
    public async Task ShowAsync(string path)
    {
        await GoAsync(path.StartsWith('/') || path.Length == 0 ? $"/p/{App.ProjectId}{path}" : "/" + path);
        await IsThereAsync();
    }

    /// <summary>A page for who is signed in is drawn and has what it asked for.</summary>
    public async Task IsThereAsync()
    {
        await Assertions.Expect(Page.Locator("main.page h1")).ToBeVisibleAsync();
        await Assertions.Expect(Page.Locator(".bone")).ToHaveCountAsync(0);
    }

    public ILocator Button(string name) => Page.GetByRole(AriaRole.Button, new() { Name = name, Exact = true });

    public ILocator Link(string name) => Page.GetByRole(AriaRole.Link, new() { Name = name, Exact = true });

    public Task ShowsAsync(string text) => Assertions.Expect(Page.Locator("body")).ToContainTextAsync(text);

    public Task ShowsNoMoreAsync(string text) => Assertions.Expect(Page.Locator("body")).Not.ToContainTextAsync(text);

    public Task ShowsAsync(Regex text) => Assertions.Expect(Page.Locator("body")).ToContainTextAsync(text);
}
