using System.Net;
using System.Text.Json.Nodes;
using Apertur.Tests.Support;

namespace Apertur.Tests.Http;

/// <summary>What a browser asks and needs to hear before a page of another site may use the API (WHATWG Fetch, 3.2).</summary>
public sealed class CrossOriginTests
{
    private const string Site = "https://shop.example";

    [Theory]
    [InlineData("POST", "upload-sessions", "authorization,content-type,idempotency-key,x-aptr-totp")]
    [InlineData("GET", "stats", "authorization")]
    [InlineData("PATCH", "projects/any/destinations/any", "authorization,content-type")]
    [InlineData("POST", "upload/any/images", "x-session-password,x-aptr-encrypted,idempotency-key")]
    [InlineData("GET", "upload/any/session", "x-session-password")]
    public async Task Browser_that_asks_first_may_send_what_the_api_takes(string method, string path, string headers)
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);

        var answer = await app.ClientOf(null).SendAsync(HttpMethod.Options, path, null,
            ("Origin", Site), ("Access-Control-Request-Method", method), ("Access-Control-Request-Headers", headers));

        answer.Expect(HttpStatusCode.NoContent);
        Assert.Empty(answer.Bytes);
        Assert.Equal("*", Of(answer, "Access-Control-Allow-Origin"));
        Assert.Contains(method, Of(answer, "Access-Control-Allow-Methods").Split(','));
        Assert.Equal(headers, Of(answer, "Access-Control-Allow-Headers"));
        Assert.Equal("7200", Of(answer, "Access-Control-Max-Age"));
    }

    [Fact]
    public async Task Page_of_another_site_reads_answers_refusals_and_events()
    {
        await using var app = await AperturApp.StartAsync(
            DatabaseKind.Sqlite,
            new Dictionary<string, string?> { ["RateLimits:Enabled"] = "true", ["RateLimits:PerSession"] = "4" });
        var phone = app.ClientOf(null);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["max_images"] = 1 });
        var page = ("Origin", Site);

        IsReadable(await phone.SendAsync(HttpMethod.Get, $"upload/{session}/session", null, page), 200);
        IsReadable(await phone.PostImageAsync(session, Photos.Png(), headers: page), 201);
        IsReadable(await phone.PostImageAsync(session, Photos.Png(), headers: page), 422);
        IsReadable(await phone.PostImageAsync(session, [], headers: page), 422);
        IsReadable(await phone.PostImageAsync(session, [], headers: page), 429);
        IsReadable(await phone.SendAsync(HttpMethod.Get, "stats", null, page), 401);
        IsReadable(await app.Client.SendAsync(HttpMethod.Get, "stats", null, page), 200);
        IsReadable(await phone.SendAsync(HttpMethod.Get, "nothing-here", null, page), 404);
        var other = await app.Client.CreateSessionAsync();
        await using var events = await EventReader.OpenAsync(app, other, origin: Site);
        Assert.Contains("\nAccess-Control-Allow-Origin: *\n", events.Head, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Pages_are_not_for_other_sites_and_cookies_are_never_asked_for()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();

        foreach (var path in new[] { $"/u/{session}", "/docs", "/healthz" })
        {
            var answer = await app.Client.SendAsync(HttpMethod.Get, path, null, ("Origin", Site));
            Assert.DoesNotContain(answer.Headers, IsCrossOrigin);
        }

        Assert.DoesNotContain((await app.Client.GetAsync("stats")).Headers, IsCrossOrigin);
    }

    private static void IsReadable(Answer answer, int status)
    {
        answer.Expect((HttpStatusCode)status);
        Assert.Equal("*", Of(answer, "Access-Control-Allow-Origin"));
        Assert.Equal(
            "Retry-After,X-RateLimit-Limit,X-RateLimit-Remaining,X-RateLimit-Reset,Location,Content-Disposition,ETag,Apertur-Left-Out,Tus-Resumable,"
            + "Tus-Version,Tus-Extension,Tus-Max-Size,Tus-Checksum-Algorithm,Upload-Offset,Upload-Length,Upload-Metadata,Upload-Expires",
            Of(answer, "Access-Control-Expose-Headers"));
        Assert.False(answer.Headers.Contains("Access-Control-Allow-Credentials"));
    }

    private static bool IsCrossOrigin(KeyValuePair<string, IEnumerable<string>> header) =>
        header.Key.StartsWith("Access-Control-", StringComparison.OrdinalIgnoreCase);

    private static string Of(Answer answer, string header) => string.Join(',', answer.Headers.GetValues(header));
}
