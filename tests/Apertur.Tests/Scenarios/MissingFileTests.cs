using System.Text.Json.Nodes;
using Apertur.Server.Destinations;
using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Scenarios;

/// <summary>Files that are away, as on a disk that is not mounted, are an accident and cost no photo.</summary>
public sealed class MissingFileTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, AllDatabases]
    public async Task Server_whose_photos_are_not_mounted_does_not_start_and_gives_none_up(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var id = await UploadAsync(app, receiver);
        var (mounted, elsewhere) = (Path.Combine(app.DataFolder, "images"), Path.Combine(app.DataFolder, "elsewhere"));
        Directory.Move(mounted, elsewhere);
        app.Clock.Jump(TimeSpan.FromMinutes(1));

        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => app.RestartAsync());

        Assert.Contains("mounted", refused.Message);
        Directory.Delete(mounted);
        Directory.Move(elsewhere, mounted);
        await app.RestartAsync();
        await app.PassAsync(TimeSpan.FromMinutes(1));
        await app.Client.UploadBecomesAsync(id, "delivered");
    }

    [Theory, AllDatabases]
    public async Task Photo_whose_file_is_away_waits_until_it_is_back(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var id = await UploadAsync(app, receiver);
        var (mounted, elsewhere) = (Path.Combine(app.DataFolder, "images"), Path.Combine(app.DataFolder, "elsewhere"));
        Directory.Move(mounted, elsewhere);

        await app.PassAsync(TimeSpan.FromMinutes(1));
        await Eventually.Becomes(
            async () => (await app.DeliveriesAsync(id)).Single(),
            row => row.State == DeliveryState.Retrying && row.LastError!.Contains("cannot be read", StringComparison.Ordinal), "it is told");

        Directory.Move(elsewhere, mounted);
        await app.PassAsync(TimeSpan.FromMinutes(10));
        await app.Client.UploadBecomesAsync(id, "delivered");
    }

    [Theory, AllDatabases]
    public async Task Photos_whose_files_are_away_say_nothing_of_their_destination(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new() { ["url"] = receiver.Url });
        var session = await app.Client.CreateSessionAsync(webhook);
        await app.Services.GetRequiredService<Database>().WriteAsync(
            async db => DestinationSuspension.Suspend(await db.Destinations.SingleAsync(Cancellation), "It waits."), Cancellation);
        for (var i = 0; i < 2 * Breaker.MinAttempts; i++)
            await app.Client.UploadAsync(session, Photos.Png());
        foreach (var day in Directory.GetDirectories(Path.Combine(app.DataFolder, "images")))
            Array.ForEach(Directory.GetFiles(day), File.Delete);
        await app.Client.SendAsync(
            HttpMethod.Patch, $"projects/{app.ProjectId}/destinations/{webhook}", new JsonObject { ["isActive"] = true });
        await Eventually.True(() => app.Log.Lines.Count(line => line.Contains("image is missing", StringComparison.Ordinal)) >= 2 * Breaker.MinAttempts);

        var healthy = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(webhook), Photos.Png()))["id"]!;

        await app.Client.UploadBecomesAsync(healthy, "delivered");
        Assert.Null((await app.DestinationAsync(webhook)).Breaker.OpenUntil);
    }

    /// <summary>Sends a photo that its receiver refuses once, so that it waits for another attempt.</summary>
    private static async Task<string> UploadAsync(AperturApp app, Receiver receiver)
    {
        receiver.Answers(503);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new() { ["url"] = receiver.Url });
        var upload = await app.Client.UploadAsync(await app.Client.CreateSessionAsync(webhook), Photos.Png());
        await receiver.NextAsync(Cancellation);
        return (string)upload["id"]!;
    }
}
