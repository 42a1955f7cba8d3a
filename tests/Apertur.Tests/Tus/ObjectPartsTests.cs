using System.Net;
using System.Security.Cryptography;
using Apertur.Server.Storage;
using Apertur.Tests.Destinations;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Apertur.Tests.Tus;

/// <summary>Photos that come in pieces to servers that keep their photos in an object store, and what has come of them too.</summary>
public sealed class ObjectPartsTests
{
    private const int Segment = 1024 * 1024;

    private static readonly byte[] _photo = Photos.Jpeg(3_000_000, seed: 7);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, AllDatabases]
    public async Task Photo_in_pieces_waits_in_the_bucket_and_leaves_nothing_but_itself(DatabaseKind database)
    {
        using var bucket = await Bucket.MakeAsync();
        await using var app = await AperturApp.StartAsync(database, bucket.StorageSettings());
        var phone = app.ClientOf(null);
        var session = await app.Client.CreateSessionAsync();
        var upload = await phone.BeginAsync(session, _photo.Length);

        Assert.Equal(1_300_000, (await phone.PatchAsync(upload, _photo[..1_300_000], 0)).Expect(HttpStatusCode.NoContent).Offset());
        Assert.Equal(1_300_000, await phone.OffsetAsync(upload));
        Assert.Equal(2, (await PartsAsync(bucket)).Count);
        using (var hanging = await TusClient.HangAsync(app.Url, upload, _photo[1_300_000..1_400_000], 1_300_000, 1_700_000))
        {
            // Less than an object's worth of it is in memory only, until somebody asks.
            await Eventually.Becomes(() => phone.OffsetAsync(upload), offset => offset > 1_300_000);
            Assert.Contains("409", await hanging.ReadAsync(), StringComparison.Ordinal);
        }

        var offset = (int)await phone.OffsetAsync(upload);
        Assert.InRange(offset, 1_300_001, 1_400_000);
        (await phone.PatchAsync(upload, _photo[offset..], offset)).Expect(HttpStatusCode.NoContent);

        var id = (string)(await phone.GetAsync(upload)).Json["id"]!;
        Assert.Equal(_photo, (await app.Client.GetAsync($"uploads/{id}/download")).Expect(HttpStatusCode.OK).Bytes);
        await Eventually.Becomes(() => PartsAsync(bucket), parts => parts.Count == 0);
        Assert.DoesNotContain(
            Directory.GetFiles(app.DataFolder, "*", SearchOption.AllDirectories), path => path.Contains("/images/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Node_that_shares_only_database_and_bucket_goes_on_where_another_was_lost()
    {
        using var bucket = await Bucket.MakeAsync();
        using var folder = new TempFolder();
        await using var app = await AperturApp.StartAsync(
            DatabaseKind.PostgreSql, new Dictionary<string, string?>(bucket.StorageSettings()) { ["Keys:Place"] = "Database", ["Keys:WrappingKey"] = Convert.ToBase64String(new byte[32]) });
        await using var other = await SecondNode.StartApartAsync(app, folder);
        var phone = app.ClientOf(null);
        var session = await app.Client.CreateSessionAsync();
        var upload = await phone.BeginAsync(session, _photo.Length);
        using var stuck = await TusClient.HangAsync(other.Urls.Single(), upload, _photo[..2_500_000], 0, _photo.Length);
        await Eventually.Becomes(() => PartsAsync(bucket), parts => parts.Count == 2);

        Assert.Equal(2 * Segment, await phone.OffsetAsync(upload));
        // The other still believes that it is the one: it writes to the end, and is told where the upload stands.
        await stuck.SendAsync(_photo[2_500_000..]);
        Assert.Contains($"Upload-Offset: {2 * Segment}", await stuck.ReadHeadAsync(), StringComparison.OrdinalIgnoreCase);
        (await phone.PatchAsync(upload, _photo[(2 * Segment)..], 2 * Segment)).Expect(HttpStatusCode.NoContent);

        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(_photo)), (string)(await phone.GetAsync(upload)).Json["sha256"]!);
        await Eventually.Becomes(() => PartsAsync(bucket), parts => parts.Count == 0);
        await other.StopAsync(Cancellation);
    }

    [Fact]
    public async Task Trouble_at_the_store_refuses_for_now_and_keeps_what_had_come()
    {
        using var bucket = await Bucket.MakeAsync();
        await using var network = new PortForward(bucket.Endpoint);
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite, bucket.StorageSettings(endpoint: network.Url));
        var phone = app.ClientOf(null);
        var upload = await phone.BeginAsync(await app.Client.CreateSessionAsync(), _photo.Length);
        (await phone.PatchAsync(upload, _photo[..1_100_000], 0)).Expect(HttpStatusCode.NoContent);

        network.Cut();
        var refused = (await phone.PatchAsync(upload, _photo[1_100_000..], 1_100_000)).Expect(HttpStatusCode.ServiceUnavailable);
        Assert.NotNull(refused.Headers.RetryAfter);
        (await phone.TusAsync(HttpMethod.Head, upload)).Expect(HttpStatusCode.ServiceUnavailable);
        // Nor is it given up when it cannot be read at its end.
        network.Target = bucket.Endpoint;
        Assert.Equal(1_100_000, await phone.OffsetAsync(upload));
        await LengthAsync(1_100_000);
        network.Cut();
        (await phone.TusAsync(HttpMethod.Head, upload)).Expect(HttpStatusCode.ServiceUnavailable);
        await LengthAsync(_photo.Length);
        network.Target = bucket.Endpoint;

        Assert.Equal(1_100_000, await phone.OffsetAsync(upload));
        (await phone.PatchAsync(upload, _photo[1_100_000..], 1_100_000)).Expect(HttpStatusCode.NoContent);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(_photo)), (string)(await phone.GetAsync(upload)).Json["sha256"]!);

        Task LengthAsync(long length) => app.WriteAsync(
            db => db.PartialUploads.ExecuteUpdateAsync(row => row.SetProperty(u => u.Length, length), Cancellation));
    }

    [Fact]
    public async Task What_was_given_up_or_has_no_row_is_removed_from_the_bucket_and_what_goes_on_stays()
    {
        using var bucket = await Bucket.MakeAsync();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite, bucket.StorageSettings());
        var phone = app.ClientOf(null);
        var session = await app.Client.CreateSessionAsync();
        var givenUp = await phone.BeginAsync(session, _photo.Length);
        (await phone.PatchAsync(givenUp, _photo[..1000], 0)).Expect(HttpStatusCode.NoContent);
        (await phone.TusAsync(HttpMethod.Delete, givenUp)).Expect(HttpStatusCode.NoContent);
        await Eventually.Becomes(() => PartsAsync(bucket), parts => parts.Count == 0);

        var goesOn = await phone.BeginAsync(session, _photo.Length);
        (await phone.PatchAsync(goesOn, _photo[..1000], 0)).Expect(HttpStatusCode.NoContent);
        await bucket.WriteAsync($"photos/partial/{Guid.CreateVersion7()}/0.0", "x");
        var cleanup = app.Services.GetServices<IHostedService>().OfType<OrphanCleanup>().Single();
        await cleanup.RunOnceAsync(Cancellation);
        Assert.Equal(2, (await PartsAsync(bucket)).Count);
        // The service's clock is the machine's. What goes on does so until after the cleanup, which also runs by itself when time passes.
        var then = TimeProvider.System.GetUtcNow() + Quarantine.SafeAge + TimeSpan.FromMinutes(1);
        var later = then.AddHours(1);
        await app.WriteAsync(db => db.PartialUploads.ExecuteUpdateAsync(row => row.SetProperty(u => u.ExpiresAt, later), Cancellation));
        app.Clock.Jump(then - app.Clock.GetUtcNow());
        await cleanup.RunOnceAsync(Cancellation);

        var left = (await Eventually.Becomes(() => PartsAsync(bucket), parts => parts.Count == 1)).Single();
        Assert.Contains(goesOn[(goesOn.LastIndexOf('/') + 1)..], left, StringComparison.Ordinal);
    }

    private static async Task<IReadOnlyList<string>> PartsAsync(Bucket bucket) =>
        [.. (await bucket.KeysAsync()).Where(key => key.StartsWith("photos/partial/", StringComparison.Ordinal))];
}
