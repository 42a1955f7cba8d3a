using Apertur.Server;
using Apertur.Server.Blobs;
using Apertur.Server.Storage;
using Apertur.Tests.Destinations;
using Apertur.Tests.Support;

namespace Apertur.Tests.Blobs;

public sealed class SwiftS3BlobsTests() : S3BlobsTests(S3Service.Swift);

public sealed class CephS3BlobsTests() : S3BlobsTests(S3Service.Ceph)
{
    [Fact]
    public async Task Small_blob_that_another_server_writes_meanwhile_stays()
    {
        await using var relay = await Relay.StartAsync(Bucket.Endpoint);
        using var blobs = new S3Blobs(Settings(relay.Endpoint));
        relay.Before(request => request.Headers.IfNoneMatch.Count > 0, () => Bucket.WriteAsync("owner", [1]));

        Assert.False(await blobs.WriteAsync("owner", new byte[] { 2, 2 }, overwrite: false, Cancellation));

        Assert.Equal([1], await ReadAsync("owner"));
    }
}

/// <summary>Blobs in a bucket, and what only an object store does.</summary>
public abstract class S3BlobsTests : BlobsConformance, IAsyncLifetime
{
    private readonly S3Service _service;
    private S3Blobs? _blobs;

    protected S3BlobsTests(S3Service service) => _service = service;

    private protected Bucket Bucket { get; private set; } = null!;

    private protected override IBlobs Blobs => _blobs!;

    public async ValueTask InitializeAsync()
    {
        Bucket = await Bucket.MakeAsync(_service);
        _blobs = new S3Blobs(Settings());
    }

    public ValueTask DisposeAsync()
    {
        _blobs?.Dispose();
        Bucket?.Dispose();
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }

    private protected override Task<IReadOnlyList<string>> UnfinishedAsync() => Bucket.UnfinishedUploadsAsync();

    [Fact]
    public async Task Small_image_is_one_request_and_a_large_one_goes_in_parts_while_it_comes_in()
    {
        await using var relay = await Relay.StartAsync(Bucket.Endpoint);
        using var blobs = new S3Blobs(Settings(relay.Endpoint));
        await using (var small = new BlobStore(blobs).Create(Guid.CreateVersion7()))
        {
            await FillAsync(small, Bytes(S3Blobs.PartBytes));
            Assert.Empty(relay.Seen);
            await small.SyncAsync(Cancellation);
            Assert.Equal(["PUT"], relay.Seen);
        }

        var before = relay.Seen.Count;
        await using (var large = new BlobStore(blobs).Create(Guid.CreateVersion7()))
        {
            await FillAsync(large, Bytes((2 * S3Blobs.PartBytes) + 1));
            Assert.Equal(["POST", "PUT", "PUT"], relay.Seen.Skip(before));
            await large.SyncAsync(Cancellation);
            // Ceph's answer to the end of the parts has an empty entity tag, so the object is looked at.
            string[] proof = _service == S3Service.Ceph ? ["HEAD"] : [];
            Assert.Equal(["POST", "PUT", "PUT", "PUT", "POST", .. proof], relay.Seen.Skip(before));
        }
    }

    [Fact]
    public async Task Answer_that_nothing_was_stored_for_is_no_success()
    {
        await using var page = await Receiver.StartAsync();
        using var blobs = new S3Blobs(Settings(new Uri(page.Url).GetLeftPart(UriPartial.Authority)));
        var writer = new BlobStore(blobs).Create(Guid.CreateVersion7());
        await FillAsync(writer, Bytes(10));

        await Assert.ThrowsAsync<ObjectStoreException>(() => writer.SyncAsync(Cancellation));

        Assert.False(blobs.IsProven);
        await writer.DisposeAsync();
    }

    [Fact]
    public async Task Image_whose_reply_was_lost_is_removed_when_the_store_answers_again()
    {
        await using var relay = await Relay.StartAsync(Bucket.Endpoint);
        using var blobs = new S3Blobs(Settings(relay.Endpoint));
        relay.Answer(403, "AccessDenied");
        await using (var writer = new BlobStore(blobs).Create(Guid.CreateVersion7()))
        {
            await FillAsync(writer, Bytes(10));
            // It arrives past the relay, as it does when only the way back is cut.
            await _blobs!.WriteAsync(BlobStore.KeyOf(writer.Id), new byte[10], overwrite: true, Cancellation);
            Assert.Contains("credentials", (await Assert.ThrowsAsync<ObjectStoreException>(() => writer.SyncAsync(Cancellation))).Message, StringComparison.Ordinal);
        }

        Assert.Single(await ListAsync());
        relay.Before(_ => false, () => Task.CompletedTask);
        await blobs.CheckAsync(Cancellation);

        await Eventually.Becomes(() => Store.EnumerateAsync(Cancellation).CountAsync(Cancellation).AsTask(), left => left == 0);
    }

    [Fact]
    public async Task Parts_that_a_crash_left_are_ended_when_they_are_old()
    {
        // Not disposed: nobody was left to do it.
        var writer = Store.Create(Guid.CreateVersion7());
        await FillAsync(writer, Bytes(S3Blobs.PartBytes + 1));
        Assert.Single(await UnfinishedAsync());

        await Blobs.DeleteDraftsAsync(TimeProvider.System.GetUtcNow().AddHours(-1), Cancellation);
        Assert.Single(await UnfinishedAsync());
        await Blobs.DeleteDraftsAsync(TimeProvider.System.GetUtcNow().AddHours(1), Cancellation);
        Assert.Empty(await UnfinishedAsync());
    }

    [Fact]
    public async Task Nothing_outside_of_the_prefix_is_seen_or_touched()
    {
        using var below = new S3Blobs(Settings(prefix: "/photos/apertur/"));
        var id = Guid.CreateVersion7();
        await Bucket.WriteAsync($"photos/{BlobStore.KeyOf(id)}", "somebody else's");
        await using (var writer = new BlobStore(below).Create(id))
        {
            await FillAsync(writer, Bytes(10));
            await writer.SyncAsync(Cancellation);
            writer.Keep();
        }

        Assert.Contains($"photos/apertur/{BlobStore.KeyOf(id)}", await Bucket.KeysAsync());
        Assert.Equal([id], await new BlobStore(below).EnumerateAsync(Cancellation).Select(blob => blob.Id).ToListAsync(Cancellation));
        await new BlobStore(below).DeleteAsync(id, Cancellation);
        Assert.Equal([$"photos/{BlobStore.KeyOf(id)}"], await Bucket.KeysAsync());
    }

    [Fact]
    public async Task Private_address_is_reached_only_where_the_operator_allows_it()
    {
        using var blobs = new S3Blobs(Settings(allowPrivateNetworks: false));
        var refused = await Assert.ThrowsAsync<ObjectStoreException>(() => blobs.CheckAsync(Cancellation));
        Assert.Contains("Storage:S3:AllowPrivateNetworks", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Images_that_are_held_up_take_no_more_memory_than_there_is_for_them()
    {
        using var budget = new BufferBudget(1);
        using var one = new PartBuffer(budget);
        await one.AddAsync(new byte[1024 * 1024], Cancellation);
        using var two = new PartBuffer(budget);
        var waiting = two.AddAsync(new byte[1], Cancellation).AsTask();
        Assert.False(waiting.IsCompleted);
        one.Dispose();
        await Eventually.Arrives(waiting);
    }

    private protected S3StorageSettings Settings(string? endpoint = null, string prefix = "", bool allowPrivateNetworks = true) => new()
    {
        Endpoint = endpoint ?? Bucket.Endpoint,
        Bucket = Bucket.Name,
        Prefix = prefix,
        Region = "us-east-1",
        AccessKeyId = Bucket.AccessKeyId,
        SecretAccessKey = Bucket.SecretAccessKey,
        PathStyle = true,
        AllowPrivateNetworks = allowPrivateNetworks,
        BufferMb = 64,
    };
}
