using System.Net;
using System.Security.Cryptography;
using System.Text.RegularExpressions;
using Apertur.Tests.Support;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Playwright;

namespace Apertur.Tests.Dashboard;

/// <summary>What a slip of the hand, a passing fault or a colleague at the same page may not take away.</summary>
public sealed class DashboardCareTests : BrowserTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Destination_in_trouble_is_offered_to_sessions_and_tried_again_without_the_others()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        receiver.Otherwise = context =>
        {
            context.Response.StatusCode = StatusCodes.Status410Gone;
            return Task.CompletedTask;
        };
        var (archive, studio) = (await MakeAsync(app, "Archive", receiver.Url), await MakeAsync(app, "Studio", receiver.Url));
        var upload = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(archive, studio), Photos.Jpeg()))["id"]!;
        await app.Client.UploadBecomesAsync(upload, "failed");
        var id = Guid.Parse(archive);
        await app.WriteAsync(db => db.Destinations.Where(d => d.Id == id)
            .ExecuteUpdateAsync(d => d.SetProperty(x => x.ParkedReason, "It is closed on Sundays."), Cancellation));

        var page = await DashboardPage.SignInAsync(Chromium, app, "/sessions?new=1");
        await Assertions.Expect(page.Page.GetByRole(AriaRole.Checkbox, new() { NameRegex = new("^Archive .*Needs attention.*Sundays") })).ToBeCheckedAsync();
        await page.Button("Create session").ClickAsync();
        await page.ShowsAsync("Waiting for photos");
        var session = await app.Client.GetAsync($"upload-sessions/{page.Page.Url.Split('/')[^1]}");
        Assert.Equal(2, session.Json["destinations"]!.AsArray().Count);

        receiver.Otherwise = null;
        await page.ShowAsync("");
        await page.Page.Locator(".notice", new() { HasText = "Archive" }).GetByText("Try again").ClickAsync();
        await page.ShowsAsync("and 1 photo that had failed there is sent again.");
        var replay = Assert.Single((await app.Client.GetAsync($"projects/{app.ProjectId}/replays")).Json.AsArray())!;
        Assert.Equal((archive, "failed"), ((string)replay["destinationId"]!, (string)replay["status"]!));
        Assert.Empty(page.Errors);
    }

    [Fact]
    public async Task What_a_colleague_has_changed_meanwhile_stays_when_another_field_is_saved()
    {
        using var rsa = RSA.Create(2048);
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var colleague = (await app.SignInAsync()).Client;
        var project = $"projects/{app.ProjectId}";
        var destination = $"{project}/destinations/{await MakeAsync(app, "Archive", receiver.Url)}";
        var key = $"{project}/keys/{(string)(await colleague.PostAsync($"{project}/keys", new { label = "Camera" })).Expect(HttpStatusCode.Created).Json["id"]!}";
        async Task ChangeAsync(string what, object to) => (await colleague.SendAsync(HttpMethod.Patch, what, to)).Expect(HttpStatusCode.OK);
        var page = await DashboardPage.SignInAsync(Chromium, app, "/settings");
        var name = page.Page.GetByLabel("Name", new() { Exact = true });
        await Assertions.Expect(name).ToBeVisibleAsync();
        await ChangeAsync(project, new { e2ePublicKey = rsa.ExportSubjectPublicKeyInfoPem(), retentionDays = 30 });

        await name.FillAsync("Roofs");
        await page.Page.GetByLabel("Name on the page").FillAsync("Not saved yet");
        await page.Button("Save").First.ClickAsync();
        await Assertions.Expect(page.Page.GetByLabel("Days that photos are kept")).ToHaveValueAsync("30");
        await Assertions.Expect(page.Page.GetByLabel("Name on the page")).ToHaveValueAsync("Not saved yet");
        var saved = (await colleague.GetAsync(project)).Json;
        Assert.Equal(("Roofs", 30), ((string)saved["name"]!, (int?)saved["retentionDays"]));
        Assert.NotNull(saved["e2ePublicKey"]);

        await page.ShowAsync("/keys");
        await page.Page.GetByRole(AriaRole.Button, new() { Name = "More about Camera" }).ClickAsync();
        await page.Page.GetByRole(AriaRole.Menuitem, new() { Name = "Edit" }).ClickAsync();
        await ChangeAsync(key, new { isActive = false });
        await page.Page.GetByLabel("Label").FillAsync("Camera of the roof");
        await page.Button("Save").ClickAsync();
        await Assertions.Expect(page.Page.GetByRole(AriaRole.Row, new() { NameRegex = new("^Camera of the roof .* Off ") })).ToHaveCountAsync(1);

        await page.ShowAsync("/destinations/" + destination.Split('/')[^1]);
        await Assertions.Expect(name).ToHaveValueAsync("Archive");
        await ChangeAsync(destination, new { config = new { url = receiver.Url + "/new" } });
        await name.FillAsync("Cellar");
        await page.Button("Save").ClickAsync();
        await page.ShowsAsync(new Regex("Saved(?!\\.)"));
        saved = (await colleague.GetAsync(destination)).Json;
        Assert.Equal(("Cellar", receiver.Url + "/new"), ((string)saved["name"]!, (string)saved["config"]!["url"]!));
        Assert.Empty(page.Errors);
    }

    [Fact]
    public async Task What_is_shown_once_stays_until_its_button_is_pressed()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var page = await DashboardPage.SignInAsync(Chromium, app, "/keys?new=1");
        var dialog = page.Page.GetByRole(AriaRole.Dialog);
        async Task SlipAsync()
        {
            // Browsers let a page prevent the first of two only.
            await page.Page.Keyboard.PressAsync("Escape");
            await page.Page.Keyboard.PressAsync("Escape");
            await page.Page.Keyboard.PressAsync("Control+k");
            await page.Page.Mouse.ClickAsync(3, 3);
            await Assertions.Expect(dialog).ToBeVisibleAsync();
            await Assertions.Expect(page.Button("Close")).ToBeDisabledAsync();
        }

        async Task CopiesWithoutClipboardAsync()
        {
            var copy = dialog.GetByRole(AriaRole.Button, new() { NameRegex = new Regex("^Copy ") }).First;
            await page.Page.EvaluateAsync("""
                Object.defineProperty(navigator, 'clipboard', { value: undefined });
                // What is said of a copy goes away by itself: not before it was looked at.
                const later = setTimeout;
                window.setTimeout = (act, after, ...rest) => after === 1500 ? 0 : later(act, after, ...rest);
                document.addEventListener('copy', event => { copied = event.target.value; });
                """);
            await copy.ClickAsync();
            await Assertions.Expect(dialog.GetByText("Copied", new() { Exact = true })).ToHaveCountAsync(1);
            Assert.Equal(await dialog.Locator("code").First.TextContentAsync(), await page.Page.EvaluateAsync<string>("copied"));
            await page.Page.EvaluateAsync("document.execCommand = () => false");
            await copy.ClickAsync();
            await Assertions.Expect(dialog).ToContainTextAsync("does not let us copy");
        }

        foreach (var (form, field, action, shown, end) in new[]
        {
            ("/keys?new=1", "Label", "Create key", "Your new key", "I have saved it"),
            ("/members?new=1", "E-mail address", "Create invitation", "is shown only now", "Done"),
        })
        {
            await page.ShowAsync(form);
            var answer = new TaskCompletionSource();
            await page.Page.RouteAsync(new Regex("/(keys|members)$"), async route =>
            {
                if (route.Request.Method == "POST")
                    await answer.Task;
                await route.ContinueAsync();
            });
            await page.Page.GetByLabel(field).FillAsync("guest@example.com");
            await page.Button(action).ClickAsync();
            await SlipAsync();
            answer.SetResult();
            await Assertions.Expect(dialog).ToContainTextAsync(shown);
            await SlipAsync();
            await Assertions.Expect(dialog).ToContainTextAsync(shown);
            await CopiesWithoutClipboardAsync();
            Assert.True(await page.Page.EvaluateAsync<bool>("!dispatchEvent(new Event('beforeunload', { cancelable: true }))"), "The page asks before it goes.");
            await page.Button(end).ClickAsync();
            await Assertions.Expect(dialog).ToHaveCountAsync(0);
            await page.Page.UnrouteAllAsync();
        }

        Assert.Empty(page.Errors);
    }

    private static async Task<string> MakeAsync(AperturApp app, string name, string url) =>
        (string)(await app.Client.PostAsync($"projects/{app.ProjectId}/destinations", new { type = "webhook", name, config = new { url } }))
            .Expect(HttpStatusCode.Created).Json["id"]!;
}
