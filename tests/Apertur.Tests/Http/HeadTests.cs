using System.Net;
using System.Text.Json.Nodes;
using Apertur.Tests.Support;

namespace Apertur.Tests.Http;

public sealed class HeadTests
{
    [Fact]
    public async Task Links_that_are_given_out_can_be_looked_at_without_being_followed()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var webhook = await app.Client.CreateDestinationAsync(
            "webhook", new JsonObject { ["url"] = receiver.Url, ["format"] = "link" });
        var session = await app.Client.CreateSessionAsync(webhook);
        await app.Client.UploadAsync(session, Photos.Jpeg());
        var told = JsonNode.Parse((await receiver.NextAsync(TestContext.Current.CancellationToken)).Body)!;
        var download = new Uri((string)told["download_url"]!).PathAndQuery;

        var qr = $"/api/v1/upload-sessions/{session}/qr";
        foreach (var link in new[] { download, qr, $"/u/{session}", "/docs/", "/openapi/v1.json" })
        {
            var followed = (await app.ClientOf(null).GetAsync(link)).Expect(HttpStatusCode.OK);
            var seen = (await app.ClientOf(null).SendAsync(HttpMethod.Head, link)).Expect(HttpStatusCode.OK);
            Assert.Empty(seen.Bytes);
            Assert.Equal(followed.ContentHeaders.ContentType, seen.ContentHeaders.ContentType);
        }
    }
}
