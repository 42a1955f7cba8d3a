using System.Net;
using Apertur.Tests.Support;

namespace Apertur.Tests.Pages;

/// <summary>Addresses that people type or cut off, and what programs get there.</summary>
public sealed class NoticePageTests
{
    private const string AsBrowsersDo = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

    [Theory]
    [InlineData("/u", HttpStatusCode.NotFound, "This link does not work")]
    [InlineData("/nonsense?lang=fr", HttpStatusCode.NotFound, "Ce lien ne fonctionne pas")]
    [InlineData("/nonsense?lang=es", HttpStatusCode.NotFound, "Este enlace no funciona")]
    public async Task Person_at_a_browser_reads_a_page(string path, HttpStatusCode status, string words)
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);

        var page = (await AskAsync(app, HttpMethod.Get, path, AsBrowsersDo)).Expect(status);

        Assert.Equal("text/html", page.ContentHeaders.ContentType!.MediaType);
        Assert.Contains(words, page.Text, StringComparison.Ordinal);
        Assert.Contains("default-src 'none'", page.Headers.GetValues("Content-Security-Policy").Single(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Form_that_cannot_be_read_is_refused_in_words()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();

        var answer = await AskAsync(app, HttpMethod.Post, $"/u/{session}?lang=en", AsBrowsersDo);

        var page = answer.Expect(HttpStatusCode.BadRequest);
        Assert.Equal("text/html", page.ContentHeaders.ContentType!.MediaType);
        Assert.Contains("Something went wrong", page.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/nonsense", "*/*")]
    [InlineData("/nonsense", "application/json")]
    [InlineData("/api/v1/nonsense", AsBrowsersDo)]
    public async Task Program_gets_the_refusal_of_the_api(string path, string accept)
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);

        var answer = (await AskAsync(app, HttpMethod.Get, path, accept)).Expect(HttpStatusCode.NotFound);

        Assert.Equal("NOT_FOUND", (string)answer.Json["code"]!);
    }

    private static Task<Answer> AskAsync(AperturApp app, HttpMethod method, string path, string accept) =>
        app.ClientOf(null).SendAsync(method, path, body: null, ("Accept", accept));
}
