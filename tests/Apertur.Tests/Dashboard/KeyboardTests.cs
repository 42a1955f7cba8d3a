using System.Text.RegularExpressions;
using Apertur.Tests.Support;
using Microsoft.Playwright;

namespace Apertur.Tests.Dashboard;

/// <summary>What people do every day, with keys alone: every step shows where the focus is, and none loses it.</summary>
public sealed class KeyboardTests
{
    [Fact]
    public async Task Days_work_is_done_with_the_keyboard_alone()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        await using var browser = await Browser.StartAsync();
        var page = await DashboardPage.OpenAsync(browser, app, "/", look: new() { ReducedMotion = ReducedMotion.Reduce });
        var keys = new Keys(page);

        await Assertions.Expect(page.Page.GetByLabel("E-mail address")).ToBeFocusedAsync();
        await keys.TypeAsync(People.OwnerEmail);
        await keys.TabToAsync("Password");
        await keys.TypeAsync(People.OwnerPassword);
        await keys.PressAsync("Enter");
        await page.Page.WaitForURLAsync("**/p/*");
        await page.IsThereAsync();

        await keys.TabToAsync("Choose a project", "Shift+Tab");
        await keys.PressAsync("Enter");
        await keys.PressAsync("Escape");
        Assert.StartsWith("Choose a project", await keys.FocusAsync(), StringComparison.Ordinal);
        await keys.PressAsync("Enter");
        await keys.PressAsync("ArrowUp");
        Assert.Equal("New project", await keys.FocusAsync());
        await keys.PressAsync("Enter");
        await Assertions.Expect(page.Page.GetByLabel("Name")).ToBeFocusedAsync();
        await keys.TypeAsync("Roofs");
        await keys.PressAsync("Enter");
        await keys.IsAtAsync("Your first photo");
        // The step, and with it the button that was pressed, gives way to the next.
        await keys.TabToAsync("Only store them here for now");
        await keys.PressAsync("Enter");
        await Assertions.Expect(page.Button("Create the link")).ToBeVisibleAsync();
        await keys.FocusAsync();

        await keys.GoAsync("Destinations");
        await keys.TabToAsync("New destination");
        await keys.PressAsync("Enter");
        await keys.TabToAsync("Webhook");
        await keys.PressAsync("Space");
        await keys.TabToAsync("URL");
        await keys.TypeAsync(receiver.Url);
        await keys.PressAsync("Enter");
        await page.ShowsAsync("It works");
        await keys.TabToAsync("Test");
        await keys.PressAsync("Enter");
        await page.ShowsAsync("It works");

        await keys.GoAsync("API keys");
        await keys.TabToAsync("New key");
        await keys.PressAsync("Enter");
        await Assertions.Expect(page.Page.GetByLabel("Label")).ToBeFocusedAsync();
        await keys.PressAsync("Escape");
        await keys.IsBackAtAsync("New key");
        await keys.PressAsync("Enter");
        await Assertions.Expect(page.Page.GetByLabel("Label")).ToBeFocusedAsync();
        await keys.TypeAsync("Camera");
        await keys.PressAsync("Enter");
        await page.ShowsAsync("Your new key");
        await keys.TabToAsync("I have saved it");
        await keys.PressAsync("Enter");
        await keys.IsBackAtAsync("New key");
        await keys.TabToAsync("More about Camera");
        await keys.PressAsync("Enter");
        await keys.PressAsync("ArrowUp");
        await keys.PressAsync("Enter");
        await page.ShowsAsync("Delete Camera?");
        await keys.PressAsync("Escape");
        await keys.IsBackAtAsync("More about Camera");
        await keys.PressAsync("Enter");
        await keys.PressAsync("ArrowUp");
        await keys.PressAsync("Enter");
        await page.ShowsAsync("Delete Camera?");
        await keys.TabToAsync("Delete");
        await keys.PressAsync("Enter");
        await page.ShowsNoMoreAsync("Camera");
        await keys.FocusAsync();

        await keys.GoAsync("Sessions");
        await keys.TabToAsync("New session");
        await keys.PressAsync("Enter");
        await Assertions.Expect(page.Page.GetByLabel("Label", new() { Exact = true })).ToBeFocusedAsync();
        await keys.TypeAsync("Hail damage");
        await keys.PressAsync("Enter");
        await page.ShowsAsync("Waiting for photos");
        await keys.IsAtAsync("Hail damage");
        receiver.Answers(410);
        await app.Client.UploadAsync(page.Page.Url.Split('/')[^1], Photos.Jpeg(), "hail.jpg");
        await page.ShowsAsync("hail.jpg");
        await keys.TabToAsync("hail.jpg");
        await keys.PressAsync("Enter");
        await keys.IsAtAsync("hail.jpg");
        await page.ShowsAsync("The destination answered 410 Gone.");
        await keys.TabToAsync("Try again");
        await keys.PressAsync("Enter");
        await page.ShowsAsync("1 delivery is being tried again.");
        // The button is gone with the failure.
        await Assertions.Expect(page.Button("Try again")).ToHaveCountAsync(0);
        await Assertions.Expect(page.Page.Locator("main .status").First).ToHaveTextAsync("Delivered");
        await keys.FocusAsync();

        await keys.GoAsync("Members");
        await keys.TabToAsync("Invite somebody");
        await keys.PressAsync("Enter");
        await Assertions.Expect(page.Page.GetByLabel("E-mail address")).ToBeFocusedAsync();
        await keys.TypeAsync("guest@example.com");
        await keys.PressAsync("Enter");
        await page.ShowsAsync("Send this link to guest@example.com.");
        await keys.FocusAsync();
        await keys.TabToAsync("Done");
        await keys.PressAsync("Enter");
        await keys.IsBackAtAsync("Invite somebody");
        await keys.TabToAsync("Withdraw");
        await keys.PressAsync("Enter");
        await page.ShowsNoMoreAsync("guest@example.com");
        await keys.FocusAsync();

        await keys.TabToAsync("Invite somebody");
        await keys.PressAsync("Control+k");
        await keys.TypeAsync("hail");
        await keys.PressAsync("Escape");
        await keys.IsBackAtAsync("Invite somebody");
        await keys.GoAsync("Hail damage");
        Assert.Empty(page.Errors);
    }

    /// <summary>Somebody without a mouse.</summary>
    private sealed class Keys(DashboardPage page)
    {
        private const int MostTabs = 60;

        /// <summary>What has the focus, and what is wrong with that.</summary>
        private const string Focus = """
            () => {
              const element = document.activeElement;
              if (element === null || element === document.body) return ['', 'Nothing has the focus.'];
              const name = (element.getAttribute('aria-label') ?? element.labels?.[0]?.innerText ?? element.innerText).trim();
              const ring = element.matches('[role=switch]') ? element.nextElementSibling : element;
              const [style, box] = [getComputedStyle(ring), ring.getBoundingClientRect()];
              const isSeen = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0
                && box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight;
              return [name, isSeen ? '' : `It is not seen that ${element.outerHTML.slice(0, 200)} has the focus.`];
            }
            """;

        private IPage Page => page.Page;

        public Task PressAsync(string key) => Page.Keyboard.PressAsync(key);

        public Task TypeAsync(string text) => Page.Keyboard.TypeAsync(text);

        /// <summary>The name of what has the focus, which is seen.</summary>
        public async Task<string> FocusAsync()
        {
            var found = await Page.EvaluateAsync<string[]>(Focus);
            Assert.Equal("", found[1]);
            return found[0];
        }

        /// <summary>Goes from one to the next until it comes to what is called so.</summary>
        public async Task TabToAsync(string name, string key = "Tab")
        {
            await Assertions.Expect(Page.Locator(".bone")).ToHaveCountAsync(0);
            var passed = new List<string>();
            for (var tabs = 0; tabs < MostTabs; tabs++)
            {
                await PressAsync(key);
                // The way round leads through the browser's own bar.
                if (await Page.EvaluateAsync<bool>("document.activeElement === document.body"))
                    continue;
                passed.Add(await FocusAsync());
                // A picture that is on its way says its type first.
                if (passed[^1].Split('\n').Any(line => line.StartsWith(name, StringComparison.Ordinal)))
                    return;
            }

            Assert.Fail($"{name} is not among {string.Join(", ", passed)}.");
        }

        /// <summary>Goes elsewhere by the palette.</summary>
        public async Task GoAsync(string title)
        {
            await PressAsync("Control+k");
            await Assertions.Expect(Page.GetByPlaceholder("Session, photo, project or page")).ToBeFocusedAsync();
            await FocusAsync();
            await TypeAsync(title);
            await Assertions.Expect(Page.Locator("[role=option][aria-selected=true]")).ToHaveTextAsync(new Regex("^" + Regex.Escape(title)));
            await PressAsync("Enter");
            await IsAtAsync(title);
        }

        /// <summary>A page has come, and its heading has the focus.</summary>
        public async Task IsAtAsync(string title)
        {
            var heading = Page.GetByRole(AriaRole.Heading, new() { Name = title, Level = 1, Exact = true });
            await Assertions.Expect(heading).ToBeFocusedAsync();
            await FocusAsync();
        }

        /// <summary>A dialog has gone, and what had opened it has the focus again.</summary>
        public async Task IsBackAtAsync(string name)
        {
            await Assertions.Expect(Page.Locator("dialog")).ToHaveCountAsync(0);
            Assert.StartsWith(name, await FocusAsync(), StringComparison.Ordinal);
        }
    }
}
