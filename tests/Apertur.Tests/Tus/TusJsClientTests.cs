using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Apertur.Tests.Destinations;
using Apertur.Tests.Support;

namespace Apertur.Tests.Tus;

/// <summary>
/// Two servers on one PostgreSQL and one folder or bucket, of which one is killed, and <c>tus-js-client</c> on lines that are cut again and again:
/// every photo arrives whole, and none twice.
/// </summary>
public sealed class TusJsClientTests(ITestOutputHelper output)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public Task Photos_on_lines_that_are_cut_arrive_whole_and_once_although_a_node_is_killed(bool inBucket) =>
        SendAsync(count: inBucket ? 10 : 20, size: inBucket ? 4_000_000 : 2_000_000, inBucket);

    [Fact]
    public async Task Photo_that_is_cut_at_four_fifths_costs_little_more_than_its_bytes()
    {
        const int size = 15_000_000;
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();

        var told = await RunAsync([app.Url], session, count: 4, size, cuts: 1, cutAt: 0.8);

        output.WriteLine($"> {(double)told["bytes"]! / (4.0 * size):F3} × their bytes sent");
        Assert.Equal((4, 4), ((int)told["cuts"]!, told["sent"]!.AsArray().Count));
        Assert.InRange((double)told["bytes"]! / (4.0 * size), 1, 1.15);
    }

    /// <summary>The figures: TUS_PHOTOS (200) of TUS_BYTES (20,000,000), with TUS_BUCKET=1 in an object store.</summary>
    [Fact(Explicit = true)]
    public Task Many_large_photos_on_lines_that_are_cut() =>
        SendAsync(Setting("TUS_PHOTOS", 200), Setting("TUS_BYTES", 20_000_000), inBucket: Setting("TUS_BUCKET", 0) == 1);

    private async Task SendAsync(int count, int size, bool inBucket)
    {
        using var folder = new TempFolder();
        using var otherFolder = new TempFolder();
        await using var database = await TestDatabase.CreateAsync(DatabaseKind.PostgreSql);
        using var bucket = inBucket ? await Bucket.MakeAsync() : null;
        var settings = new JsonObject
        {
            ["Database"] = new JsonObject
            {
                ["Provider"] = "PostgreSql",
                ["ConnectionString"] = database.ConnectionString,
                ["AllowDataLoss"] = true,
            },
        };
        if (bucket is not null)
        {
            settings["Keys"] = new JsonObject { ["Place"] = "Database", ["WrappingKey"] = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)) };
            SettingsFile.Add(settings, bucket.StorageSettings());
        }

        foreach (var each in new[] { folder, otherFolder })
            await File.WriteAllTextAsync(each.File("apertur.json"), settings.ToJsonString(), Cancellation);
        var installation = await AperturProcess.InitAsync(folder.Path);
        foreach (var shared in bucket is null ? ["images", "keys"] : Array.Empty<string>())
            Directory.CreateSymbolicLink(otherFolder.File(shared), folder.File(shared));
        await using var node = await AperturProcess.ServeAsync(folder.Path, installation);
        await using var killed = await AperturProcess.ServeAsync(otherFolder.Path, installation);
        var session = await node.Client.CreateSessionAsync(new JsonObject { ["max_images"] = Math.Max(count, 20), ["max_image_size_mb"] = 20 });

        var sending = RunAsync([node.Url, killed.Url], session, count, size, cuts: 10);
        await Eventually.Becomes(
            async () => (int)(await node.Client.GetAsync($"upload/{session}/session")).Json["imagesCount"]!,
            received => received >= 5 || sending.IsCompleted, "some have arrived");
        await killed.KillAsync();
        var told = await sending;

        var sent = told["sent"]!.AsArray();
        var answers = new List<JsonNode>();
        foreach (var photo in sent)
            answers.Add((await node.Client.GetAsync((string)photo!["url"]!)).Json);
        Assert.Equal(count, sent.Count);
        Assert.Equal(sent.Select(photo => (string)photo!["sha256"]!), answers.Select(answer => (string)answer["sha256"]!));
        Assert.Equal(count, answers.Select(answer => (string)answer["id"]!).Distinct().Count());
        Assert.Equal(count, (int)(await node.Client.GetAsync($"upload/{session}/session")).Json["imagesCount"]!);
        var report = await AperturProcess.RunAsync("fsck", "--json", "--data", folder.Path);
        Assert.True(report.ExitCode == 0, report.Output + report.Errors);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"> {count} photos of {size} bytes, {told["cuts"]} cuts, one of two nodes killed: all whole, none twice; {(double)told["bytes"]! / ((double)count * size):F3} × their bytes sent"));
    }

    private static Task<JsonNode> RunAsync(string[] nodes, string session, int count, int size, int cuts, double? cutAt = null) =>
        NodeScript.RunAsync(
            "tus.mjs", new JsonObject
            {
                ["nodes"] = new JsonArray([.. nodes.Select(node => JsonValue.Create(node))]),
                ["session"] = session,
                ["count"] = count,
                ["size"] = size,
                ["atOnce"] = 6,
                ["cuts"] = new JsonArray(1, cuts),
                ["cutAt"] = cutAt,
                ["jpeg"] = Convert.ToBase64String(Photos.Jpeg()),
            },
            minutes: 10);

    private static int Setting(string name, int otherwise) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;
}
