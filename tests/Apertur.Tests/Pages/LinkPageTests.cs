using System.Net;
using Apertur.Server.Accounts;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Pages;

public sealed class LinkPageTests
{
    [Theory, AllDatabases]
    public async Task First_owner_is_set_up_in_a_browser_without_scripts(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        await ForgetEverybodyAsync(app);
        var secret = await FirstOwnerAsync(app);
        await using var browser = await Browser.StartAsync();
        var page = await browser.OpenAsync(OneTimeLink.Address(app.Url, secret!), javaScript: false);

        await page.GetByLabel("E-mail address").FillAsync("first@example.com");
        await page.GetByLabel("New password").FillAsync("battery staple");
        await page.GetByLabel("first project").FillAsync("<b>Roofs</b>");
        await page.GetByRole(Microsoft.Playwright.AriaRole.Button).ClickAsync();

        await Microsoft.Playwright.Assertions.Expect(page).ToHaveURLAsync(new System.Text.RegularExpressions.Regex("/p/[0-9a-f-]{36}/start$"));
        var owner = await app.SignInAsync("first@example.com", "battery staple");
        Assert.Equal("<b>Roofs</b>", (await owner.Client.GetAsync("projects")).Json[0]!["name"]!.GetValue<string>());
        Assert.Null(await FirstOwnerAsync(app));
        (await app.ClientOf(null).GetAsync($"/link/{secret}")).Expect(HttpStatusCode.NotFound);
    }

    [Theory, AllDatabases]
    public async Task Link_printed_later_ends_the_one_before(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        await ForgetEverybodyAsync(app);
        var first = await FirstOwnerAsync(app);
        var second = await FirstOwnerAsync(app);

        (await app.ClientOf(null).GetAsync($"/link/{first}")).Expect(HttpStatusCode.NotFound);
        var page = (await app.ClientOf(null).GetAsync($"/link/{second}")).Expect(HttpStatusCode.OK);

        Assert.Equal("DENY", page.Headers.GetValues("X-Frame-Options").Single());
        Assert.Equal("no-referrer", page.Headers.GetValues("Referrer-Policy").Single());
        Assert.Equal("no-store", page.Headers.CacheControl!.ToString());
    }

    [Theory, AllDatabases]
    public async Task Refused_form_says_why_keeps_what_was_typed_and_can_be_sent_again(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        await ForgetEverybodyAsync(app);
        var path = $"/link/{await FirstOwnerAsync(app)}";
        async Task<Answer> SendAsync(string password, string project = "\"><script>")
        {
            using var form = new FormUrlEncodedContent(new Dictionary<string, string>
            {
                ["email"] = "first@example.com",
                ["password"] = password,
                ["project"] = project,
            });
            return await app.ClientOf(null).PostAsync(path, form);
        }

        (await SendAsync("battery staple", new string('x', 201))).Expect(HttpStatusCode.BadRequest);
        (await SendAsync("battery staple", "NUL \0")).Expect(HttpStatusCode.BadRequest);
        var refused = (await SendAsync("short")).Expect(HttpStatusCode.BadRequest);

        Assert.Contains("The password must have 8 to 256 characters.", refused.Text, StringComparison.Ordinal);
        Assert.Contains("first@example.com", refused.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("\"><script>", refused.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("short\"", refused.Text, StringComparison.Ordinal);
        (await app.ClientOf(null).PostAsync(path)).Expect(HttpStatusCode.BadRequest);
        Assert.Equal("no-store", (await SendAsync("battery staple")).Expect(HttpStatusCode.SeeOther)["Cache-Control"]);
    }

    [Theory, AllDatabases]
    public async Task Of_many_who_follow_the_link_at_once_one_owns_the_server(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        await ForgetEverybodyAsync(app);
        var path = $"/link/{await FirstOwnerAsync(app)}";

        var answers = await Task.WhenAll(Enumerable.Range(0, 6).Select(async i =>
        {
            using var form = new FormUrlEncodedContent(new Dictionary<string, string>
            {
                ["email"] = $"owner{i}@example.com",
                ["password"] = "battery staple",
                ["project"] = "Roofs",
            });
            return await app.ClientOf(null).PostAsync(path, form);
        }));

        Assert.Single(answers, answer => answer.Status == HttpStatusCode.SeeOther);
        Assert.All(answers, answer => Assert.True((int)answer.Status < 500, answer.Text));
        await using var db = app.Services.GetRequiredService<Database>().Open();
        Assert.Equal(1, await db.Users.CountAsync(TestContext.Current.CancellationToken));
    }

    private static Task<string?> FirstOwnerAsync(AperturApp app) =>
        OneTimeLink.ForFirstOwnerAsync(app.Services.GetRequiredService<Database>(), app.Clock.GetUtcNow(), TestContext.Current.CancellationToken);

    /// <summary>As on the first start: the app that tests share has an owner already.</summary>
    private static Task ForgetEverybodyAsync(AperturApp app) =>
        app.Services.GetRequiredService<Database>().WriteAsync(
            async db =>
            {
                await db.Members.ExecuteDeleteAsync(TestContext.Current.CancellationToken);
                await db.Users.ExecuteDeleteAsync(TestContext.Current.CancellationToken);
            },
            TestContext.Current.CancellationToken);
}
