using System.Globalization;
using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Tests.Support.Fakes;

namespace Apertur.Tests.Destinations;

/// <summary>Many images at once to services that fail at random: what counts is what lies there in the end.</summary>
public sealed class CloudFaultTests : IDisposable
{
    private const int Images = 60;
    private const double FaultShare = 0.3;

    private readonly OutboundHttp _http = new(allowPrivateNetworks: true);

    public void Dispose() => _http.Dispose();

    [Fact]
    public async Task Under_faults_every_image_is_in_the_bucket_once()
    {
        await using var google = await FakeGoogle.StartAsync();
        var type = new GcsDestination(_http, new() { GcsApi = google.Root }, TimeProvider.System);
        var values = new JsonObject { ["bucket"] = FakeGoogle.BucketName, ["serviceAccountJson"] = google.ServiceAccountJson };
        await AssertOneOfEachAsync(type, google, google.OAuth, values, () => google.Objects.Select(o => o.Bytes));
    }

    [Fact]
    public async Task Under_faults_every_image_is_in_the_drive_once()
    {
        await using var google = await FakeGoogle.StartAsync();
        var type = GoogleDriveDestinationTests.Drive(_http, google);
        await AssertOneOfEachAsync(type, google, google.OAuth, [], () => google.Files.Select(file => file.Bytes));
    }

    [Fact]
    public async Task Under_faults_every_image_is_in_the_dropbox_once()
    {
        await using var dropbox = await FakeDropbox.StartAsync();
        var type = DropboxDestinationTests.Dropbox(_http, dropbox);
        await AssertOneOfEachAsync(type, dropbox, dropbox.OAuth, [], () => dropbox.Files.Select(file => file.Bytes));
    }

    private static async Task AssertOneOfEachAsync(
        IDestinationType type, FakeCloud service, FakeOAuth oauth, JsonObject values, Func<IEnumerable<byte[]>> arrived)
    {
        var sizes = new Random(1);
        var session = Guid.NewGuid();
        var token = oauth.IssueAccessToken();
        var deliveries = Enumerable.Range(0, Images)
            // Most are small; every tenth takes a session of several requests.
            .Select(i => i % 10 == 0 ? sizes.Next(9_000_000, 20_000_000) : sizes.Next(100_000, 2_000_000))
            .Select(size => Sample.Delivery(Sample.Config(type, values, token), size))
            .Select((delivery, i) => new Cloud.Attempts(type, delivery with { SessionId = session, ImageIndex = i }))
            .ToList();

        service.Misbehave(FaultShare, seed: 2);
        var attempts = 0;
        await Parallel.ForEachAsync(
            deliveries,
            new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = TestContext.Current.CancellationToken },
            async (delivery, _) =>
            {
                for (var tries = 1; ; tries++)
                {
                    Interlocked.Increment(ref attempts);
                    if (await delivery.NextAsync() is DeliveryOutcome.Accepted)
                        return;
                    Assert.InRange(tries, 1, 50);
                }
            });
        service.Behave();

        // And once more, as after a restart that forgot what had come of it.
        foreach (var delivery in deliveries)
            Cloud.Is<DeliveryOutcome.Accepted>(await delivery.NextAsync());

        Assert.Equal(
            deliveries.Select(delivery => delivery.Delivery.Sha256).Order(),
            arrived().Select(bytes => Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(bytes))).Order());
        TestContext.Current.TestOutputHelper!.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{Images} images, {attempts} attempts, {service.Requests.Count} requests"));
    }
}
