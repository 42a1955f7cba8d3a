using System.Globalization;
using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Tests.Support;

namespace Apertur.Tests.Destinations;

/// <summary>Alone in the process while they run: they measure what the whole process allocates.</summary>
[CollectionDefinition(DisableParallelization = true)]
public sealed class Alone;

[Collection<Alone>]
public sealed class MemoryTests : IDisposable
{
    private const int ImageBytes = 100 * 1024 * 1024;

    private readonly OutboundHttp _http = new(allowPrivateNetworks: true);
    private readonly string _file = Path.Combine(Path.GetTempPath(), Guid.NewGuid() + ".jpg");

    public MemoryTests()
    {
        using var file = File.Create(_file);
        file.SetLength(ImageBytes);
    }

    public void Dispose()
    {
        _http.Dispose();
        File.Delete(_file);
    }

    [Theory]
    [InlineData("json_base64")]
    [InlineData("multipart")]
    [InlineData("binary")]
    public async Task A_large_image_to_a_webhook_does_not_grow_the_process(string format)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.KeepsBodies = false;
        var webhook = new WebhookDestination(_http, TimeProvider.System);
        await AssertStreamsAsync(webhook, new JsonObject { ["url"] = receiver.Url, ["format"] = format });
        Assert.True(receiver.Requests[^1].Length >= ImageBytes);
    }

    [Fact]
    public async Task A_large_image_to_s3_does_not_grow_the_process()
    {
        using var bucket = await Bucket.MakeAsync();
        await AssertStreamsAsync(new S3Destination(_http, TimeProvider.System), bucket.Config());
    }

    private async Task AssertStreamsAsync(IDestinationType type, JsonObject values)
    {
        var small = Sample.Delivery(Sample.Config(type, values));
        Assert.IsType<DeliveryOutcome.Accepted>(await type.DeliverAsync(small, TestContext.Current.CancellationToken));

        var large = Sample.Delivery(small.Config) with { SizeBytes = ImageBytes, OpenRead = () => File.OpenRead(_file) };
        GC.Collect();
        var (allocated, resident) = (GC.GetTotalAllocatedBytes(precise: true), Environment.WorkingSet);
        Assert.IsType<DeliveryOutcome.Accepted>(await type.DeliverAsync(large, TestContext.Current.CancellationToken));
        allocated = GC.GetTotalAllocatedBytes(precise: true) - allocated;
        resident = Environment.WorkingSet - resident;

        TestContext.Current.TestOutputHelper!.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"allocated {allocated / 1048576.0:F1} MiB, resident {resident / 1048576.0:+0.0;-0.0} MiB for an image of 100 MiB"));
        // All that was ever allocated, collected or not: an image held whole would alone be more.
        Assert.True(allocated < ImageBytes / 2, $"{allocated} bytes allocated");
    }
}
