using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Apertur.Tests.Support;
using Microsoft.Playwright;

namespace Apertur.Tests.Pages;

/// <summary>What a person with a phone does and sees.</summary>
public sealed class UploadPageInBrowserTests : BrowserTests
{
    [Fact]
    public async Task Several_photos_are_picked_sent_and_delivered()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var session = await app.Client.CreateSessionAsync(webhook);
        var page = await Chromium.OpenAsync($"{app.Url}/u/{session}?lang=en", Browser.Phone);
        Assert.Equal("active", (string)(await app.Client.GetAsync($"upload/{session}/session")).Json["status"]!);

        await page.Locator("#gallery").SetInputFilesAsync(
        (FilePayload[])[
            new() { Name = "one.jpg", MimeType = "image/jpeg", Buffer = Photos.Jpeg(300_000, seed: 1) },
            new() { Name = "two.heic", MimeType = "image/heic", Buffer = Photos.Heic() },
        ]);

        await Assertions.Expect(page.Locator("#photos li[data-state=sent]")).ToHaveCountAsync(2);
        foreach (var row in (await app.Client.GetAsync("uploads/recent")).Json.AsArray())
        {
            Assert.Equal("gallery", (string)row!["source"]!);
            await app.Client.UploadBecomesAsync((string)row["id"]!, "delivered");
        }
    }

    [Fact]
    public async Task Photo_that_is_refused_says_why_and_the_others_go_on()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["max_image_size_mb"] = 1 });
        var page = await Chromium.OpenAsync($"{app.Url}/u/{session}?lang=en", Browser.Phone);

        await page.Locator("#gallery").SetInputFilesAsync(
        (FilePayload[])[
            new() { Name = "big.jpg", MimeType = "image/jpeg", Buffer = Photos.Jpeg(2_000_000, seed: 1) },
            new() { Name = "notes.txt", MimeType = "text/plain", Buffer = "hello"u8.ToArray() },
            new() { Name = "lies.jpg", MimeType = "image/jpeg", Buffer = "not a photo at all, whatever it says"u8.ToArray() },
            new() { Name = "fine.png", MimeType = "image/png", Buffer = Photos.Png() },
        ]);

        await Assertions.Expect(page.Locator("#photos li[data-state=sent]")).ToHaveCountAsync(1);
        await Assertions.Expect(page.Locator("#photos li[data-state=refused]")).ToHaveCountAsync(3);
        await Assertions.Expect(page.Locator("#photos li", new() { HasText = "big.jpg" })).ToContainTextAsync("1 MB");
        Assert.Single((await app.Client.GetAsync("uploads/recent")).Json.AsArray());
    }

    [Fact]
    public async Task Protected_page_asks_for_its_password_and_done_closes_the_session()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["password"] = "pässwörd ✓" });
        var page = await Chromium.OpenAsync($"{app.Url}/u/{session}?lang=en", Browser.Phone);

        await page.Locator("#password").FillAsync("guess");
        await page.Locator("#send").ClickAsync();
        await Assertions.Expect(page.Locator("#password-error")).ToContainTextAsync("not right");
        await page.Locator("#password").FillAsync("pässwörd ✓");
        await page.Locator("#send").ClickAsync();
        await Assertions.Expect(page.Locator("#pick")).ToBeVisibleAsync();
        await page.Locator("#gallery").SetInputFilesAsync(
            new FilePayload { Name = "one.jpg", MimeType = "image/jpeg", Buffer = Photos.Jpeg() });
        await Assertions.Expect(page.Locator("#photos li[data-state=sent]")).ToHaveCountAsync(1);
        await page.Locator("#done").ClickAsync();

        await Assertions.Expect(page.Locator("#thanks")).ToBeVisibleAsync();
        Assert.Equal("completed", (string)(await app.Client.GetAsync($"upload/{session}/session")).Json["status"]!);
    }

    [Fact]
    public async Task Connection_that_comes_back_finishes_the_upload_by_itself()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        var page = await Chromium.OpenAsync($"{app.Url}/u/{session}", Browser.Phone);

        await page.Context.SetOfflineAsync(true);
        await page.Locator("#gallery").SetInputFilesAsync(new FilePayload { Name = "a.png", MimeType = "image/png", Buffer = Photos.Png() });
        await Assertions.Expect(page.Locator("#photos li")).ToHaveCountAsync(1);
        await page.Context.SetOfflineAsync(false);

        await Assertions.Expect(page.Locator("#photos li[data-state=sent]")).ToHaveCountAsync(1);
    }

    [Fact]
    public async Task Done_says_first_that_a_photo_was_not_sent()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        var page = await Chromium.OpenAsync("about:blank", Browser.Phone);
        await page.Clock.InstallAsync();
        await page.GotoAsync($"{app.Url}/u/{session}?lang=en");
        Task PickAsync(string name, int seed) => page.Locator("#gallery").SetInputFilesAsync(
            new FilePayload { Name = name, MimeType = "image/jpeg", Buffer = Photos.Jpeg(20_000, seed) });
        await PickAsync("one.jpg", 1);
        await Assertions.Expect(page.Locator("#photos li[data-state=sent]")).ToHaveCountAsync(1);
        await page.RouteAsync(new Regex("/(images|tus)"), route => route.AbortAsync());
        await PickAsync("two.jpg", 2);
        await Eventually.Becomes(
            async () =>
            {
                await page.Clock.FastForwardAsync(31_000);
                return await page.Locator("#photos li[data-state=gaveUp]").CountAsync();
            },
            count => count == 1, "it is given up");

        await page.Locator("#done").ClickAsync();

        await Assertions.Expect(page.Locator("#summary")).ToContainTextAsync("One photo was not sent");
        Assert.NotEqual("completed", (string)(await app.Client.GetAsync($"upload/{session}/session")).Json["status"]!);
        await page.Locator("#done").ClickAsync();
        await Assertions.Expect(page.Locator("#thanks")).ToBeVisibleAsync();
        Assert.Equal("completed", (string)(await app.Client.GetAsync($"upload/{session}/session")).Json["status"]!);
    }

    [Theory]
    [InlineData("""{"statusCode":400,"error":"Bad Request","code":"INCOMPLETE_BODY","message":"Empty."}""")]
    [InlineData("""{"statusCode":400,"error":"Bad Request","code":"VALIDATION_ERROR","message":"Empty.","errors":[{"field":"file","message":"Empty."}]}""")]
    public async Task Photo_that_broke_off_on_its_way_is_sent_again(string answer)
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        var page = await Chromium.OpenAsync($"{app.Url}/u/{session}?lang=en", Browser.Phone);
        await page.RouteAsync(
            "**/images", route => route.FulfillAsync(new() { Status = 400, ContentType = "application/json", Body = answer }), new() { Times = 1 });

        await page.Locator("#gallery").SetInputFilesAsync(
            new FilePayload { Name = "one.jpg", MimeType = "image/jpeg", Buffer = Photos.Jpeg() });

        await Assertions.Expect(page.Locator("#photos li[data-state=sent]")).ToHaveCountAsync(1);
        Assert.Single((await app.Client.GetAsync("uploads/recent")).Json.AsArray());
    }

    [Fact]
    public async Task Form_works_without_scripts()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        var page = await Chromium.OpenAsync($"{app.Url}/u/{session}?lang=en", Browser.Phone, javaScript: false);

        await page.Locator("#gallery").SetInputFilesAsync(
        (FilePayload[])[
            new() { Name = "one.jpg", MimeType = "image/jpeg", Buffer = Photos.Jpeg() },
            new() { Name = "two.txt", MimeType = "text/plain", Buffer = "hello, hello, hello"u8.ToArray() },
        ]);
        await page.Locator("#send").ClickAsync();

        await Assertions.Expect(page.Locator("li[data-state=sent]")).ToContainTextAsync("one.jpg");
        await Assertions.Expect(page.Locator("li[data-state=refused]")).ToContainTextAsync("two.txt");
        Assert.Single((await app.Client.GetAsync("uploads/recent")).Json.AsArray());
    }

    [Fact]
    public async Task Protected_form_takes_nothing_without_its_password_and_without_scripts()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["password"] = "pässwörd ✓" });
        var page = await Chromium.OpenAsync($"{app.Url}/u/{session}?lang=en", Browser.Phone, javaScript: false);

        foreach (var (password, words) in new[] { ("guess", "That password is not right"), ("pässwörd ✓", "Received") })
        {
            Assert.Empty((await app.Client.GetAsync("uploads/recent")).Json.AsArray());
            await page.Locator("#password").FillAsync(password);
            await page.Locator("#gallery").SetInputFilesAsync(
                new FilePayload { Name = "one.jpg", MimeType = "image/jpeg", Buffer = Photos.Jpeg() });
            await page.Locator("#send").ClickAsync();
            await Assertions.Expect(page.Locator("main")).ToContainTextAsync(words);
        }

        Assert.Single((await app.Client.GetAsync("uploads/recent")).Json.AsArray());
    }

    [Fact]
    public async Task Page_that_frames_this_one_hears_of_every_photo_and_of_the_end()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["max_images"] = 2 });
        // Another origin to the browser, and like this one on loopback: pages from elsewhere may not reach it.
        var elsewhere = app.Url.Replace("127.0.0.1", "localhost", StringComparison.Ordinal);
        var page = await Chromium.OpenAsync($"{elsewhere}/healthz", Browser.Phone);
        await page.SetContentAsync($"""
            <script>heard = []; addEventListener('message', event => heard.push(event.data))</script>
            <iframe src="{app.Url}/u/{session}?lang=en" allow="camera" width="360" height="600"></iframe>
            """);
        var framed = page.FrameLocator("iframe");
        Task SendAsync(string input, string name, byte[] bytes) =>
            framed.Locator(input).SetInputFilesAsync(new FilePayload { Name = name, MimeType = "image/jpeg", Buffer = bytes });

        await SendAsync("#camera", "one.jpg", Photos.Jpeg());
        await Assertions.Expect(framed.Locator("#limits")).ToContainTextAsync("One more photo");
        await SendAsync("#gallery", "lies.jpg", "not a photo at all, whatever it says"u8.ToArray());
        await Assertions.Expect(framed.Locator("#photos li[data-state=refused]")).ToHaveCountAsync(1);
        await SendAsync("#gallery", "empty.jpg", []);
        await SendAsync("#gallery", "two.jpg", Photos.Png());
        await page.WaitForFunctionAsync("heard.some(message => message.type === 'apertur:session:complete')");

        var heard = JsonNode.Parse(await page.EvaluateAsync<string>("JSON.stringify(heard)"))!.AsArray();
        List<JsonNode> Data(string type) => [.. heard.Where(message => (string)message!["type"]! == $"apertur:{type}").Select(message => message!["data"]!)];
        Assert.Equal(("apertur:ready", session), ((string)heard[0]!["type"]!, (string)heard[0]!["data"]!["sessionId"]!));
        Assert.Equal(
            ["apertur:image:received", "apertur:error", "apertur:error", "apertur:image:received", "apertur:session:complete"],
            heard.Select(message => (string)message!["type"]!).Where(type => type is not ("apertur:ready" or "apertur:progress" or "apertur:height")));
        Assert.Equal(
            [("lies.jpg", "UNSUPPORTED_IMAGE_TYPE"), ("empty.jpg", "VALIDATION_ERROR")],
            Data("error").Select(error => ((string)error["filename"]!, (string)error["code"]!)));
        Assert.Contains("damaged", (string)Data("error")[0]["message"]!, StringComparison.Ordinal);
        Assert.Equal(["one.jpg", "lies.jpg", "two.jpg"], Data("progress").Select(progress => (string)progress["filename"]!).Distinct());
        Assert.All(Data("progress"), progress => Assert.InRange((double)progress["progress"]!, 0, 1));
        var heights = Data("height").Select(height => (int)height["height"]!).ToList();
        Assert.True(heights.Count > 1 && heights.All(height => height is > 100 and < 2000), string.Join(' ', heights));
        foreach (var (received, source) in Data("image:received").Zip(["camera", "gallery"]))
            Assert.Equal(source, (string)(await app.Client.UploadRowAsync((string)received["id"]!))["source"]!);
        await Assertions.Expect(framed.Locator("#upload")).ToBeHiddenAsync();
    }

    [Fact]
    public async Task Form_without_scripts_says_why_nothing_of_it_was_taken()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["max_images"] = 1, ["max_image_size_mb"] = 1 });

        var large = await SendFormAsync(app, session, [.. Photos.Jpeg(), .. new byte[3 * 1024 * 1024]]);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, large.Status);
        Assert.Contains("This photo is too large.", large.Text, StringComparison.Ordinal);

        var first = await SendFormAsync(app, session, Photos.Jpeg());
        Assert.Equal(HttpStatusCode.OK, first.Status);
        Assert.DoesNotContain("role=\"alert\"", first.Text, StringComparison.Ordinal);

        var second = await SendFormAsync(app, session, Photos.Jpeg());
        Assert.Equal(HttpStatusCode.UnprocessableEntity, second.Status);
        Assert.Contains("No more photos can be sent with this link.", second.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("en", "expired")]
    [InlineData("fr", "expiré")]
    [InlineData("es", "caduc")]
    public async Task Link_that_is_over_says_so_in_the_reader_s_language(string language, string words)
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        app.Clock.Jump(TimeSpan.FromDays(2));

        var page = await Chromium.OpenAsync($"{app.Url}/u/{session}?lang={language}", Browser.Phone);

        await Assertions.Expect(page.Locator("main")).ToContainTextAsync(new Regex(words, RegexOptions.IgnoreCase));
        await Assertions.Expect(page.Locator("#upload")).ToHaveCountAsync(0);
    }

    [Fact]
    public async Task Page_fits_a_small_phone_and_asks_no_other_host()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["label"] = new string('W', 200) });
        var page = await Chromium.OpenAsync("about:blank", Browser.Phone);
        var hosts = new HashSet<string>();
        page.Request += (_, request) => hosts.Add(new Uri(request.Url).Authority);
        await page.SetViewportSizeAsync(320, 568);

        await page.GotoAsync($"{app.Url}/u/{session}");

        Assert.True(await page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= window.innerWidth"));
        hosts.Remove("");
        Assert.Equal([new Uri(app.Url).Authority], hosts);
    }

    private static async Task<Answer> SendFormAsync(AperturApp app, string session, byte[] photo)
    {
        using var file = new ByteArrayContent(photo);
        using var form = new MultipartFormDataContent { { file, "file", "photo.jpg" } };
        return await app.ClientOf(null).PostAsync($"/u/{session}?lang=en", form);
    }
}
