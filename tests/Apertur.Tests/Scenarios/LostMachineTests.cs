using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Apertur.Tests.Support;

namespace Apertur.Tests.Scenarios;

/// <summary>A drill: a machine is lost in the middle of its work, and goes on elsewhere from its backup.</summary>
public sealed class LostMachineTests(ITestOutputHelper output)
{
    private const int Phones = 3;

    // As many as a server can take would be hundreds to restore and deliver, which tell no more.
    private static readonly TimeSpan _betweenPhotos = TimeSpan.FromMilliseconds(100);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(DatabaseKind.Sqlite, true)]
    [InlineData(DatabaseKind.PostgreSql, false)]
    public async Task Machine_that_is_lost_goes_on_elsewhere_from_the_backup_that_was_made_while_photos_came(DatabaseKind database, bool withBucket)
    {
        await using var receiver = await Receiver.StartAsync();
        // Nothing arrives before the backup is made: its deliveries wait, or are under way.
        var answers = new TaskCompletionSource();
        receiver.Otherwise = async context =>
        {
            await receiver.ReadAsync(context);
            await answers.Task;
        };
        using var backups = new TempFolder();
        var lost = await Machine.MakeAsync(database, withBucket);
        var installation = await AperturProcess.InitAsync(lost.Data);
        var server = await AperturProcess.ServeAsync(lost.Data, installation);
        var webhook = await server.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url, ["format"] = "binary" });
        var sent = new ConcurrentDictionary<string, string>();
        using var enough = new CancellationTokenSource();
        var phones = Enumerable.Range(0, Phones).Select(phone => SendAsync(server.Client, webhook, phone, sent, enough.Token)).ToArray();
        await Eventually.True(() => sent.Count >= 20);
        var before = sent.Keys.ToHashSet();

        var made = await lost.RunAsync("backup", backups.Path);

        var during = sent.Count - before.Count;
        Assert.NotEqual(0, during);
        Assert.InRange((int)made["photos"]!, before.Count, sent.Count + Phones);
        await Eventually.True(() => sent.Count >= before.Count + during + 10);
        // Some have arrived when it is lost, of those in the backup and of later ones.
        var held = receiver.Requests.Count;
        answers.SetResult();
        await Eventually.True(() => receiver.Requests.Count >= held + 5);
        await enough.CancelAsync();
        await Task.WhenAll(phones);
        await server.KillAsync();
        await server.DisposeAsync();
        await lost.DisposeAsync();

        await using var elsewhere = await Machine.MakeAsync(database, withBucket);
        var restored = await elsewhere.RunAsync("restore", backups.Path);

        Assert.Equal((int)made["photos"]!, (int)restored["photos"]!);
        var found = await elsewhere.RunAsync("fsck", "--hashes");
        Assert.Equal(((int)made["photos"]!, 0), ((int)found["photos"]!, found["orphaned"]!.AsArray().Count));
        await using var second = await AperturProcess.ServeAsync(elsewhere.Data, installation);
        var (code, _, errors) = await elsewhere.TryAsync("restore", backups.Path);
        Assert.Equal(1, code);
        Assert.Contains(database == DatabaseKind.Sqlite ? "Another server is running" : "There is a database already", errors, StringComparison.Ordinal);
        var later = (string)(await second.Client.UploadAsync(await second.Client.CreateSessionAsync(webhook), Photos.Png()))["id"]!;
        foreach (var id in before.Append(later))
        {
            await Eventually.Becomes(
                async () => (string)(await second.Client.GetAsync($"uploads/{id}")).Json["status"]!, status => status == "delivered");
        }

        // No photo has come to the destination under two ids, whichever machine delivered it, and none with other bytes.
        Assert.All(receiver.Requests.GroupBy(request => request.BodySha256), of => Assert.Single(of.Select(request => request["X-Aptr-Image-Id"]).Distinct()));
        Assert.All(
            receiver.Requests.Where(request => sent.ContainsKey(request["X-Aptr-Image-Id"]!)),
            request => Assert.Equal(sent[request["X-Aptr-Image-Id"]!], request.BodySha256));
        output.WriteLine(
            $"> {database}{(withBucket ? ", object store" : "")}: {before.Count} photos before and {during} during the backup, {sent.Count - before.Count - during} after it; "
            + $"{made["photos"]} restored, all of the first delivered, none under two ids.");
    }

    private static async Task SendAsync(
        AperturClient client, string webhook, int phone, ConcurrentDictionary<string, string> sent, CancellationToken enough)
    {
        var session = await client.CreateSessionAsync(new JsonObject { ["destination_ids"] = new JsonArray(webhook), ["max_images"] = 500 });
        for (var i = 0; !enough.IsCancellationRequested && i < 500; i++)
        {
            var photo = Photos.Jpeg(40_000, seed: (phone * 1000) + i);
            sent[(string)(await client.UploadAsync(session, photo))["id"]!] = Convert.ToHexStringLower(SHA256.HashData(photo));
            await Task.Delay(_betweenPhotos, TimeProvider.System, Cancellation);
        }
    }
}
