using System.Collections.Concurrent;
using System.Net;
using System.Text.Json.Nodes;
using Apertur.Tests.Support;

namespace Apertur.Tests.Scenarios;

/// <summary>What a 201 promised holds when the process dies.</summary>
public sealed class CrashTests
{
    private const int PhotoCount = 200;
    private const int Phones = 8;

    [Fact]
    public async Task Every_acknowledged_photo_is_there_and_delivered_after_kill_9()
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.KeepsBodies = false;
        using var data = new TempFolder();
        var installation = await AperturProcess.InitAsync(data.Path);
        var acknowledged = new ConcurrentDictionary<string, string>();

        await using (var server = await AperturProcess.ServeAsync(data.Path, installation))
        {
            var webhook = await server.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url, ["format"] = "binary" });
            var session = await server.Client.CreateSessionAsync(new JsonObject { ["destination_ids"] = new JsonArray(webhook), ["max_images"] = 500 });
            var next = 0;
            var phones = Enumerable.Range(0, Phones).Select(_ => Task.Run(async () =>
            {
                while (Interlocked.Increment(ref next) is var number && number <= PhotoCount)
                {
                    try
                    {
                        var answer = await server.Client.PostImageAsync(session, Photos.Jpeg(60_000, seed: number));
                        if (answer.Status == HttpStatusCode.Created)
                            acknowledged[(string)answer.Json["id"]!] = (string)answer.Json["sha256"]!;
                    }
                    catch (HttpRequestException)
                    {
                        return;
                    }
                }
            })).ToList();

            await Eventually.True(() => acknowledged.Count >= PhotoCount / 4);
            await server.KillAsync();
            await Task.WhenAll(phones);
        }

        Assert.InRange(acknowledged.Count, PhotoCount / 4, PhotoCount - 1);
        await using var again = await AperturProcess.ServeAsync(data.Path, installation);
        foreach (var page in Enumerable.Range(1, (PhotoCount / 100) + 1))
        {
            var rows = await Eventually.Becomes(
                async () => (await again.Client.GetAsync($"uploads?page={page}&pageSize=100")).Json["data"]!.AsArray(),
                rows => rows.All(row => (string)row!["status"]! == "delivered"), "every upload is delivered");
            foreach (var row in rows)
                acknowledged.Remove((string)row!["id"]!, out _);
        }

        Assert.Empty(acknowledged);
        Assert.Equal(
            (int)(await again.Client.GetAsync("uploads")).Json["total"]!,
            receiver.Requests.Select(request => request["X-Aptr-Image-Id"]).Distinct().Count());
    }

    [Fact]
    public async Task Second_server_on_the_same_folder_is_refused_in_words()
    {
        using var data = new TempFolder();
        var installation = await AperturProcess.InitAsync(data.Path);
        await using var server = await AperturProcess.ServeAsync(data.Path, installation);

        var (exitCode, output, errors) = await AperturProcess.RunAsync("serve", "--data", data.Path, "--urls", "http://127.0.0.1:0");

        Assert.Equal(1, exitCode);
        Assert.Empty(output);
        Assert.Contains("Another server is running on", errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Second_init_is_refused_and_changes_nothing()
    {
        using var data = new TempFolder();
        await AperturProcess.InitAsync(data.Path);

        var (exitCode, output, errors) = await AperturProcess.RunAsync(
            "init", "--data", data.Path, "--email", "other@example.com", "--password", "correct horse", "--project", "Other", "--json");

        Assert.Equal(1, exitCode);
        Assert.Empty(output);
        Assert.Contains("has an owner already", errors, StringComparison.Ordinal);
    }
}
