using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server.Health;
using Apertur.Server.Storage;
using Apertur.Tests.Destinations;
using Apertur.Tests.Encryption;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Apertur.Tests.Blobs;

/// <summary>A server that keeps its photos in an object store: what somebody sees of it who sends and fetches photos, and who runs it.</summary>
public sealed class ObjectStoreTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [AllDatabases(S3Service.Swift), AllDatabases(S3Service.Ceph)]
    public async Task Photos_come_in_and_go_out_by_every_way_and_touch_no_disk(DatabaseKind database, S3Service service)
    {
        using var bucket = await Bucket.MakeAsync(service);
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database, bucket.StorageSettings());
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var session = await app.Client.CreateSessionAsync(new JsonObject
        {
            ["destination_ids"] = new JsonArray(webhook),
            ["long_polling"] = true,
        });
        foreach (var photo in new[] { Photos.Png(), Photos.Jpeg(200_000, seed: 1), Photos.Jpeg(9_000_000, seed: 2) })
        {
            var id = (string)(await app.Client.UploadAsync(session, photo))["id"]!;
            await app.Client.UploadBecomesAsync(id, "delivered");
            Assert.Contains($"photos/{BlobStore.KeyOf(Guid.Parse(id))}", await bucket.KeysAsync());
            foreach (var way in new[] { $"uploads/{id}/download", $"upload-sessions/{session}/images/{id}" })
            {
                Assert.Equal(photo, (await app.Client.GetAsync(way)).Expect(HttpStatusCode.OK).Bytes);
                var part = await app.Client.SendAsync(HttpMethod.Get, way, headers: ("Range", "bytes=100-199"));
                Assert.Equal(photo[100..200], part.Expect(HttpStatusCode.PartialContent).Bytes);
            }

            (await app.Client.SendAsync(HttpMethod.Delete, $"uploads/{id}")).Expect(HttpStatusCode.NoContent);
        }

        Assert.Equal(3, receiver.Requests.Count);
        Assert.Equal(["photos/owner"], (await bucket.KeysAsync()).Where(key => key != "photos/probe"));
        Assert.DoesNotContain(
            Directory.GetFiles(app.DataFolder, "*", SearchOption.AllDirectories), path => path.Contains("/images/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Encrypted_photos_are_opened_or_kept_sealed_whatever_their_size()
    {
        using var bucket = await Bucket.MakeAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite, bucket.StorageSettings());
        var session = await app.Client.CreateSessionAsync();
        var serverKey = await app.ServerKeyAsync();
        foreach (var photo in new[] { Photos.Jpeg(200_000, seed: 1), Photos.Jpeg(9_000_000, seed: 2) })
        {
            var envelope = Sealed.Here(serverKey, photo);
            var answer = (await app.PostFormAsync(session, envelope.Bytes(), "photo.jpg.enc")).Expect(HttpStatusCode.Created);
            Assert.Equal(photo, (await app.Client.GetAsync($"uploads/{answer.Json["id"]}/download")).Expect(HttpStatusCode.OK).Bytes);
        }

        await app.WriteAsync(db => db.Projects.ExecuteUpdateAsync(project => project.SetProperty(p => p.E2ePublicKey, serverKey), Cancellation));
        var sealedOne = Sealed.Here(serverKey, Photos.Jpeg(9_000_000, seed: 3)).Bytes();
        var kept = (await app.PostFormAsync(session, sealedOne, "photo.jpg", "e2e")).Expect(HttpStatusCode.Created);
        Assert.Equal(sealedOne, (await app.Client.GetAsync($"uploads/{kept.Json["id"]}/download")).Expect(HttpStatusCode.OK).Bytes);

        // Two photos, an envelope, and nothing of the envelopes that were opened.
        Assert.Equal(3, (await bucket.KeysAsync()).Count(key => key is not ("photos/owner" or "photos/probe")));
        Assert.Empty(await bucket.UnfinishedUploadsAsync());
    }

    [Fact]
    public async Task Refused_photo_leaves_nothing_behind()
    {
        using var bucket = await Bucket.MakeAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite, bucket.StorageSettings());
        var session = await app.Client.CreateSessionAsync(new JsonObject { ["max_image_size_mb"] = 18, ["max_image_dimension"] = 10 });

        (await app.Client.PostImageAsync(session, Photos.Jpeg(19_000_000, seed: 1))).Expect(HttpStatusCode.RequestEntityTooLarge);
        // Seen when all of it has been sent on.
        (await app.Client.PostImageAsync(session, Photos.Jpeg(9_000_000, seed: 2))).Expect(HttpStatusCode.RequestEntityTooLarge);
        (await app.Client.PostImageAsync(session, [.. Photos.Jpeg()[..20], .. new byte[9_000_000]])).Expect(HttpStatusCode.UnsupportedMediaType);
        var unlimited = await app.Client.CreateSessionAsync();
        (await app.Client.PostImageAsync(unlimited, Photos.Jpeg(9_000_000, seed: 2), headers: ("Repr-Digest", $"sha-256=:{Convert.ToBase64String(new byte[32])}:")))
            .Expect(HttpStatusCode.BadRequest);

        Assert.Equal(["photos/owner"], (await bucket.KeysAsync()).Where(key => key != "photos/probe"));
        Assert.Empty(await bucket.UnfinishedUploadsAsync());
    }

    [Fact]
    public async Task Thumbnail_is_made_of_the_object_and_goes_with_it()
    {
        using var bucket = await Bucket.MakeAsync();
        await using var app = await AperturApp.StartAsync(
            DatabaseKind.Sqlite, new Dictionary<string, string?>(bucket.StorageSettings()) { ["Thumbnails:AtOnce"] = "2" });
        var id = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(), Photos.Jpeg(9_000_000, seed: 2)))["id"]!;

        var small = (await app.Client.GetAsync($"uploads/{id}/thumbnail")).Expect(HttpStatusCode.OK).Bytes;

        var key = $"photos/{BlobStore.KeyOf(Guid.Parse(id))}.jpg";
        Assert.Equal(small, (await bucket.ReadAsync(key)).Bytes);
        Assert.Equal(small, (await app.Client.GetAsync($"uploads/{id}/thumbnail")).Expect(HttpStatusCode.OK).Bytes);
        (await app.Client.SendAsync(HttpMethod.Delete, $"uploads/{id}")).Expect(HttpStatusCode.NoContent);
        Assert.DoesNotContain(key, await bucket.KeysAsync());
    }

    [Theory]
    [InlineData("truncated", "IMAGE_DAMAGED"), InlineData("altered", "IMAGE_DAMAGED"), InlineData("extended", "IMAGE_DAMAGED"), InlineData("missing", "IMAGE_MISSING")]
    public async Task Object_that_is_not_what_was_received_is_told_and_never_given_out(string damage, string code)
    {
        using var bucket = await Bucket.MakeAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite, bucket.StorageSettings());
        var photo = Photos.Jpeg(200_000, seed: 7);
        var id = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(), photo))["id"]!;
        var key = $"photos/{BlobStore.KeyOf(Guid.Parse(id))}";
        await (damage switch
        {
            "truncated" => bucket.WriteAsync(key, photo[..^1]),
            "extended" => bucket.WriteAsync(key, [.. photo, 0]),
            "altered" => bucket.WriteAsync(key, [.. photo[..^1], (byte)(photo[^1] ^ 1)]),
            _ => bucket.DeleteAsync(key),
        });

        var answer = (await app.Client.GetAsync($"uploads/{id}/download")).Expect(HttpStatusCode.InternalServerError);

        Assert.Equal(code, (string)answer.Json["code"]!);
        Assert.Single(app.Log.Lines, line => line.Contains("image.damaged", StringComparison.Ordinal));
        var found = await app.TryCommandAsync("fsck", "--hashes");
        Assert.Equal((2, damage), (found.ExitCode, (string)JsonNode.Parse(found.Output)!["damaged"]![0]!["damage"]!));
        await bucket.WriteAsync(key, photo);
        Assert.Equal(photo, (await app.Client.GetAsync($"uploads/{id}/download")).Expect(HttpStatusCode.OK).Bytes);
    }

    [Theory, AllDatabases]
    public async Task Object_without_a_row_is_set_aside_and_adopted(DatabaseKind database)
    {
        using var bucket = await Bucket.MakeAsync();
        await using var app = await AperturApp.StartAsync(database, bucket.StorageSettings());
        var photo = Photos.Jpeg(200_000, seed: 7);
        var id = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(), photo))["id"]!;
        // As an older database has it.
        await app.WriteAsync(async db =>
        {
            await db.Uploads.ExecuteDeleteAsync(Cancellation);
            await db.Sessions.ExecuteDeleteAsync(Cancellation);
            await db.DailyCounts.ExecuteDeleteAsync(Cancellation);
            await db.MinuteCounts.ExecuteDeleteAsync(Cancellation);
        });
        Assert.Single((await app.CommandAsync("fsck"))["orphaned"]!.AsArray());
        // The store's own clock says when an object was written.
        app.Clock.Jump(TimeProvider.System.GetUtcNow().AddHours(25) - app.Clock.GetUtcNow());
        await app.Services.GetServices<IHostedService>().OfType<OrphanCleanup>().Single().RunOnceAsync(Cancellation);
        Assert.Contains($"photos/quarantine/{app.Clock.GetUtcNow():yyyy-MM-dd}/{id}", await bucket.KeysAsync());
        Assert.DoesNotContain($"photos/{BlobStore.KeyOf(Guid.Parse(id))}", await bucket.KeysAsync());

        var adopted = await app.CommandAsync("fsck", "--adopt", "--stopped", "--project", $"{app.ProjectId}");

        Assert.Equal(id, (string)adopted["adopted"]![0]!["photos"]![0]!);
        Assert.Equal(photo, (await app.Client.GetAsync($"uploads/{id}/download")).Expect(HttpStatusCode.OK).Bytes);
    }

    [Theory, AllDatabases]
    public async Task Server_of_another_database_does_not_start_on_the_bucket(DatabaseKind database)
    {
        using var bucket = await Bucket.MakeAsync();
        await using var app = await AperturApp.StartAsync(database, bucket.StorageSettings());
        await app.Client.UploadAsync(await app.Client.CreateSessionAsync(), Photos.Png());

        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => AperturApp.StartAsync(database, bucket.StorageSettings()));

        Assert.Contains("belongs to another database", refused.Message, StringComparison.Ordinal);
        await bucket.DeleteAsync("photos/owner");
        Assert.Contains(
            "does not carry the mark", (await Assert.ThrowsAsync<InvalidOperationException>(() => app.RestartAsync())).Message, StringComparison.Ordinal);
        await app.CommandAsync("images", "claim");
        await app.RestartAsync();
    }

    /// <summary>The parts of a photo's way, cut off one after the other: the network is there or not.</summary>
    [Theory, AllDatabases]
    public async Task Store_out_of_reach_refuses_photos_for_now_and_they_are_taken_again_when_it_is_back(DatabaseKind database)
    {
        using var bucket = await Bucket.MakeAsync();
        await using var network = new PortForward(bucket.Endpoint);
        await using var app = await AperturApp.StartAsync(database, bucket.StorageSettings(endpoint: network.Url));
        var session = await app.Client.CreateSessionAsync();
        var before = (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!;

        network.Cut();

        foreach (var photo in new[] { Photos.Jpeg(200_000, seed: 1), Photos.Jpeg(9_000_000, seed: 2) })
        {
            var answer = (await app.Client.PostImageAsync(session, photo)).Expect(HttpStatusCode.ServiceUnavailable);
            Assert.NotNull(answer.Headers.RetryAfter);
        }

        (await app.Client.GetAsync($"uploads/{before}/download")).Expect(HttpStatusCode.ServiceUnavailable);
        app.Clock.Advance(Readiness.Freshness);
        var problem = (await app.ClientOf(null).GetAsync("/readyz")).Expect(HttpStatusCode.ServiceUnavailable).Json["problems"]![0]!;
        Assert.Equal(("images", "The object store does not answer, or its answer broke off."), ((string)problem["check"]!, (string)problem["detail"]!));
        (await app.Client.GetAsync("uploads")).Expect(HttpStatusCode.OK);
        Assert.DoesNotContain(app.Log.Lines, line => line.Contains("image.damaged", StringComparison.Ordinal));

        network.Target = bucket.Endpoint;

        await app.Client.UploadAsync(session, Photos.Jpeg(9_000_000, seed: 3));
        Assert.Equal(Photos.Png(), (await app.Client.GetAsync($"uploads/{before}/download")).Expect(HttpStatusCode.OK).Bytes);
        app.Clock.Advance(Readiness.Freshness);
        (await app.ClientOf(null).GetAsync("/readyz")).Expect(HttpStatusCode.OK);
        Assert.Equal(2, (int)(await app.Client.GetAsync("stats")).Json["imagesUploaded"]!);
        await OnlyPhotosAsync(bucket, 2);
    }

    [Fact]
    public async Task Store_that_breaks_off_in_the_middle_of_a_photo_keeps_nothing_of_it()
    {
        using var bucket = await Bucket.MakeAsync();
        await using var relay = await Relay.StartAsync(bucket.Endpoint);
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite, bucket.StorageSettings(endpoint: relay.Endpoint));
        var session = await app.Client.CreateSessionAsync();
        // The service refuses by words of its own: no more room, a fault, too many requests.
        foreach (var (status, code, refused) in new[]
        {
            (507, "XMinioStorageFull", HttpStatusCode.InsufficientStorage), (403, "QuotaExceeded", HttpStatusCode.InsufficientStorage),
            (413, "EntityTooLarge", HttpStatusCode.InsufficientStorage), (500, "InternalError", HttpStatusCode.ServiceUnavailable),
            (503, "SlowDown", HttpStatusCode.ServiceUnavailable), (403, "AccessDenied", HttpStatusCode.ServiceUnavailable),
            (404, "NoSuchBucket", HttpStatusCode.ServiceUnavailable),
        })
        {
            relay.Answer(status, code);
            var answer = (await app.Client.PostImageAsync(session, Photos.Jpeg(200_000, seed: 1))).Expect(refused);
            Assert.True(refused == HttpStatusCode.InsufficientStorage || answer.Headers.RetryAfter is not null);
            app.Clock.Advance(Readiness.Freshness);
            var problem = (await app.ClientOf(null).GetAsync("/readyz")).Expect(refused).Json["problems"]![0]!;
            Assert.Contains("object store", (string)problem["detail"]!, StringComparison.Ordinal);
            Assert.DoesNotContain("wrong-secret-key", answer.Text + problem, StringComparison.Ordinal);
        }

        // Whatever of it is carried out, the sender does not learn of it: the last part, the end of the parts, the only request.
        foreach (var (photo, which) in new (byte[], Func<Microsoft.AspNetCore.Http.HttpRequest, bool>)[]
        {
            (Photos.Jpeg(9_000_000, seed: 2), request => request.Query["partNumber"] == "2"),
            (Photos.Jpeg(9_000_000, seed: 3), request => request.Method == "POST" && request.Query.ContainsKey("uploadId")),
            (Photos.Jpeg(200_000, seed: 4), request => request.Method == "PUT"),
        })
        {
            relay.LoseReplies(which);
            (await app.Client.PostImageAsync(session, photo)).Expect(HttpStatusCode.ServiceUnavailable);
            relay.LoseReplies(_ => false);
        }

        await app.Client.UploadAsync(session, Photos.Jpeg(200_000, seed: 5));
        Assert.Equal(1, (int)(await app.Client.GetAsync("stats")).Json["imagesUploaded"]!);
        await OnlyPhotosAsync(bucket, 1);
    }

    /// <summary>Waits until there is nothing but so many photos in the bucket: what could not be removed at once is, when the store answers again.</summary>
    private static async Task OnlyPhotosAsync(Bucket bucket, int photos)
    {
        await Eventually.Becomes(
            async () => (await bucket.KeysAsync()).Where(key => key is not ("photos/owner" or "photos/probe")).ToList(), keys => keys.Count == photos);
        await Eventually.Becomes(bucket.UnfinishedUploadsAsync, uploads => uploads.Count == 0);
    }
}
