using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Tests.Support.Fakes;
using Microsoft.AspNetCore.Http;

namespace Apertur.Tests.Destinations;

/// <summary>
/// Sends 100 MiB to services that take bytes and keep none, and counts what the whole process allocates meanwhile.
/// </summary>
[Collection<Alone>]
public sealed class CloudMemoryTests : IDisposable
{
    private const int ImageBytes = 100 * 1024 * 1024;
    private const int Pieces = 13;

    private readonly OutboundHttp _http = new(allowPrivateNetworks: true);
    private readonly string _file = Path.Combine(Path.GetTempPath(), Guid.NewGuid() + ".jpg");

    public CloudMemoryTests()
    {
        using var file = File.Create(_file);
        file.SetLength(ImageBytes);
    }

    public void Dispose()
    {
        _http.Dispose();
        File.Delete(_file);
    }

    [Fact]
    public async Task A_large_image_to_google_does_not_grow_the_process()
    {
        await using var google = await FakeGoogle.StartAsync();
        var type = new GcsDestination(_http, new() { GcsApi = google.Root }, TimeProvider.System);
        var values = new JsonObject { ["bucket"] = FakeGoogle.BucketName, ["serviceAccountJson"] = google.ServiceAccountJson, ["keyTemplate"] = "{id}.jpg" };
        await AssertStreamsAsync(type, Sample.Config(type, values), google, large =>
        {
            var taken = 0L;
            for (var piece = 1; piece <= Pieces; piece++)
            {
                var isLast = piece == Pieces;
                google.On("PUT /upload", async (context, _) =>
                {
                    taken += await DrainAsync(context);
                    context.Response.StatusCode = isLast ? 200 : 308;
                    context.Response.Headers["Range"] = FormattableString.Invariant($"bytes=0-{taken - 1}");
                    if (isLast)
                        await context.Response.WriteAsync(new JsonObject
                        {
                            ["name"] = $"{large.ImageId}.jpg",
                            ["size"] = $"{ImageBytes}",
                            ["crc32c"] = Crc32COfNulls(),
                        }.ToJsonString());
                });
            }

            return () => taken;
        });
    }

    [Fact]
    public async Task A_large_image_to_dropbox_does_not_grow_the_process()
    {
        await using var dropbox = await FakeDropbox.StartAsync();
        var type = DropboxDestinationTests.Dropbox(_http, dropbox);
        await AssertStreamsAsync(type, Sample.Config(type, [], dropbox.OAuth.IssueAccessToken()), dropbox, _ =>
        {
            var taken = 0L;
            for (var piece = 1; piece <= Pieces; piece++)
            {
                var isLast = piece == Pieces;
                dropbox.On(isLast ? "/finish" : "/append_v2", async (context, _) =>
                {
                    taken += await DrainAsync(context);
                    var answer = isLast ? new JsonObject { ["content_hash"] = ContentHashOfNulls(), ["size"] = ImageBytes }.ToJsonString() : "null";
                    await context.Response.WriteAsync(answer);
                });
            }

            return () => taken;
        });
    }

    private async Task AssertStreamsAsync(
        IDestinationType type, DestinationConfig config, FakeCloud service, Func<Delivery, Func<long>> expect)
    {
        var small = Sample.Delivery(config);
        Cloud.Is<DeliveryOutcome.Accepted>(await type.DeliverAsync(small, TestContext.Current.CancellationToken));

        var large = Sample.Delivery(config) with { SizeBytes = ImageBytes, OpenRead = () => File.OpenRead(_file) };
        var taken = expect(large);
        GC.Collect();
        var allocated = GC.GetTotalAllocatedBytes(precise: true);
        Cloud.Is<DeliveryOutcome.Accepted>(await type.DeliverAsync(large, TestContext.Current.CancellationToken));
        allocated = GC.GetTotalAllocatedBytes(precise: true) - allocated;

        TestContext.Current.TestOutputHelper!.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"allocated {allocated / 1048576.0:F1} MiB in {service.Requests.Count} requests"));
        Assert.Equal(ImageBytes, taken());
        Assert.True(allocated < ImageBytes / 4, $"{allocated} bytes allocated");
    }

    private static async Task<long> DrainAsync(HttpContext context)
    {
        var buffer = new byte[64 * 1024];
        var count = 0L;
        int read;
        while ((read = await context.Request.Body.ReadAsync(buffer)) > 0)
            count += read;
        return count;
    }

    private static string Crc32COfNulls()
    {
        var crc = uint.MaxValue;
        for (var i = 0; i < ImageBytes / sizeof(ulong); i++)
            crc = BitOperations.Crc32C(crc, 0UL);
        var bytes = new byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, ~crc);
        return Convert.ToBase64String(bytes);
    }

    private static string ContentHashOfNulls()
    {
        var block = SHA256.HashData(new byte[4 * 1024 * 1024]);
        return Convert.ToHexStringLower(SHA256.HashData([.. Enumerable.Repeat(block, 25).SelectMany(hash => hash)]));
    }
}
