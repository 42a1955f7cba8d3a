using System.Globalization;
using System.Net;
using System.Reflection;
using System.Text.Json.Nodes;
using Apertur.Server.Contract;
using Apertur.Server.Http;
using Apertur.Server.Sessions;
using Apertur.Tests.Support;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Http;

/// <summary>How often each caller may ask, and what every answer says about it.</summary>
public sealed class RateLimitTests
{
    private static Task<AperturApp> StartAsync(DatabaseKind database, params (string Name, int Limit)[] limits)
    {
        var settings = limits.ToDictionary(
            limit => "RateLimits:" + limit.Name, limit => (string?)limit.Limit.ToString(CultureInfo.InvariantCulture));
        settings["RateLimits:Enabled"] = "true";
        return AperturApp.StartAsync(database, settings);
    }

    private static int Header(Answer answer, string name) =>
        int.Parse(answer.Headers.GetValues("X-RateLimit-" + name).Single(), NumberStyles.None, CultureInfo.InvariantCulture);

    private static void IsRefused(Answer answer, int retryAfter)
    {
        answer.Expect(HttpStatusCode.TooManyRequests);
        Assert.Equal("RATE_LIMIT", (string)answer.Json["code"]!);
        Assert.Equal(retryAfter, (int)answer.Json["retryAfter"]!);
        Assert.Equal(TimeSpan.FromSeconds(retryAfter), answer.Headers.RetryAfter!.Delta);
        Assert.Equal(0, Header(answer, "Remaining"));
    }

    [Theory, AllDatabases]
    public async Task Defaults_are_those_of_the_contract_and_every_answer_tells_them(DatabaseKind database)
    {
        await using var app = await StartAsync(database);
        var reset = (int)(((app.Clock.GetUtcNow().ToUnixTimeSeconds() / 60) + 1) * 60);
        var nobody = app.ClientOf(null);
        var elsewhere = await app.CreateOtherProjectAsync();
        await app.ChangeAsync(db => db.Projects.Single(project => project.Id == elsewhere.ProjectId).DisabledAt = app.Clock.GetUtcNow());

        Tells(await app.Client.PostAsync("upload-sessions"), HttpStatusCode.Created, 100, 99);
        var session = await app.Client.CreateSessionAsync();
        Tells(await app.Client.GetAsync("sessions"), HttpStatusCode.OK, 300, 299);
        Tells(await app.Client.GetAsync("uploads/recent"), HttpStatusCode.OK, 300, 298);
        Tells(await app.Client.GetAsync($"projects/{app.ProjectId}/destinations"), HttpStatusCode.OK, 300, 297);
        Tells(await app.Client.GetAsync($"projects/{app.ProjectId}/keys"), HttpStatusCode.OK, 300, 296);
        Tells(await app.Client.GetAsync("stats"), HttpStatusCode.OK, 200, 199);
        Tells(await app.Client.GetAsync($"uploads/{Guid.NewGuid()}/download"), HttpStatusCode.NotFound, 200, 198);
        Tells(await app.Client.PostAsync("upload-sessions", new JsonObject { ["max_images"] = 0 }), HttpStatusCode.BadRequest, 100, 97);
        Tells(await app.Client.PostAsync("upload-sessions/"), HttpStatusCode.Created, 100, 96);
        var webhook = new JsonObject { ["url"] = "https://example.com/", ["topics"] = new JsonArray("*") };
        var made = await app.Client.PostAsync($"projects/{app.ProjectId}/webhooks", webhook);
        Tells(made, HttpStatusCode.Created, 200, 197);
        var history = $"projects/{app.ProjectId}/webhooks/{made.Json["id"]}/deliveries";
        Tells(await app.Client.GetAsync(history), HttpStatusCode.OK, 300, 295);
        Tells(await app.ClientOf(app.TestKey).GetAsync("stats"), HttpStatusCode.OK, 200, 199);
        Tells(await nobody.GetAsync("stats"), HttpStatusCode.Unauthorized, 600, 599);
        // A key that is right is no failure.
        Tells(await app.ClientOf(elsewhere.Key).GetAsync("stats"), HttpStatusCode.Forbidden, 600, 599);
        Tells(await nobody.GetAsync($"upload/{session}/session"), HttpStatusCode.OK, 3000, 2999);
        Tells(await nobody.PostImageAsync(session, Photos.Jpeg()), HttpStatusCode.Created, 3000, 2998);
        Tells(await nobody.GetAsync("nothing-here"), HttpStatusCode.NotFound, 30000, 29997);
        Tells(await nobody.SendAsync(HttpMethod.Put, "stats"), HttpStatusCode.MethodNotAllowed, 30000, 29996);
        Assert.False((await nobody.GetAsync("/healthz")).Headers.Contains("X-RateLimit-Limit"));

        void Tells(Answer answer, HttpStatusCode status, int limit, int remaining)
        {
            answer.Expect(status);
            Assert.Equal((limit, remaining, reset), (Header(answer, "Limit"), Header(answer, "Remaining"), Header(answer, "Reset")));
        }
    }

    [Fact]
    public async Task What_costs_something_is_counted_for_strangers_and_pages_are_not()
    {
        await using var app = await StartAsync(DatabaseKind.Sqlite);
        foreach (var path in new[] { "/api/v1/none", "/logos/none", "/socket.io/", "/dashboard/session", "/dashboard/openid/none" })
            Assert.True((await app.ClientOf(null).GetAsync(path)).Headers.Contains("X-RateLimit-Limit"), path);
        foreach (var path in new[] { "/", "/dashboard/", "/none" })
            Assert.False((await app.ClientOf(null).GetAsync(path)).Headers.Contains("X-RateLimit-Limit"), path);
    }

    [Fact]
    public async Task Server_without_limits_tells_none()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        foreach (var client in new[] { app.Client, app.ClientOf(null) })
        {
            foreach (var path in new[] { "stats", $"upload/{session}/session" })
                Assert.False((await client.GetAsync(path)).Headers.Contains("X-RateLimit-Limit"));
        }
    }

    [Theory, AllDatabases]
    public async Task Kinds_of_calls_and_keys_are_counted_apart_and_anew_each_minute(DatabaseKind database)
    {
        await using var app = await StartAsync(database, ("SessionCreations", 2), ("Lists", 2), ("OtherCalls", 2));
        // The clock stands at 41 seconds.
        foreach (var ask in new Func<AperturClient, Task<Answer>>[]
        {
            client => client.PostAsync("upload-sessions"), client => client.GetAsync("sessions"), client => client.GetAsync("stats"),
        })
        {
            Assert.True((int)(await ask(app.Client)).Status < 300);
            Assert.True((int)(await ask(app.Client)).Status < 300);
            IsRefused(await ask(app.Client), retryAfter: 19);
            Assert.True((int)(await ask(app.ClientOf(app.TestKey))).Status < 300);
        }

        app.Clock.Jump(TimeSpan.FromSeconds(18));
        IsRefused(await app.Client.GetAsync("stats"), retryAfter: 1);
        app.Clock.Jump(TimeSpan.FromSeconds(1));
        (await app.Client.GetAsync("stats")).Expect(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Every_route_that_gives_a_list_or_makes_a_session_counts_as_one_and_no_other_does()
    {
        await using var app = await StartAsync(DatabaseKind.Sqlite);
        var routes = app.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>().ToList();

        var (lists, creations) = (routes.Where(IsList).ToList(), routes.Where(MakesSession).ToList());
        Assert.NotEmpty(lists);
        Assert.Equal(2, creations.Count);
        Assert.Equal(Names(lists), Names(routes.Where(route => KindOf(route) == RateKind.Lists)));
        Assert.Equal(Names(creations), Names(routes.Where(route => KindOf(route) == RateKind.SessionCreations)));

        static IEnumerable<string?> Names(IEnumerable<RouteEndpoint> some) => some.Select(route => route.DisplayName).Order();

        static RateKind? KindOf(RouteEndpoint route) => route.Metadata.GetMetadata<CountedAs>()?.Kind;
    }

    private static bool MakesSession(RouteEndpoint route) =>
        route.Metadata.GetMetadata<MethodInfo>() is { Name: nameof(SessionsApi.Create) } handler && handler.DeclaringType == typeof(SessionsApi);

    private static bool IsList(RouteEndpoint route) => IsList(route.Metadata.GetMetadata<IProducesResponseTypeMetadata>()?.Type);

    private static bool IsList(Type? answer) => answer == typeof(EventDeliveryList) || answer == typeof(AuditPage) || answer == typeof(AdminUserPage) || answer == typeof(AdminProjectPage)
        || (answer is { IsGenericType: true } && (answer.GetGenericTypeDefinition() == typeof(List<>) || answer.GetGenericTypeDefinition() == typeof(Page<>)));

    [Theory, AllDatabases]
    public async Task Links_are_counted_by_session_and_by_address_and_refused_uploads_leave_nothing(DatabaseKind database)
    {
        await using var app = await StartAsync(database, ("PerSession", 2), ("PerAddress", 6));
        var first = await app.Client.CreateSessionAsync();
        var second = await app.Client.CreateSessionAsync();
        var third = await app.Client.CreateSessionAsync();

        await app.Client.UploadAsync(first, Photos.Jpeg());
        await app.Client.UploadAsync(first, Photos.Jpeg());
        IsRefused(await app.Client.PostImageAsync(first, Photos.Jpeg(2_000_000, seed: 1)), retryAfter: 19);
        await app.Client.UploadAsync(second, Photos.Jpeg());
        await app.Client.UploadAsync(second, Photos.Jpeg());
        await app.Client.UploadAsync(third, Photos.Jpeg());
        IsRefused(await app.Client.PostImageAsync(third, Photos.Jpeg()), retryAfter: 19);

        Assert.Equal(5, (int)(await app.Client.GetAsync("stats")).Json["imagesUploaded"]!);
        Assert.Equal(5, Directory.GetFiles(app.DataFolder + "/images", "*-*", SearchOption.AllDirectories).Length);
    }

    [Theory, AllDatabases]
    public async Task Wrong_keys_are_limited_by_address_and_do_not_keep_right_ones_out(DatabaseKind database)
    {
        await using var app = await StartAsync(database, ("FailuresPerAddress", 2));

        // A right key that may not do this is no failure.
        for (var i = 0; i < 3; i++)
            (await app.Client.GetAsync($"projects/{app.ProjectId}/members")).Expect(HttpStatusCode.Forbidden);
        (await app.ClientOf("aptr_live_1").GetAsync("stats")).Expect(HttpStatusCode.Unauthorized);
        (await app.ClientOf("aptr_live_2").GetAsync("stats")).Expect(HttpStatusCode.Unauthorized);
        IsRefused(await app.ClientOf("aptr_live_3").GetAsync("stats"), retryAfter: 19);
        // Nor is it told of failures.
        Assert.Equal(200, Header((await app.Client.GetAsync("stats")).Expect(HttpStatusCode.OK), "Limit"));
    }

    [Theory, AllDatabases]
    public async Task Strangers_cost_callers_and_open_sessions_nothing_at_the_same_address_either(DatabaseKind database)
    {
        await using var app = await StartAsync(database, ("PerAddress", 10), ("FailuresPerAddress", 10));
        var session = await app.Client.CreateSessionAsync();
        var nobody = app.ClientOf(null);
        string[] paths =
        [
            $"upload/{Guid.NewGuid()}/session", "upload/no-id/session", $"upload/{new string('x', 7_900)}/session", "nothing-here",
            $"downloads/{Guid.NewGuid()}", $"upload-sessions/{Guid.NewGuid()}/qr", $"/u/{Guid.NewGuid()}",
        ];

        var statuses = new List<int>();
        for (var i = 0; i < 30; i++)
        {
            statuses.Add((int)(await nobody.GetAsync(paths[i % paths.Length])).Status);
            await app.ClientOf($"aptr_live_{i}").GetAsync("stats");
        }

        Assert.Equal(Enumerable.Repeat(404, 10).Concat(Enumerable.Repeat(429, 20)), statuses);
        (await app.Client.GetAsync("stats")).Expect(HttpStatusCode.OK);
        (await app.Client.PostAsync("upload-sessions")).Expect(HttpStatusCode.Created);
        (await nobody.GetAsync($"upload/{session}/session")).Expect(HttpStatusCode.OK);
        (await nobody.PostImageAsync(session, Photos.Jpeg())).Expect(HttpStatusCode.Created);
    }

    /// <returns>How much more memory there is in use after it.</returns>
    private static long Flood(StrangerCounts counts, int first, int count)
    {
        var before = GC.GetTotalMemory(forceFullCollection: true);
        for (var i = 0; i < count; i++)
            counts.Count($"flood {first + i}", 10);
        return GC.GetTotalMemory(forceFullCollection: true) - before;
    }

    [Fact]
    public void Strangers_are_kept_apart_in_bounded_memory_however_many_come()
    {
        var clock = new TestClock();
        var counts = new StrangerCounts(clock);
        Assert.Equal(1, counts.Count("one", 10).Used);
        // Other tests run in this process meanwhile: to keep 200,000 names would take 20 MB each time.
        var grown = Enumerable.Range(0, 4).Min(flood => Flood(counts, flood * 200_000, 200_000));

        Assert.InRange(grown, long.MinValue, 8 * 1024 * 1024);
        Assert.InRange(counts.Look("one", 10).Used, 1, 100);
        Assert.InRange(counts.Count("late", 10).Used, 1, 100);
        // The least of four cells that have twelve each on average.
        Assert.InRange(Enumerable.Range(0, 1000).Average(i => counts.Look($"quiet {i}", 10).Used), 6, 10.5);
        clock.Jump(TimeSpan.FromMinutes(1));
        Assert.Equal(0, counts.Look("one", 10).Used);
    }

    [Theory]
    [InlineData("RateLimits:Lists", "0")]
    [InlineData("Server:TrustedProxies", "proxy.example.com")]
    public void Settings_that_mean_nothing_are_refused_by_name(string name, string value)
    {
        using var folder = new TempFolder();
        var failure = Assert.Throws<InvalidOperationException>(
            () => Apertur.Server.Settings.Load(folder.Path, [KeyValuePair.Create(name, (string?)value)]));
        Assert.Contains(name.Split(':')[0], failure.Message, StringComparison.Ordinal);
    }
}
