using System.Text.Json.Nodes;
using Apertur.Destinations;

namespace Apertur.Tests.Destinations;

/// <summary>What is particular to S3, against a real server.</summary>
public sealed class S3DestinationTests : IAsyncLifetime
{
    private readonly OutboundHttp _http = new(allowPrivateNetworks: true);
    private S3Destination _s3 = null!;
    private Bucket _bucket = null!;
    private Relay _relay = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _s3 = new S3Destination(_http, TimeProvider.System);
        _bucket = await Bucket.MakeAsync();
        _relay = await Relay.StartAsync(_bucket.Endpoint);
    }

    public async ValueTask DisposeAsync()
    {
        // Both are missing when the test is skipped for want of a server.
        if (_relay is not null)
            await _relay.DisposeAsync();
        _bucket?.Dispose();
        _http.Dispose();
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
        var outcome = await _s3.DeliverAsync(delivery, Cancellation);

        var key = $"apertur/2026-06-12/{delivery.SessionId}/2-IMG_0001.jpg";
        Assert.Equal(new DeliveryOutcome.Accepted($"{_bucket.Name}/{key}"), outcome);
        var (bytes, type, metadata) = await _bucket.ReadAsync(key);
        Assert.True(Sample.Bytes(delivery).AsSpan().SequenceEqual(bytes));
        Assert.Equal("image/jpeg", type);
        Assert.Equal(delivery.ImageId.ToString(), metadata["x-amz-meta-apertur-image-id"]);
        Assert.Equal(delivery.Sha256, metadata["x-amz-meta-apertur-sha256"]);
        Assert.Equal(delivery.SessionId.ToString(), metadata["x-amz-meta-apertur-session-id"]);
        Assert.Empty(await _bucket.UnfinishedUploadsAsync());
    }

    [Fact]
    public async Task Hash_of_what_was_sent_is_metadata()
    {
        var delivery = Sample.Delivery(Config()) with { OriginalSha256 = Sample.OriginalSha256 };
        Assert.IsType<DeliveryOutcome.Accepted>(await _s3.DeliverAsync(delivery, Cancellation));

        var (_, _, metadata) = await _bucket.ReadAsync($"apertur/2026-06-12/{delivery.SessionId}/2-IMG_0001.jpg");
        Assert.Equal(Sample.OriginalSha256, metadata["x-amz-meta-apertur-original-sha256"]);
        Assert.Equal(delivery.Sha256, metadata["x-amz-meta-apertur-sha256"]);
    }

    [Fact]
    public async Task Words_of_the_sender_are_metadata_where_they_fit()
    {
        var delivery = Sample.Delivery(Config()) with { Answers = Sample.Answers, Caption = Sample.Caption };
        delivery.Answers!["reference"] = new string('ø', 200);
        Assert.IsType<DeliveryOutcome.Accepted>(await _s3.DeliverAsync(delivery, Cancellation));

        var (_, _, metadata) = await _bucket.ReadAsync($"apertur/2026-06-12/{delivery.SessionId}/2-IMG_0001.jpg");
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
        _relay.Before(
            request => request.Method == "PUT" && request.Headers.ContentMD5.Count == 0,
            () => Task.FromResult(bare++));

        // The server compares it with what came.
        Assert.IsType<DeliveryOutcome.Accepted>(await _s3.DeliverAsync(Sample.Delivery(RelayedConfig(), length), Cancellation));

        Assert.Equal(0, bare);
    }

    [Theory]
    [InlineData(1000, "PUT")]
    [InlineData(9_000_000, "POST")]
    public async Task A_lost_reply_leaves_one_object(int length, string lost)
    {
        _relay.LoseReply(request => request.Method == lost && !request.Query.ContainsKey("uploads"));
        var delivery = Sample.Delivery(RelayedConfig(), length);
        Assert.IsType<DeliveryOutcome.TryAgain>(await _s3.DeliverAsync(delivery, Cancellation));
        Assert.Single(await _bucket.KeysAsync());
        Assert.IsType<DeliveryOutcome.Accepted>(await _s3.DeliverAsync(delivery, Cancellation));
        Assert.Single(await _bucket.KeysAsync());
        Assert.Empty(await _bucket.UnfinishedUploadsAsync());
    }

    [Fact]
    public async Task A_service_without_conditional_writes_is_asked_for_one_once()
    {
        var asked = 0;
        _relay.RefuseCondition(501, "NotImplemented", () => Task.FromResult(asked++));
        await _s3.DeliverAsync(Sample.Delivery(RelayedConfig()), Cancellation);
        await _s3.DeliverAsync(Sample.Delivery(RelayedConfig()), Cancellation);
        Assert.Equal(1, asked);
        Assert.Equal(["HEAD", "PUT", "HEAD", "PUT"], _relay.Seen);
        Assert.Equal(2, (await _bucket.KeysAsync()).Count);
    }

    [Fact]
    public async Task A_stranger_who_takes_the_name_meanwhile_keeps_it()
    {
        _relay.RefuseCondition(412, "PreconditionFailed", () => _bucket.WriteAsync("photos/IMG_0001.jpg", "a stranger's"));
        var delivery = Sample.Delivery(RelayedConfig("photos/{filename}"));
        var outcome = await _s3.DeliverAsync(delivery, Cancellation);

        var key = $"photos/IMG_0001-{delivery.ImageId}.jpg";
        Assert.Equal(new DeliveryOutcome.Accepted($"{_bucket.Name}/{key}"), outcome);
        Assert.Equal(Sample.Bytes(delivery), (await _bucket.ReadAsync(key)).Bytes);
        Assert.Equal("a stranger's"u8.ToArray(), (await _bucket.ReadAsync("photos/IMG_0001.jpg")).Bytes);
        Assert.Equal(outcome, await _s3.DeliverAsync(delivery, Cancellation));
        Assert.Equal(2, (await _bucket.KeysAsync()).Count);
    }

    [Fact]
    public async Task A_stranger_who_takes_the_name_while_parts_are_sent_keeps_it()
    {
        _relay.Before(
            request => request.Query["partNumber"] == "1", () => _bucket.WriteAsync("photos/IMG_0001.jpg", "a stranger's"));
        var delivery = Sample.Delivery(RelayedConfig("photos/{filename}"), 9_000_000);
        Assert.IsType<DeliveryOutcome.Accepted>(await _s3.DeliverAsync(delivery, Cancellation));

        Assert.Equal("a stranger's"u8.ToArray(), (await _bucket.ReadAsync("photos/IMG_0001.jpg")).Bytes);
        var (bytes, _, _) = await _bucket.ReadAsync($"photos/IMG_0001-{delivery.ImageId}.jpg");
        Assert.True(Sample.Bytes(delivery).AsSpan().SequenceEqual(bytes));
        Assert.Empty(await _bucket.UnfinishedUploadsAsync());
    }

    [Theory]
    [InlineData(412, "PreconditionFailed")]
    [InlineData(409, "ConditionalRequestConflict")]
    public async Task The_same_image_written_meanwhile_is_taken_as_delivered(int status, string code)
    {
        var delivery = Sample.Delivery(Config());
        _relay.RefuseCondition(status, code, () => _s3.DeliverAsync(delivery, Cancellation));
        // As from another server, which knows nothing of the first one's turn.
        using var http = new OutboundHttp(allowPrivateNetworks: true);
        var outcome = await new S3Destination(http, TimeProvider.System).DeliverAsync(
            delivery with { Config = RelayedConfig() }, Cancellation);
        Assert.IsType<DeliveryOutcome.Accepted>(outcome);
        Assert.Single(await _bucket.KeysAsync());
    }

    [Fact]
    public async Task A_write_in_progress_elsewhere_is_tried_again()
    {
        _relay.RefuseCondition(409, "ConditionalRequestConflict", () => Task.CompletedTask);
        var outcome = await _s3.DeliverAsync(Sample.Delivery(RelayedConfig()), Cancellation);
        Assert.Equal(409, Assert.IsType<DeliveryOutcome.TryAgain>(outcome).Status);
    }

    [Fact]
    public async Task Many_images_of_one_name_at_once_all_arrive()
    {
        var deliveries = Enumerable.Range(0, 12).Select(_ => Sample.Delivery(Config("photos/{filename}"))).ToList();
        await Task.WhenAll(deliveries.Select(delivery => _s3.DeliverAsync(delivery, Cancellation)));

        var hashes = new List<string>();
        foreach (var key in await _bucket.KeysAsync())
            hashes.Add((await _bucket.ReadAsync(key)).Metadata["x-amz-meta-apertur-sha256"]);
        Assert.Equal(deliveries.Select(delivery => delivery.Sha256).Order(), hashes.Order());
    }

    [Fact]
    public async Task An_answer_without_end_is_cut_off()
    {
        _relay.Flood();
        var outcome = await _s3.DeliverAsync(Sample.Delivery(RelayedConfig()), Cancellation);
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
        var (_, errors) = DestinationConfig.Validate(_s3.Fields, _bucket.Config(new JsonObject { [field] = value }));
        Assert.Equal(field, Assert.Single(errors).Field);
    }

    private DestinationConfig Config(string template) => Config(new JsonObject { ["keyTemplate"] = template });

    private DestinationConfig RelayedConfig(string? template = null) =>
        Config(new JsonObject { ["endpoint"] = _relay.Endpoint, ["keyTemplate"] = template ?? KeyTemplate.Default });

    private DestinationConfig Config(JsonObject? more = null) => Sample.Config(_s3, _bucket.Config(more));
}
