using System.Net;
using System.Text.Json.Nodes;
using Apertur.Tests.Support;

namespace Apertur.Tests.Audit;

public sealed class AuditTests
{
    [Theory, AllDatabases]
    public async Task Who_did_what_to_which_thing_is_written_down_without_secrets(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var owner = await app.SignInAsync();
        var destination = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = "http://127.0.0.1:9/", ["secret"] = "swordfish" });
        app.Clock.Jump(TimeSpan.FromMilliseconds(1));
        (await owner.Client.SendAsync(HttpMethod.Patch, $"projects/{app.ProjectId}/destinations/{destination}", new { name = "Renamed" }))
            .Expect(HttpStatusCode.OK);
        app.Clock.Jump(TimeSpan.FromMilliseconds(1));
        var secret = (await owner.Client.PostAsync($"projects/{app.ProjectId}/webhook-secret/rotate")).Json["webhookSecret"]!.GetValue<string>();
        // What is refused, or only looked at, changed nothing.
        (await owner.Client.SendAsync(HttpMethod.Patch, $"projects/{app.ProjectId}", new { name = "" })).Expect(HttpStatusCode.BadRequest);
        await app.Client.CreateSessionAsync();
        await owner.Client.GetAsync($"projects/{app.ProjectId}");

        var log = (await owner.Client.GetAsync($"projects/{app.ProjectId}/audit")).Expect(HttpStatusCode.OK);

        var entries = log.Json["entries"]!.AsArray();
        Assert.Equal(
            ["projects.rotate_webhook_secret", "destinations.update", "destinations.create"],
            entries.Select(e => e!["action"]!.GetValue<string>()));
        Assert.Equal([app.ProjectId.ToString(), destination, destination], entries.Select(e => e!["thingId"]!.GetValue<string>()));
        Assert.Equal(["person", "person", "key"], entries.Select(e => e!["actor"]!["type"]!.GetValue<string>()));
        Assert.Equal(["owner@example.com", "owner@example.com", app.LiveKey[..16]], entries.Select(e => e!["actor"]!["name"]!.GetValue<string>()));
        Assert.All(entries, e => Assert.Equal("127.0.0.1", e!["address"]!.GetValue<string>()));
        foreach (var hidden in new[] { "swordfish", secret, app.LiveKey })
            Assert.DoesNotContain(hidden, log.Text, StringComparison.Ordinal);
    }

    [Theory, AllDatabases]
    public async Task Log_is_read_by_cursor_without_gaps_or_repeats_while_it_grows(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var owner = await app.SignInAsync();
        var made = new List<string>();
        for (var i = 0; i < 7; i++)
        {
            made.Add(await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = "http://127.0.0.1:9/" }));
            app.Clock.Jump(TimeSpan.FromMilliseconds(1));
        }

        var seen = new List<string>();
        for (string? cursor = ""; cursor is not null;)
        {
            var page = (await owner.Client.GetAsync($"projects/{app.ProjectId}/audit?limit=3&cursor={cursor}")).Expect(HttpStatusCode.OK).Json;
            seen.AddRange(page["entries"]!.AsArray().Select(e => e!["thingId"]!.GetValue<string>()));
            cursor = page["next"]?.GetValue<string>();
            await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = "http://127.0.0.1:9/" });
            app.Clock.Jump(TimeSpan.FromMilliseconds(1));
        }

        Assert.Equal(Enumerable.Reverse(made), seen);
        (await owner.Client.GetAsync($"projects/{app.ProjectId}/audit?cursor=x")).Expect(HttpStatusCode.BadRequest);
    }
}
