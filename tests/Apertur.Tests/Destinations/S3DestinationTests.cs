using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Tests.Support;

namespace Apertur.Tests.Destinations;

public sealed class SwiftS3DestinationTests() : S3DestinationTests(S3Service.Swift);

public sealed class CephS3DestinationTests() : S3DestinationTests(S3Service.Ceph)
{
    [Fact]
    public async Task Service_refuses_a_name_that_a_stranger_takes_meanwhile()
    {
        Relay.Before(
            request => request.Headers.IfNoneMatch.Count > 0, () => Bucket.WriteAsync("photos/IMG_0001.jpg", "a stranger's"));
        var delivery = Sample.Delivery(RelayedConfig("photos/{filename}"));
        Assert.IsType<DeliveryOutcome.Accepted>(await S3.DeliverAsync(delivery, Cancellation));

        Assert.Equal(["HEAD", "PUT if-none-match", "HEAD", "PUT"], Relay.Seen);
        Assert.Equal("a stranger's"u8.ToArray(), (await Bucket.ReadAsync("photos/IMG_0001.jpg")).Bytes);
        Assert.Equal(Sample.Bytes(delivery), (await Bucket.ReadAsync($"photos/IMG_0001-{delivery.ImageId}.jpg")).Bytes);
    }
}

/// <summary>What is particular to S3, against a real server.</summary>
public abstract class S3DestinationTests : IAsyncLifetime
{
    private readonly S3Service _service;
    private readonly OutboundHttp _http = new(allowPrivateNetworks: true);

    protected S3DestinationTests(S3Service service) => _service = service;

    private protected S3Destination S3 { get; private set; } = null!;

    private protected Bucket Bucket { get; private set; } = null!;

    private protected Relay Relay { get; private set; } = null!;

    private protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        S3 = new S3Destination(_http, TimeProvider.System);
        Bucket = await Bucket.MakeAsync(_service);
        Relay = await Relay.StartAsync(Bucket.Endpoint);
    }

    public async ValueTask DisposeAsync()
    {
        // Both are missing when the test is skipped for want of a server.
        if (Relay is not null)
            await Relay.DisposeAsync();
        Bucket?.Dispose();
        _http.Dispose();
        GC.SuppressFinalize(this);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(8 * 1024 * 1024)]
    [InlineData(8 * 1024 * 1024 + 1)]
    [InlineData(20_000_000)]
    public async Task Bytes_type_and_identity_arrive_at_every_length(int length)
    {
        var delivery = Sample.Delivery(Config(), length);
        var outcome = await S3.DeliverAsync(delivery, Cancellation);

        var key = $"apertur/2026-06-12/{delivery.SessionId}/2-IMG_0001.jpg";
        Assert.Equal(new DeliveryOutcome.Accepted($"{Bucket.Name}/{key}"), outcome);
        var (bytes, type, metadata) = await Bucket.ReadAsync(key);
        Assert.True(Sample.Bytes(delivery).AsSpan().SequenceEqual(bytes));
        Assert.Equal("image/jpeg", type);
        Assert.Equal(delivery.ImageId.ToString(), metadata["x-amz-meta-apertur-image-id"]);
        Assert.Equal(delivery.Sha256, metadata["x-amz-meta-apertur-sha256"]);
        Assert.Equal(delivery.SessionId.ToString(), metadata["x-amz-meta-apertur-session-id"]);
        Assert.Empty(await Bucket.UnfinishedUploadsAsync());
    }

    [Fact]
    public async Task Hash_of_what_was_sent_is_metadata()
    {
        var delivery = Sample.Delivery(Config()) with { OriginalSha256 = Sample.OriginalSha256 };
        Assert.IsType<DeliveryOutcome.Accepted>(await S3.DeliverAsync(delivery, Cancellation));

        var (_, _, metadata) = await Bucket.ReadAsync($"apertur/2026-06-12/{delivery.SessionId}/2-IMG_0001.jpg");
        Assert.Equal(Sample.OriginalSha256, metadata["x-amz-meta-apertur-original-sha256"]);
        Assert.Equal(delivery.Sha256, metadata["x-amz-meta-apertur-sha256"]);
    }

    [Fact]
    public async Task Words_of_the_sender_are_metadata_where_they_fit()
    {
        var delivery = Sample.Delivery(Config()) with { Answers = Sample.Answers, Caption = Sample.Caption };
        delivery.Answers!["reference"] = new string('ø', 200);
        Assert.IsType<DeliveryOutcome.Accepted>(await S3.DeliverAsync(delivery, Cancellation));

        var (_, _, metadata) = await Bucket.ReadAsync($"apertur/2026-06-12/{delivery.SessionId}/2-IMG_0001.jpg");
        Assert.Equal("Ann  Ødegård", Uri.UnescapeDataString(metadata["x-amz-meta-apertur-answer-name"]));
        Assert.Equal("two\nlines", Uri.UnescapeDataString(metadata["x-amz-meta-apertur-answer-note"]));
        Assert.Equal(Sample.Caption, Uri.UnescapeDataString(metadata["x-amz-meta-apertur-caption"]));
        Assert.DoesNotContain("x-amz-meta-apertur-answer-reference", metadata.Keys);
    }

    [Theory]
    [InlineData(1000)]
    [InlineData(9_000_000)]
    public async Task Every_body_carries_the_checksum_that_buckets_with_object_lock_demand(int length)
    {
        var bare = 0;
        Relay.Before(
            request => request.Method == "PUT" && request.Headers.ContentMD5.Count == 0,
            () => Task.FromResult(bare++));

        // The server compares it with what came.
        Assert.IsType<DeliveryOutcome.Accepted>(await S3.DeliverAsync(Sample.Delivery(RelayedConfig(), length), Cancellation));

        Assert.Equal(0, bare);
    }

    [Theory]
    [InlineData(1000, "PUT")]
    [InlineData(9_000_000, "POST")]
    public async Task A_lost_reply_leaves_one_object(int length, string lost)
    {
        Relay.LoseReply(request => request.Method == lost && !request.Query.ContainsKey("uploads"));
        var delivery = Sample.Delivery(RelayedConfig(), length);
        Assert.IsType<DeliveryOutcome.TryAgain>(await S3.DeliverAsync(delivery, Cancellation));
        Assert.Single(await Bucket.KeysAsync());
        Assert.IsType<DeliveryOutcome.Accepted>(await S3.DeliverAsync(delivery, Cancellation));
        Assert.Single(await Bucket.KeysAsync());
        Assert.Empty(await Bucket.UnfinishedUploadsAsync());
    }

    [Fact]
    public async Task A_service_without_conditional_writes_is_asked_for_one_once()
    {
        var asked = 0;
        Relay.RefuseCondition(501, "NotImplemented", () => Task.FromResult(asked++));
        await S3.DeliverAsync(Sample.Delivery(RelayedConfig()), Cancellation);
        await S3.DeliverAsync(Sample.Delivery(RelayedConfig()), Cancellation);
        Assert.Equal(1, asked);
        Assert.Equal(["HEAD", "PUT", "HEAD", "PUT"], Relay.Seen);
        Assert.Equal(2, (await Bucket.KeysAsync()).Count);
    }

    [Fact]
    public async Task A_stranger_who_takes_the_name_meanwhile_keeps_it()
    {
        Relay.RefuseCondition(412, "PreconditionFailed", () => Bucket.WriteAsync("photos/IMG_0001.jpg", "a stranger's"));
        var delivery = Sample.Delivery(RelayedConfig("photos/{filename}"));
        var outcome = await S3.DeliverAsync(delivery, Cancellation);

        var key = $"photos/IMG_0001-{delivery.ImageId}.jpg";
        Assert.Equal(new DeliveryOutcome.Accepted($"{Bucket.Name}/{key}"), outcome);
        Assert.Equal(Sample.Bytes(delivery), (await Bucket.ReadAsync(key)).Bytes);
        Assert.Equal("a stranger's"u8.ToArray(), (await Bucket.ReadAsync("photos/IMG_0001.jpg")).Bytes);
        Assert.Equal(outcome, await S3.DeliverAsync(delivery, Cancellation));
        Assert.Equal(2, (await Bucket.KeysAsync()).Count);
    }

    [Fact]
    public async Task A_stranger_who_takes_the_name_while_parts_are_sent_keeps_it()
    {
        Relay.Before(
            request => request.Query["partNumber"] == "1", () => Bucket.WriteAsync("photos/IMG_0001.jpg", "a stranger's"));
        var delivery = Sample.Delivery(RelayedConfig("photos/{filename}"), 9_000_000);
        Assert.IsType<DeliveryOutcome.Accepted>(await S3.DeliverAsync(delivery, Cancellation));

        Assert.Equal("a stranger's"u8.ToArray(), (await Bucket.ReadAsync("photos/IMG_0001.jpg")).Bytes);
        var (bytes, _, _) = await Bucket.ReadAsync($"photos/IMG_0001-{delivery.ImageId}.jpg");
        Assert.True(Sample.Bytes(delivery).AsSpan().SequenceEqual(bytes));
        Assert.Empty(await Bucket.UnfinishedUploadsAsync());
    }

    [Theory]
    [InlineData(412, "PreconditionFailed")]
    [InlineData(409, "ConditionalRequestConflict")]
    public async Task The_same_image_written_meanwhile_is_taken_as_delivered(int status, string code)
    {
        var delivery = Sample.Delivery(Config());
        Relay.RefuseCondition(status, code, () => S3.DeliverAsync(delivery, Cancellation));
        // As from another server, which knows nothing of the first one's turn.
        using var http = new OutboundHttp(allowPrivateNetworks: true);
        var outcome = await new S3Destination(http, TimeProvider.System).DeliverAsync(
            delivery with { Config = RelayedConfig() }, Cancellation);
        Assert.IsType<DeliveryOutcome.Accepted>(outcome);
        Assert.Single(await Bucket.KeysAsync());
    }

    [Fact]
    public async Task A_write_in_progress_elsewhere_is_tried_again()
    {
        Relay.RefuseCondition(409, "ConditionalRequestConflict", () => Task.CompletedTask);
        var outcome = await S3.DeliverAsync(Sample.Delivery(RelayedConfig()), Cancellation);
        Assert.Equal(409, Assert.IsType<DeliveryOutcome.TryAgain>(outcome).Status);
    }

    [Fact]
    public async Task Many_images_of_one_name_at_once_all_arrive()
    {
        var deliveries = Enumerable.Range(0, 12).Select(_ => Sample.Delivery(Config("photos/{filename}"))).ToList();
        await Task.WhenAll(deliveries.Select(delivery => S3.DeliverAsync(delivery, Cancellation)));

        var hashes = new List<string>();
        foreach (var key in await Bucket.KeysAsync())
            hashes.Add((await Bucket.ReadAsync(key)).Metadata["x-amz-meta-apertur-sha256"]);
        Assert.Equal(deliveries.Select(delivery => delivery.Sha256).Order(), hashes.Order());
    }

    [Fact]
    public async Task An_answer_without_end_is_cut_off()
    {
        Relay.Flood();
        var outcome = await S3.DeliverAsync(Sample.Delivery(RelayedConfig()), Cancellation);
        Assert.IsType<DeliveryOutcome.TryAgain>(outcome);
    }

    [Theory]
    [InlineData("bucket", "../other")]
    [InlineData("bucket", "arn:aws:s3:::b")]
    [InlineData("region", "evil.example/")]
    [InlineData("endpoint", "ftp://files.example")]
    [InlineData("keyTemplate", "a/../{filename}")]
    [InlineData("keyTemplate", "{filenam}")]
    [InlineData("storageClass", "standard ia")]
    [InlineData("serverSideEncryption", "rot13")]
    public void Bad_settings_are_refused_by_name(string field, string value)
    {
        var (_, errors) = DestinationConfig.Validate(S3.Fields, Bucket.Config(new JsonObject { [field] = value }));
        Assert.Equal(field, Assert.Single(errors).Field);
    }

    private DestinationConfig Config(string template) => Config(new JsonObject { ["keyTemplate"] = template });

    private protected DestinationConfig RelayedConfig(string? template = null) =>
        Config(new JsonObject { ["endpoint"] = Relay.Endpoint, ["keyTemplate"] = template ?? KeyTemplate.Default });

    private DestinationConfig Config(JsonObject? more = null) => Sample.Config(S3, Bucket.Config(more));
}
