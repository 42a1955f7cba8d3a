using System.Text.Json.Nodes;
using Apertur.Tests.Support;
using Microsoft.Playwright;

namespace Apertur.Tests.Pages;

/// <summary>On the page each photo may have a caption, whenever it is typed.</summary>
public sealed class UploadPageCaptionTests : BrowserTests
{
    private const string Sent = "#photos li[data-state=sent]";

    [Fact]
    public async Task Caption_goes_along_survives_a_reload_and_follows_a_photo_that_was_sent_already()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["allow_captions"] = true, ["done"] = "visitor" });
        var page = await Chromium.OpenAsync($"{app.Url}/u/{session}?lang=en", Browser.SmallPhone);
        await page.RouteAsync("**/images", route => route.AbortAsync());
        await PickAsync(page, "roof.png", Photos.Png());
        await page.Locator(".caption summary").ClickAsync();
        await Assertions.Expect(page.GetByLabel("Caption of roof.png")).ToBeFocusedAsync();
        await page.Keyboard.TypeAsync("The roof");
        await page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page.Locator(".caption summary")).ToHaveTextAsync("The roof");
        Assert.Empty(await page.ViolationsAsync());

        await page.ReloadAsync();
        await Assertions.Expect(page.Locator(".caption summary")).ToHaveTextAsync("The roof");
        await page.UnrouteAsync("**/images");
        await page.EvaluateAsync("dispatchEvent(new Event('online'))");
        await Assertions.Expect(page.Locator(Sent)).ToHaveCountAsync(1);
        // Typed after the first attempt, it follows the photo.
        await Eventually.Becomes(() => CaptionAsync(app, "roof.png"), caption => caption == "The roof");

        await PickAsync(page, "door.jpg", Photos.Jpeg());
        await Assertions.Expect(page.Locator(Sent)).ToHaveCountAsync(2);
        Assert.Null(await CaptionAsync(app, "door.jpg"));
        await page.Locator(".caption summary").Last.ClickAsync();
        await page.GetByLabel("Caption of door.jpg").FillAsync("The door");
        Assert.Empty(await page.ViolationsAsync());
        // Done waits for what is still in the field.
        await page.Locator("#done").ClickAsync();
        await Assertions.Expect(page.Locator("#thanks")).ToBeVisibleAsync();
        Assert.Equal("The door", await CaptionAsync(app, "door.jpg"));
    }

    [Fact]
    public async Task Form_without_scripts_has_one_caption_and_only_where_the_session_takes_it()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var plain = await app.Client.CreateSessionAsync();
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["allow_captions"] = true });
        var page = await Chromium.OpenAsync($"{app.Url}/u/{plain}?lang=en", Browser.Phone, javaScript: false);
        await Assertions.Expect(page.Locator("#caption")).ToHaveCountAsync(0);

        await page.GotoAsync($"{app.Url}/u/{session}?lang=en");
        await page.GetByLabel("Caption (optional)").FillAsync("The <b>roof</b>");
        await PickAsync(page, "roof.png", Photos.Png());
        await page.Locator("#send").ClickAsync();

        await Assertions.Expect(page.Locator(".photos li[data-state=sent]")).ToHaveCountAsync(1);
        Assert.Equal("The <b>roof</b>", await CaptionAsync(app, "roof.png"));
    }

    private static async Task<string?> CaptionAsync(AperturApp app, string filename) => (string?)
        (await app.Client.GetAsync("uploads/recent")).Json.AsArray().Single(row => (string)row!["filename"]! == filename)!["caption"];

    private static Task PickAsync(IPage page, string name, byte[] bytes) => page.Locator("#gallery").SetInputFilesAsync(
        new FilePayload { Name = name, MimeType = name.EndsWith(".png", StringComparison.Ordinal) ? "image/png" : "image/jpeg", Buffer = bytes });
}
