namespace Apertur.Tests.Support;

/// <summary>Tests that look at pages, each in a browser of its own.</summary>
public abstract class BrowserTests : IAsyncLifetime
{
    private Browser? _browser;

    private protected Browser Chromium => _browser!;

    public async ValueTask InitializeAsync() => _browser = await Browser.StartAsync();

    public async ValueTask DisposeAsync()
    {
        if (_browser is not null)
            await _browser.DisposeAsync();
        GC.SuppressFinalize(this);
    }
}
