using System.Security.Cryptography;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Apertur.Tests.Encryption;
using Apertur.Tests.Support;
using Microsoft.Playwright;

namespace Apertur.Tests.Pages;

/// <summary>Photos reach the server, and each once, whatever happens to the page, the line and the server meanwhile.</summary>
public sealed class UploadPageSurvivalTests : BrowserTests
{
    private const string Sent = "#photos li[data-state=sent]";

    [Theory]
    [InlineData(Browser.Phone)]
    [InlineData(Browser.SmallPhone)]
    public async Task Page_that_is_loaded_again_in_the_middle_sends_all_of_them_and_none_twice(string device)
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        var page = await Chromium.OpenAsync($"{app.Url}/u/{session}?lang=en", device);
        await Browser.NarrowAsync(page, 400_000);
        await PickAsync(page, 10);
        await CountAsync(app, session, sent => sent >= 4);

        await page.ReloadAsync();

        await Assertions.Expect(page.Locator("#photos li")).ToHaveCountAsync(10);
        await Browser.NarrowAsync(page, 0);
        await Assertions.Expect(page.Locator(Sent)).ToHaveCountAsync(10);
        Assert.Equal(10, await CountAsync(app, session, sent => sent >= 10));
        await page.ReloadAsync();
        await Assertions.Expect(page.Locator("#summary")).ToContainTextAsync("10 photos sent from this phone");
    }

    [Fact]
    public async Task Link_that_is_opened_again_after_its_tab_was_killed_goes_on()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        var url = $"{app.Url}/u/{session}?lang=en";
        var page = await Chromium.OpenAsync(url, Browser.Phone);
        await Browser.NarrowAsync(page, 400_000);
        await PickAsync(page, 5);
        await CountAsync(app, session, sent => sent >= 1);
        var context = page.Context;
        await page.CloseAsync();

        var next = await context.NewPageAsync();
        await next.GotoAsync(url);

        await Assertions.Expect(next.Locator(Sent)).ToHaveCountAsync(5);
        Assert.Equal(5, await CountAsync(app, session, sent => sent >= 5));
    }

    [Fact]
    public async Task Two_tabs_on_one_link_send_each_photo_once()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        var url = $"{app.Url}/u/{session}?lang=en";
        var page = await Chromium.OpenAsync(url, Browser.Phone);
        await Browser.NarrowAsync(page, 400_000);
        await PickAsync(page, 6);
        await CountAsync(app, session, sent => sent >= 1);

        var other = await Browser.OpenTabAsync(page, url);
        await Assertions.Expect(other.Locator("#photos li")).ToHaveCountAsync(6);
        await Browser.NarrowAsync(page, 0);

        await Assertions.Expect(page.Locator(Sent)).ToHaveCountAsync(6);
        await Assertions.Expect(other.Locator(Sent)).ToHaveCountAsync(6);
        Assert.Equal(6, await CountAsync(app, session, sent => sent >= 6));
    }

    [Fact]
    public async Task Large_photo_goes_on_where_it_was_after_a_reload_and_after_the_server_was_killed()
    {
        using var folder = new TempFolder();
        var installation = await AperturProcess.InitAsync(folder.Path);
        await using var killed = await AperturProcess.ServeAsync(folder.Path, installation);
        await using var balancer = new PortForward(killed.Url);
        var session = await killed.Client.CreateSessionAsync();
        var page = await Chromium.OpenAsync($"{balancer.Url}/u/{session}?lang=en", Browser.Phone);
        var photo = Photos.Jpeg(4_000_000, seed: 3);
        async Task HasPartsAsync(int count)
        {
            var partial = Path.Combine(folder.Path, "images", "partial");
            await Eventually.True(() => Directory.Exists(partial) && Directory.GetFiles(partial).Count(file => new FileInfo(file).Length > 400_000) == count);
            Assert.Single(Directory.GetFiles(partial).Select(Path.GetFileNameWithoutExtension).Distinct());
        }

        await Browser.NarrowAsync(page, 600_000);
        await page.Locator("#gallery").SetInputFilesAsync(new FilePayload { Name = "large.jpg", MimeType = "image/jpeg", Buffer = photo });
        await HasPartsAsync(1);
        await page.ReloadAsync();
        await Browser.NarrowAsync(page, 600_000);
        await HasPartsAsync(2);
        await killed.KillAsync();
        await using var next = await AperturProcess.ServeAsync(folder.Path, installation);
        balancer.Target = next.Url;
        await Browser.NarrowAsync(page, 0);

        await Assertions.Expect(page.Locator(Sent)).ToHaveCountAsync(1);
        var row = Assert.Single((await next.Client.GetAsync("uploads/recent")).Json.AsArray())!;
        var details = (await next.Client.GetAsync($"uploads/{row["id"]}")).Json;
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(photo)), (string)details["sha256"]!);
    }

    [Fact]
    public async Task On_a_narrow_line_photos_go_one_after_the_other()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        var page = await Chromium.OpenAsync($"{app.Url}/u/{session}?lang=en", Browser.Phone);
        // 3 Mbit/s
        await Browser.NarrowAsync(page, 375_000);
        await page.EvaluateAsync("""
            most = 0;
            new MutationObserver(() => { most = Math.max(most, document.querySelectorAll('#photos [data-state=sending]').length); })
                .observe(document.getElementById('photos'), { subtree: true, attributes: true, childList: true });
            """);

        await PickAsync(page, 3, 2_500_000);

        await Assertions.Expect(page.Locator(Sent)).ToHaveCountAsync(1);
        Assert.Equal(1, await page.EvaluateAsync<int>("most"));
        await Browser.NarrowAsync(page, 0);
        await Assertions.Expect(page.Locator(Sent)).ToHaveCountAsync(3);
    }

    [Fact]
    public async Task Line_that_carries_nothing_is_noticed_and_said_with_a_button()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        var page = await Chromium.OpenAsync("about:blank", Browser.Phone);
        await page.Clock.InstallAsync();
        await page.GotoAsync($"{app.Url}/u/{session}?lang=en");
        await page.RouteAsync("**/images", _ => Task.CompletedTask, new() { Times = 1 });
        await PickAsync(page, 1);
        await Assertions.Expect(page.Locator("#photos li[data-state=sending]")).ToHaveCountAsync(1);

        await page.Clock.FastForwardAsync(15_000);

        await Assertions.Expect(page.Locator("#photos li[data-state=stalled]")).ToContainTextAsync("stopped carrying anything");
        await page.Locator("#photos .retry:visible").ClickAsync();
        await Assertions.Expect(page.Locator(Sent)).ToHaveCountAsync(1);
        Assert.Equal(1, await CountAsync(app, session, sent => sent >= 1));
    }

    [Fact]
    public async Task Copy_of_a_photo_is_recognised_and_sent_only_when_somebody_insists()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        var page = await Chromium.OpenAsync($"{app.Url}/u/{session}?lang=en", Browser.Phone);
        await PickAsync(page, 1);
        await Assertions.Expect(page.Locator(Sent)).ToHaveCountAsync(1);
        await page.ReloadAsync();

        await PickAsync(page, 1);
        await Assertions.Expect(page.Locator("#photos li[data-state=copy]")).ToContainTextAsync("sent already");
        Assert.Equal(1, await CountAsync(app, session, sent => sent >= 1));
        await page.Locator("button:visible", new() { HasText = "Send anyway" }).ClickAsync();

        await Assertions.Expect(page.Locator(Sent)).ToHaveCountAsync(2);
        Assert.Equal(2, await CountAsync(app, session, sent => sent >= 2));
    }

    [Fact]
    public async Task Done_of_one_person_leaves_the_photos_of_another_alone()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        var url = $"{app.Url}/u/{session}?lang=en";
        var ann = await Chromium.OpenAsync(url, Browser.Phone);
        var ben = await Chromium.OpenAsync(url, Browser.SmallPhone);
        await Browser.NarrowAsync(ben, 300_000);
        await PickAsync(ann, 1);
        await Assertions.Expect(ann.Locator(Sent)).ToHaveCountAsync(1);
        await PickAsync(ben, 6, seed: 100);
        await CountAsync(app, session, sent => sent >= 2);

        await ann.Locator("#done").ClickAsync();
        await Assertions.Expect(ann.Locator("#thanks")).ToContainTextAsync("Your photo has arrived");
        await Browser.NarrowAsync(ben, 0);

        await Assertions.Expect(ben.Locator(Sent)).ToHaveCountAsync(6);
        Assert.Equal(7, await CountAsync(app, session, sent => sent >= 7));
        Assert.Equal("active", (string)(await app.Client.GetAsync($"upload/{session}/session")).Json["status"]!);
        // Who is done may come back.
        await ann.Locator("#more").ClickAsync();
        await PickAsync(ann, 1, seed: 200);
        await Assertions.Expect(ann.Locator(Sent)).ToHaveCountAsync(2);
    }

    [Fact]
    public async Task What_was_sent_can_be_taken_back_until_done()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["done"] = "visitor", ["max_images"] = 2 });
        var page = await Chromium.OpenAsync($"{app.Url}/u/{session}?lang=en", Browser.Phone);
        await PickAsync(page, 2);
        await Assertions.Expect(page.Locator(Sent)).ToHaveCountAsync(2);

        await page.Locator("#photos .remove:visible").First.ClickAsync();
        await Assertions.Expect(page.Locator("#photos li")).ToHaveCountAsync(1);
        Assert.Equal(1, await CountAsync(app, session, sent => sent == 1));
        await Assertions.Expect(page.Locator("#limits")).ToContainTextAsync("One more photo");
        await page.Locator("#done").ClickAsync();
        await Assertions.Expect(page.Locator("#thanks")).ToBeVisibleAsync();
        await page.ReloadAsync();
        await page.Locator("#photos .remove:visible").First.ClickAsync();

        await Assertions.Expect(page.Locator("#summary")).ToContainTextAsync("could not be taken back");
        Assert.Equal(1, await CountAsync(app, session, sent => sent == 1));
    }

    [Fact]
    public async Task Page_that_is_open_hears_of_new_limits_and_of_the_end()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["max_images"] = 3 });
        var page = await Chromium.OpenAsync($"{app.Url}/u/{session}?lang=en", Browser.Phone);
        await Assertions.Expect(page.Locator("#done")).ToBeVisibleAsync();

        await app.Client.UploadAsync(session, Photos.Png());
        await Assertions.Expect(page.Locator("#limits")).ToContainTextAsync("Up to 2 photos");
        await app.Client.SendAsync(HttpMethod.Patch, $"upload-sessions/{session}", new JsonObject { ["max_images"] = 2 });
        await Assertions.Expect(page.Locator("#limits")).ToContainTextAsync("One more photo");
        Assert.False(await page.Locator("#gallery").EvaluateAsync<bool>("input => input.multiple"));
        await app.Client.UploadAsync(session, Photos.WebP());
        await Assertions.Expect(page.Locator("#notice")).ToContainTextAsync("Everything that was asked for has arrived");
        await app.Client.SendAsync(HttpMethod.Patch, $"upload-sessions/{session}", new JsonObject { ["max_images"] = 9 });
        await Assertions.Expect(page.Locator("#limits")).ToContainTextAsync("Up to 7 photos");
        await Assertions.Expect(page.Locator("#pick")).ToBeVisibleAsync();
        await app.Client.PostAsync($"upload-sessions/{session}/complete");

        await Assertions.Expect(page.Locator("#notice")).ToContainTextAsync("takes no more photos");
        await Assertions.Expect(page.Locator("#pick")).ToBeHiddenAsync();
    }

    [Fact]
    public async Task Page_that_is_open_says_that_its_time_is_up()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["expires_in_hours"] = 1 });
        var page = await Chromium.OpenAsync("about:blank", Browser.Phone);
        await page.Clock.InstallAsync();
        await page.GotoAsync($"{app.Url}/u/{session}?lang=en");
        await Assertions.Expect(page.Locator("#done")).ToBeVisibleAsync();

        app.Clock.Jump(TimeSpan.FromMinutes(61));
        await page.Clock.FastForwardAsync(61 * 60_000);

        await Assertions.Expect(page.Locator("#notice")).ToContainTextAsync("expired");
        await Assertions.Expect(page.Locator("#pick")).ToBeHiddenAsync();
    }

    [Fact]
    public async Task Camera_and_done_stay_on_the_screen_with_twenty_photos()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["max_images"] = 30 });
        var page = await Chromium.OpenAsync($"{app.Url}/u/{session}?lang=en", Browser.Phone);
        await page.SetViewportSizeAsync(390, 664);
        await Assertions.Expect(page.Locator("#done")).ToBeVisibleAsync();
        for (var photo = 0; photo < 20; photo++)
        {
            await page.Locator("#camera").SetInputFilesAsync(
                new FilePayload { Name = $"{photo}.jpg", MimeType = "image/jpeg", Buffer = Photos.Jpeg(20_000, photo + 1) });
            foreach (var button in new[] { "#take", "#done" })
                Assert.True(await IsOnScreenAsync(page, button), $"{button} has left the screen with photo {photo}");
        }

        await Assertions.Expect(page.Locator(Sent)).ToHaveCountAsync(20);
        await page.EvaluateAsync("scrollTo(0, 0)");
        Assert.True(await IsOnScreenAsync(page, "#take") && await IsOnScreenAsync(page, "#done"));
    }

    [Fact]
    public async Task Password_page_says_how_long_to_wait_and_stays_open_after_a_reload()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["password"] = "open sesame", ["label"] = "Roof, north side" });
        var page = await Chromium.OpenAsync($"{app.Url}/u/{session}?lang=en", Browser.Phone);
        async Task TryAsync(string password)
        {
            await page.Locator("#password").FillAsync(password);
            await page.Locator("#send").ClickAsync();
        }

        for (var guess = 0; guess < 5; guess++)
            await app.ClientOf(null).PostAsync($"upload/{session}/verify-password", new JsonObject { ["password"] = "wrong" });
        await TryAsync("open sesame");
        await Assertions.Expect(page.Locator("#password-error")).ToContainTextAsync(new Regex("again in [0-9]+ second"));
        app.Clock.Jump(TimeSpan.FromMinutes(2));
        await page.ReloadAsync();
        await Assertions.Expect(page.Locator("#title")).Not.ToContainTextAsync("Roof");
        await TryAsync("open sesame");
        await Assertions.Expect(page.Locator("#title")).ToContainTextAsync("Roof, north side");

        await page.ReloadAsync();
        await Assertions.Expect(page.Locator("#pick")).ToBeVisibleAsync();
        await PickAsync(page, 1);
        await Assertions.Expect(page.Locator(Sent)).ToHaveCountAsync(1);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("open sesame")]
    public async Task Page_guides_whoever_sends_photos_and_leads_on_afterwards(string? password)
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync(new JsonObject
        {
            ["password"] = password,
            ["instructions"] = "One photo of **each side**:\n- front\n- back",
            ["camera_only"] = true,
            ["thank_you"] = "We call you tomorrow.",
            ["return_url"] = "https://shop.example/claim?id=4&x=1",
        });
        var page = await Chromium.OpenAsync($"{app.Url}/u/{session}?lang=en", Browser.Phone);
        if (password is not null)
        {
            await Assertions.Expect(page.Locator("#instructions")).ToBeHiddenAsync();
            await page.Locator("#password").FillAsync(password);
            await page.Locator("#send").ClickAsync();
        }

        await Assertions.Expect(page.Locator("#instructions strong")).ToHaveTextAsync("each side");
        await Assertions.Expect(page.Locator("#instructions li")).ToHaveCountAsync(2);
        await Assertions.Expect(page.Locator("#choose")).ToBeHiddenAsync();
        await CheckAsync(page, $"guided-{password is not null}");
        await page.Locator("#camera").SetInputFilesAsync(new FilePayload { Name = "a.png", MimeType = "image/png", Buffer = Photos.Png() });
        await Assertions.Expect(page.Locator(Sent)).ToHaveCountAsync(1);
        await page.Locator("#done").ClickAsync();

        await Assertions.Expect(page.Locator("#thanks-text")).ToHaveTextAsync("We call you tomorrow.");
        await Assertions.Expect(page.Locator("#return")).ToHaveAttributeAsync("href", "https://shop.example/claim?id=4&x=1");
        await Assertions.Expect(page.Locator("#return")).ToBeVisibleAsync();
    }

    [Fact]
    public async Task Key_that_the_link_names_is_the_only_one_that_will_do()
    {
        using var owner = RSA.Create(2048);
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        await EndToEndTests.SetKeyAsync(app, owner.ExportSubjectPublicKeyInfoPem());
        var session = await app.Client.CreateSessionAsync();
        var limited = await app.Client.CreateSessionAsync(new JsonObject { ["max_image_dimension"] = 5000 });
        var key = Convert.ToHexStringLower(SHA256.HashData(owner.ExportSubjectPublicKeyInfo()));

        var right = await Chromium.OpenAsync($"{app.Url}/u/{session}?lang=en#key={key}", Browser.Phone);
        await Assertions.Expect(right.Locator("#sealing")).ToContainTextAsync(key[..4]);
        foreach (var (where, named) in new[] { (session, new string('0', 64)), (limited, key) })
        {
            var wrong = await Chromium.OpenAsync($"{app.Url}/u/{where}?lang=en#key={named}", Browser.Phone);
            await Assertions.Expect(wrong.Locator("#summary")).ToContainTextAsync("Nothing is sent");
            await Assertions.Expect(wrong.Locator("#upload")).ToBeHiddenAsync();
        }

        var told = await Chromium.OpenAsync($"{app.Url}/u/{limited}?lang=en", Browser.Phone);
        await Assertions.Expect(told.Locator("main")).ToContainTextAsync("not end-to-end encrypted here");
    }

    [Theory]
    [InlineData(ColorScheme.Light)]
    [InlineData(ColorScheme.Dark)]
    public async Task Page_is_accessible_in_each_state_and_fits_with_large_text(ColorScheme scheme)
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["done"] = "visitor", ["max_images"] = 40, ["label"] = "Roof, north side" });
        var locked = await app.Client.CreateSessionAsync(new JsonObject { ["password"] = "open sesame" });
        var page = await Chromium.OpenAsync($"{app.Url}/u/{locked}?lang=en&colorScheme={scheme.ToString().ToLowerInvariant()}", Browser.Phone);
        await CheckAsync(page, $"password-{scheme}");
        await page.GotoAsync($"{app.Url}/u/{session}?lang=en&colorScheme={scheme.ToString().ToLowerInvariant()}");
        await CheckAsync(page, $"empty-{scheme}");
        await PickAsync(page, 3);
        await Assertions.Expect(page.Locator(Sent)).ToHaveCountAsync(3);
        await PickAsync(page, 1);
        await page.Locator("#gallery").SetInputFilesAsync(new FilePayload { Name = "notes.txt", MimeType = "text/plain", Buffer = "hello"u8.ToArray() });
        await Assertions.Expect(page.Locator("#photos li[data-state=copy]")).ToHaveCountAsync(1);
        await CheckAsync(page, $"list-{scheme}");
        await page.EvaluateAsync("document.documentElement.style.fontSize = '200%'");
        Assert.True(await page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= window.innerWidth"));
        await CheckAsync(page, $"large-{scheme}");
        await page.EvaluateAsync("document.documentElement.style.fontSize = ''");
        await page.Locator("#done").ClickAsync();
        await Assertions.Expect(page.Locator("#thanks")).ToBeVisibleAsync();
        await CheckAsync(page, $"thanks-{scheme}");
    }

    [Theory]
    [InlineData("de")]
    [InlineData("pl")]
    [InlineData("ar")]
    [InlineData("hi")]
    [InlineData("ja")]
    public async Task Page_fits_in_every_kind_of_script(string language)
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["done"] = "visitor" });
        var page = await Chromium.OpenAsync($"{app.Url}/u/{session}?lang={language}", Browser.SmallPhone);
        await PickAsync(page, 2);
        await Assertions.Expect(page.Locator(Sent)).ToHaveCountAsync(2);

        Assert.True(await page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= window.innerWidth"));
        Assert.Equal(language == "ar" ? "rtl" : "ltr", await page.EvaluateAsync<string>("getComputedStyle(document.body).direction"));
        await CheckAsync(page, $"list-{language}");
    }

    [Theory]
    [InlineData("en")]
    [InlineData("de")]
    [InlineData("pt")]
    [InlineData("ar")]
    [InlineData("hi")]
    public async Task Camera_and_done_share_a_row_of_a_small_phone_whose_text_is_twice_as_large(string language)
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["done"] = "visitor" });
        var page = await Chromium.OpenAsync($"{app.Url}/u/{session}?lang={language}", Browser.SmallPhone);
        await page.SetViewportSizeAsync(360, 640);
        await page.EvaluateAsync("document.documentElement.style.fontSize = '200%'");
        await PickAsync(page, 4, 50_000);
        await Assertions.Expect(page.Locator(Sent)).ToHaveCountAsync(4);

        foreach (var place in new[] { "0", "document.documentElement.scrollHeight" })
        {
            await page.EvaluateAsync($"scrollTo(0, {place})");
            foreach (var button in new[] { "#take", "#choose", "#done" })
                Assert.True(await IsOnScreenAsync(page, button), $"{button} is not on the screen at {place}");
        }

        var height = await page.Locator("#bar").EvaluateAsync<double>("bar => bar.getBoundingClientRect().height");
        Assert.True(height < 640 / 5, $"The bar takes {height} pixels");
        Assert.True(await page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= window.innerWidth"));
        await CheckAsync(page, $"bar-{language}");
    }

    /// <summary>Accessible, and photographed for people to look at where APERTUR_SCREENSHOTS names a folder.</summary>
    [Fact]
    public async Task Photo_that_was_picked_last_is_lost_neither_by_a_double_tap_nor_by_done()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["allow_captions"] = true, ["done"] = "session" });
        var page = await Chromium.OpenAsync($"{app.Url}/u/{session}?lang=en", Browser.Phone);
        async Task<TaskCompletionSource> HoldAsync(string address)
        {
            var held = new TaskCompletionSource();
            await page.RouteAsync(address, async route =>
            {
                await held.Task;
                await route.ContinueAsync();
            });
            return held;
        }

        await PickAsync(page, 1);
        await Assertions.Expect(page.Locator(Sent)).ToHaveCountAsync(1);
        // After a while it goes in pieces.
        var sending = new Regex("/(images|tus)$");
        await page.RouteAsync(sending, route => route.AbortAsync());
        await PickAsync(page, 1, seed: 2);
        await Assertions.Expect(page.Locator("#photos li[data-state=interrupted]")).ToHaveCountAsync(1);
        var withdrawal = await HoldAsync("**/images/*");
        await page.Locator($"{Sent} .remove").DblClickAsync();
        withdrawal.SetResult();
        await Assertions.Expect(page.Locator("#photos li")).ToHaveCountAsync(1);
        await page.UnrouteAsync(sending);
        await page.EvaluateAsync("dispatchEvent(new Event('online'))");
        await Assertions.Expect(page.Locator(Sent)).ToHaveCountAsync(1);

        // Done waits for a caption, and the camera was open already.
        await page.UnrouteAllAsync();
        var caption = await HoldAsync("**/images/*");
        var photo = await HoldAsync("**/images");
        await page.Locator(".caption summary").ClickAsync();
        await page.Locator(".caption input").FillAsync("The roof");
        await page.Locator("#done").ClickAsync();
        await Assertions.Expect(page.Locator("#upload[inert]")).ToHaveCountAsync(1);
        await PickAsync(page, 1, seed: 3);
        caption.SetResult();
        await Assertions.Expect(page.Locator("#summary")).ToContainTextAsync("as soon as the last photo has arrived");
        photo.SetResult();
        await Assertions.Expect(page.Locator("#thanks")).ToBeVisibleAsync();
        Assert.Equal(2, await CountAsync(app, session, sent => sent >= 2));

        // What comes too late is seen to be refused.
        await PickAsync(page, 1, seed: 4);
        await Assertions.Expect(page.Locator("#photos li[data-state=refused]")).ToBeVisibleAsync();
    }

    private static async Task CheckAsync(IPage page, string state)
    {
        if (Environment.GetEnvironmentVariable("APERTUR_SCREENSHOTS") is { Length: > 0 } folder)
        {
            var phone = page.ViewportSize!;
            await page.ScreenshotAsync(new() { Path = Path.Combine(folder, $"upload-{state}.png") });
            await page.SetViewportSizeAsync(1280, 800);
            await page.ScreenshotAsync(new() { Path = Path.Combine(folder, $"upload-{state}-desktop.png") });
            await page.SetViewportSizeAsync(phone.Width, phone.Height);
        }

        Assert.Empty((await page.ViolationsAsync()).Select(violation => $"{state}: {violation}"));
    }

    private static Task<bool> IsOnScreenAsync(IPage page, string selector) => page.Locator(selector).EvaluateAsync<bool>("""
        element => {
          const { top, bottom, left, right } = element.getBoundingClientRect();
          return bottom > top && top >= 0 && left >= 0 && bottom <= innerHeight && right <= innerWidth;
        }
        """);

    private static Task PickAsync(IPage page, int count, int bytes = 300_000, int seed = 1) => page.Locator("#gallery").SetInputFilesAsync(
        Enumerable.Range(0, count).Select(number => new FilePayload
        {
            Name = $"photo-{number}.jpg",
            MimeType = "image/jpeg",
            Buffer = Photos.Jpeg(bytes, seed + number),
        }));

    private static Task<int> CountAsync(AperturApp app, string session, Func<int, bool> wanted) => Eventually.Becomes(
        async () => (int)(await app.Client.GetAsync($"upload/{session}/session")).Json["imagesCount"]!, wanted, "so many photos have arrived");
}
