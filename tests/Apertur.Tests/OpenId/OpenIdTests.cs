using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using System.Web;
using Apertur.Server;
using Apertur.Tests.Support;

namespace Apertur.Tests.OpenId;

/// <summary>Single sign-on at a real provider: who comes in, as whom, and who does not.</summary>
public sealed partial class OpenIdTests
{
    [Theory, AllDatabases]
    public async Task Invited_person_gets_an_account_that_the_second_sign_in_finds_again(DatabaseKind database)
    {
        await using var provider = await IdentityProvider.StartAsync(new TestClock());
        await using var app = await StartAsync(database, provider);
        var owner = await app.SignInAsync();
        await InviteAsync(owner, provider.Email!, "viewer");

        var first = new SignOnBrowser(app);
        Assert.Equal("/account", await first.SignInAsync("?return=/account"));
        var anna = await first.PersonAsync();
        var me = (await anna.Client.GetAsync("me")).Expect(HttpStatusCode.OK).Json;
        Assert.Equal((provider.Email, false), (me["email"]!.GetValue<string>(), me["hasPassword"]!.GetValue<bool>()));
        Assert.Equal((app.ProjectId, "viewer"), (me["projects"]![0]!["id"]!.GetValue<Guid>(), me["projects"]![0]!["role"]!.GetValue<string>()));
        Assert.Empty((await owner.Client.GetAsync($"projects/{app.ProjectId}/invitations")).Json.AsArray());

        // The address at the provider changes hands; the person does not. An account without a password has none to be guessed, either.
        provider.Email = People.OwnerEmail;
        var second = new SignOnBrowser(app);
        await second.SignInAsync();
        Assert.Equal(anna.UserId, (await second.PersonAsync()).UserId);
        (await app.ClientOf(null).PostAsync("auth/login", new { email = "anna@example.com", password = "" })).Expect(HttpStatusCode.Unauthorized);

        (await second.SignOutAsync()).Expect(HttpStatusCode.NoContent);
        (await second.SessionAsync()).Expect(HttpStatusCode.Unauthorized);
        (await first.SessionAsync()).Expect(HttpStatusCode.OK);
    }

    [Theory, AllDatabases]
    public async Task Account_with_a_password_is_connected_by_that_password_and_its_code_only(DatabaseKind database)
    {
        await using var provider = await IdentityProvider.StartAsync(new TestClock());
        await using var app = await StartAsync(database, provider);
        provider.Email = People.OwnerEmail.ToUpperInvariant();
        var owner = await app.SignInAsync();
        var secret = (await owner.Client.PostAsync("me/totp")).Expect(HttpStatusCode.OK).Json["secret"]!.GetValue<string>();
        (await owner.Client.PostAsync("me/totp/confirm", new { code = app.CodeOf(secret) })).Expect(HttpStatusCode.NoContent);
        app.Clock.Jump(TimeSpan.FromMinutes(1));
        await app.AddPersonAsync("other@example.com");
        var browser = new SignOnBrowser(app);

        Assert.Equal("/?sign-on=link", await browser.SignInAsync());
        (await browser.SessionAsync()).Expect(HttpStatusCode.Unauthorized);
        foreach (var login in new object[]
        {
            new { email = People.OwnerEmail, password = "wrong", totp = app.CodeOf(secret) },
            new { email = People.OwnerEmail, password = People.OwnerPassword },
        })
        {
            (await browser.SignInByPasswordAsync(login)).Expect(HttpStatusCode.Unauthorized);
            Assert.Equal("/?sign-on=link", await new SignOnBrowser(app).SignInAsync());
        }

        // Who signs in as somebody else connects nothing, and neither does who takes longer than ten minutes.
        var elsewhere = new SignOnBrowser(app) { Cookies = new(browser.Cookies) };
        (await elsewhere.SignInByPasswordAsync(new { email = "other@example.com", password = People.OwnerPassword })).Expect(HttpStatusCode.OK);
        var late = new SignOnBrowser(app) { Cookies = new(browser.Cookies) };
        app.Clock.Jump(TimeSpan.FromMinutes(11));
        (await late.SignInByPasswordAsync(new { email = People.OwnerEmail, password = People.OwnerPassword, totp = app.CodeOf(secret) })).Expect(HttpStatusCode.OK);
        Assert.Equal("/?sign-on=link", await browser.SignInAsync());

        app.Clock.Jump(TimeSpan.FromMinutes(1));
        (await browser.SignInByPasswordAsync(new { email = People.OwnerEmail, password = People.OwnerPassword, totp = app.CodeOf(secret) })).Expect(HttpStatusCode.OK);
        var connected = new SignOnBrowser(app);
        Assert.Equal("/", await connected.SignInAsync());
        Assert.Equal(owner.UserId, (await connected.PersonAsync()).UserId);

        // Whoever gets a new password by the operator's link starts without what somebody else may have connected.
        await app.CommandAsync("user", "reset", "--email", People.OwnerEmail);
        var thief = new SignOnBrowser(app);
        Assert.Equal("/?sign-on=link", await thief.SignInAsync());
        (await thief.SignInByPasswordAsync(new { email = People.OwnerEmail, password = People.OwnerPassword })).Expect(HttpStatusCode.Unauthorized);
    }

    [Theory, AllDatabases]
    public async Task People_without_account_invitation_or_verified_address_stay_out(DatabaseKind database)
    {
        await using var provider = await IdentityProvider.StartAsync(new TestClock());
        await using var app = await StartAsync(database, provider, ("OpenId:NewAccountDomains", "example.org, example.net"));
        var owner = await app.SignInAsync();
        await InviteAsync(owner, "invited@example.com", "owner");
        var disabled = await app.AddPersonAsync("disabled@example.com");
        await app.ChangeAsync(db =>
        {
            disabled.DisabledAt = app.Clock.GetUtcNow();
            db.Users.Update(disabled);
        });
        async Task StaysOutAsync(string refusal, string? email, bool verified = true)
        {
            (provider.Email, provider.EmailVerified) = (email, verified);
            foreach (var inToken in new[] { true, false })
            {
                provider.EmailInToken = inToken;
                var browser = new SignOnBrowser(app);
                Assert.Equal($"/?sign-on={refusal}", await browser.SignInAsync());
                (await browser.SessionAsync()).Expect(HttpStatusCode.Unauthorized);
            }
        }

        await StaysOutAsync("unverified", null);
        await StaysOutAsync("unverified", "invited@example.com", verified: false);
        await StaysOutAsync("unverified", "new@example.org", verified: false);
        await StaysOutAsync("unknown", "uninvited@example.com");
        await StaysOutAsync("unknown", "new@example.org.evil.example");
        await StaysOutAsync("unknown", "new@sub.example.org");
        await StaysOutAsync("disabled", "disabled@example.com");
        provider.Denies = true;
        await StaysOutAsync("denied", "invited@example.com");
        provider.Denies = false;

        // The same people with what was missing; the second one's address is told only to who asks for it.
        (provider.Email, provider.Subject, provider.EmailInToken) = ("invited@example.com", "subject-2", true);
        Assert.Equal("/", await new SignOnBrowser(app).SignInAsync());
        // Not by a link, which whoever invites has seen too.
        var invitation = await InviteAsync(owner, "new@example.org", "viewer");
        var form = await app.ClientOf(null).GetAsync(invitation);
        Assert.Contains("Accept by signing in", form.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("<form", form.Text, StringComparison.Ordinal);
        using var typed = new FormUrlEncodedContent([new("password", "correct horse battery")]);
        (await app.ClientOf(null).SendAsync(HttpMethod.Post, invitation, typed)).Expect(HttpStatusCode.BadRequest);
        (provider.Email, provider.Subject, provider.EmailInToken) = ("new@example.org", "subject-3", false);
        var joined = new SignOnBrowser(app);
        Assert.Equal("/", await joined.SignInAsync());
        var person = await joined.PersonAsync();
        Assert.Single((await person.Client.GetAsync("me")).Json["projects"]!.AsArray());

        await app.CommandAsync("user", "disable", "--email", "new@example.org");
        Assert.Equal("/?sign-on=disabled", await new SignOnBrowser(app).SignInAsync());
    }

    [Theory, AllDatabases]
    public async Task Answer_that_this_browser_did_not_ask_for_lets_nobody_in(DatabaseKind database)
    {
        await using var provider = await IdentityProvider.StartAsync(new TestClock());
        await using var app = await StartAsync(database, provider, ("OpenId:NewAccountDomains", "*"));
        var refused = 0;
        async Task RefusedAsync(SignOnBrowser browser, string address)
        {
            Assert.Equal("/?sign-on=failed", await browser.ReturnAsync(address));
            (await browser.SessionAsync()).Expect(HttpStatusCode.Unauthorized);
            refused++;
        }

        var victim = new SignOnBrowser(app);
        var answer = await victim.GoAsync();
        var cookies = new Dictionary<string, string>(victim.Cookies);
        SignOnBrowser Again() => new(app) { Cookies = new(cookies) };
        await RefusedAsync(new SignOnBrowser(app), answer);
        await RefusedAsync(Again(), answer.Replace("state=", "state=A", StringComparison.Ordinal));
        await RefusedAsync(Again(), State().Replace(answer, ""));
        var other = new SignOnBrowser(app);
        var others = await other.GoAsync();
        await RefusedAsync(Again(), others);
        await RefusedAsync(Again(), State().Replace(answer, State().Match(others).Value));
        await RefusedAsync(other, State().Replace(others, State().Match(answer).Value));

        var nonce = new SignOnBrowser(app);
        await RefusedAsync(nonce, await nonce.GoAsync(changed: there => Nonce().Replace(there, "$1another")));
        await RefusedAsync(nonce, await nonce.GoAsync(changed: there => Challenge().Replace(there, "$1" + new string('A', 43))));

        // The real one once, and never again: not in that browser, nor with everything that it had kept before.
        Assert.Equal("/", await victim.ReturnAsync(answer));
        (await victim.SessionAsync()).Expect(HttpStatusCode.OK);
        Assert.Equal("/?sign-on=failed", await victim.ReturnAsync(answer));
        await RefusedAsync(Again(), answer);
        Assert.Equal(9, refused);
    }

    [Fact]
    public async Task Way_back_stays_at_the_dashboard()
    {
        await using var provider = await IdentityProvider.StartAsync(new TestClock());
        await using var app = await StartAsync(DatabaseKind.Sqlite, provider, ("OpenId:NewAccountDomains", "*"));
        var page = $"/p/{app.ProjectId}/uploads?status=failed";
        Assert.Equal(page, await new SignOnBrowser(app).SignInAsync("?return=" + HttpUtility.UrlEncode(page)));

        foreach (var elsewhere in new[]
        {
            "https://evil.example/", "//evil.example", "/\\evil.example", "/p//evil.example", "javascript:alert(1)", "/docs", "/p/\r\nSet-Cookie: a=b",
            " /account", "/@evil.example", "",
        })
        {
            Assert.Equal("/", await new SignOnBrowser(app).SignInAsync("?return=" + HttpUtility.UrlEncode(elsewhere)));
        }

        Assert.Equal("/", await new SignOnBrowser(app).SignInAsync("?return=/account&return=https://evil.example"));
    }

    [Theory, AllDatabases]
    public async Task Provider_that_is_away_or_not_to_be_reached_is_said_on_the_sign_in_page(DatabaseKind database)
    {
        await using var provider = await IdentityProvider.StartAsync(new TestClock());
        await using var app = await StartAsync(database, provider);
        var browser = new SignOnBrowser(app);
        var answer = await browser.GoAsync("?return=/account");
        await provider.DisposeAsync();

        Assert.Equal("/account?sign-on=unreachable", await browser.ReturnAsync(answer));
        await app.RestartAsync();
        var begun = (await new SignOnBrowser(app).BeginAsync("?return=/account")).Expect(HttpStatusCode.Redirect);
        Assert.Equal("/account?sign-on=unreachable", begun.Headers.GetValues("Location").Single());
        (await new SignOnBrowser(app).SignInByPasswordAsync(new { email = People.OwnerEmail, password = People.OwnerPassword })).Expect(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Private_network_is_reached_only_where_the_operator_allows_it()
    {
        await using var provider = await IdentityProvider.StartAsync(new TestClock());
        await using var app = await StartAsync(DatabaseKind.Sqlite, provider, ("OpenId:AllowPrivateNetworks", "false"));

        var begun = (await new SignOnBrowser(app).BeginAsync()).Expect(HttpStatusCode.Redirect);

        Assert.Equal("/?sign-on=unreachable", begun.Headers.GetValues("Location").Single());
    }

    [Fact]
    public async Task Node_goes_on_with_what_another_began()
    {
        await using var provider = await IdentityProvider.StartAsync(new TestClock());
        await using var app = await StartAsync(DatabaseKind.PostgreSql, provider, ("OpenId:NewAccountDomains", "example.com"));
        using var folder = new TempFolder();
        var more = new Dictionary<string, string?>(provider.Settings) { ["OpenId:NewAccountDomains"] = "example.com" };
        await using var second = await SecondNode.StartAsync(app, folder, more);
        var here = new SignOnBrowser(app);
        var answer = await here.GoAsync();
        var there = new SignOnBrowser(app, second.Urls.Single()) { Cookies = new(here.Cookies) };

        Assert.Equal("/", await there.ReturnAsync(answer));

        (await there.SessionAsync()).Expect(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Behind_a_proxy_people_come_back_to_the_public_address()
    {
        await using var provider = await IdentityProvider.StartAsync(new TestClock());
        await using var app = await StartAsync(DatabaseKind.Sqlite, provider, ("Server:PublicUrl", "https://photos.example.com"));

        var begun = (await new SignOnBrowser(app).BeginAsync()).Expect(HttpStatusCode.Redirect);

        var asked = HttpUtility.ParseQueryString(new Uri(begun.Headers.GetValues("Location").Single()).Query);
        Assert.Equal("https://photos.example.com/dashboard/openid/callback", asked["redirect_uri"]);
        Assert.Equal(("code", "S256"), (asked["response_type"], asked["code_challenge_method"]));
        var cookies = begun.Headers.GetValues("Set-Cookie").ToList();
        Assert.Equal(2, cookies.Count);
        Assert.All(cookies, cookie =>
        {
            foreach (var part in new[] { "; secure", "; httponly", "; samesite=lax", "; max-age=900", "; path=/dashboard/openid/callback" })
                Assert.Contains(part, cookie, StringComparison.OrdinalIgnoreCase);
        });
    }

    [Fact]
    public async Task Without_settings_there_is_neither_button_nor_address()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);

        Assert.DoesNotContain("data-sign-on", (await app.ClientOf(null).GetAsync("/")).Text, StringComparison.Ordinal);
        (await new SignOnBrowser(app).BeginAsync()).Expect(HttpStatusCode.NotFound);
        (await app.ClientOf(null).GetAsync("/dashboard/openid/callback?code=a&state=b")).Expect(HttpStatusCode.NotFound);
    }

    [Theory]
    [InlineData("http://id.example.com")]
    [InlineData("ftp://127.0.0.1")]
    [InlineData("id.example.com")]
    [InlineData("https://user@id.example.com")]
    public void Provider_without_https_is_refused_at_the_start(string authority)
    {
        using var folder = new TempFolder();
        var settings = new Dictionary<string, string?> { ["OpenId:Authority"] = authority, ["OpenId:ClientId"] = "apertur" };

        Assert.Contains("OpenId:Authority", Assert.Throws<InvalidOperationException>(() => Settings.Load(folder.Path, settings)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Button_leads_to_the_provider_and_back_to_the_page()
    {
        await using var browser = await Browser.StartAsync();
        await using var provider = await IdentityProvider.StartAsync(new TestClock());
        await using var app = await StartAsync(DatabaseKind.Sqlite, provider);
        var page = await Dashboard.DashboardPage.OpenAsync(browser, app, "/account");

        await page.Link("Sign in with Example ID").ClickAsync();
        await page.ShowsAsync("You have no account here.");
        await InviteAsync(await app.SignInAsync(), provider.Email!, "viewer");
        await page.Link("Sign in with Example ID").ClickAsync();
        await page.ShowsAsync("You sign in with Example ID and have no password here.");

        Assert.Equal(app.Url + "/account", page.Page.Url);
        Assert.Empty(page.Errors);
    }

    private static async Task<AperturApp> StartAsync(DatabaseKind database, IdentityProvider provider, params (string Name, string Value)[] more)
    {
        var settings = provider.Settings;
        foreach (var (name, value) in more)
            settings[name] = value;
        var app = await AperturApp.StartAsync(database, settings);
        await provider.RegisterAsync(app.Url + "/dashboard/openid/callback");
        return app;
    }

    /// <returns>The path of the link.</returns>
    private static async Task<string> InviteAsync(SignedIn owner, string email, string role) => new Uri((string)(
        await owner.Client.PostAsync($"projects/{owner.Client.ProjectId}/members", new JsonObject { ["email"] = email, ["role"] = role }))
        .Expect(HttpStatusCode.Created).Json["url"]!).AbsolutePath;

    [GeneratedRegex(@"[?&]state=[^&]*")]
    private static partial Regex State();

    [GeneratedRegex("([?&]nonce=)[^&]*")]
    private static partial Regex Nonce();

    [GeneratedRegex("([?&]code_challenge=)[^&]*")]
    private static partial Regex Challenge();
}
