using System.Net;
using System.Security.Cryptography;
using System.Text;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Apertur.Tests.Support;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Uploads;

/// <summary>Links that payloads hold: whoever has one gets one photo, for a day.</summary>
public sealed class DownloadLinkTests
{
    [Theory, AllDatabases]
    public async Task Link_gives_its_photo_for_24_hours_and_nothing_else(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        var mine = (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!;
        var other = (string)(await app.Client.UploadAsync(session, Photos.Png(), "2.png"))["id"]!;
        var link = app.Services.GetRequiredService<DownloadLinks>().Create(Guid.Parse(mine)).PathAndQuery;
        var expires = app.Clock.GetUtcNow().AddDays(1).ToUnixTimeSeconds();
        async Task<HttpStatusCode> OpensAsync(string path) => (await app.ClientOf(null).GetAsync(path)).Status;

        Assert.Equal(HttpStatusCode.OK, await OpensAsync(link));
        foreach (var (from, to) in new[]
        {
            (mine, other), ($"expires={expires}", $"expires={expires + 3600}"), ($"expires={expires}", "expires=soon"), ($"expires={expires}&", ""),
            ("&signature=", "&signature=0"), (link[link.IndexOf("&signature", StringComparison.Ordinal)..], ""),
        })
        {
            var forged = link.Replace(from, to, StringComparison.Ordinal);
            Assert.NotEqual(link, forged);
            Assert.Equal((forged, HttpStatusCode.NotFound), (forged, await OpensAsync(forged)));
        }

        // It is ours and taken as we wrote it, so that a photo has one address.
        var signature = link.Split("signature=")[1];
        Assert.Matches("^[0-9a-f]{64}$", signature);
        Assert.Equal(HttpStatusCode.NotFound, await OpensAsync(link.Replace(signature, signature.ToUpperInvariant(), StringComparison.Ordinal)));

        // Of a photo there is not, and of a rendition that another version of this program named.
        Assert.Equal(HttpStatusCode.NotFound, await OpensAsync(app.Services.GetRequiredService<DownloadLinks>().Create(Guid.NewGuid()).PathAndQuery));
        var odd = Convert.ToHexStringLower(HMACSHA256.HashData(
            app.Services.GetRequiredService<DerivedKeys>().Key("download"), Encoding.UTF8.GetBytes($"{mine}.{expires}.odd")));
        Assert.Equal(HttpStatusCode.NotFound, await OpensAsync($"/api/v1/downloads/{mine}?rendition=odd&expires={expires}&signature={odd}"));

        app.Clock.Jump(TimeSpan.FromDays(1));
        Assert.Equal(HttpStatusCode.OK, await OpensAsync(link));
        app.Clock.Jump(TimeSpan.FromSeconds(1));
        Assert.Equal(HttpStatusCode.NotFound, await OpensAsync(link));
    }
}
