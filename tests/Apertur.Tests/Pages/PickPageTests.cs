using System.Net;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Apertur.Tests.Encryption;
using Apertur.Tests.Support;
using Apertur.Tests.Support.Fakes;
using Microsoft.AspNetCore.Http;
using Microsoft.Playwright;

namespace Apertur.Tests.Pages;

/// <summary>On the page photos may be picked at providers, each in its own picker, from the press of the button to the 201.</summary>
public sealed class PickPageTests : BrowserTests
{
    private const string Sent = "#photos li[data-state=sent]";

    private static readonly string[] _both = ["door.jpg", "roof.jpg"];

    [Fact]
    public async Task Photos_are_picked_at_dropbox()
    {
        await using var pickers = await FakePickers.StartAsync();
        await using var app = await pickers.ServeAsync();
        var page = await Chromium.OpenAsync($"{app.Url}/u/{await app.Client.CreateSessionAsync()}?lang=en", Browser.SmallPhone);
        var loaded = new List<string>();
        page.Request += (_, request) => loaded.Add(request.Url);

        var window = await BeginAsync(page, "From Dropbox");
        await Assertions.Expect(window.GetByRole(AriaRole.Heading, new() { Name = "From Dropbox" })).ToBeVisibleAsync();
        Assert.Empty(await window.ViolationsAsync());
        await (await PressAsync(window, "Open Dropbox")).GetByRole(AriaRole.Button, new() { Name = "Cancel" }).ClickAsync();
        await Assertions.Expect(window.GetByRole(AriaRole.Alert)).ToContainTextAsync("No photo was chosen.");
        Assert.Empty(await window.ViolationsAsync());
        await (await PressAsync(window, "Open Dropbox")).GetByRole(AriaRole.Button, new() { Name = "Choose" }).ClickAsync();

        await ExpectSentAsync(app, page, "dropbox", _both);
        await Eventually.True(() => window.IsClosed);
        // Of the provider, the page itself loads nothing.
        Assert.DoesNotContain(loaded, url => url.StartsWith(pickers.Root, StringComparison.Ordinal));
        Assert.Empty(await page.ViolationsAsync());
    }

    [Fact]
    public async Task Photos_are_picked_at_google_drive_also_where_the_page_is_framed()
    {
        await using var pickers = await FakePickers.StartAsync();
        await using var app = await pickers.ServeAsync();
        await using var site = await Receiver.StartAsync();
        var session = await app.Client.CreateSessionAsync();
        site.Otherwise = context =>
        {
            context.Response.ContentType = "text/html";
            return context.Response.WriteAsync($"<iframe src='{app.Url}/u/{session}?lang=en' style='width:100%;height:900px'></iframe>");
        };
        var around = await Chromium.OpenAsync(site.Url.Replace("127.0.0.1", "localhost", StringComparison.Ordinal));
        var page = around.Frames.Single(frame => frame.ParentFrame is not null);

        await page.GetByText("From elsewhere").ClickAsync();
        var window = await around.RunAndWaitForPopupAsync(() => page.GetByRole(AriaRole.Button, new() { Name = "From Google Drive" }).ClickAsync());
        await (await PressAsync(window, "Open Google Drive")).GetByRole(AriaRole.Button, new() { Name = "Deny" }).ClickAsync();
        await Assertions.Expect(window.GetByRole(AriaRole.Alert)).ToContainTextAsync("Google Drive did not give permission.");
        await (await PressAsync(window, "Open Google Drive")).GetByRole(AriaRole.Button, new() { Name = "Allow" }).ClickAsync();
        await window.FrameLocator("iframe").GetByRole(AriaRole.Button, new() { Name = "Select" }).ClickAsync();

        await Assertions.Expect(page.Locator(Sent)).ToHaveCountAsync(2);
        await ExpectRowsAsync(app, "google_drive", "The roof.jpg", "door.jpg");
    }

    [Fact]
    public async Task Photos_are_picked_at_google_photos()
    {
        await using var pickers = await FakePickers.StartAsync();
        await using var app = await pickers.ServeAsync();
        var page = await Chromium.OpenAsync($"{app.Url}/u/{await app.Client.CreateSessionAsync()}?lang=en");

        var window = await BeginAsync(page, "From Google Photos");
        await (await PressAsync(window, "Open Google Photos")).GetByRole(AriaRole.Button, new() { Name = "Allow" }).ClickAsync();
        var photos = await window.RunAndWaitForPopupAsync(() => window.GetByRole(AriaRole.Link, new() { Name = "Open Google Photos" }).ClickAsync());
        await photos.GetByRole(AriaRole.Button, new() { Name = "Done" }).ClickAsync();

        await ExpectSentAsync(app, page, "google_photos", _both);
        Assert.All(pickers.Asked, asked => Assert.EndsWith(".jpg=d", asked.Path, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Photos_are_picked_at_onedrive()
    {
        await using var pickers = await FakePickers.StartAsync();
        await using var store = await Receiver.StartAsync();
        await using var app = await pickers.ServeAsync();
        var seed = 0;
        store.Otherwise = context => context.Response.Body.WriteAsync(Photos.Jpeg(2000, ++seed)).AsTask();
        pickers.HandsOutAt = new Uri(store.Url).GetLeftPart(UriPartial.Authority);
        var page = await Chromium.OpenAsync($"{app.Url}/u/{await app.Client.CreateSessionAsync()}?lang=en");

        var window = await BeginAsync(page, "From OneDrive");
        await (await PressAsync(window, "Open OneDrive")).GetByRole(AriaRole.Button, new() { Name = "No" }).ClickAsync();
        await Assertions.Expect(window.GetByRole(AriaRole.Alert)).ToContainTextAsync("OneDrive did not give permission.");
        await (await PressAsync(window, "Open OneDrive")).GetByRole(AriaRole.Button, new() { Name = "Sign in" }).ClickAsync();
        await window.FrameLocator("iframe").GetByRole(AriaRole.Button, new() { Name = "Pick" }).ClickAsync();

        await ExpectSentAsync(app, page, "onedrive", _both);
    }

    [Fact]
    public async Task Photos_are_picked_at_box()
    {
        await using var pickers = await FakePickers.StartAsync();
        await using var app = await pickers.ServeAsync();
        var page = await Chromium.OpenAsync($"{app.Url}/u/{await app.Client.CreateSessionAsync()}?lang=en");

        var window = await BeginAsync(page, "From Box");
        await (await PressAsync(window, "Open Box")).GetByRole(AriaRole.Button, new() { Name = "Grant" }).ClickAsync();
        await window.GetByRole(AriaRole.Button, new() { Name = "Cancel" }).ClickAsync();
        await Assertions.Expect(window.GetByRole(AriaRole.Alert)).ToContainTextAsync("No photo was chosen.");
        await (await PressAsync(window, "Open Box")).GetByRole(AriaRole.Button, new() { Name = "Grant" }).ClickAsync();
        await window.GetByRole(AriaRole.Button, new() { Name = "Choose" }).ClickAsync();

        await ExpectSentAsync(app, page, "box", _both);
    }

    [Fact]
    public async Task What_goes_wrong_is_said_with_a_way_on()
    {
        await using var pickers = await FakePickers.StartAsync();
        await using var app = await pickers.ServeAsync();
        var link = $"{app.Url}/u/{await app.Client.CreateSessionAsync(new JsonObject { ["max_images"] = 1 })}";
        var page = await Chromium.OpenAsync($"{link}?lang=en");

        // The window cannot be opened.
        await page.EvaluateAsync("() => { window.opens = window.open; window.open = () => null; }");
        await page.GetByText("From elsewhere").ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "From Dropbox" }).ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Alert).Filter(new() { HasText = "did not let the window open" })).ToBeVisibleAsync();
        Assert.Empty(await page.ViolationsAsync());
        await page.EvaluateAsync("() => { window.open = window.opens; }");

        // The provider does not answer.
        pickers.Instead = context => { context.Abort(); return Task.CompletedTask; };
        var window = await PressAsync(page, "From Dropbox");
        await Assertions.Expect(window.GetByRole(AriaRole.Alert)).ToContainTextAsync("Dropbox cannot be reached");
        pickers.Instead = null;
        await window.GetByRole(AriaRole.Button, new() { Name = "Open Dropbox" }).ClickAsync();
        var chooser = await PressAsync(window, "Open Dropbox");

        // More than the session takes.
        await chooser.GetByRole(AriaRole.Button, new() { Name = "Choose" }).ClickAsync();
        await Assertions.Expect(page.Locator(Sent)).ToHaveCountAsync(1);
        await Assertions.Expect(page.Locator("#photos li[data-state=refused]")).ToContainTextAsync("No more photos can be sent");

        // Nobody is there to take what is picked.
        var alone = await Browser.OpenTabAsync(page, $"{app.Url}/u/{await app.Client.CreateSessionAsync()}/pick/dropbox?lang=en");
        await Assertions.Expect(alone.GetByRole(AriaRole.Alert)).ToContainTextAsync("is no longer open");
    }

    [Fact]
    public async Task Nobody_else_can_hand_the_page_photos_and_a_reload_ends_their_permission()
    {
        await using var pickers = await FakePickers.StartAsync();
        await using var app = await pickers.ServeAsync();
        var page = await Chromium.OpenAsync($"{app.Url}/u/{await app.Client.CreateSessionAsync()}?lang=en");
        pickers.Files.Clear();
        // Not now: the source has trouble that passes.
        var held = new TaskCompletionSource();
        var window = await BeginAsync(page, "From Google Drive");
        await page.EvaluateAsync("url => window.postMessage({ picked: [{ url, name: 'forged.jpg' }] }, '*')", $"{pickers.Root}/roof.jpg");
        await (await PressAsync(window, "Open Google Drive")).GetByRole(AriaRole.Button, new() { Name = "Allow" }).ClickAsync();
        var select = window.FrameLocator("iframe").GetByRole(AriaRole.Button, new() { Name = "Select" });
        await Assertions.Expect(select).ToBeVisibleAsync();
        pickers.Instead = async context =>
        {
            held.TrySetResult();
            await Receiver.GoneAsync(context);
        };
        await select.ClickAsync();
        await Eventually.Arrives(held.Task);
        await Assertions.Expect(page.Locator("#photos li")).ToHaveCountAsync(2);
        Assert.DoesNotContain("forged", await page.Locator("#photos").InnerTextAsync(), StringComparison.Ordinal);

        await page.ReloadAsync();
        await Assertions.Expect(page.Locator("#photos li[data-state=refused]")).ToHaveCountAsync(2);
        await Assertions.Expect(page.Locator("#photos li").First).ToContainTextAsync("Please choose it again.");
    }

    [Fact]
    public async Task It_is_offered_only_where_the_server_may_fetch_and_may_load_that_provider_alone()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite, FakePickers.Settings);
        var plain = await app.Client.CreateSessionAsync();
        var camera = await app.Client.CreateSessionAsync(new JsonObject { ["camera_only"] = true });
        var closed = await app.Client.CreateSessionAsync();
        (await app.ClientOf(null).PostAsync($"upload/{closed}/complete")).Expect(HttpStatusCode.OK);

        var answer = (await app.ClientOf(null).GetAsync($"/u/{plain}/pick/dropbox?lang=en")).Expect(HttpStatusCode.OK);
        var policy = answer["Content-Security-Policy"]!;
        Assert.StartsWith("default-src 'none'; script-src 'self' https://www.dropbox.com; ", policy, StringComparison.Ordinal);
        Assert.Contains("frame-ancestors 'none'", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("google", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("https:", (await app.ClientOf(null).GetAsync($"/u/{plain}"))["Content-Security-Policy"], StringComparison.Ordinal);
        Assert.Equal(
            ("unsafe-none", "strict-origin", "DENY", "no-store"),
            (answer["Cross-Origin-Opener-Policy"], answer["Referrer-Policy"], answer["X-Frame-Options"], answer["Cache-Control"]));
        (await app.ClientOf(null).GetAsync("/pick/return?lang=en")).Expect(HttpStatusCode.OK);
        Assert.True(await IsOfferedAsync(app, plain));
        Assert.False(await IsOfferedAsync(app, camera));
        Assert.Equal(HttpStatusCode.Forbidden, await StatusAsync(app, camera, "dropbox"));
        Assert.Equal(HttpStatusCode.Forbidden, await StatusAsync(app, plain, "moon"));
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync(app, Guid.NewGuid().ToString(), "dropbox"));
        Assert.DoesNotContain("dropins", (await app.ClientOf(null).GetAsync($"/u/{closed}/pick/dropbox")).Text, StringComparison.Ordinal);
        using var owner = RSA.Create(2048);
        await EndToEndTests.SetKeyAsync(app, owner.ExportSubjectPublicKeyInfoPem());
        Assert.False(await IsOfferedAsync(app, plain));
        Assert.Equal(HttpStatusCode.Forbidden, await StatusAsync(app, plain, "dropbox"));
    }

    private static async Task<HttpStatusCode> StatusAsync(AperturApp app, string session, string source) =>
        (await app.ClientOf(null).GetAsync($"/u/{session}/pick/{source}")).Status;

    private static async Task<bool> IsOfferedAsync(AperturApp app, string session) =>
        (await app.ClientOf(null).GetAsync($"/u/{session}?lang=en")).Text.Contains("From Dropbox", StringComparison.Ordinal);

    /// <summary>Presses what the page offers beside photos of the phone.</summary>
    private static async Task<IPage> BeginAsync(IPage page, string button)
    {
        await page.GetByText("From elsewhere").ClickAsync();
        return await PressAsync(page, button);
    }

    private static async Task<IPage> PressAsync(IPage page, string button) =>
        await page.RunAndWaitForPopupAsync(() => page.GetByRole(AriaRole.Button, new() { Name = button }).ClickAsync());

    private static async Task ExpectSentAsync(AperturApp app, IPage page, string source, string[] names)
    {
        await Assertions.Expect(page.Locator(Sent)).ToHaveCountAsync(names.Length);
        await ExpectRowsAsync(app, source, names);
    }

    private static async Task ExpectRowsAsync(AperturApp app, string source, params string[] names)
    {
        var rows = (await app.Client.GetAsync("uploads/recent")).Json.AsArray();
        Assert.Equal(names.Order(StringComparer.Ordinal), rows.Select(row => (string)row!["filename"]!).Order(StringComparer.Ordinal));
        Assert.All(rows, row => Assert.Equal(source, (string)row!["source"]!));
    }
}
