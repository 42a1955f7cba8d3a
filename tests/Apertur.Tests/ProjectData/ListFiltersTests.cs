using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server.ProjectData;
using Apertur.Server.Queue;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Tests.ProjectData;

/// <summary>Lists narrowed down to what somebody looks for.</summary>
public sealed class ListFiltersTests
{
    /// <summary>Among a million photos those that a filter lets through may be three.</summary>
    [Fact]
    public async Task Filters_that_few_fit_are_answered_by_an_index_of_those()
    {
        var plans = new QueryPlans();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite, configure: plans.Into);

        var webhook = await app.Client.PostAsync($"projects/{app.ProjectId}/webhooks", new { url = "http://127.0.0.1:9/", topics = new[] { "*" }, isActive = false });
        var history = $"projects/{app.ProjectId}/webhooks/{webhook.Expect(HttpStatusCode.Created).Json["id"]}/deliveries";
        var deliveries = $"projects/{app.ProjectId}/deliveries";
        await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = "http://127.0.0.1:9/" });
        var upload = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(), Photos.Jpeg()))["id"]!;
        foreach (var (path, index) in new[]
        {
            (history, "event_deliveries_history"), ($"{history}?status=sent", "event_deliveries_sent"), ($"{history}?status=failed", "event_deliveries_failed"),
            ($"{history}?status=retrying", "event_deliveries_open"), ("uploads?status=failed", "uploads_failed"), ("uploads?status=partial", "uploads_failed"),
            ("uploads?status=stored_only", "uploads_stored_only"), ("uploads?source=box", "uploads_source"), ("uploads?q=roof", "COVERING INDEX uploads_list"),
            ("stats", "deliveries_retrying"), (deliveries, "deliveries_failed"), ($"{deliveries}?status=retrying", "deliveries_retrying"),
            ($"{deliveries}?status=pending", "deliveries_waiting"), ($"{deliveries}?status=sending", "deliveries_leased"),
            ($"uploads/{upload}/deliveries", "deliveries_session"),
        })
        {
            plans.Clear();
            (await app.Client.GetAsync(path)).Expect(HttpStatusCode.OK);
            Expect(path, index);
        }

        plans.Clear();
        (await app.Client.SendAsync(HttpMethod.Delete, $"uploads/{upload}")).Expect(HttpStatusCode.NoContent);
        Expect("deletion", "deliveries_session");

        void Expect(string path, string index) => Assert.True(
            plans.Steps.Any(step => $"{step} ".Contains($"{index} ", StringComparison.Ordinal)), $"{path}: {string.Join(", ", plans.Steps)}");
    }

    /// <summary>One more where what is usual is looked for among the newest first, or is asked whether there is much of it.</summary>
    [Fact]
    public async Task List_takes_as_many_statements_as_it_needs_to_find_the_shortest_way()
    {
        var plans = new QueryPlans();
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite, configure: services =>
        {
            plans.Into(services);
            services.WithoutLoops();
        });
        var (session, other) = (await app.Client.CreateSessionAsync(), Guid.NewGuid());
        await StatementsAsync("sessions?page=0");
        var letIn = await StatementsAsync("sessions?page=0");

        foreach (var (path, count) in new[]
        {
            // The counts, and the rows of the page.
            ("sessions", 2), ("sessions?from=2026-06-12", 2), ("sessions?to=2026-06-12", 2),
            // And those of each day that is cut.
            ("sessions?from=2026-06-12T00:00:01Z", 3), ("sessions?to=2026-06-12T00:00:01Z", 3),
            ("sessions?from=2026-06-12T00:00:01Z&to=2026-06-12T00:00:02Z", 3), ("sessions?from=2026-06-11T00:00:01Z&to=2026-06-12T00:00:01Z", 4),
            // The ids, and the rows of the page.
            ("uploads?status=failed", 2), ("uploads?status=stored_only", 2), ("uploads?q=x", 2), ("uploads?source=box", 2),
            ($"uploads?sessionId={session}", 2),
            // On which days something arrived; how much is under way, of that source, or for that destination; whether it is a session.
            ("uploads?status=partial", 3), ("uploads?status=pending", 3), ("uploads?source=box&q=x", 3), ("uploads?source=box&status=failed", 3),
            ($"uploads?q={session}", 3), ($"uploads?q={other}", 3), ($"uploads?destinationId={other}&q={other}", 3),
            // Few are of one session, whatever else was asked for.
            ($"uploads?source=box&q=x&sessionId={session}", 2), ($"uploads?destinationId={other}&sessionId={session}", 2),
            // Among the newest first.
            ("uploads?status=delivered", 4), ($"uploads?destinationId={other}", 3), ($"uploads?destinationId={other}&status=delivered", 4),
            ($"uploads?destinationId={other}&status=failed", 4), ($"uploads?destinationId={other}&q=x", 4),
            ($"uploads?destinationId={other}&source=box", 4),
        })
            Assert.Equal((path, count), (path, await StatementsAsync(path) - letIn));

        // There are bounds to the newest and to what is counted.
        foreach (var (path, bounds) in new[] { ("uploads?status=delivered", 3), ($"uploads?destinationId={other}", 4), ("uploads?status=pending", 2) })
        {
            await StatementsAsync(path);
            Assert.Equal((path, bounds), (path, plans.Statements.Sum(statement => statement.Split("LIMIT @").Length - 1)));
        }

        async Task<int> StatementsAsync(string path)
        {
            plans.Clear();
            await app.Client.GetAsync(path);
            return plans.Statements.Count;
        }
    }

    [Theory, AllDatabases]
    public async Task Sessions_are_found_by_label_tag_id_and_status(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var roof = await app.Client.CreateSessionAsync(new JsonObject { ["label"] = "Roof 100%", ["tags"] = new JsonArray("Claim:17") });
        var full = await app.Client.CreateSessionAsync(new JsonObject { ["label"] = "Kitchen", ["max_images"] = 1 });
        var old = await app.Client.CreateSessionAsync(new JsonObject { ["expires_in_hours"] = 1 });
        await app.Client.UploadAsync(full, Photos.Jpeg());
        app.Clock.Jump(TimeSpan.FromHours(2));

        foreach (var (query, expected) in new (string, string[])[]
        {
            ("q=roof", [roof]), ("q=100%25", [roof]), ("q=_", []), ("q=CLAIM:17", [roof]), ("q=%20roof%20", [roof]), ($"q={full}", [full]), ("q=nothing", []),
            ("status=pending", [roof]), ("status=completed", [full]), ("status=expired", [old]), ("status=failed", []), ("q=kit&status=completed", [full]),
        })
        {
            var page = (await app.Client.GetAsync($"sessions?{query}")).Expect(HttpStatusCode.OK).Json;
            Assert.Equal((query, string.Join(' ', expected)), (query, string.Join(' ', page["data"]!.AsArray().Select(row => (string)row!["id"]!))));
            Assert.Equal(expected.Length, (int)page["total"]!);
        }

        Assert.Equal("Roof 100%", (string)(await app.Client.GetAsync("sessions?q=roof")).Json["data"]![0]!["label"]!);
        var tooMuch = "sessions?q=" + new string('q', 201);
        foreach (var bad in new[] { "sessions?status=odd", "uploads?status=odd", "sessions?q=%00", tooMuch, "uploads?sessionId=x", "uploads?destinationId=x" })
            Assert.True((await app.Client.GetAsync(bad)).Status is HttpStatusCode.BadRequest or HttpStatusCode.NotFound, bad);
    }

    [Theory, AllDatabases]
    public async Task Each_status_that_a_row_shows_finds_that_row(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        receiver.Otherwise = context =>
        {
            context.Response.StatusCode = context.Request.Path == "/gone" ? 410 : context.Request.Path == "/busy" ? 503 : 200;
            return context.Request.Body.CopyToAsync(Stream.Null);
        };
        async Task<string> ToAsync(string path) => await app.Client.CreateDestinationAsync(
            "webhook", new JsonObject { ["url"] = receiver.Url.Replace("/hook", path, StringComparison.Ordinal) });
        var (good, gone, busy, alsoBusy) = (await ToAsync("/hook"), await ToAsync("/gone"), await ToAsync("/busy"), await ToAsync("/busy"));
        var expected = new Dictionary<string, string>();
        foreach (var (status, destinations) in new (string, string[])[]
        {
            ("stored_only", []), ("delivered", [good]), ("failed", [gone]), ("partial", [good, gone]), ("pending", [busy, alsoBusy]),
        })
        {
            app.Clock.Jump(TimeSpan.FromMilliseconds(1));
            var session = await app.Client.CreateSessionAsync(destinations);
            var id = (string)(await app.Client.UploadAsync(session, Photos.Jpeg(), $"{status.ToUpperInvariant()} É.jpg", "gallery"))["id"]!;
            await app.Client.UploadBecomesAsync(id, status);
            expected[status] = id;
            Assert.Equal(id, Single(await app.Client.GetAsync($"uploads?sessionId={session}")));
            Assert.Equal(id, Single(await app.Client.GetAsync($"uploads?q={session}")));
            // Of a session, whatever it has is looked at.
            Assert.Equal((status, status == "pending" ? 1 : 0), (status, await TotalAsync($"sessionId={session}&status=pending")));
        }

        foreach (var (status, id) in expected)
        {
            Assert.Equal(id, Single(await app.Client.GetAsync($"uploads?status={status}")));
            Assert.Equal(id, Single(await app.Client.GetAsync($"uploads?q={status[..4]}&source=gallery&status={status}")));
            Assert.Equal(id, Single(await app.Client.GetAsync($"uploads?q={id}")));
        }

        // Whatever it waits for, and when others of it have ended in either way.
        var pending = Guid.Parse(expected["pending"]);
        await Eventually.Becomes(
            () => app.DeliveriesAsync(expected["pending"]), rows => rows.All(row => row.State == DeliveryState.Retrying), "both were tried");
        foreach (var state in new[] { DeliveryState.Pending, DeliveryState.Sending, DeliveryState.Retrying })
        {
            Guid? lease = state == DeliveryState.Sending ? Guid.CreateVersion7() : null;
            await app.WriteAsync(db => db.Deliveries.Where(row => row.UploadId == pending).ExecuteUpdateAsync(
                row => row.SetProperty(r => r.State, state).SetProperty(r => r.LeaseToken, lease), TestContext.Current.CancellationToken));
            Assert.Equal(expected["pending"], Single(await app.Client.GetAsync("uploads?status=pending")));
        }

        foreach (var (total, ended) in new[] { (4, 1), (2, 0) })
        {
            await app.WriteAsync(db => db.Uploads.Where(row => row.Id == pending).ExecuteUpdateAsync(
                row => row.SetProperty(u => u.DestinationsTotal, total).SetProperty(u => u.DestinationsDelivered, ended)
                    .SetProperty(u => u.DestinationsFailed, ended),
                TestContext.Current.CancellationToken));
            Assert.Equal(expected["partial"], Single(await app.Client.GetAsync("uploads?status=partial")));
        }

        // Whoever may not see a photo does not find it either.
        var itsSession = (await app.Client.UploadRowAsync(expected["pending"]))["sessionId"]!;
        foreach (var query in new[] { $"sessionId={itsSession}", $"q={itsSession}", $"q={pending}", "status=pending", $"destinationId={gone}", "source=gallery" })
            Assert.Equal((query, 0), (query, (int)(await app.ClientOf(app.TestKey).GetAsync($"uploads?{query}")).Expect(HttpStatusCode.OK).Json["total"]!));

        var newestFirst = (await app.Client.GetAsync("uploads")).Json["data"]!.AsArray().Select(row => (string)row!["id"]!).ToList();
        foreach (var (query, statuses) in new (string, string[])[]
        {
            ($"destinationId={gone}", ["partial", "failed"]), ($"destinationId={good}", ["partial", "delivered"]), ($"destinationId={busy}", ["pending"]),
            ($"destinationId={gone}&status=failed", ["failed"]), ($"destinationId={Guid.NewGuid()}", []),
            ($"destinationId={gone}&q={expected["delivered"]}", []), ($"destinationId={good}&q={expected["delivered"]}", ["delivered"]),
            ($"destinationId={gone}&from=2026-01-01T00:00:00Z", ["partial", "failed"]), ($"destinationId={gone}&to=2026-01-01T00:00:00Z", []),
        })
        {
            var page = (await app.Client.GetAsync($"uploads?{query}")).Expect(HttpStatusCode.OK).Json;
            var ids = statuses.Select(status => expected[status]).OrderBy(newestFirst.IndexOf);
            Assert.Equal((query, string.Join(' ', ids)), (query, string.Join(' ', page["data"]!.AsArray().Select(row => (string)row!["id"]!))));
            Assert.Equal(statuses.Length, (int)page["total"]!);
        }

        var arrived = (await app.Client.UploadRowAsync(expected["delivered"]))["createdAt"]!;
        foreach (var filter in new[] { "status=delivered", $"q={expected["delivered"]}" })
        {
            foreach (var (range, count) in new[] { ($"from={arrived}", 1), ($"to={arrived}", 0), ("from=2100-01-01T00:00:00Z", 0) })
                Assert.Equal((filter, range, count), (filter, range, await TotalAsync($"{filter}&{range}")));
        }

        // As it is written, whatever it means to a database, of which only one knows capitals beyond ASCII.
        var withCapitals = database == DatabaseKind.PostgreSql ? 2 : 0;
        foreach (var (words, count) in new[] { ("d_l", 0), ("d%25l", 0), ("%5Cdel", 0), ("del", 1), ("ed%20%C3%89", withCapitals) })
            Assert.Equal((words, count), (words, await TotalAsync($"q={words}")));
        Assert.Empty((await app.Client.GetAsync("uploads?source=gallery&page=2000000000&pageSize=100")).Expect(HttpStatusCode.OK).Json["data"]!.AsArray());
        Assert.Equal(0, (int)(await app.Client.GetAsync("uploads?source=box")).Json["total"]!);
        await PagesAsync(app.Client, "uploads?source=gallery", newestFirst);
        await PagesAsync(app.Client, "sessions?q=label", await SessionsAsync(app, 5));
        var today = (await app.Client.GetAsync("stats/daily")).Expect(HttpStatusCode.OK).Json.AsArray()[^1]!;
        Assert.Equal(
            (2, 2, 2, 5, 10), ((int)today["deliveriesFailed"]!, (int)today["deliveriesSent"]!, (int)today["imagesDelivered"]!,
                (int)today["imagesUploaded"]!, (int)today["sessions"]!));
        // What waits for its first attempt is pending too.
        var health = await Eventually.Becomes(
            async () => (await app.Client.GetAsync($"projects/{app.ProjectId}/destination-health"))
                .Expect(HttpStatusCode.OK).Json.AsArray().ToDictionary(each => (string)each!["destinationId"]!, each => each!),
            found => (bool)found[busy]["isFailing"]!);
        Assert.Equal((0, false, 0), Health(health[good]));
        Assert.Equal((0, false, 2), Health(health[gone]));
        Assert.Contains("410", (string)health[gone]["lastError"]!, StringComparison.Ordinal);
        Assert.Equal((1, true, 0), Health(health[busy]));
        Assert.Contains("503", (string)health[busy]["lastError"]!, StringComparison.Ordinal);

        Assert.Equal((2, 2), await AttemptsAsync(app, gone, 1));
        Assert.Equal((2, 0), await AttemptsAsync(app, good, 24));
        app.Clock.Jump(TimeSpan.FromHours(1));
        Assert.Equal((0, 0), await AttemptsAsync(app, gone, 1));
        Assert.Equal((2, 2), await AttemptsAsync(app, gone, 2));

        async Task<int> TotalAsync(string query) => (int)(await app.Client.GetAsync($"uploads?{query}")).Expect(HttpStatusCode.OK).Json["total"]!;
    }

    [Theory, AllDatabases]
    public async Task Filtered_list_is_counted_up_to_ten_thousand_and_read_beyond(DatabaseKind database)
    {
        // More than are looked at first.
        const int Copies = 20_010;
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var other = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var destination = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var session = await app.Client.CreateSessionAsync(destination);
        var upload = (string)(await app.Client.UploadAsync(session, Photos.Jpeg(), "first.jpg"))["id"]!;
        await app.Client.UploadBecomesAsync(upload, "delivered");
        var elsewhere = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(), Photos.Jpeg(), "first.jpg", "gallery"))["id"]!;
        var tests = app.ClientOf(app.TestKey);
        await tests.UploadAsync(await tests.CreateSessionAsync(), Photos.Jpeg(), "first.jpg");
        // Written by the database itself, and known to it then.
        await app.WriteAsync(db => db.Database.ExecuteSqlAsync(
            $"""
            WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {Copies})
            INSERT INTO uploads (id, session_id, project_id, env, image_index, filename, size_bytes, mime_type, source, sha256, is_encrypted,
              destination_types, destinations_total, created_at)
            SELECT '019a0000-0000-7000-8000-0000' || CAST(10000000 + n AS TEXT), u.session_id, u.project_id, u.env, n, 'copy.jpg', 1, u.mime_type,
              u.source, u.sha256, FALSE, '[]', 0, u.created_at - n
            FROM numbers JOIN uploads u ON u.id = {upload}
            """));
        await app.WriteAsync(db => db.Database.ExecuteSqlRawAsync(
            """
            INSERT INTO deliveries (id, upload_id, session_id, destination_id, destination_type, destination_name, state, attempts, due_at, due_cause,
              received_at, created_at, updated_at, ended_at)
            SELECT u.id, u.id, u.session_id, d.destination_id, d.destination_type, d.destination_name,
              CASE WHEN u.image_index <= 10010 THEN 'failed' ELSE 'sent' END, 1, 0, 'received', u.created_at, 0, 0, 1
            FROM uploads u CROSS JOIN deliveries d WHERE u.filename = 'copy.jpg';
            ANALYZE;
            """));
        await app.WriteAsync(db => db.Database.ExecuteSqlAsync(
            $"""
            WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {ListFilters.MostCounted + 10})
            INSERT INTO sessions (id, project_id, env, label, destination_ids, destinations_count, long_polling, max_images, allowed_mime_types,
              max_image_size_mb, created_at, expires_at, last_changed)
            SELECT '019a0000-0000-7000-8000-0000' || CAST(10000000 + n AS TEXT), s.project_id, s.env, 'copy', s.destination_ids, 1, FALSE, 1,
              s.allowed_mime_types, 1, s.created_at - n, s.expires_at, s.last_changed
            FROM numbers JOIN sessions s ON s.id = {session}
            """));

        foreach (var query in new[] { "source=camera", $"destinationId={destination}", $"destinationId={destination}&source=camera" })
        {
            var page = (await app.Client.GetAsync($"uploads?{query}&page=201&pageSize=100")).Expect(HttpStatusCode.OK).Json;
            Assert.Equal((query, ListFilters.MostCounted), (query, (int)page["total"]!));
            Assert.InRange(page["data"]!.AsArray().Count, 11, 12);
        }

        foreach (var (query, found) in new[]
        {
            ($"destinationId={destination}&q=first", upload), ("q=first&status=stored_only", elsewhere),
            ("q=first&status=delivered&source=camera", upload), ("q=first&source=camera", upload),
            // The newest of very many.
            ($"destinationId={destination}&pageSize=1", upload),
        })
            Assert.Equal(found, Single(await app.Client.GetAsync($"uploads?{query}")));
        // Whatever the letters of a source that has very many mean to a database.
        await app.WriteAsync(async db =>
        {
            await db.Database.ExecuteSqlAsync(
                $"UPDATE uploads SET source = 'came_a', destinations_total = 1, destinations_delivered = 1 WHERE source = 'camera'");
            await db.Database.ExecuteSqlAsync($"UPDATE uploads SET source = 'camera' WHERE id = {elsewhere}");
        });
        Assert.Equal(upload, Single(await app.Client.GetAsync("uploads?q=first&source=came_a")));
        Assert.Equal(upload, Single(await app.Client.GetAsync("uploads?status=delivered&pageSize=1")));
        // One more, of another destination.
        receiver.Answers(410);
        await app.Client.UploadBecomesAsync((string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(other), Photos.Jpeg()))["id"]!, "failed");
        foreach (var (page, shown) in new[] { (1, 100), (101, 11) })
        {
            var failed = (await app.Client.GetAsync($"projects/{app.ProjectId}/deliveries?page={page}&pageSize=100")).Expect(HttpStatusCode.OK).Json;
            Assert.Equal((page, ListFilters.MostCounted, shown), (page, (int)failed["total"]!, failed["data"]!.AsArray().Count));
        }

        var copies = (await app.Client.GetAsync("sessions?q=copy&page=101&pageSize=100")).Expect(HttpStatusCode.OK).Json;
        Assert.Equal((ListFilters.MostCounted, 10), ((int)copies["total"]!, copies["data"]!.AsArray().Count));
        var never = DateTimeOffset.MaxValue.AddYears(-1).ToUnixTimeMilliseconds();
        await app.WriteAsync(db => db.Database.ExecuteSqlAsync(
            $"UPDATE deliveries SET state = 'retrying', due_at = {never}, ended_at = NULL WHERE state = 'failed'"));
        var (_, _, stranger) = await app.CreateOtherProjectAsync();
        foreach (var (key, query, retrying) in new[]
        {
            (app.LiveKey, "", ListFilters.MostCounted), (app.TestKey, "", 0), (stranger, "", 0), (app.LiveKey, "?from=2100-01-01", 0),
            (app.LiveKey, "?to=2000-01-01", 0),
        })
            Assert.Equal(retrying, (int)(await app.ClientOf(key).GetAsync($"stats{query}")).Expect(HttpStatusCode.OK).Json["deliveriesRetrying"]!);
    }

    [Theory, AllDatabases]
    public async Task Each_status_that_a_session_shows_finds_that_session(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        receiver.Otherwise = context =>
        {
            context.Response.StatusCode = context.Request.Path == "/gone" ? 410 : context.Request.Path == "/busy" ? 503 : 200;
            return context.Request.Body.CopyToAsync(Stream.Null);
        };
        async Task<string[]> ToAsync(string path) => [await app.Client.CreateDestinationAsync(
            "webhook", new JsonObject { ["url"] = receiver.Url.Replace("/hook", path, StringComparison.Ordinal) })];
        var (good, gone, busy) = (await ToAsync("/hook"), await ToAsync("/gone"), await ToAsync("/busy"));
        foreach (var (hours, most, photos, destinations, becomes) in new (int, int, int, string[], string)[]
        {
            (24, 9, 0, [], ""), (24, 9, 1, [], "stored_only"), (24, 9, 1, gone, "failed"), (24, 9, 0, good, ""),
            (24, 1, 1, [], "stored_only"), (24, 1, 1, good, "delivered"), (24, 1, 1, gone, "failed"), (24, 1, 1, busy, "pending"),
            (1, 9, 0, [], ""), (1, 9, 1, [], "stored_only"), (1, 9, 1, good, "delivered"), (1, 9, 1, gone, "failed"), (1, 9, 1, busy, "pending"),
            (1, 1, 1, good, "delivered"), (1, 1, 1, gone, "failed"),
        })
        {
            var session = await app.Client.CreateSessionAsync(new JsonObject
            {
                ["expires_in_hours"] = hours,
                ["max_images"] = most,
                ["destination_ids"] = new JsonArray([.. destinations.Select(id => JsonValue.Create(id))]),
            });
            if (photos > 0)
                await app.Client.UploadBecomesAsync((string)(await app.Client.UploadAsync(session, Photos.Jpeg()))["id"]!, becomes);
        }

        // Those that somebody closes.
        foreach (var (hours, destinations, becomes) in new (int, string[], string)[] { (24, [], ""), (24, [], "stored_only"), (24, gone, "failed"), (1, [], "") })
        {
            var session = await app.Client.CreateSessionAsync(new JsonObject
            {
                ["expires_in_hours"] = hours,
                ["destination_ids"] = new JsonArray([.. destinations.Select(id => JsonValue.Create(id))]),
            });
            if (becomes.Length > 0)
                await app.Client.UploadBecomesAsync((string)(await app.Client.UploadAsync(session, Photos.Jpeg()))["id"]!, becomes);
            (await app.Client.PostAsync($"upload-sessions/{session}/complete")).Expect(HttpStatusCode.OK);
        }

        app.Clock.Jump(TimeSpan.FromHours(2));
        var rows = (await app.Client.GetAsync("sessions?pageSize=50")).Expect(HttpStatusCode.OK).Json["data"]!.AsArray()
            .ToLookup(row => (string)row!["status"]!, row => (string)row!["id"]!);
        Assert.Equal(5, (await app.Client.GetAsync("sessions?pageSize=50")).Json["data"]!.AsArray().Sum(row => (int)row!["imagesFailed"]!));
        Assert.Equal(
            [("active", 2), ("completed", 7), ("expired", 4), ("failed", 4), ("pending", 2)],
            rows.Select(status => (status.Key, status.Count())).OrderBy(status => status.Key, StringComparer.Ordinal));
        foreach (var status in rows)
        {
            var found = (await app.Client.GetAsync($"sessions?pageSize=50&status={status.Key}")).Expect(HttpStatusCode.OK).Json["data"]!.AsArray();
            Assert.Equal((status.Key, string.Join(' ', status)), (status.Key, string.Join(' ', found.Select(row => (string)row!["id"]!))));
        }
    }

    [Theory, AllDatabases]
    public async Task One_project_of_several_is_listed_and_summed_up_alone(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var owner = await app.SignInAsync();
        var other = (string)(await owner.Client.PostAsync("projects", new { name = "Other" })).Expect(HttpStatusCode.Created).Json["id"]!;
        foreach (var project in new[] { app.ProjectId.ToString(), other, other })
            (await owner.Client.PostAsync("upload-sessions", new { project_id = project })).Expect(HttpStatusCode.Created);

        foreach (var (project, sessions) in new[] { ("", 3), (app.ProjectId.ToString(), 1), (other, 2) })
        {
            Assert.Equal(sessions, (int)(await owner.Client.GetAsync($"sessions?projectId={project}")).Json["total"]!);
            Assert.Equal(sessions, (await owner.Client.GetAsync($"sessions/recent?projectId={project}")).Json.AsArray().Count);
            Assert.Equal(sessions, (int)(await owner.Client.GetAsync($"stats?projectId={project}")).Json["sessionsTotal"]!);
            var days = (await owner.Client.GetAsync($"stats/daily?projectId={project}")).Expect(HttpStatusCode.OK).Json.AsArray();
            Assert.Equal((30, sessions), (days.Count, days.Sum(day => (int)day!["sessions"]!)));
        }

        (await owner.Client.GetAsync($"sessions?projectId={Guid.NewGuid()}")).Expect(HttpStatusCode.NotFound);
        (await app.Client.GetAsync($"uploads?projectId={other}")).Expect(HttpStatusCode.NotFound);
        Assert.Equal(366, (await app.Client.GetAsync("stats/daily?from=2025-06-12")).Expect(HttpStatusCode.OK).Json.AsArray().Count);
        (await app.Client.GetAsync("stats/daily?from=2025-06-11")).Expect(HttpStatusCode.BadRequest);
        var twoDays = (await app.Client.GetAsync("stats/daily?from=2026-05-01&to=2026-05-03")).Expect(HttpStatusCode.OK).Json.AsArray();
        Assert.Equal(["2026-05-01", "2026-05-02"], twoDays.Select(day => (string)day!["date"]!));
        Assert.Empty((await app.Client.GetAsync("stats/daily?from=2040-01-01")).Expect(HttpStatusCode.OK).Json.AsArray());
    }

    /// <summary>The list in pages, and the parts of it before and after the one in the middle.</summary>
    private static async Task PagesAsync(AperturClient client, string list, IReadOnlyList<string> newestFirst)
    {
        var pages = new List<string>();
        for (var page = 1; page <= 4; page++)
        {
            var answer = (await client.GetAsync($"{list}&page={page}&pageSize=2")).Expect(HttpStatusCode.OK).Json;
            Assert.Equal((newestFirst.Count, (newestFirst.Count + 1) / 2), ((int)answer["total"]!, (int)answer["totalPages"]!));
            pages.AddRange(Ids(answer));
        }

        Assert.Equal(newestFirst, pages);
        var all = (await client.GetAsync(list)).Json["data"]!.AsArray();
        var middle = (string)all[2]!["createdAt"]!;
        Assert.Equal(newestFirst.Take(3), Ids((await client.GetAsync($"{list}&from={middle}")).Expect(HttpStatusCode.OK).Json));
        Assert.Equal(newestFirst.Skip(3), Ids((await client.GetAsync($"{list}&to={middle}")).Expect(HttpStatusCode.OK).Json));

        static IEnumerable<string> Ids(JsonNode page) => page["data"]!.AsArray().Select(row => (string)row!["id"]!);
    }

    private static async Task<List<string>> SessionsAsync(AperturApp app, int count)
    {
        var made = new List<string>();
        for (var i = 0; i < count; i++)
        {
            app.Clock.Jump(TimeSpan.FromMilliseconds(1));
            made.Insert(0, await app.Client.CreateSessionAsync(new JsonObject { ["label"] = $"Label {i}" }));
        }

        return made;
    }

    private static async Task<(int Attempts, int Failures)> AttemptsAsync(AperturApp app, string destination, int hours)
    {
        var rows = (await app.Client.GetAsync($"projects/{app.ProjectId}/destinations/{destination}/attempts?hours={hours}")).Expect(HttpStatusCode.OK).Json.AsArray();
        Assert.Equal(hours, rows.Count);
        return (rows.Sum(row => (int)row!["attempts"]!), rows.Sum(row => (int)row!["failures"]!));
    }

    private static string Single(Answer answer) => (string)Assert.Single(answer.Expect(HttpStatusCode.OK).Json["data"]!.AsArray())!["id"]!;

    private static (int, bool, int) Health(JsonNode health) => ((int)health["waiting"]!, (bool)health["isFailing"]!, (int)health["failedLately"]!);
}
