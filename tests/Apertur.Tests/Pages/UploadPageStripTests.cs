using System.Text.Json.Nodes;
using Apertur.Tests.Support;
using Microsoft.Playwright;

namespace Apertur.Tests.Pages;

/// <summary>The page says what is removed from photos, to whoever may send some, as it is now.</summary>
public sealed class UploadPageStripTests : BrowserTests
{
    [Fact]
    public async Task What_is_passed_on_is_said_behind_the_password_and_when_it_changes()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["password"] = "open sesame", ["strip"] = "location" });
        var page = await Chromium.OpenAsync($"{app.Url}/u/{session}?lang=de", Browser.SmallPhone);
        await Assertions.Expect(page.Locator("#strip")).ToBeEmptyAsync();

        await page.Locator("#password").FillAsync("open sesame");
        await page.Locator("#send").ClickAsync();
        await Assertions.Expect(page.Locator("#strip")).ToHaveTextAsync("Der Ort der Aufnahme wird aus jedem Foto entfernt, bevor es weitergegeben wird.");
        await app.Client.SendAsync(HttpMethod.Patch, $"upload-sessions/{session}", new JsonObject { ["strip"] = "all" });
        await Assertions.Expect(page.Locator("#strip")).ToContainTextAsync("Ort, Zeit und alles");
    }
}
