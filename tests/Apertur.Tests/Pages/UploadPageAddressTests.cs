using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Apertur.Tests.Encryption;
using Apertur.Tests.Support;
using Microsoft.AspNetCore.Http;
using Microsoft.Playwright;

namespace Apertur.Tests.Pages;

/// <summary>On the page a photo may be given by its address on the web.</summary>
public sealed class UploadPageAddressTests : BrowserTests
{
    private const string Sent = "#photos li[data-state=sent]";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Photo_is_given_by_its_address_with_the_keyboard_alone_and_is_like_others_then()
    {
        await using var source = await Receiver.StartAsync();
        source.Otherwise = context => context.Response.Body.WriteAsync(Photos.Png()).AsTask();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["allow_captions"] = true, ["done"] = "visitor" });
        var page = await Chromium.OpenAsync($"{app.Url}/u/{session}?lang=en", Browser.SmallPhone);
        var button = page.GetByRole(AriaRole.Button, new() { Name = "From a web address" });
        var address = page.GetByLabel("Address of the photo");

        await button.PressAsync("Enter");
        await Assertions.Expect(address).ToBeFocusedAsync();
        await Assertions.Expect(button).ToHaveAttributeAsync("aria-expanded", "true");
        await page.Keyboard.TypeAsync("ftp://example.com/roof.png");
        await page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page.GetByRole(AriaRole.Alert).Filter(new() { HasText = "This is not the address of a photo" })).ToBeVisibleAsync();
        await Assertions.Expect(address).ToBeFocusedAsync();
        Assert.Empty(await page.ViolationsAsync());
        await page.Keyboard.PressAsync("Escape");
        await Assertions.Expect(address).ToHaveCountAsync(0);
        await Assertions.Expect(button).ToBeFocusedAsync();

        await button.PressAsync("Enter");
        await address.FillAsync(Of(source, "/houses/roof%20one.png?size=large"));
        await page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page.Locator(Sent)).ToHaveCountAsync(1);
        await Assertions.Expect(page.Locator("#photos .name")).ToHaveTextAsync("roof one.png");
        await Assertions.Expect(button).ToBeFocusedAsync();
        await page.Locator(".caption summary").ClickAsync();
        await page.GetByLabel("Caption of roof one.png").FillAsync("The roof");
        await page.Keyboard.PressAsync("Enter");
        Assert.Empty(await page.ViolationsAsync());

        await page.Locator("#done").ClickAsync();
        await Assertions.Expect(page.Locator("#thanks-text")).ToHaveTextAsync("Your photo has arrived.");
        var row = (await app.Client.GetAsync("uploads/recent")).Json.AsArray().Single()!;
        Assert.Equal(("url", "roof one.png", "The roof"), ((string)row["source"]!, (string)row["filename"]!, (string)row["caption"]!));
        Assert.NotNull((string?)row["visitor"]);
    }

    [Fact]
    public async Task Photo_that_was_fetched_can_be_taken_back()
    {
        await using var source = await Receiver.StartAsync();
        source.Otherwise = context => context.Response.Body.WriteAsync(Photos.Png()).AsTask();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var page = await Chromium.OpenAsync($"{app.Url}/u/{await app.Client.CreateSessionAsync()}?lang=en");

        await GiveAsync(page, Of(source, "/roof.png"));
        await Assertions.Expect(page.Locator(Sent)).ToHaveCountAsync(1);
        await page.GetByRole(AriaRole.Button, new() { Name = "Remove roof.png" }).ClickAsync();

        await Assertions.Expect(page.Locator("#photos li")).ToHaveCountAsync(0);
        Assert.Equal(0, (int)(await app.Client.GetAsync("uploads")).Json["total"]!);
    }

    [Fact]
    public async Task Refusal_is_told_in_words_of_the_page()
    {
        await using var source = await Receiver.StartAsync();
        source.Answers(404);
        source.Otherwise = context => context.Response.WriteAsync("<html>", Cancellation);
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var page = await Chromium.OpenAsync($"{app.Url}/u/{await app.Client.CreateSessionAsync()}?lang=de");
        var loaded = new List<string>();
        page.Request += (_, request) => loaded.Add(request.Url);

        await GiveAsync(page, Of(source, "/gone.jpg"));
        await Assertions.Expect(page.Locator("#photos li").First).ToContainTextAsync("Unter dieser Adresse ist kein Foto zu haben.");
        await GiveAsync(page, Of(source, "/page.html"));
        await Assertions.Expect(page.Locator("#photos li").Nth(1)).ToContainTextAsync("Diese Datei ist beschädigt");
        await GiveAsync(page, "http://127.0.0.1:1/roof.jpg");
        await Assertions.Expect(page.Locator("#photos li[data-state=refused]").Nth(2)).ToContainTextAsync("Diese Adresse ist nicht erreichbar.");

        // Loaded when it was wanted.
        Assert.Contains(loaded, url => url.Contains("/assets/address-", StringComparison.Ordinal));
        Assert.Contains(loaded, url => url.Contains("/assets/de-", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Source_that_has_trouble_for_now_is_asked_again_when_somebody_wants_that()
    {
        await using var source = await Receiver.StartAsync();
        var isWell = false;
        source.Otherwise = context =>
        {
            context.Response.StatusCode = isWell ? 200 : 503;
            return context.Response.Body.WriteAsync(Photos.Png()).AsTask();
        };
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var page = await Chromium.OpenAsync($"{app.Url}/u/{await app.Client.CreateSessionAsync()}?lang=en");

        await GiveAsync(page, Of(source, "/roof.png"));
        var again = page.GetByRole(AriaRole.Button, new() { Name = "Try again: roof.png" });
        await Assertions.Expect(again).ToBeVisibleAsync();
        isWell = true;
        await again.ClickAsync();

        await Assertions.Expect(page.Locator(Sent)).ToHaveCountAsync(1);
    }

    [Fact]
    public async Task Address_without_a_certificate_is_not_taken_where_the_server_takes_none()
    {
        await using var app = await AperturApp.StartAsync(
            DatabaseKind.Sqlite, new Dictionary<string, string?> { ["Sources:AllowPrivateNetworks"] = "false" });
        var page = await Chromium.OpenAsync($"{app.Url}/u/{await app.Client.CreateSessionAsync()}?lang=en");

        await GiveAsync(page, "http://photos.example.com/roof.jpg");

        await Assertions.Expect(page.Locator("#address-error")).ToContainTextAsync("One begins with https://.");
        await Assertions.Expect(page.Locator("#photos li")).ToHaveCountAsync(0);
    }

    [Fact]
    public async Task Fetch_goes_on_after_a_reload_and_brings_one_photo()
    {
        await using var source = await Receiver.StartAsync();
        var asked = new TaskCompletionSource();
        source.Handles(async context =>
        {
            asked.SetResult();
            await Receiver.GoneAsync(context);
        });
        source.Otherwise = context => context.Response.Body.WriteAsync(Photos.Png()).AsTask();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var page = await Chromium.OpenAsync($"{app.Url}/u/{await app.Client.CreateSessionAsync()}?lang=en");

        await GiveAsync(page, Of(source, "/roof.png"));
        await Eventually.Arrives(asked.Task);
        await Assertions.Expect(page.Locator("#photos .state")).ToHaveTextAsync("Being fetched from its address");
        await page.ReloadAsync();

        await Assertions.Expect(page.Locator(Sent)).ToHaveCountAsync(1);
        Assert.Equal(1, (int)(await app.Client.GetAsync("uploads")).Json["total"]!);
    }

    [Fact]
    public async Task It_is_offered_only_where_the_server_may_fetch()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var plain = await app.Client.CreateSessionAsync();
        var camera = await app.Client.CreateSessionAsync(new JsonObject { ["camera_only"] = true });

        Assert.True(await IsOfferedAsync(app, plain));
        Assert.False(await IsOfferedAsync(app, camera));
        app.Set("Sources:Url", "false");
        await app.RestartAsync();
        Assert.False(await IsOfferedAsync(app, plain));
        app.Set("Sources:Url", "true");
        await app.RestartAsync();
        Assert.True(await IsOfferedAsync(app, plain));
        using var owner = RSA.Create(2048);
        await EndToEndTests.SetKeyAsync(app, owner.ExportSubjectPublicKeyInfoPem());
        Assert.False(await IsOfferedAsync(app, plain));
    }

    private static async Task<bool> IsOfferedAsync(AperturApp app, string session) =>
        (await app.ClientOf(null).GetAsync($"/u/{session}?lang=en")).Text.Contains("From a web address", StringComparison.Ordinal);

    private static async Task GiveAsync(IPage page, string address)
    {
        await page.Locator("#web").ClickAsync();
        await page.Locator("#address").FillAsync(address);
        await page.Locator("#address-field button").ClickAsync();
    }

    private static string Of(Receiver source, string path) => new Uri(new Uri(source.Url), path).AbsoluteUri;
}
