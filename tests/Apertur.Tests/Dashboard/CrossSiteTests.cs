using System.Net;
using System.Net.Http.Json;
using System.Text;
using Apertur.Server.Accounts;
using Apertur.Server.Auth;
using Apertur.Server.Dashboard;
using Apertur.Tests.Auth;
using Apertur.Tests.Support;

namespace Apertur.Tests.Dashboard;

/// <summary>What a page of another site, and whoever has copied the cookie, can make of a person's sign-in: nothing.</summary>
public sealed class CrossSiteTests(ITestOutputHelper output)
{
    private static readonly (string, string) _ownPage = ("X-Apertur-Dashboard", "1");

    private static readonly object _owner = new { email = People.OwnerEmail, password = People.OwnerPassword };

    [Theory, AllDatabases]
    public async Task Page_of_another_site_changes_nothing_by_any_route(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var world = await TenantWorld.CreateAsync(app);
        var cookie = CookieOf(await SendAsync(app, HttpMethod.Post, _owner));
        var before = await world.RowsAsync();
        var routes = RouteTable.Of(app).Where(route => route.Changes).ToList();
        var attempts = 0;

        foreach (var route in routes)
        {
            // A link is a capability: without it there is nothing that a cookie could add to.
            var byCookie = route.Rule!.Access is not (Access.Session or Access.Link);
            var path = byCookie ? world.Fill(route.Pattern) : world.Fill(route.Pattern, Guid.NewGuid().ToString());
            foreach (var (body, headers) in Forms())
            {
                attempts++;
                var answer = await app.ClientOf(null).SendAsync(new HttpMethod(route.Method), path, body, [("Cookie", cookie), .. headers]);
                var refused = route.Rule.Access is Access.Caller or Access.Person or Access.Operator
                    ? answer.Status == HttpStatusCode.Unauthorized : (int)answer.Status is >= 400 and < 500;
                Assert.True(refused, $"{route} answered {(int)answer.Status}: {answer.Text}");
                Assert.False(answer.Headers.Contains("Access-Control-Allow-Credentials"), $"{route} may be read with cookies.");
            }
        }

        Assert.Equal(before, await world.RowsAsync());
        (await SendAsync(app, HttpMethod.Put, null, ("Cookie", cookie))).Expect(HttpStatusCode.OK);
        Assert.True(routes.Count > 50, $"Only {routes.Count} routes were asked.");
        Say($"Requests of another site on {database}: {attempts} at {routes.Count} changing routes, 0 succeeded.");
    }

    [Theory, AllDatabases]
    public async Task Copied_cookie_holds_on_to_nothing(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database, new Dictionary<string, string?> { ["Server:TrustedProxies"] = "127.0.0.1" });
        var (owner, thief) = (("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-For", "198.51.100.1"));
        var attempts = 0;
        async Task<Answer> SignInAsync() => await SendAsync(app, HttpMethod.Post, _owner, owner);
        Task<Answer> RenewAsync(Answer with, (string, string) from) => SendAsync(app, HttpMethod.Put, null, ("Cookie", CookieOf(with)), from);
        async Task GoneAsync(params Answer[] held)
        {
            foreach (var answer in held)
            {
                attempts++;
                var renewal = (await RenewAsync(answer, thief)).Expect(HttpStatusCode.Unauthorized);
                Assert.Contains("max-age=0", renewal.Headers.GetValues("Set-Cookie").Single(), StringComparison.Ordinal);
                var call = await app.ClientOf((string)answer.Json["token"]!).GetAsync("me");
                Assert.True(call.Status is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden, call.Text);
            }
        }

        // Its owner was faster: the copy ends the sign-in for both.
        var copied = await SignInAsync();
        var renewed = await RenewAsync(copied, owner);
        await GoneAsync(copied, renewed);

        // The thief was faster: the owner's next renewal ends what the thief got.
        copied = await SignInAsync();
        var stolen = (await RenewAsync(copied, thief)).Expect(HttpStatusCode.OK);
        (await RenewAsync(copied, owner)).Expect(HttpStatusCode.Unauthorized);
        await GoneAsync(stolen, copied);

        // From the owner's own address, as behind one router, once the seconds are over that tabs have.
        copied = await SignInAsync();
        stolen = (await RenewAsync(copied, owner)).Expect(HttpStatusCode.OK);
        app.Clock.Jump(SignIns.Grace);
        (await RenewAsync(copied, owner)).Expect(HttpStatusCode.Unauthorized);
        await GoneAsync(stolen, copied);

        // Signed out, out of time, with another password, disabled.
        copied = await SignInAsync();
        (await SendAsync(app, HttpMethod.Delete, null, ("Cookie", CookieOf(copied)))).Expect(HttpStatusCode.NoContent);
        await GoneAsync(copied);
        copied = await SignInAsync();
        app.Clock.Jump(SignIns.IdleTime);
        await GoneAsync(copied);
        copied = await SignInAsync();
        var elsewhere = await app.SignInAsync();
        (await elsewhere.Client.PostAsync("me/password", new { currentPassword = People.OwnerPassword, newPassword = "another one" })).Expect(HttpStatusCode.NoContent);
        await GoneAsync(copied);
        copied = await SendAsync(app, HttpMethod.Post, new { email = People.OwnerEmail, password = "another one" });
        await app.CommandAsync("user", "disable", "--email", People.OwnerEmail);
        await GoneAsync(copied);

        // It is no token, and not for any other address.
        (await app.ClientOf(CookieOf(copied).Split('=')[1]).GetAsync("me")).Expect(HttpStatusCode.Unauthorized);
        Say($"Copied refresh cookies on {database}: {attempts} tried, 0 kept.");
    }

    /// <summary>What a page can have a browser send: forms, and scripts that pretend to be ours.</summary>
    private static IEnumerable<(HttpContent? Body, (string, string)[] Headers)> Forms()
    {
        (string, string)[] from = [("Origin", "https://evil.example"), ("Referer", "https://evil.example/"), ("Sec-Fetch-Site", "cross-site")];
        yield return (null, from);
        yield return (new FormUrlEncodedContent(new Dictionary<string, string> { ["role"] = "owner", ["password"] = "guessed" }), from);
        yield return (new StringContent("{\"role\":\"owner\",\"x\":\"=\"}", Encoding.UTF8, "text/plain"), from);
        yield return (new MultipartFormDataContent { { new StringContent("owner"), "role" } }, from);
        yield return (JsonContent.Create(new { role = "owner" }), [.. from, _ownPage]);
        yield return (JsonContent.Create(new { role = "owner" }), [("Origin", "null"), _ownPage]);
        yield return (JsonContent.Create(new { role = "owner" }), []);
    }

    private static Task<Answer> SendAsync(AperturApp app, HttpMethod method, object? body, params (string Name, string Value)[] headers) =>
        app.ClientOf(null).SendAsync(method, SessionCookie.Path, body is null ? null : JsonContent.Create(body), [_ownPage, .. headers]);

    private static string CookieOf(Answer answer) =>
        answer.Expect(HttpStatusCode.OK).Headers.GetValues("Set-Cookie").Single().Split(';')[0];

    private void Say(string figures)
    {
        output.WriteLine(figures);
        Console.WriteLine(figures);
    }
}
