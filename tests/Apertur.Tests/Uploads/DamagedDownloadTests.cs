using System.Net;
using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Server.Health;
using Apertur.Server.Storage;
using Apertur.Server.Uploads;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Uploads;

/// <summary>What somebody gets who fetches a photo that is no longer what was received: an error, and never other bytes as success.</summary>
public sealed class DamagedDownloadTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [AllDatabases("truncated", "IMAGE_DAMAGED"), AllDatabases("extended", "IMAGE_DAMAGED"), AllDatabases("altered", "IMAGE_DAMAGED")]
    [AllDatabases("missing", "IMAGE_MISSING")]
    public async Task Damaged_photo_is_refused_on_every_way_out_and_told_once(DatabaseKind database, string damage, string code)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["long_polling"] = true });
        var photo = Photos.Jpeg(200_000, seed: 7);
        var id = (string)(await app.Client.UploadAsync(session, photo))["id"]!;
        var path = app.Services.GetRequiredService<BlobStore>().PathOf(Guid.Parse(id));
        Damage(path, damage);

        foreach (var way in new[] { $"uploads/{id}/download", $"upload-sessions/{session}/images/{id}", Link(app, id) })
        {
            foreach (var headers in new (string, string)[][] { [], [("Range", "bytes=0-99")] })
            {
                var answer = (await app.Client.SendAsync(HttpMethod.Get, way, headers: headers)).Expect(HttpStatusCode.InternalServerError);
                Assert.Equal(code, (string)answer.Json["code"]!);
            }
        }

        Assert.Single(app.Log.Lines, line => line.Contains("image.damaged", StringComparison.Ordinal));
        Assert.Equal(damage, await DamageAsync(app, id));
        var problem = (await app.ClientOf(null).GetAsync("/readyz")).Expect(HttpStatusCode.OK).Json["problems"]![0]!;
        Assert.Equal("photos", (string)problem["check"]!);
        Assert.Contains(": 1.", (string)problem["detail"]!, StringComparison.Ordinal);

        await File.WriteAllBytesAsync(path, photo, Cancellation);

        Assert.Equal(photo, (await app.Client.GetAsync($"uploads/{id}/download")).Expect(HttpStatusCode.OK).Bytes);
        Assert.Null(await DamageAsync(app, id));
        app.Clock.Advance(Readiness.Freshness);
        Assert.Null((await app.ClientOf(null).GetAsync("/readyz")).Json["problems"]);
    }

    [Fact]
    public async Task Photo_that_is_damaged_while_it_is_downloaded_breaks_off()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        // More than the buffers of sockets take, so that the end is not on its way before the beginning is read.
        var photo = Photos.Jpeg(40_000_000, seed: 7);
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["max_image_size_mb"] = 50 });
        var id = (string)(await app.Client.UploadAsync(session, photo))["id"]!;
        using var http = new OutboundHttp(allowPrivateNetworks: true);
        using var request = new HttpRequestMessage(HttpMethod.Get, app.Url + Link(app, id));

        using var response = await http.SendAsync(request, Cancellation);
        var path = app.Services.GetRequiredService<BlobStore>().PathOf(Guid.Parse(id));
        await using (var file = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            file.Position = photo.Length - 10;
            file.WriteByte((byte)(photo[^10] ^ 1));
        }

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        await Assert.ThrowsAnyAsync<Exception>(() => response.Content.ReadAsByteArrayAsync(Cancellation));
        await Eventually.Becomes(() => DamageAsync(app, id), damage => damage == "altered", "it is told");
    }

    [Fact]
    public async Task Photo_that_was_removed_meanwhile_is_not_noted_as_damaged()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var id = Guid.Parse((string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(), Photos.Png()))["id"]!);
        await using var db = app.Services.GetRequiredService<Database>().Open();
        var read = await db.Uploads.SingleAsync(upload => upload.Id == id, Cancellation);

        await app.WriteAsync(db => db.Uploads.ExecuteUpdateAsync(row => row.SetProperty(u => u.RemovedAt, app.Clock.GetUtcNow()), Cancellation));
        await app.Services.GetRequiredService<StoredImages>().TellAsync(read, ImageFault.Altered, Cancellation);

        Assert.Null((await db.Uploads.SingleAsync(upload => upload.Id == id, Cancellation)).Damage);
    }

    [Fact]
    public async Task Folder_of_another_database_says_nothing_of_any_photo()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var id = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(), Photos.Jpeg()))["id"]!;
        Directory.Move(Path.Combine(app.DataFolder, "images"), Path.Combine(app.DataFolder, "elsewhere"));

        var answer = await app.Client.GetAsync($"uploads/{id}/download");

        answer.Expect(HttpStatusCode.ServiceUnavailable);
        Assert.Null(await DamageAsync(app, id));
    }

    private static void Damage(string path, string damage)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        switch (damage)
        {
            case "truncated":
                file.SetLength(file.Length - 1);
                break;
            case "extended":
                file.SetLength(file.Length + 1);
                break;
            case "altered":
                file.Position = 100_000;
                var flipped = (byte)(file.ReadByte() ^ 0x08);
                file.Position = 100_000;
                file.WriteByte(flipped);
                break;
            default:
                File.Delete(path);
                break;
        }
    }

    /// <summary>The signed link, from its host on.</summary>
    private static string Link(AperturApp app, string id) =>
        app.Services.GetRequiredService<DownloadLinks>().Create(Guid.Parse(id)).PathAndQuery;

    private static async Task<string?> DamageAsync(AperturApp app, string id)
    {
        await using var db = app.Services.GetRequiredService<Database>().Open();
        var uploadId = Guid.Parse(id);
        var upload = await db.Uploads.AsNoTracking().SingleAsync(u => u.Id == uploadId, Cancellation);
        Assert.Equal(upload.Damage is null, upload.DamagedAt is null);
        return upload.Damage?.ToString().ToLowerInvariant();
    }
}
