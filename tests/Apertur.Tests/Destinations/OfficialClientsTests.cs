using System.Globalization;
using System.Text.Json.Nodes;
using Apertur.Tests.Support;
using Apertur.Tests.Support.Fakes;

namespace Apertur.Tests.Destinations;

/// <summary>
/// The stand-ins are worth something only while the services' own clients cannot tell them from the services.
/// The clients come from <c>tests/clients</c>, by <c>npm ci</c>.
/// </summary>
public sealed class OfficialClientsTests
{
    [Fact]
    public async Task Googles_own_clients_take_the_stand_in_for_Google()
    {
        await using var google = await FakeGoogle.StartAsync();
        var report = await NodeScript.RunAsync("google.mjs", new JsonObject
        {
            ["root"] = google.Root.AbsoluteUri,
            ["token"] = google.OAuth.IssueAccessToken(),
            ["bucket"] = FakeGoogle.BucketName,
        });

        foreach (var name in new[] { "at once.bin", "one session.bin", "several pieces.bin" })
        {
            var stored = report["storage"]![name]!;
            Assert.True((bool)stored["same"]!, name);
            Assert.Equal("client", (string?)stored["from"]);
            var size = google.Objects.Single(o => o.Name == "clients/" + name).Bytes.Length;
            Assert.Equal(size.ToString(CultureInfo.InvariantCulture), (string?)stored["size"]);
        }

        Assert.Equal(412, (int)report["storage"]!["repeated"]!);
        Assert.Equal(404, (int)report["storage"]!["absent"]!);
        Assert.Equal(404, (int)report["storage"]!["wrongBucket"]!);
        var expected = JsonNode.Parse("""
            {
              "file": { "id": true, "size": "100000", "same": true },
              "repeated": [409, "fileIdInUse"],
              "byProperty": ["a.jpg"],
              "byName": ["Claims of O'Brien"],
              "badQuery": 400,
              "downloaded": true,
              "trashed": true,
              "deleted": 404,
              "wrongToken": 401
            }
            """);
        Assert.Equal(expected!.ToJsonString(), report["drive"]!.ToJsonString());
    }

    [Fact]
    public async Task Dropboxs_own_client_takes_the_stand_in_for_Dropbox()
    {
        await using var dropbox = await FakeDropbox.StartAsync();
        var report = await NodeScript.RunAsync("dropbox.mjs", new JsonObject
        {
            ["root"] = dropbox.Root.AbsoluteUri,
            ["accessToken"] = dropbox.OAuth.IssueAccessToken(),
            ["refreshToken"] = dropbox.OAuth.IssueRefreshToken(),
            ["clientId"] = FakeOAuth.ClientId,
            ["clientSecret"] = FakeOAuth.ClientSecret,
        });

        var expected = JsonNode.Parse("""
            {
              "uploaded": ["/Küche 😀/a.jpg", 100000],
              "repeated": [409, "path/.."],
              "renamed": "/Küche 😀/a (1).jpg",
              "wrongHash": [409, "content_hash_mismatch/.."],
              "wrongOffset": [409, "incorrect_offset", 8388608],
              "wrongFinish": [409, "lookup_failed", 16777216],
              "session": [20000001, "file", true],
              "downloaded": true,
              "absent": [409, "path/.."],
              "wrongToken": [401, "expired_access_token/.."],
              "refreshed": 200
            }
            """);
        Assert.Equal(expected!.ToJsonString(), report.ToJsonString());
    }
}
