using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server.Deliveries;
using Apertur.Server.Queue;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Deliveries;

/// <summary>The deliveries of a project as they are listed, and another try of those of an upload. Nothing is delivered meanwhile.</summary>
public sealed class ProjectDeliveriesTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, AllDatabases]
    public async Task Deliveries_in_a_state_are_listed_those_that_changed_last_first(DatabaseKind database)
    {
        var count = new QueryCount();
        await using var app = await StartAsync(database, count);
        // Made in another order than that of their ids, or the list would have them in its order by itself.
        string[] destinations;
        do
            destinations = [await WebhookAsync(app.Client), await WebhookAsync(app.Client)];
        while (string.CompareOrdinal(destinations[0], destinations[1]) < 0);
        var session = await app.Client.CreateSessionAsync(destinations);
        var uploads = new[] { await UploadAsync(app.Client, session), await UploadAsync(app.Client, session) };
        // Neither in the other environment nor in another project.
        var test = app.ClientOf(app.TestKey);
        await UploadAsync(test, await test.CreateSessionAsync(destinations[0]));
        var (project, _, key) = await app.CreateOtherProjectAsync();
        var other = app.ClientOf(key, project);
        await UploadAsync(other, await other.CreateSessionAsync(await WebhookAsync(other)));

        var pairs = uploads.OrderDescending().SelectMany(upload => destinations.Order().Select(destination => (upload, destination))).ToList();
        Assert.Equal((4, 1), (await TotalAsync("pending"), (int)(await test.GetAsync(Path(app) + "?status=pending")).Json["total"]!));
        var person = await app.SignInAsync();
        Assert.Equal(5, (int)(await person.Client.GetAsync(Path(app) + "?status=pending")).Expect(HttpStatusCode.OK).Json["total"]!);
        Assert.Equal(uploads.OrderDescending(), await PendingAsync());
        foreach (var pair in pairs)
            await SetAsync(pair, row => row.State = DeliveryState.Retrying);
        Assert.Equal(uploads.OrderDescending(), await PendingAsync());
        Assert.Equal(pairs, await PagesAsync());
        await SetAsync(pairs[3], row => row.UpdatedAt += TimeSpan.FromSeconds(1));
        Assert.Equal([pairs[3], .. pairs[..3]], await PagesAsync());
        // What fits on a page is not counted as well.
        Assert.Equal(destinations.Length, await QueriesAsync(pageSize: 2) - await QueriesAsync(pageSize: 3));
        Assert.Empty((await ListAsync($"?status=retrying&page={int.MaxValue}"))["data"]!.AsArray());

        await SetAsync(pairs[0], row => (row.State, row.LeaseToken, row.LeaseUntil) = (DeliveryState.Sending, Guid.NewGuid(), app.Clock.GetUtcNow() + Pump.Lease));
        await SetAsync(pairs[1], row => (row.State, row.Attempts, row.LastError) = (DeliveryState.Failed, 18, "It was refused."));
        // Each photo is under way to somewhere: one is being sent, and another waits.
        Assert.Equal(uploads.OrderDescending(), await PendingAsync());
        await SetAsync(pairs[2], row => row.State = DeliveryState.Pending);
        await SetAsync(pairs[3], row => (row.Attempts, row.LastError, row.Reference) = (3, "It was busy.", "somewhere"));
        await SetAsync(pairs[3], row => row.Due = new(app.Clock.GetUtcNow().AddMinutes(5), DueCause.Schedule));
        foreach (var (query, expected) in new[]
        {
            ("?status=sending", pairs[0]), ("?status=failed", pairs[1]), ("", pairs[1]), ("?status=pending", pairs[2]), ("?status=retrying", pairs[3]),
            ($"?destinationId={pairs[1].destination}", pairs[1]), ("?status=", pairs[1]), ("?destinationId=", pairs[1]),
        })
        {
            var list = await ListAsync(query);
            Assert.Equal((query, 1), (query, (int)list["total"]!));
            var listed = Assert.Single(list["data"]!.AsArray())!;
            Assert.Equal(
                (expected.upload, expected.destination, session, "photo.jpg"),
                ((string)listed["uploadId"]!, (string)listed["destinationId"]!, (string)listed["sessionId"]!, (string)listed["filename"]!));
            // As the upload's own list has it.
            var own = (await app.Client.GetAsync($"uploads/{expected.upload}/deliveries")).Expect(HttpStatusCode.OK).Json.AsArray();
            Assert.Equal(destinations.Length, own.Count);
            Assert.Equal(own.Select(row => (string)row!["id"]!).Order(), own.Select(row => (string)row!["id"]!));
            var same = own.Single(row => (string)row!["destinationId"]! == expected.destination)!;
            foreach (var field in new[] { "id", "destinationType", "destinationName", "status", "attempts", "lastError", "dueAt", "createdAt", "updatedAt" })
                Assert.Equal((field, same[field]?.ToJsonString()), (field, listed[field]?.ToJsonString()));
            var row = (await app.DeliveriesAsync(expected.upload)).Single(row => row.DestinationId.ToString() == expected.destination);
            Assert.Equal(
                (row.Id.ToString(), "webhook", row.DestinationName, row.Attempts, row.LastError, row.CreatedAt, row.UpdatedAt),
                ((string)listed["id"]!, (string)listed["destinationType"]!, (string)listed["destinationName"]!, (int)listed["attempts"]!,
                    (string?)listed["lastError"], (DateTimeOffset)listed["createdAt"]!, (DateTimeOffset)listed["updatedAt"]!));
            Assert.Equal(row.Reference, (string?)same["reference"]);
            Assert.Equal(row.State is DeliveryState.Pending or DeliveryState.Retrying ? row.DueAt : (DateTimeOffset?)null, (DateTimeOffset?)listed["dueAt"]);
        }

        Assert.Equal(0, (int)(await ListAsync($"?destinationId={pairs[0].destination}"))["total"]!);
        foreach (var bad in new[] { "sent", "odd" })
            (await app.Client.GetAsync($"{Path(app)}?status={bad}")).Expect(HttpStatusCode.BadRequest);
        (await app.Client.GetAsync($"uploads/{uploads[0]}/destinations/{Guid.NewGuid()}/attempts")).Expect(HttpStatusCode.NotFound);

        // What keeps one waiting is the destination's to say, and of one that is gone there is nothing to wait for.
        var waits = pairs[2];
        var now = app.Clock.GetUtcNow();
        Assert.Null(await WaitingForAsync(row => row.Breaker.OpenUntil = now));
        Assert.Equal("It is full.", await WaitingForAsync(row => (row.ParkedReason, row.IsActive) = ("It is full.", false)));
        // One that is under way there waits for nothing.
        var underWay = (await app.Client.GetAsync($"uploads/{pairs[0].upload}/deliveries")).Json.AsArray();
        Assert.All(underWay, row => Assert.Null(row!["waitingFor"]));
        Assert.Null(await WaitingForAsync(row => row.DeletedAt = now));

        async Task<JsonNode> ListAsync(string query) => (await app.Client.GetAsync(Path(app) + query)).Expect(HttpStatusCode.OK).Json;

        async Task<int> QueriesAsync(int pageSize)
        {
            var before = count.Queries;
            var list = await ListAsync($"?status=retrying&pageSize={pageSize}");
            Assert.Equal((4, 2), ((int)list["total"]!, (int)list["totalPages"]!));
            return count.Queries - before;
        }

        async Task<IEnumerable<string>> PendingAsync() =>
            (await app.Client.GetAsync("uploads?status=pending")).Expect(HttpStatusCode.OK).Json["data"]!.AsArray().Select(row => (string)row!["id"]!);

        async Task<int> TotalAsync(string status) => (int)(await ListAsync($"?status={status}"))["total"]!;

        async Task<List<(string, string)>> PagesAsync()
        {
            var found = new List<(string, string)>();
            for (var page = 1; page <= 5; page++)
            {
                var list = await ListAsync($"?status=retrying&pageSize=1&page={page}");
                Assert.Equal((4, 4, page, 1), ((int)list["total"]!, (int)list["totalPages"]!, (int)list["page"]!, (int)list["pageSize"]!));
                found.AddRange(list["data"]!.AsArray().Select(row => ((string)row!["uploadId"]!, (string)row["destinationId"]!)));
            }

            return found;
        }

        Task SetAsync((string Upload, string Destination) which, Action<DeliveryRow> change) => app.ChangeAsync(db => change(
            db.Deliveries.Single(row => row.UploadId == Guid.Parse(which.Upload) && row.DestinationId == Guid.Parse(which.Destination))));

        async Task<string?> WaitingForAsync(Action<Server.Destinations.Destination> change)
        {
            await app.ChangeAsync(db => change(db.Destinations.Single(row => row.Id == Guid.Parse(waits.destination))));
            var own = (await app.Client.GetAsync($"uploads/{waits.upload}/deliveries")).Json.AsArray();
            return (string?)own.Single(row => (string)row!["destinationId"]! == waits.destination)!["waitingFor"];
        }
    }

    [Theory, AllDatabases]
    public async Task Another_try_begins_anew_what_failed_where_there_still_is_a_destination_and_nothing_else(DatabaseKind database)
    {
        await using var app = await StartAsync(database);
        var (failed, gone, left) = (await WebhookAsync(app.Client), await WebhookAsync(app.Client), await WebhookAsync(app.Client));
        var waits = await WebhookAsync(app.Client);
        var session = await app.Client.CreateSessionAsync(failed, gone, waits);
        var upload = await UploadAsync(app.Client, session);
        await UploadAsync(app.Client, await app.Client.CreateSessionAsync(left));
        app.Clock.Jump(TimeSpan.FromHours(1));
        var (now, open) = (app.Clock.GetUtcNow(), app.Clock.GetUtcNow().AddMinutes(1));
        await app.ChangeAsync(db =>
        {
            foreach (var row in db.Deliveries.Where(row => row.UploadId == Guid.Parse(upload)))
            {
                if (row.DestinationId == Guid.Parse(waits))
                    (row.State, row.Due) = (DeliveryState.Retrying, new(now.AddHours(1), DueCause.Schedule));
                else
                    (row.State, row.Attempts, row.EndedAt) = (DeliveryState.Failed, 18, now.AddMinutes(-30));
            }

            db.Uploads.Single(row => row.Id == Guid.Parse(upload)).DestinationsFailed = 2;
            var of = db.Sessions.Single(row => row.Id == Guid.Parse(session));
            (of.ImagesFailed, of.DeliveriesOpen) = (1, 1);
            db.Destinations.Single(row => row.Id == Guid.Parse(gone)).DeletedAt = now;
            db.Destinations.Single(row => row.Id == Guid.Parse(left)).Breaker.OpenUntil = open;
        });

        Assert.Equal("2 deliveries are being tried again.", await RetryAsync());
        var rows = (await app.DeliveriesAsync(upload)).ToDictionary(row => row.DestinationId.ToString());
        Assert.Equal(
            (DeliveryState.Retrying, now, DueCause.Replayed, null, now),
            (rows[failed].State, rows[failed].DueAt, rows[failed].DueCause, rows[failed].EndedAt, rows[failed].UpdatedAt));
        Assert.StartsWith(rows[failed].DueBy!, app.LiveKey, StringComparison.Ordinal);
        var all = (await app.Client.GetAsync($"uploads/{upload}/deliveries")).Json.AsArray();
        Assert.Equal(all.Select(row => (string)row!["id"]!).Order(StringComparer.Ordinal), all.Select(row => (string)row!["id"]!));
        var shown = all.Single(row => (string)row!["destinationId"]! == failed)!;
        Assert.Equal(("replayed", rows[failed].DueBy), ((string)shown["dueCause"]!, (string?)shown["dueBy"]));
        Assert.Equal((DeliveryState.Failed, DueCause.Received), (rows[gone].State, rows[gone].DueCause));
        Assert.Equal((1, 1, 2, now), await CountsAsync());
        Assert.Equal((null, open), ((await app.DestinationAsync(failed)).Breaker.OpenUntil, (await app.DestinationAsync(left)).Breaker.OpenUntil));

        // It is due already; and one that is not, is then, which is no news for the session.
        app.Clock.Jump(TimeSpan.FromSeconds(1));
        Assert.Equal("No delivery of this upload has failed.", await RetryAsync());
        await app.ChangeAsync(db => db.Deliveries.Single(row => row.Id == rows[failed].Id).Due = new(now.AddHours(1), DueCause.Schedule));
        Assert.Equal("1 delivery is being tried again.", await RetryAsync());
        Assert.Equal((1, 1, 2, now), await CountsAsync());

        async Task<string> RetryAsync() => (string)(await app.Client.PostAsync($"uploads/{upload}/retry")).Expect(HttpStatusCode.OK).Json["message"]!;

        async Task<(int, int, int, DateTimeOffset)> CountsAsync()
        {
            await using var db = app.Services.GetRequiredService<Database>().Open();
            var about = await db.Uploads.AsNoTracking().SingleAsync(row => row.Id == Guid.Parse(upload), Cancellation);
            var of = await db.Sessions.AsNoTracking().SingleAsync(row => row.Id == Guid.Parse(session), Cancellation);
            return (about.DestinationsFailed, of.ImagesFailed, of.DeliveriesOpen, of.LastChanged);
        }
    }

    private static Task<AperturApp> StartAsync(DatabaseKind database, QueryCount? count = null) => AperturApp.StartAsync(
        database,
        configure: services =>
        {
            services.WithoutLoopOf<Pump>();
            count?.Into(services);
        });

    private static Task<string> WebhookAsync(AperturClient client) =>
        client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = "http://127.0.0.1:1/" });

    private static async Task<string> UploadAsync(AperturClient client, string session) => (string)(await client.UploadAsync(session, Photos.Jpeg()))["id"]!;

    private static string Path(AperturApp app) => $"projects/{app.ProjectId}/deliveries";
}
