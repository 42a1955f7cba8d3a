using Microsoft.Playwright;

namespace Apertur.Tests.Support;

/// <summary>The system's Chromium. Starting it takes a second, so a class of browser tests shares one; each test opens a page of its own.</summary>
internal sealed class Browser : IAsyncDisposable
{
    /// <summary>A phone's screen, touch and user agent, as Playwright knows it.</summary>
    public const string Phone = "iPhone 13";

    /// <summary>A small screen, as many carry.</summary>
    public const string SmallPhone = "Galaxy S5";

    // It must not call home; the fake camera shows a moving pattern and is allowed without asking.
    private static readonly string[] _arguments =
    [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
    ];

    private readonly IPlaywright _playwright;
    private readonly IBrowser _browser;

    private Browser(IPlaywright playwright, IBrowser browser)
    {
        (_playwright, _browser) = (playwright, browser);
    }

    public static async Task<Browser> StartAsync()
    {
        var executable = Components.Chromium;
        // Time for a busy machine: what is expected comes, or the test has failed anyway.
        Assertions.SetDefaultExpectTimeout(60_000);
        var playwright = await Playwright.CreateAsync();
        return new(playwright, await playwright.Chromium.LaunchAsync(new() { ExecutablePath = executable, Args = _arguments }));
    }

    /// <summary>A page in a session of its own, loaded.</summary>
    /// <param name="url">What to load.</param>
    /// <param name="device">Such as <see cref="Phone"/>; an ordinary desktop window when null.</param>
    /// <param name="javaScript">False: as for people who switched scripts off.</param>
    /// <param name="look">Size, colours and the like, when it is no device.</param>
    public async Task<IPage> OpenAsync(string url, string? device = null, bool javaScript = true, BrowserNewContextOptions? look = null)
    {
        var options = device is null ? look ?? new BrowserNewContextOptions() : _playwright.Devices[device];
        options.JavaScriptEnabled = javaScript;
        var context = await _browser.NewContextAsync(options);
        context.SetDefaultTimeout(60_000);
        var page = await context.NewPageAsync();
        await page.GotoAsync(url);
        return page;
    }

    /// <summary>Another page beside one, as another tab of the same browser.</summary>
    public static async Task<IPage> OpenTabAsync(IPage beside, string url)
    {
        var page = await beside.Context.NewPageAsync();
        await page.GotoAsync(url);
        return page;
    }

    /// <summary>Lets a page send only so many bytes a second; 0 for as many as it can.</summary>
    public static async Task NarrowAsync(IPage page, int bytesPerSecond)
    {
        var session = await page.Context.NewCDPSessionAsync(page);
        await session.SendAsync("Network.enable");
        await session.SendAsync("Network.emulateNetworkConditions", new()
        {
            ["offline"] = false,
            ["latency"] = 0,
            ["downloadThroughput"] = -1,
            ["uploadThroughput"] = bytesPerSecond == 0 ? -1 : bytesPerSecond,
        });
    }

    public async ValueTask DisposeAsync()
    {
        await _browser.DisposeAsync();
        _playwright.Dispose();
    }
}
