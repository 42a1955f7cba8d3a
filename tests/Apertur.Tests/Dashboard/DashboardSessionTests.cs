using System.Net;
using System.Net.Http.Json;
using Apertur.Tests.Support;

namespace Apertur.Tests.Dashboard;

/// <summary>The sign-in that a browser keeps: where it is, who gets it, and who cannot make use of it.</summary>
public sealed class DashboardSessionTests
{
    private const string Path = "/dashboard/session";

    private static readonly (string, string) _ownPage = ("X-Apertur-Dashboard", "1");

    private static readonly object _owner = new { email = People.OwnerEmail, password = People.OwnerPassword };

    [Theory, AllDatabases]
    public async Task Sign_in_stays_in_a_cookie_that_no_script_and_no_other_site_gets(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);

        var answer = (await SendAsync(app, HttpMethod.Post, _owner, _ownPage)).Expect(HttpStatusCode.OK);

        var cookie = answer.Headers.GetValues("Set-Cookie").Single();
        Assert.Contains($"; path={Path}; samesite=strict; httponly", cookie, StringComparison.Ordinal);
        Assert.Null(answer.Json["refreshToken"]);
        (await app.ClientOf((string)answer.Json["token"]!).GetAsync("me")).Expect(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Cookie_is_secure_where_people_come_by_https()
    {
        await using var app = await AperturApp.StartAsync(
            DatabaseKind.Sqlite, new Dictionary<string, string?> { ["Server:PublicUrl"] = "https://photos.example.com" });

        var answer = await SendAsync(app, HttpMethod.Post, _owner, _ownPage);

        Assert.Contains("; secure;", answer.Headers.GetValues("Set-Cookie").Single(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Sign_ins_are_counted_with_everything_else_of_their_address()
    {
        await using var app = await AperturApp.StartAsync(
            DatabaseKind.Sqlite, new Dictionary<string, string?> { ["RateLimits:Enabled"] = "true", ["RateLimits:PerAddress"] = "2" });

        (await SendAsync(app, HttpMethod.Post, _owner, _ownPage)).Expect(HttpStatusCode.OK);
        (await SendAsync(app, HttpMethod.Put, null, _ownPage)).Expect(HttpStatusCode.Unauthorized);
        (await SendAsync(app, HttpMethod.Post, _owner, _ownPage)).Expect(HttpStatusCode.TooManyRequests);

        (await app.Client.GetAsync("stats")).Expect(HttpStatusCode.OK);
    }

    [Theory, AllDatabases]
    public async Task Sign_in_is_renewed_until_it_is_ended(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var first = CookieOf(await SendAsync(app, HttpMethod.Post, _owner, _ownPage));

        var renewed = (await SendAsync(app, HttpMethod.Put, null, _ownPage, ("Cookie", first))).Expect(HttpStatusCode.OK);
        var second = CookieOf(renewed);
        (await SendAsync(app, HttpMethod.Delete, null, _ownPage, ("Cookie", second))).Expect(HttpStatusCode.NoContent);

        Assert.NotEqual(first, second);
        (await SendAsync(app, HttpMethod.Put, null, _ownPage, ("Cookie", second))).Expect(HttpStatusCode.Unauthorized);
        (await app.ClientOf((string)renewed.Json["token"]!).GetAsync("me")).Expect(HttpStatusCode.Unauthorized);
    }

    [Theory, AllDatabases]
    public async Task Other_sites_can_neither_sign_in_nor_renew_nor_sign_out(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var cookie = CookieOf(await SendAsync(app, HttpMethod.Post, _owner, _ownPage));
        (string, string)[][] strangers =
        [
            [],
            [("X-Apertur-Dashboard", "yes")],
            [_ownPage, ("Origin", "https://evil.example")],
            [_ownPage, ("Origin", "null")],
            [_ownPage, ("Origin", "http://127.0.0.1:1")],
            [_ownPage, ("Sec-Fetch-Site", "cross-site")],
            [_ownPage, ("Sec-Fetch-Site", "same-site")],
            [_ownPage, ("Sec-Fetch-Site", "none")],
        ];

        foreach (var headers in strangers)
        {
            foreach (var method in new[] { HttpMethod.Post, HttpMethod.Put, HttpMethod.Delete })
            {
                var answer = await SendAsync(app, method, method == HttpMethod.Post ? _owner : null, [.. headers, ("Cookie", cookie)]);
                answer.Expect(HttpStatusCode.Forbidden);
                Assert.False(answer.Headers.Contains("Set-Cookie"));
                Assert.False(answer.Headers.Contains("Access-Control-Allow-Origin"));
            }
        }

        (await SendAsync(app, HttpMethod.Put, null, _ownPage, ("Cookie", cookie), ("Origin", app.Url), ("Sec-Fetch-Site", "same-origin")))
            .Expect(HttpStatusCode.OK);
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/p/00000000-0000-0000-0000-000000000000/sessions")]
    [InlineData("/account")]
    public async Task Page_runs_only_what_is_its_own_and_may_not_be_framed(string path)
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);

        var page = (await app.ClientOf(null).GetAsync(path)).Expect(HttpStatusCode.OK);

        var policy = page.Headers.GetValues("Content-Security-Policy").Single();
        foreach (var part in new[] { "default-src 'none'", "script-src 'self';", "frame-ancestors 'none'", "require-trusted-types-for 'script'" })
            Assert.Contains(part, policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        Assert.Equal("DENY", page.Headers.GetValues("X-Frame-Options").Single());
        Assert.Equal("no-store", page.Headers.CacheControl!.ToString());
    }

    private static Task<Answer> SendAsync(AperturApp app, HttpMethod method, object? body, params (string Name, string Value)[] headers) =>
        app.ClientOf(null).SendAsync(method, Path, body is null ? null : JsonContent.Create(body), headers);

    private static string CookieOf(Answer answer) =>
        answer.Expect(HttpStatusCode.OK).Headers.GetValues("Set-Cookie").Single().Split(';')[0];
}
