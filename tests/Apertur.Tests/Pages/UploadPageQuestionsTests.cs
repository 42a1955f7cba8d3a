using System.Text.Json.Nodes;
using Apertur.Tests.Support;
using Apertur.Tests.Uploads;
using Microsoft.Playwright;

namespace Apertur.Tests.Pages;

/// <summary>The page asks for what its session wants to know, once, and sends it with each photo.</summary>
public sealed class UploadPageQuestionsTests : BrowserTests
{
    private const string Sent = "#photos li[data-state=sent]";

    [Fact]
    public async Task What_is_required_comes_before_the_first_photo_and_is_asked_once()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync(new JsonObject
        {
            ["ask"] = AskedFieldsTests.Ask(("name", true), ("email", true), ("phone", false), ("note", false)),
        });
        var page = await Chromium.OpenAsync($"{app.Url}/u/{session}?lang=en", Browser.Phone);
        await Assertions.Expect(page.Locator("#pick")).ToBeHiddenAsync();
        await Assertions.Expect(page.Locator("label[for=ask-name]")).ToHaveTextAsync("Your name");
        await Assertions.Expect(page.Locator("label[for=ask-note]")).ToHaveTextAsync("Note (optional)");
        foreach (var (field, type, autocomplete) in new[] { ("name", "text", "name"), ("email", "email", "email"), ("phone", "tel", "tel") })
        {
            await Assertions.Expect(page.Locator($"#ask-{field}")).ToHaveAttributeAsync("type", type);
            await Assertions.Expect(page.Locator($"#ask-{field}")).ToHaveAttributeAsync("autocomplete", autocomplete);
        }

        await page.Locator("#ask-name").FillAsync("Ann");
        await page.Locator("#send").ClickAsync();
        await Assertions.Expect(page.Locator("#ask-email-error")).ToHaveTextAsync("This is needed: Your e-mail address");
        await Assertions.Expect(page.Locator("#ask-email")).ToBeFocusedAsync();
        await page.Locator("#ask-email").FillAsync("ann");
        await page.Locator("#ask-email").PressAsync("Enter");
        await Assertions.Expect(page.Locator("#ask-email-error")).ToContainTextAsync("This is no e-mail address");
        Assert.Empty(await page.ViolationsAsync());
        await page.ReloadAsync();
        await Assertions.Expect(page.Locator("#ask-name")).ToHaveValueAsync("Ann");
        await page.Locator("#ask-email").FillAsync("ann@example.com");
        await page.Locator("#ask-note").FillAsync("by the\ngate");
        await page.Locator("#send").ClickAsync();

        await Assertions.Expect(page.Locator("#pick")).ToBeVisibleAsync();
        await Assertions.Expect(page.Locator("#ask-name")).ToBeHiddenAsync();
        Assert.Empty(await page.ViolationsAsync());
        await PickAsync(page, 300_000);
        await PickAsync(page, 2_000_000);
        await Assertions.Expect(page.Locator(Sent)).ToHaveCountAsync(2);
        await page.ReloadAsync();
        await Assertions.Expect(page.Locator("#pick")).ToBeVisibleAsync();
        await page.Locator("#asked summary").ClickAsync();
        await page.Locator("#ask-phone").FillAsync("555");
        await page.Locator("#ask-phone").BlurAsync();
        await PickAsync(page, 100_000);
        await Assertions.Expect(page.Locator(Sent)).ToHaveCountAsync(3);

        var given = (await app.Client.GetAsync("uploads/recent")).Json.AsArray().Select(row => row!["answers"]!.ToJsonString()).Order(StringComparer.Ordinal);
        const string first = """{"name":"Ann","email":"ann@example.com","note":"by the\ngate"}""";
        Assert.Equal([first, first, """{"name":"Ann","email":"ann@example.com","phone":"555","note":"by the\ngate"}"""], given);
    }

    [Fact]
    public async Task Page_that_is_open_asks_for_what_the_session_wants_to_know_from_now_on()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        var page = await Chromium.OpenAsync($"{app.Url}/u/{session}?lang=de", Browser.SmallPhone);
        await PickAsync(page, 50_000);
        await Assertions.Expect(page.Locator(Sent)).ToHaveCountAsync(1);
        await page.Context.SetOfflineAsync(true);
        await PickAsync(page, 60_000);
        await app.Client.SendAsync(HttpMethod.Patch, $"upload-sessions/{session}", new JsonObject { ["ask"] = AskedFieldsTests.Ask(("reference", true)) });

        await page.Context.SetOfflineAsync(false);
        await Assertions.Expect(page.Locator("#ask-reference")).ToBeVisibleAsync();
        await Assertions.Expect(page.Locator("#pick")).ToBeHiddenAsync();
        Assert.Empty(await page.ViolationsAsync());
        await page.Locator("#ask-reference").FillAsync("4711");
        await page.Locator("#send").ClickAsync();

        await Assertions.Expect(page.Locator(Sent)).ToHaveCountAsync(2);
        Assert.Single((await app.Client.GetAsync("uploads/recent")).Json.AsArray(), row => row!["answers"]?.ToJsonString() == """{"reference":"4711"}""");
        await app.Client.SendAsync(HttpMethod.Patch, $"upload-sessions/{session}", new JsonObject { ["ask"] = new JsonArray() });
        await Assertions.Expect(page.Locator("#asked")).ToBeHiddenAsync();
        await Assertions.Expect(page.Locator("#pick")).ToBeVisibleAsync();
    }

    [Fact]
    public async Task Questions_stand_behind_the_password()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["password"] = "open sesame", ["ask"] = AskedFieldsTests.Ask(("name", true)) });
        var page = await Chromium.OpenAsync($"{app.Url}/u/{session}?lang=ar", Browser.SmallPhone);
        await Assertions.Expect(page.Locator("#asked")).ToBeHiddenAsync();

        await page.Locator("#password").FillAsync("open sesame");
        await page.Locator("#send").ClickAsync();
        await Assertions.Expect(page.Locator("#pick")).ToBeHiddenAsync();
        await page.Locator("#ask-name").FillAsync("آن");
        await page.Locator("#send").ClickAsync();
        await PickAsync(page, 50_000);

        await Assertions.Expect(page.Locator(Sent)).ToHaveCountAsync(1);
        Assert.True(await page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= window.innerWidth"));
        Assert.Equal("آن", (string)(await app.Client.GetAsync("uploads/recent")).Json[0]!["answers"]!["name"]!);
    }

    [Fact]
    public async Task Questions_are_asked_without_scripts_too()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["ask"] = AskedFieldsTests.Ask(("name", true), ("note", false)) });
        var page = await Chromium.OpenAsync($"{app.Url}/u/{session}?lang=en", Browser.Phone, javaScript: false);

        await page.Locator("#gallery").SetInputFilesAsync(new FilePayload { Name = "a.png", MimeType = "image/png", Buffer = Photos.Png() });
        await page.Locator("#send").ClickAsync();
        Assert.Empty((await app.Client.GetAsync("uploads/recent")).Json.AsArray());
        await page.Locator("#ask-name").FillAsync("Ann");
        await page.Locator("#send").ClickAsync();

        await Assertions.Expect(page.Locator(".photos li[data-state=sent]")).ToHaveCountAsync(1);
        Assert.Equal("""{"name":"Ann"}""", Assert.Single((await app.Client.GetAsync("uploads/recent")).Json.AsArray())!["answers"]!.ToJsonString());
        await Assertions.Expect(page.Locator("#ask-name")).ToHaveValueAsync("Ann");
    }

    private static Task PickAsync(IPage page, int bytes) => page.Locator("#gallery").SetInputFilesAsync(
        new FilePayload { Name = $"photo-{bytes}.jpg", MimeType = "image/jpeg", Buffer = Photos.Jpeg(bytes, bytes) });
}
