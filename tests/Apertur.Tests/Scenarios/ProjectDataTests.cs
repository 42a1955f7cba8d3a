using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Tests.Scenarios;

/// <summary>The lists and sums of project data, field by field, and that they add up.</summary>
public sealed class ProjectDataTests
{
    // Name and JSON kind of every field, as documented; a question mark allows null.
    private static readonly string[] _sessionRow =
    [
        "id string", "createdAt string", "expiresAt string", "status string", "projectId string", "projectName string", "imagesCount integer",
        "imagesDelivered integer", "imagesFailed integer", "destinationsCount integer", "tags array?", "longPollingEnabled boolean",
        "env string", "label string?",
    ];

    private static readonly string[] _uploadRow =
    [
        "id string", "filename string", "sizeBytes integer", "mimeType string", "source string", "isEncrypted boolean", "createdAt string",
        "sessionId string", "projectId string", "projectName string", "destinationsTotal integer", "destinationsDelivered integer",
        "destinationsFailed integer", "destinationsBreakdown array", "status string", "env string",
    ];

    private static readonly string[] _stats =
    [
        "sessionsThisMonth integer", "sessionsTotal integer", "imagesUploaded integer", "imagesDelivered integer",
        "deliverySuccessRate integer", "deliveriesRetrying integer", "totalProjects integer", "activeKeys integer", "topProjects array",
    ];

    [Theory, AllDatabases]
    public async Task Every_row_has_every_field_with_its_type(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var session = await app.Client.CreateSessionAsync(
            new JsonObject
            {
                ["destination_ids"] = new JsonArray(webhook),
                ["tags"] = new JsonArray("claim:17"),
                ["label"] = "Car",
                ["long_polling"] = true,
                ["metadata"] = new JsonObject { ["claim"] = 4711 },
            });
        await app.Client.CreateSessionAsync();
        var id = (string)(await app.Client.UploadAsync(session, Photos.Png(), source: "gallery"))["id"]!;
        await app.Client.UploadBecomesAsync(id, "delivered");

        foreach (var row in (await app.Client.GetAsync("sessions/recent?limit=10")).Json.AsArray())
            ExpectFields(row!, _sessionRow);
        foreach (var row in (await app.Client.GetAsync("uploads/recent?limit=10")).Json.AsArray())
            ExpectFields(row!, _uploadRow);
        ExpectFields((await app.Client.GetAsync("stats")).Json, _stats);
        foreach (var (path, fields) in new[] { ("sessions", _sessionRow), ("uploads", _uploadRow) })
        {
            var page = (await app.Client.GetAsync($"{path}?page=1&pageSize=20")).Json;
            ExpectFields(page, ["data array", "total integer", "page integer", "pageSize integer", "totalPages integer"]);
            Assert.All(page["data"]!.AsArray(), row => ExpectFields(row!, fields));
        }

        var upload = await app.Client.UploadRowAsync(id);
        Assert.Equal(
            (Photos.Png().Length, "image/png", "gallery", false, "2026-06-12T09:44:41.919Z", session, $"{app.ProjectId}", "Claims", "live"),
            ((int)upload["sizeBytes"]!, (string)upload["mimeType"]!, (string)upload["source"]!, (bool)upload["isEncrypted"]!,
                (string)upload["createdAt"]!, (string)upload["sessionId"]!, (string)upload["projectId"]!, (string)upload["projectName"]!,
                (string)upload["env"]!));
        Assert.Equal("""[{"type":"webhook","count":1}]""", upload["destinationsBreakdown"]!.ToJsonString());
        var made = (await app.Client.GetAsync("sessions/recent")).Json.AsArray().Single(row => (string)row!["id"]! == session)!;
        Assert.Equal(
            ("2026-06-12T09:44:41.919Z", "2026-06-13T09:44:41.919Z", "active", $"{app.ProjectId}", "Claims", "live"),
            ((string)made["createdAt"]!, (string)made["expiresAt"]!, (string)made["status"]!, (string)made["projectId"]!,
                (string)made["projectName"]!, (string)made["env"]!));
        Assert.Equal(
            (1, 1, 1, """["claim:17"]""", true, "Car"),
            ((int)made["imagesCount"]!, (int)made["imagesDelivered"]!, (int)made["destinationsCount"]!, made["tags"]!.ToJsonString(),
                (bool)made["longPollingEnabled"]!, (string)made["label"]!));

        // What one alone has beside that.
        var second = (string)(await app.Client.UploadAsync(session, Photos.Jpeg()))["id"]!;
        (await app.Client.PostAsync($"images/{second}/ack")).Expect(HttpStatusCode.OK);
        await app.WriteAsync(db => db.Database.ExecuteSqlAsync(
            $"UPDATE uploads SET damage = 'missing', original_sha256 = 'of what was sent' WHERE id = {second}"));
        var alone = (await app.Client.GetAsync($"uploads/{second}")).Expect(HttpStatusCode.OK).Json;
        Assert.Equal(
            (1, "2026-06-12T09:44:41.919Z", "missing", "of what was sent", Photos.Width, Photos.Height),
            ((int)alone["imageIndex"]!, (string)alone["acknowledgedAt"]!, (string)alone["damage"]!, (string)alone["originalSha256"]!,
                (int)alone["width"]!, (int)alone["height"]!));
        Assert.Equal(
            ("Car", """["claim:17"]""", """{"claim":4711}"""),
            ((string)alone["sessionLabel"]!, alone["sessionTags"]!.ToJsonString(), alone["sessionMetadata"]!.ToJsonString()));
    }

    [Theory, AllDatabases]
    public async Task Pages_over_many_days_hold_every_row_once_and_newest_first(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var made = new List<string>();
        for (var number = 0; number < 23; number++)
        {
            made.Insert(0, await app.Client.CreateSessionAsync());
            app.Clock.Jump(TimeSpan.FromHours(7));
        }

        var listed = new List<string>();
        for (var page = 1; page <= 8; page++)
        {
            var answer = (await app.Client.GetAsync($"sessions?page={page}&pageSize=3")).Json;
            Assert.Equal(23, (int)answer["total"]!);
            Assert.Equal(8, (int)answer["totalPages"]!);
            listed.AddRange(answer["data"]!.AsArray().Select(row => (string)row!["id"]!));
        }

        Assert.Equal(made, listed);
        Assert.Empty((await app.Client.GetAsync("sessions?page=9&pageSize=3")).Json["data"]!.AsArray());
        Assert.Empty((await app.Client.GetAsync("sessions?page=2000000000&pageSize=100")).Json["data"]!.AsArray());
        Assert.Equal(made.Take(10), (await app.Client.GetAsync("sessions/recent")).Json.AsArray().Select(row => (string)row!["id"]!));
    }

    [Theory, AllDatabases]
    public async Task Pages_of_both_environments_over_busy_and_quiet_days_hold_every_row_once(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var made = new List<string>();
        foreach (var sessionsThatDay in new[] { 6, 1, 0, 7, 2, 1, 9 })
        {
            for (var number = 0; number < sessionsThatDay; number++)
            {
                made.Insert(0, await app.ClientOf(number % 2 == 0 ? app.LiveKey : app.TestKey).CreateSessionAsync());
                app.Clock.Jump(TimeSpan.FromMinutes(1));
            }

            app.Clock.Jump(TimeSpan.FromDays(1));
        }

        var owner = await app.SignInAsync();
        for (var size = 1; size <= 12; size++)
        {
            var listed = new List<string>();
            for (var page = 1; page <= (made.Count / size) + 1; page++)
            {
                var answer = (await owner.Client.GetAsync($"sessions?env=all&page={page}&pageSize={size}")).Expect(HttpStatusCode.OK).Json;
                listed.AddRange(answer["data"]!.AsArray().Select(row => (string)row!["id"]!));
            }

            Assert.Equal(made, listed);
            var recent = (await owner.Client.GetAsync($"sessions/recent?env=all&limit={size}")).Json.AsArray();
            Assert.Equal(made.Take(size), recent.Select(row => (string)row!["id"]!));
        }
    }

    /// <summary>Otherwise one could be on two pages and another on none.</summary>
    [Theory, AllDatabases]
    public async Task Rows_of_one_instant_have_one_order_on_all_pages(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers([.. Enumerable.Repeat(410, 6)]);
        await using var app = await AperturApp.StartAsync(database);
        var destination = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var (sessions, uploads) = (new List<string>(), new List<string>());
        for (var number = 0; number < 6; number++)
        {
            sessions.Add(await app.Client.CreateSessionAsync(destination));
            uploads.Add((string)(await app.Client.UploadAsync(sessions[^1], Photos.Png()))["id"]!);
            await app.Client.UploadBecomesAsync(uploads[^1], "failed");
        }

        // Of both environments in turn: those of one, an index has in this order by itself.
        foreach (var (table, ids) in new[] { ("sessions", sessions), ("uploads", uploads) })
        {
            var sql = $"UPDATE {table} SET env = 'test' WHERE id = {{0}}";
            foreach (var id in ids.Order(StringComparer.Ordinal).Where((_, place) => place % 2 == 1))
                await app.WriteAsync(db => db.Database.ExecuteSqlRawAsync(sql, [id], TestContext.Current.CancellationToken));
        }

        var owner = (await app.SignInAsync()).Client;
        foreach (var (list, ids) in new[]
        {
            ("sessions?x=", sessions), ("sessions?status=active", sessions), ("uploads?x=", uploads), ("uploads?source=camera", uploads),
            ($"uploads?destinationId={destination}", uploads),
        })
        {
            var listed = new List<string>();
            for (var page = 1; page <= 3; page++)
                listed.AddRange((await owner.GetAsync($"{list}&env=all&page={page}&pageSize=2")).Json["data"]!.AsArray().Select(row => (string)row!["id"]!));
            Assert.Equal((list, string.Join(' ', ids.OrderDescending(StringComparer.Ordinal))), (list, string.Join(' ', listed)));
        }

        Assert.Equal(
            sessions.OrderDescending(StringComparer.Ordinal), (await owner.GetAsync("sessions/recent?env=all")).Json.AsArray().Select(row => (string)row!["id"]!));
        Assert.Equal(
            uploads.OrderDescending(StringComparer.Ordinal), (await owner.GetAsync("uploads/recent?env=all")).Json.AsArray().Select(row => (string)row!["id"]!));
    }

    [Theory, AllDatabases]
    public async Task Month_of_the_statistics_is_the_calendar_month_in_utc(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        await app.Client.CreateSessionAsync();
        var now = app.Clock.GetUtcNow();
        app.Clock.Jump(new DateTimeOffset(now.Year, now.Month, 1, 0, 0, 0, TimeSpan.Zero).AddMonths(1) - now);

        await app.Client.CreateSessionAsync();

        var stats = (await app.Client.GetAsync("stats")).Json;
        Assert.Equal(1, (int)stats["sessionsThisMonth"]!);
        Assert.Equal(2, (int)stats["sessionsTotal"]!);
        Assert.Equal(1, (int)stats["topProjects"]![0]!["sessions"]!);
        Assert.Equal(100, (int)stats["deliverySuccessRate"]!);
        // A range has the months that it has.
        var ranged = (await app.Client.GetAsync("stats?from=2026-01-01")).Expect(HttpStatusCode.OK).Json;
        Assert.Equal((2, 2), ((int)ranged["sessionsInRange"]!, (int)ranged["topProjects"]![0]!["sessions"]!));
    }

    [Theory, AllDatabases]
    public async Task Test_and_live_keys_see_their_own_environment_only(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var live = await app.Client.CreateSessionAsync();
        var test = await app.ClientOf(app.TestKey).CreateSessionAsync();
        var upload = (string)(await app.Client.UploadAsync(test, Photos.Png()))["id"]!;

        Assert.Equal(live, (string)(await app.Client.GetAsync("sessions")).Json["data"]!.AsArray().Single()!["id"]!);
        Assert.Equal(test, (string)(await app.ClientOf(app.TestKey).GetAsync("sessions")).Json["data"]!.AsArray().Single()!["id"]!);
        Assert.Equal(0, (int)(await app.Client.GetAsync("stats")).Json["imagesUploaded"]!);
        Assert.Equal(1, (int)(await app.ClientOf(app.TestKey).GetAsync("stats")).Json["imagesUploaded"]!);
        (await app.Client.GetAsync($"uploads/{upload}/download")).Expect(HttpStatusCode.NotFound);
        (await app.ClientOf(app.TestKey).GetAsync($"uploads/{upload}/download")).Expect(HttpStatusCode.OK);
    }

    private static void ExpectFields(JsonNode row, string[] fields)
    {
        var found = row.AsObject().Select(field => $"{field.Key} {KindOf(field.Value)}").ToList();
        Assert.Equal(fields.Length, found.Count);
        Assert.All(fields, field => Assert.True(
            found.Contains(field.TrimEnd('?')) || (field.EndsWith('?') && found.Contains(field.Split(' ')[0] + " null")),
            $"Expected {field} in {row.ToJsonString()}"));
    }

    private static string KindOf(JsonNode? value) => value?.GetValueKind() switch
    {
        null => "null",
        JsonValueKind.String => "string",
        JsonValueKind.Number => value.ToJsonString().All(char.IsAsciiDigit) ? "integer" : "fraction",
        JsonValueKind.True or JsonValueKind.False => "boolean",
        JsonValueKind.Array => "array",
        _ => "object",
    };
}
