using System.Text.Json.Nodes;
using Apertur.Destinations;

namespace Apertur.Tests.Destinations;

/// <summary>What is particular to S3, against a real server.</summary>
public sealed class S3DestinationTests : IAsyncLifetime
{
    private readonly OutboundHttp _http = new(allowPrivateNetworks: true);
    private S3Destination _s3 = null!;
    private Bucket _bucket = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _s3 = new S3Destination(_http, TimeProvider.System);
        _bucket = await Bucket.MakeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _bucket.DisposeAsync();
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

    private DestinationConfig Config(JsonObject? more = null) => Sample.Config(_s3, _bucket.Config(more));
}
