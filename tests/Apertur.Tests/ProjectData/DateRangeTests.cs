using System.Net;
using System.Text.Json.Nodes;
using Apertur.Tests.Support;

namespace Apertur.Tests.ProjectData;

/// <summary><c>from</c> and <c>to</c> on lists and statistics: half-open, by the instant, over whole days and parts of days.</summary>
public sealed class DateRangeTests
{
    [Theory, AllDatabases]
    public async Task Ranges_hold_what_was_created_in_them(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var destination = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var (sessions, uploads) = (new List<(DateTimeOffset At, string Id)>(), new List<(DateTimeOffset At, string Id)>());
        // Five days, three times a day, some of them on the edge of a day.
        app.Clock.Jump(app.Clock.GetUtcNow().Date.AddDays(1) - app.Clock.GetUtcNow().DateTime);
        foreach (var hours in new[] { 0, 9, 14, 24, 30, 47, 72, 73, 95, 96, 100 })
        {
            var start = sessions.Count == 0 ? app.Clock.GetUtcNow() : sessions[0].At;
            await app.PassAsync(start.AddHours(hours) - app.Clock.GetUtcNow());
            sessions.Add((app.Clock.GetUtcNow(), await app.Client.CreateSessionAsync(destination)));
            var upload = (string)(await app.Client.UploadAsync(sessions[^1].Id, Photos.Jpeg()))["id"]!;
            await app.Client.UploadBecomesAsync(upload, "delivered");
            uploads.Add((app.Clock.GetUtcNow(), upload));
        }

        var first = sessions[0].At;
        var cases = new (DateTimeOffset? From, DateTimeOffset? To)[]
        {
            (null, null), (first, null), (null, first), (first.AddHours(9), first.AddHours(14)), (first.AddHours(9), first.AddHours(14).AddMilliseconds(1)),
            (first.AddHours(9), first.AddHours(9)), (first.AddHours(10), first.AddHours(96)), (first, first.AddHours(24)), (first.AddHours(24), first.AddHours(72)),
            (first.AddHours(1), first.AddHours(99)), (first.AddHours(-50), first.AddHours(500)), (first.AddHours(1000), null), (first.AddHours(30), null),
            (null, first.AddHours(73)), (first.AddHours(47).AddMilliseconds(1), first.AddHours(73)),
        };
        foreach (var (from, to) in cases)
        {
            var query = string.Join('&', new[] { Parameter("from", from), Parameter("to", to) }.OfType<string>());
            bool Holds(DateTimeOffset at) => (from is null || at >= from) && (to is null || at < to);
            foreach (var (path, all) in new[] { ("sessions", sessions), ("uploads", uploads) })
            {
                var expected = all.Where(row => Holds(row.At)).OrderByDescending(row => row.At).Select(row => row.Id).ToList();
                var found = new List<string>();
                for (var page = 1; page <= 4; page++)
                {
                    var answer = (await app.Client.GetAsync($"{path}?page={page}&pageSize=3&{query}")).Expect(HttpStatusCode.OK).Json;
                    Assert.Equal(expected.Count, (int)answer["total"]!);
                    found.AddRange(answer["data"]!.AsArray().Select(row => (string)row!["id"]!));
                }

                Assert.Equal(expected, found);
            }

            var stats = (await app.Client.GetAsync($"stats?{query}")).Expect(HttpStatusCode.OK).Json;
            var count = sessions.Count(row => Holds(row.At));
            Assert.Equal((count, count, count), ((int)stats["sessionsTotal"]!, (int)stats["imagesUploaded"]!, (int)stats["imagesDelivered"]!));
            Assert.Equal(query.Length == 0, stats.AsObject().ContainsKey("sessionsThisMonth"));
            Assert.Equal(query.Length > 0, stats.AsObject().ContainsKey("sessionsInRange"));
            if (query.Length > 0)
                Assert.Equal((count, count), ((int)stats["sessionsInRange"]!, stats["topProjects"]!.AsArray().Sum(project => (int)project!["sessions"]!)));
        }
    }

    [Theory, AllDatabases]
    public async Task Success_rates_and_what_arrived_are_of_the_range(DatabaseKind database)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers(410, 200);
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync(await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url }));
        await app.Client.UploadBecomesAsync((string)(await app.Client.UploadAsync(session, Photos.Jpeg()))["id"]!, "failed");
        var between = app.Clock.GetUtcNow().AddMinutes(1);
        await app.PassAsync(TimeSpan.FromMinutes(2));
        await app.Client.UploadBecomesAsync((string)(await app.Client.UploadAsync(session, Photos.Jpeg()))["id"]!, "delivered");

        Assert.Equal((50, 2, 1), await RateAsync(""));
        Assert.Equal((0, 1, 0), await RateAsync("?" + Parameter("to", between)));
        Assert.Equal((100, 1, 1), await RateAsync("?" + Parameter("from", between)));

        async Task<(int, int, int)> RateAsync(string query)
        {
            var stats = (await app.Client.GetAsync("stats" + query)).Expect(HttpStatusCode.OK).Json;
            return ((int)stats["deliverySuccessRate"]!, (int)stats["imagesUploaded"]!, (int)stats["imagesDelivered"]!);
        }
    }

    [Theory, AllDatabases]
    public async Task Ranges_that_cannot_be_read_are_refused(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);

        foreach (var query in new[] { "from=yesterday", "to=12/31/2026", "from=2026-02-01&to=2026-01-01" })
        {
            foreach (var path in new[] { "stats", "sessions", "uploads" })
                (await app.Client.GetAsync($"{path}?{query}")).Expect(HttpStatusCode.BadRequest);
        }

        (await app.Client.GetAsync("stats?from=0001-01-01&to=9999-12-31T23:59:59.999Z")).Expect(HttpStatusCode.OK);
        // A plus sign means a space in a query.
        (await app.Client.GetAsync("stats?from=2026-06-12T11:44:41.919+02:00")).Expect(HttpStatusCode.OK);
        Assert.True((await app.Client.GetAsync("stats?from=0001-01-01")).Json.AsObject().ContainsKey("sessionsInRange"));
        foreach (var path in new[] { "stats", "stats/daily", "sessions", "uploads" })
            (await app.Client.GetAsync($"{path}?to=0001-01-01")).Expect(HttpStatusCode.OK);
    }

    [Theory, AllDatabases]
    public async Task Time_before_1970_is_time_without_anything_for_lists_and_statistics_alike(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        await app.Client.CreateSessionAsync();

        foreach (var from in new[] { "0001-01-01", "1969-12-31T23:59:59.999Z", "1970-01-01" })
        {
            Assert.Equal(1, (int)(await app.Client.GetAsync($"sessions?from={from}")).Expect(HttpStatusCode.OK).Json["total"]!);
            Assert.Equal(0, (int)(await app.Client.GetAsync($"uploads?from={from}")).Expect(HttpStatusCode.OK).Json["total"]!);
            Assert.Equal(1, (int)(await app.Client.GetAsync($"stats?from={from}")).Expect(HttpStatusCode.OK).Json["sessionsInRange"]!);
            // The whole time is more days than are given, not the last thirty.
            var refused = (await app.Client.GetAsync($"stats/daily?from={from}")).Expect(HttpStatusCode.BadRequest);
            Assert.Contains("366 days", refused.Text, StringComparison.Ordinal);
            Assert.Equal(["1970-01-01", "1970-01-02"], await DaysAsync($"from={from}&to=1970-01-03"));
        }

        foreach (var query in new[] { "to=0001-01-01", "to=1960-01-01", "from=1950-01-01&to=1960-01-01" })
        {
            Assert.Equal(0, (int)(await app.Client.GetAsync($"stats?{query}")).Expect(HttpStatusCode.OK).Json["sessionsInRange"]!);
            Assert.Empty(await DaysAsync(query));
        }

        async Task<IEnumerable<string>> DaysAsync(string query) =>
            (await app.Client.GetAsync($"stats/daily?{query}")).Expect(HttpStatusCode.OK).Json.AsArray().Select(day => (string)day!["date"]!);
    }

    private static string? Parameter(string name, DateTimeOffset? at) =>
        at is null ? null : $"{name}={Uri.EscapeDataString(at.Value.UtcDateTime.ToString("o", System.Globalization.CultureInfo.InvariantCulture))}";
}
