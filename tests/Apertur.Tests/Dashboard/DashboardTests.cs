using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Apertur.Server.Accounts;
using Apertur.Server.Projects;
using Apertur.Server.Storage;
using Apertur.Tests.Encryption;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;

namespace Apertur.Tests.Dashboard;

/// <summary>What people do at the dashboard, from the first start on.</summary>
public sealed class DashboardTests(ITestOutputHelper output) : IAsyncLifetime
{
    private Browser _browser = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _browser = await Browser.StartAsync();

    public ValueTask DisposeAsync() => _browser?.DisposeAsync() ?? ValueTask.CompletedTask;

    [Theory, AllDatabases]
    public async Task First_start_leads_to_the_first_photo_without_a_terminal(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var page = await OpenFirstStartAsync(app);
        var clicks = 0;
        async Task ClickAsync(ILocator what)
        {
            clicks++;
            await what.ClickAsync();
        }

        await page.Page.GetByLabel("E-mail address").FillAsync("first@example.com");
        await page.Page.GetByLabel("New password").FillAsync("battery staple");
        await page.Page.GetByLabel("first project").FillAsync("Roofs");
        await ClickAsync(page.Button("Set up"));
        await ClickAsync(page.Button("Webhook"));
        await page.Page.GetByLabel("URL").FillAsync(receiver.Url);
        await ClickAsync(page.Button("Save and test"));
        await page.ShowsAsync("It works");
        await ClickAsync(page.Button("Continue"));
        await ClickAsync(page.Button("Create the link"));
        var link = await page.Page.Locator(".copy code").TextContentAsync();
        var phone = await _browser.OpenAsync(link!, Browser.Phone);
        await phone.Locator("#gallery").SetInputFilesAsync(new FilePayload { Name = "roof.jpg", MimeType = "image/jpeg", Buffer = Photos.Jpeg() });
        await Assertions.Expect(phone.Locator("#photos li[data-state=sent]")).ToHaveCountAsync(1);
        await page.ShowsAsync("It is here");
        await ClickAsync(page.Link("See the photos"));
        await page.ShowsAsync("roof.jpg");
        await page.ShowsAsync("Delivered");

        Assert.Empty(page.Errors);
        Assert.InRange(clicks, 1, 6);
        Say($"From the first start to the first photo on {database}: {clicks} clicks at the dashboard.");
    }

    [Theory, AllDatabases]
    public async Task Photo_appears_in_its_session_by_itself(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["label"] = "Roof", ["password"] = "open sesame" });
        var page = await DashboardPage.SignInAsync(_browser, app, $"/sessions/{session}");
        await page.ShowsAsync("Waiting for photos");

        var answered = await app.Client.PostImageAsync(session, Photos.Jpeg(), "live.jpg", null, ("x-session-password", "open sesame"));
        var since = Stopwatch.GetTimestamp();
        answered.Expect(HttpStatusCode.Created);
        await page.ShowsAsync("live.jpg");

        Say($"Photo seen {Stopwatch.GetElapsedTime(since).TotalMilliseconds:0} ms after its 201 on {database}.");
        Assert.Empty(page.Errors);
    }

    [Fact]
    public async Task Rendition_is_chosen_and_taken_back_in_the_form_of_a_destination()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        async Task<JsonNode?> ChosenAsync() => (await app.Client.GetAsync($"projects/{app.ProjectId}/destinations")).Json[0]!["config"]!["rendition"];
        var page = await DashboardPage.SignInAsync(_browser, app, "/destinations?new=1");
        await page.Button("Webhook").ClickAsync();
        await page.Page.GetByLabel("URL").FillAsync(receiver.Url);
        await page.Page.GetByText("More choices").ClickAsync();
        await Assertions.Expect(page.Page.GetByLabel("Most pixels")).ToHaveCountAsync(0);
        await page.Page.GetByLabel("Rendition format").SelectOptionAsync("jpeg");
        await page.Page.GetByLabel("Most pixels").FillAsync("2000000");
        await page.Page.GetByLabel("Leave out").SelectOptionAsync("location");
        await page.Button("Save and test").ClickAsync();
        await page.ShowsAsync("It works");
        Assert.Equal("""{"format":"jpeg","maxPixels":2000000,"quality":85,"strip":"location"}""", (await ChosenAsync())!.ToJsonString());

        await page.Page.GetByText("More choices").ClickAsync();
        await Assertions.Expect(page.Page.GetByLabel("Most pixels")).ToHaveValueAsync("2000000");
        await page.Page.GetByLabel("Rendition format").SelectOptionAsync("");
        await page.Button("Save").ClickAsync();
        await page.ShowsAsync("Saved.");
        Assert.Null(await ChosenAsync());
        Assert.Empty(page.Errors);
    }

    [Theory, AllDatabases]
    public async Task Broken_destination_is_seen_on_home_with_its_reason_and_mended_there(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var page = await DashboardPage.SignInAsync(_browser, app, "/destinations?new=1");
        await page.Button("Webhook").ClickAsync();
        await page.Page.GetByLabel("Name").FillAsync("Archive");
        await page.Page.GetByLabel("URL").FillAsync(receiver.Url);
        await page.Button("Save and test").ClickAsync();
        await page.ShowsAsync("It works");
        await page.ShowAsync("/sessions?new=1");
        await page.Page.GetByLabel("Label", new() { Exact = true }).FillAsync("Roof");
        await page.Button("Create session").ClickAsync();
        var link = await page.Page.Locator(".copy code").TextContentAsync();
        receiver.Otherwise = context =>
        {
            context.Response.StatusCode = 500;
            return Task.CompletedTask;
        };

        var upload = (string)(await app.Client.UploadAsync(link!.Split('/')[^1], Photos.Jpeg()))["id"]!;
        await page.ShowAsync("");
        await page.ShowsAsync("The destination answered 500");
        await page.Button("Try again").ClickAsync();
        await page.ShowsAsync("It still does not work");
        receiver.Otherwise = null;
        await page.Button("Try again").ClickAsync();
        await page.ShowsAsync("It works again");
        await page.ShowsNoMoreAsync("The destination answered 500");

        await app.Client.UploadBecomesAsync(upload, "delivered");
        await page.ShowAsync($"/uploads/{upload}");
        await page.ShowsAsync("Delivered");
        await page.Button("Attempts").ClickAsync();
        await page.ShowsAsync("HTTP 500");
        Assert.Empty(page.Errors);
    }

    [Theory, AllDatabases]
    public async Task Upload_that_failed_for_good_is_replayed_from_its_page(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync(await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url }));
        receiver.Answers(410);
        var upload = (string)(await app.Client.UploadAsync(session, Photos.Jpeg()))["id"]!;
        await app.Client.UploadBecomesAsync(upload, "failed");
        var page = await DashboardPage.SignInAsync(_browser, app, $"/uploads/{upload}");
        await page.ShowsAsync("It was refused for good");

        await page.Button("Try again").ClickAsync();

        await page.ShowsAsync("1 delivery is being tried again.");
        await app.Client.UploadBecomesAsync(upload, "delivered");
        Assert.Empty(page.Errors);
    }

    [Fact]
    public async Task Destination_shows_how_it_went_and_takes_again_what_failed_there()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var things = await DashboardWorld.FillAsync(app, receiver);
        var (good, bad) = (things.Paths.First(IsDestination), things.Paths.Last(IsDestination));
        var page = await DashboardPage.SignInAsync(_browser, app);
        var found = page.Page.GetByRole(AriaRole.Option);
        var highlighted = page.Page.Locator("[role=option][aria-selected=true]");
        // What is highlighted stays so when destinations arrive late and are put before it.
        var late = new TaskCompletionSource();
        await page.Page.RouteAsync("**/destinations", async route =>
        {
            await late.Task;
            await route.ContinueAsync();
        });
        await page.Page.Keyboard.PressAsync("Control+k");
        await page.Page.Keyboard.TypeAsync("roof after");
        await Assertions.Expect(highlighted).ToHaveTextAsync(new Regex("Session$"));
        late.SetResult();
        await Assertions.Expect(found.First).ToHaveTextAsync(new Regex("Destination$"));
        await Assertions.Expect(highlighted).ToHaveTextAsync(new Regex("Session$"));
        await page.Page.Keyboard.PressAsync("Enter");
        await page.IsThereAsync();
        Assert.EndsWith(things.Paths.First(path => path.Contains("/sessions/", StringComparison.Ordinal)), page.Page.Url, StringComparison.Ordinal);
        await page.Page.Keyboard.PressAsync("Control+k");
        await page.Page.Keyboard.TypeAsync("127.0.0.1");
        await Assertions.Expect(found).ToHaveTextAsync([new Regex("/hook.*Event webhook$")]);
        await page.Page.GetByPlaceholder("Session, photo, project or page").FillAsync("archive r");
        await Assertions.Expect(found).ToHaveTextAsync([new Regex("^Archive Roof after the storm.*Destination$")]);
        await page.Page.Keyboard.PressAsync("Enter");
        await page.IsThereAsync();
        Assert.EndsWith(bad, page.Page.Url, StringComparison.Ordinal);
        await page.Page.GetByText("As a table").ClickAsync();
        await Assertions.Expect(page.Page.GetByRole(AriaRole.Row, new() { NameRegex = new(" 1 0 1$") })).ToHaveCountAsync(1);

        await page.Button("Send failed photos again").ClickAsync();
        await page.ShowsAsync("1 photo will be sent.");
        await page.Button("Send").ClickAsync();
        await page.Button("Pause").ClickAsync();
        await page.Button("Resume").ClickAsync();
        await Assertions.Expect(page.Button("Pause")).ToBeVisibleAsync();
        await page.Button("Stop").ClickAsync();
        await page.Page.GetByRole(AriaRole.Dialog).GetByText("Stop", new() { Exact = true }).ClickAsync();
        await page.ShowsAsync("Cancelled");

        await page.Link("Photos").Last.ClickAsync();
        await page.ShowsAsync("Roof after the storm.jpg");
        await page.Page.GetByLabel("Until").FillAsync("2026-06-11");
        await page.ShowsAsync("Nothing found");
        await page.ShowAsync($"/uploads?destination={good.Split('/')[^1]}&from=2026-06-11&session={things.Paths.First(path => path.StartsWith("/sessions/", StringComparison.Ordinal)).Split('/')[^1]}");
        await page.ShowsAsync("Roof after the storm.jpg");
        await page.Page.GetByRole(AriaRole.Checkbox, new() { Name = "Choose Roof after the storm.jpg" }).CheckAsync();
        var file = await page.Page.RunAndWaitForDownloadAsync(() => page.Button("Download").ClickAsync());
        Assert.Equal("photos.zip", file.SuggestedFilename);
        // The browser's own download, and no copy of what a script has read.
        Assert.Equal(app.Url + "/api/v1/downloads/archive", file.Url);
        await page.ShowsAsync("1 chosen");
        Assert.Empty(page.Errors);

        // A refusal is told here, and what was chosen stays so.
        await page.Page.RouteAsync("**/downloads/archive", route => route.FulfillAsync(new() { Status = 404, ContentType = "application/json", Body = "{}" }));
        await page.Button("Download").ClickAsync();
        await page.ShowsAsync("The photos could not be downloaded");
        await page.ShowsAsync("1 chosen");

        static bool IsDestination(string path) => path.StartsWith("/destinations/", StringComparison.Ordinal);
    }

    [Fact]
    public async Task Photos_of_a_list_are_leafed_through_with_the_arrow_keys_and_chosen_by_the_row()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        await app.Client.UploadAsync(await app.Client.CreateSessionAsync(), Photos.Jpeg(), "newest.jpg");
        await DashboardWorld.CopyUploadsAsync(app, 4);
        var page = await DashboardPage.SignInAsync(_browser, app, "/uploads?q=copy");
        Task IsAtAsync(string name) => Assertions.Expect(page.Page.GetByRole(AriaRole.Heading, new() { Name = name, Level = 1 })).ToBeVisibleAsync();

        await page.Page.GetByText("copy-3.jpg", new() { Exact = true }).ClickAsync();
        await IsAtAsync("copy-3.jpg");
        await Assertions.Expect(page.Button("Photo after")).ToBeEnabledAsync();
        await Assertions.Expect(page.Button("Photo before")).ToBeDisabledAsync();
        await page.Page.Keyboard.PressAsync("ArrowRight");
        await IsAtAsync("copy-2.jpg");
        await Assertions.Expect(page.Page.GetByRole(AriaRole.Heading, new() { Level = 1 })).ToBeFocusedAsync();
        await page.Button("Photo after").FocusAsync();
        foreach (var name in new[] { "copy-1.jpg", "copy-0.jpg" })
        {
            await Assertions.Expect(page.Button("Photo after")).ToBeEnabledAsync();
            await page.Page.Keyboard.PressAsync("Enter");
            await IsAtAsync(name);
            await Assertions.Expect(page.Button("Photo after")).ToBeFocusedAsync();
        }

        // At the end of the list it leads no further, and is still where the keys go on from.
        await Assertions.Expect(page.Button("Photo before")).ToBeEnabledAsync();
        await Assertions.Expect(page.Button("Photo after")).ToBeDisabledAsync();
        await page.Page.Keyboard.PressAsync("ArrowLeft");
        await IsAtAsync("copy-1.jpg");
        await Assertions.Expect(page.Button("Photo after")).ToBeFocusedAsync();
        await page.Page.GoBackAsync();
        await Assertions.Expect(page.Page).ToHaveURLAsync(new Regex(@"/uploads\?q=copy$"));

        await page.Page.GetByRole(AriaRole.Checkbox, new() { Name = "Choose copy-3.jpg" }).ClickAsync();
        await page.Page.GetByRole(AriaRole.Checkbox, new() { Name = "Choose copy-1.jpg" }).ClickAsync(new() { Modifiers = [KeyboardModifier.Shift] });
        await page.ShowsAsync("3 chosen");
        Assert.Empty(page.Errors);
    }

    /// <summary>One sealed by the upload page, one by Node's own cryptography.</summary>
    [Fact]
    public async Task Encrypted_photos_are_opened_in_the_browser_with_a_key_that_does_not_leave_it()
    {
        using var owner = RSA.Create(2048);
        using var other = RSA.Create(2048);
        using var third = RSA.Create(2048);
        using var curve = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        await EndToEndTests.SetKeyAsync(app, owner.ExportSubjectPublicKeyInfoPem());
        var session = await app.Client.CreateSessionAsync();
        var photo = Photos.Jpeg();
        var phone = await _browser.OpenAsync($"{app.Url}/u/{session}", Browser.Phone);
        await phone.Locator("#gallery").SetInputFilesAsync(new FilePayload { Name = "roof.jpg", MimeType = "image/jpeg", Buffer = photo });
        await Assertions.Expect(phone.Locator("#photos li[data-state=sent]")).ToHaveCountAsync(1);
        var sealedByNode = (await Sealed.ByNodeAsync(owner.ExportSubjectPublicKeyInfoPem(), Photos.Png())).Bytes();
        (await app.PostFormAsync(session, sealedByNode, "wall.jpg.hta.enc", "e2e")).Expect(HttpStatusCode.Created);
        var sealedToOther = (await Sealed.ByNodeAsync(other.ExportSubjectPublicKeyInfoPem(), Photos.Png())).Bytes();
        (await app.PostFormAsync(session, sealedToOther, "door.png.enc", "e2e")).Expect(HttpStatusCode.Created);

        var page = await DashboardPage.SignInAsync(_browser, app, $"/sessions/{session}");
        var sent = new List<string>();
        page.Page.Request += (_, request) => sent.Add(request.PostData + request.Url + string.Concat(request.Headers.Values));
        await page.Page.GetByText("roof.jpg.enc.json").ClickAsync();
        foreach (var (pem, words) in new[]
        {
            ("no key", "This is no private key."),
            (owner.ExportSubjectPublicKeyInfoPem(), "This is a public key."),
            (owner.ExportRSAPrivateKeyPem(), "an older form"),
            (curve.ExportPkcs8PrivateKeyPem(), "This is no private RSA key"),
            (other.ExportPkcs8PrivateKeyPem(), "This key does not open the photo"),
        })
        {
            await page.Page.GetByLabel("Private key").FillAsync(pem);
            await page.Button("Open the photo").ClickAsync();
            await Assertions.Expect(page.Page.GetByRole(AriaRole.Alert).Filter(new() { HasText = words })).ToHaveCountAsync(1);
        }

        var bothHalves = owner.ExportSubjectPublicKeyInfoPem() + "\n" + owner.ExportPkcs8PrivateKeyPem();
        await page.Page.GetByLabel("Or choose its file").SetInputFilesAsync(
            new FilePayload { Name = "key.pem", MimeType = "application/x-pem-file", Buffer = Encoding.ASCII.GetBytes(bothHalves) });
        await Assertions.Expect(page.Page.GetByLabel("Private key")).ToHaveValueAsync(new Regex("BEGIN PRIVATE KEY"));
        await page.Button("Open the photo").ClickAsync();
        await Assertions.Expect(page.Page.GetByAltText("roof.jpg")).ToBeVisibleAsync();
        var block = page.Page.GetByRole(AriaRole.Region, new() { Name = "Encrypted photo" });
        await Assertions.Expect(block).ToBeFocusedAsync();
        var file = await page.Page.RunAndWaitForDownloadAsync(() => page.Button("Download decrypted").ClickAsync());
        Assert.Equal("roof.jpg", file.SuggestedFilename);
        Assert.Equal(photo, await File.ReadAllBytesAsync(await file.PathAsync(), Cancellation));

        // Lists show what the key opens, as long as the page lives.
        await page.Page.GoBackAsync();
        await Assertions.Expect(page.Page.Locator(".pictures img")).ToHaveCountAsync(2);
        // A key that opens nothing takes the place of none.
        await page.Page.GetByText("door.png.enc.json").ClickAsync();
        await page.Page.GetByLabel("Private key").FillAsync(third.ExportPkcs8PrivateKeyPem());
        await page.Button("Open the photo").ClickAsync();
        await Assertions.Expect(page.Page.GetByLabel("Private key")).ToHaveValueAsync("");
        await page.Page.GoBackAsync();
        await Assertions.Expect(page.Page.Locator(".pictures img")).ToHaveCountAsync(2);

        // A name's ending follows the bytes.
        await page.Page.GetByText("wall.jpg.hta.enc.json").ClickAsync();
        file = await page.Page.RunAndWaitForDownloadAsync(() => page.Button("Download decrypted").ClickAsync());
        Assert.Equal("wall.jpg.png", file.SuggestedFilename);
        await page.Button("Forget the key").ClickAsync();
        await Assertions.Expect(block.GetByRole(AriaRole.Heading)).ToBeFocusedAsync();
        await Assertions.Expect(page.Page.GetByLabel("Private key")).ToHaveValueAsync("");
        await page.Page.ReloadAsync();
        await Assertions.Expect(page.Page.GetByLabel("Private key")).ToHaveValueAsync("");
        Assert.DoesNotContain(sent, request => request.Contains("PRIVATE KEY", StringComparison.Ordinal));
        Assert.Empty(page.Errors);
    }

    [Fact]
    public async Task Signatures_are_checked_in_the_browser()
    {
        const string Secret = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var webhook = (string)(await app.Client.PostAsync(
            $"projects/{app.ProjectId}/webhooks", new { url = "http://127.0.0.1:9/", topics = new[] { "*" }, isActive = false })).Json["id"]!;
        var page = await DashboardPage.SignInAsync(_browser, app, $"/webhooks/{webhook}?check=1");
        var asked = new List<string>();
        page.Page.Request += (_, request) => asked.Add(request.Method + request.PostData);
        foreach (var (body, headers, secret, verdict) in new[]
        {
            ("{\"a\":1}", "X-Apertur-Timestamp: 1800000000\nX-Apertur-Signature: sha256=c6f33c81c1c30115aebe12506e98135c5225156b4156f9f5c0de95129dd55e46", Secret, "right, but its time"),
            ("{\"a\":1}", "svix-id: msg_1\nsvix-timestamp: 1800000000\nsvix-signature: v1,EP0ItZDH5jUsuDVKt33wBFOZSbHCXTePntFruhhTZ18=", Secret, "right, but its time"),
            ("{\"a\":1}", "X-Apertur-Signature: sha256=589a60deec2fc76f6f88219333240e55af762bdf12f58327b37d5b6bec15f76f", Secret, "The signature is right."),
            ("{\"a\":1}\n", "X-Aptr-Signature: sha256=589a60deec2fc76f6f88219333240e55af762bdf12f58327b37d5b6bec15f76f", Secret, "line break at its end"),
            ("{ \"a\": 1 }", "X-Aptr-Signature: sha256=589a60deec2fc76f6f88219333240e55af762bdf12f58327b37d5b6bec15f76f", Secret, "written anew as JSON"),
            ("{\"a\":2}", "X-Aptr-Signature: sha256=589a60deec2fc76f6f88219333240e55af762bdf12f58327b37d5b6bec15f76f", Secret, "another body, time or secret"),
            ("{\"a\":1}", "svix-id: msg_1\nsvix-signature: v1,EP0=", Secret, "svix-timestamp is missing"),
            ("{\"a\":1}", "svix-id: msg_1\nsvix-timestamp: 1\nsvix-signature: v1,EP0=", "short", "64 hex digits"),
            ("{\"a\":1}", "Content-Type: application/json", Secret, "no signature among the headers"),
        })
        {
            await page.Page.GetByLabel("Body").FillAsync(body);
            await page.Page.GetByLabel("Headers").FillAsync(headers);
            await page.Page.GetByRole(AriaRole.Dialog).GetByLabel("Secret").FillAsync(secret);
            await page.Button("Check").ClickAsync();
            await Assertions.Expect(page.Page.GetByRole(AriaRole.Dialog)).ToContainTextAsync(verdict);
        }

        Assert.DoesNotContain(asked, request => request.Contains(Secret, StringComparison.Ordinal) || request.StartsWith("POST", StringComparison.Ordinal));
        Assert.Empty(page.Errors);
    }

    [Theory, AllDatabases]
    public async Task Viewer_meets_no_control_that_is_refused_and_is_told_when_taken_away(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var things = await DashboardWorld.FillAsync(app, receiver);
        var viewer = await app.AddPersonAsync("viewer@example.com", app.ProjectId, Role.Viewer);
        var page = await DashboardPage.SignInAsync(_browser, app, email: viewer.Email);

        var pressed = 0;
        foreach (var path in things.Paths)
        {
            await page.ShowAsync(path);
            var controls = page.Page.Locator("main button:visible, main input:visible");
            for (var i = 0; i < await controls.CountAsync(); i++)
            {
                await controls.Nth(i).ClickAsync(new() { Force = true });
                pressed++;
                await page.ShowAsync(path);
            }
        }

        Assert.Empty(page.Refused);
        Assert.Empty(page.Errors);
        Say($"A viewer pressed {pressed} controls on {things.Paths.Count} pages on {database}; none was refused.");

        await page.ShowAsync("/sessions");
        await app.WriteAsync(db => db.Members.Where(m => m.UserId == viewer.Id).ExecuteDeleteAsync(Cancellation));
        await page.Page.Clock.RunForAsync(31_000);
        await page.ShowsAsync("you have no access to it any more");
        await app.WriteAsync(db => db.Users.Where(u => u.Id == viewer.Id).ExecuteUpdateAsync(u => u.SetProperty(x => x.DisabledAt, app.Clock.GetUtcNow()), Cancellation));
        await page.Page.ReloadAsync();
        await Assertions.Expect(page.Page.GetByLabel("E-mail address")).ToBeVisibleAsync();
    }

    [Theory, AllDatabases]
    public async Task Nothing_that_strangers_write_runs_on_any_page(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var things = await DashboardWorld.FillAsync(app, receiver, DashboardWorld.Hostile);
        var page = await DashboardPage.SignInAsync(_browser, app);

        foreach (var path in things.Paths)
        {
            await page.ShowAsync(path);
            Assert.False(await page.Page.EvaluateAsync<bool>("'pwned' in window"), path);
            Assert.Equal(0, await page.Page.Locator("[onerror], [onload], body script:not([src]), iframe").CountAsync());
        }

        await page.ShowAsync("");
        await page.Page.Keyboard.PressAsync("Control+k");
        await page.Page.GetByPlaceholder("Session, photo, project or page").FillAsync("img");
        await Assertions.Expect(page.Page.GetByRole(AriaRole.Option)).Not.ToHaveCountAsync(0);
        Assert.False(await page.Page.EvaluateAsync<bool>("'pwned' in window"));
        Assert.Empty(page.Errors);
        Say($"Hostile text in every field on {database}: {things.Paths.Count} pages, 0 scripts run.");
    }

    [Theory, AllDatabases]
    public async Task Sign_in_asks_for_a_code_keeps_the_address_and_outlives_a_reload(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var owner = await app.SignInAsync();
        var secret = (await owner.Client.PostAsync("me/totp")).Expect(HttpStatusCode.OK).Json["secret"]!.GetValue<string>();
        (await owner.Client.PostAsync("me/totp/confirm", new { code = app.CodeOf(secret) })).Expect(HttpStatusCode.NoContent);
        app.Clock.Jump(TimeSpan.FromMinutes(1));
        var page = await DashboardPage.OpenAsync(_browser, app, $"/p/{app.ProjectId}/sessions?q=roof");

        await page.Page.GetByLabel("E-mail address").FillAsync(People.OwnerEmail);
        await page.Page.GetByLabel("Password").FillAsync("wrong horse");
        await page.Button("Sign in").ClickAsync();
        await page.ShowsAsync("The e-mail address or the password is wrong.");
        await page.Page.GetByLabel("Password").FillAsync(People.OwnerPassword);
        await page.Button("Sign in").ClickAsync();
        await page.Page.GetByLabel("Code from your authenticator app").FillAsync(app.CodeOf(secret));
        await page.Button("Sign in").ClickAsync();
        await page.IsThereAsync();
        Assert.EndsWith("/sessions?q=roof", page.Page.Url, StringComparison.Ordinal);

        await page.Page.ReloadAsync();
        await page.IsThereAsync();
        Assert.Equal(0, await page.Page.EvaluateAsync<int>("Object.keys(localStorage).filter(key => /token|session/i.test(key)).length"));
        await page.Page.GetByRole(AriaRole.Button, new() { Name = "Account" }).ClickAsync();
        await page.Page.GetByRole(AriaRole.Menuitem, new() { Name = "Sign out" }).ClickAsync();
        await Assertions.Expect(page.Page.GetByLabel("E-mail address")).ToBeVisibleAsync();
        await page.Page.ReloadAsync();
        await Assertions.Expect(page.Page.GetByLabel("E-mail address")).ToBeVisibleAsync();
    }

    [Fact]
    public async Task Session_is_made_and_completed_with_the_keyboard_alone()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var page = await DashboardPage.SignInAsync(_browser, app);
        var keyboard = page.Page.Keyboard;

        await keyboard.PressAsync("Control+k");
        await Assertions.Expect(page.Page.GetByPlaceholder("Session, photo, project or page")).ToBeFocusedAsync();
        await keyboard.TypeAsync("new ses");
        await keyboard.PressAsync("Enter");
        await Assertions.Expect(page.Page.GetByLabel("Label", new() { Exact = true })).ToBeFocusedAsync();
        await keyboard.TypeAsync("By keys");
        await keyboard.PressAsync("Enter");
        await page.ShowsAsync("Waiting for photos");
        await page.Page.GetByRole(AriaRole.Button, new() { Name = "More" }).FocusAsync();
        await keyboard.PressAsync("Enter");
        await keyboard.PressAsync("ArrowDown");
        await keyboard.PressAsync("Enter");
        await page.ShowsAsync("Complete this session?");
        await page.Button("Complete").FocusAsync();
        await keyboard.PressAsync("Enter");

        await Assertions.Expect(page.Page.Locator("main .status").First).ToHaveTextAsync("Completed");
        Assert.Equal("By keys", (string)(await app.Client.GetAsync("sessions/recent")).Json[0]!["label"]!);
    }

    [Fact]
    public async Task Ten_thousand_photos_keep_the_page_small()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        await app.Client.UploadAsync(session, Photos.Jpeg());
        await DashboardWorld.CopyUploadsAsync(app, 10_000);
        foreach (var view in new[] { "pictures", "table" })
        {
            var page = await DashboardPage.SignInAsync(_browser, app, $"/uploads?view={view}");
            var last = page.Page.GetByText("copy-0.jpg", new() { Exact = true });
            for (var i = 0; i < 60 && await last.CountAsync() == 0; i++)
            {
                await page.Page.EvaluateAsync("scrollTo(0, document.documentElement.scrollHeight)");
                await page.Page.Clock.RunForAsync(50);
            }

            await Assertions.Expect(last).ToHaveCountAsync(1);
            Assert.InRange(await page.Page.EvaluateAsync<int>("document.querySelectorAll('*').length"), 1, 3_000);
            Assert.Empty(page.Errors);
        }
    }

    private void Say(string words)
    {
        output.WriteLine(words);
        Console.WriteLine(words);
    }

    /// <summary>As on the first start: the app that tests share has an owner already.</summary>
    private async Task<DashboardPage> OpenFirstStartAsync(AperturApp app)
    {
        await app.WriteAsync(async db =>
        {
            await db.Members.ExecuteDeleteAsync(Cancellation);
            await db.Users.ExecuteDeleteAsync(Cancellation);
        });
        var secret = await OneTimeLink.ForFirstOwnerAsync(app.Services.GetRequiredService<Database>(), app.Clock.GetUtcNow(), Cancellation);
        return await DashboardPage.OpenAsync(_browser, app, $"/link/{secret}");
    }
}
