using System.Net;
using Apertur.Server;
using Apertur.Server.Auth;
using Apertur.Server.Dashboard;
using Apertur.Server.Keys;
using Apertur.Server.Pages;
using Apertur.Server.Projects;
using Apertur.Tests.Support;

namespace Apertur.Tests.Auth;

/// <summary>
/// Asks every route of the running server as everybody who should not get what it has. A new route is asked by itself; one whose path
/// has an id of a new kind fails until <see cref="TenantWorld"/> has such a thing.
/// </summary>
public sealed class TenantMatrixTests(ITestOutputHelper output)
{
    // Everybody may leave by it; taking others away needs an admin, which its handler asks for.
    private const string Leave = "DELETE /api/v1/projects/{projectId}/members/{userId}";

    // Answers whoever holds the link, and does not end.
    private const string Stream = "/{id}/events";

    private int _calls;

    [Theory, AllDatabases]
    public async Task Nobody_sees_or_changes_what_is_not_theirs(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(
            database, new Dictionary<string, string?> { ["Thumbnails:AtOnce"] = "2" });
        var world = await TenantWorld.CreateAsync(app);
        // Files and a page that hold nothing of anybody, and a stream that does not end: ProjectStreamTests reads it.
        string[] same = ["/assets/{name}", WebAssets.WidgetPath, "/accents/{name}", "/api/v1/events", .. DashboardPage.Paths];
        var routes = RouteTable.Of(app).Where(route => !same.Contains(route.Pattern)).ToList();
        var before = await world.RowsAsync();
        await CountOwnAsync(world);

        foreach (var route in routes)
        {
            switch (route.Rule!.Access)
            {
                case Access.Caller or Access.Person:
                    await AskAsNobodyAsync(world, route);
                    await AskAsStrangerAsync(world, route);
                    await AskForOwnAsync(world, route);
                    await AskWithTooLittleAsync(world, route);
                    break;
                case Access.Operator:
                    await AskAsNobodyAsync(world, route);
                    await AskAsNoOperatorAsync(world, route);
                    break;
                case Access.Session:
                    await AskWithOtherSessionsAsync(world, route);
                    break;
                default:
                    await AskWithoutSecretAsync(world, route);
                    break;
            }
        }

        var wrong = _calls;
        Assert.Equal(before, await world.RowsAsync());
        await AskRightlyAsync(world, routes);

        var counts = $"Tenant matrix on {database}: {routes.Count} routes, {wrong} calls by the wrong people, {_calls - wrong} by the right ones.";
        output.WriteLine(counts);
        Console.WriteLine(counts);
    }

    private async Task AskAsNobodyAsync(TenantWorld world, Route route)
    {
        foreach (var (who, credential) in world.Nobodies)
            Refused(who, route, await AskAsync(world.App.ClientOf(credential), route, world.Fill(route.Pattern)), HttpStatusCode.Unauthorized);
        var suspended = await world.App.TokenAsync(world.People["suspended"]);
        Refused("suspended", route, await AskAsync(suspended.Client, route, world.Fill(route.Pattern)), HttpStatusCode.Forbidden);
    }

    /// <summary>Neither a role in projects nor a key shows anything of the server.</summary>
    private async Task AskAsNoOperatorAsync(TenantWorld world, Route route)
    {
        foreach (var who in new[] { "viewer", "developer", "admin", "other owner", "non-member" })
            Refused(who, route, await AskAsync((await world.App.TokenAsync(world.People[who])).Client, route, world.Fill(route.Pattern)), HttpStatusCode.Forbidden);
        foreach (var (who, key) in new[] { ("the project's key", world.App.LiveKey), ("another project's key", world.OtherKey) })
            Refused(who, route, await AskAsync(world.App.ClientOf(key), route, world.Fill(route.Pattern)), HttpStatusCode.Forbidden);
    }

    private async Task AskAsStrangerAsync(TenantWorld world, Route route)
    {
        foreach (var who in new[] { "non-member", "deleted member" })
            await AskAsStrangerAsync(world, route, who, (await world.App.TokenAsync(world.People[who])).Client, HttpStatusCode.NotFound);

        var notForKeys = route.Rule!.Access == Access.Person ? HttpStatusCode.Forbidden : HttpStatusCode.NotFound;
        await AskAsStrangerAsync(world, route, "another project's key", world.App.ClientOf(world.OtherKey), notForKeys);
        if (TenantWorld.KindsIn(route.Pattern).Count > 1)
        {
            var path = world.FillOthers(route.Pattern, lastOfA: true);
            var stranger = await world.App.TokenAsync(world.People["non-member"]);
            Refused("non-member, through their own", route, await AskAsync(stranger.Client, route, path), HttpStatusCode.NotFound);
            Refused("another project's key, through its own", route, await AskAsync(world.App.ClientOf(world.OtherKey), route, path), notForKeys);
        }

        if (TenantWorld.KindsIn(route.Pattern).Any(kind => TenantWorld.LiveThings.Contains(kind.Split('/')[0])))
            await AskAsStrangerAsync(world, route, "test key on live data", world.App.ClientOf(world.App.TestKey), notForKeys);
        else if (!route.Changes)
            await NoLiveDataAsync(world, route);
    }

    private async Task AskAsStrangerAsync(TenantWorld world, Route route, string who, AperturClient client, HttpStatusCode refusal)
    {
        var answer = await AskAsync(client, route, world.Fill(route.Pattern));
        if (TenantWorld.KindsIn(route.Pattern).Count == 0 && refusal == HttpStatusCode.NotFound)
        {
            NoMark(who, route, answer);
            Assert.True((int)answer.Status < 500, $"{who}: {route} answered {answer.Text}");
            return;
        }

        Refused(who, route, answer, refusal);
        var missing = await AskAsync(client, route, world.Fill(route.Pattern, Guid.NewGuid().ToString()));
        Assert.True(answer.Text == missing.Text, $"{who}: {route} tells 'not yours' from 'does not exist': {answer.Text} {missing.Text}");
    }

    private async Task NoLiveDataAsync(TenantWorld world, Route route)
    {
        foreach (var query in new[] { "", "?env=live", "?env=all" })
        {
            var answer = await AskAsync(world.App.ClientOf(world.App.TestKey), route, world.Fill(route.Pattern) + query);
            foreach (var kind in world.Things.Keys.Where(kind => TenantWorld.LiveThings.Contains(kind.Split('/')[0])))
                Assert.False(answer.Text.Contains(world.Things[kind], StringComparison.Ordinal), $"test key{query}: {route} shows {kind}");
        }
    }

    /// <summary>What is theirs shows and takes in nothing of project A, though its ids are known and named.</summary>
    private async Task AskForOwnAsync(TenantWorld world, Route route)
    {
        // Without its things there would be nothing left to ask for.
        if (route.Method == "DELETE")
            return;
        var ids = world.Things.Values.Where(thing => Guid.TryParse(thing, out _)).ToList();
        object? named = route.Changes
            ? new { role = "viewer", project_id = world.OtherProject, destination_ids = new[] { world.Things["destinations/{id}"] } }
            : null;
        foreach (var (who, client) in new[]
        {
            ("non-member", (await world.App.TokenAsync(world.People["non-member"])).Client),
            ("another project's key", world.App.ClientOf(world.OtherKey)),
        })
        {
            _calls++;
            var answer = await client.SendAsync(new HttpMethod(route.Method), world.FillOthers(route.Pattern), named);
            NoMark($"{who}, with their own", route, answer);
            Assert.True((int)answer.Status < 500, $"{who}, with their own: {route} answered {answer.Text}");
            if (!route.Changes)
                Assert.All(ids, id => Assert.False(answer.Text.Contains(id, StringComparison.Ordinal), $"{who}, with their own: {route} leaks: {answer.Text}"));
        }
    }

    /// <summary>Numbers tell of others too: they are exactly what is theirs.</summary>
    private static async Task CountOwnAsync(TenantWorld world)
    {
        var stranger = (await world.App.TokenAsync(world.People["non-member"])).Client;
        foreach (var (who, client, sessions, images, keys) in new[]
        {
            ("non-member", stranger, 1, 1, 2),
            ("another project's key", world.App.ClientOf(world.OtherKey), 1, 1, 2),
            ("test key on live data", world.App.ClientOf(world.App.TestKey), 0, 0, 1),
        })
        {
            var stats = (await client.GetAsync("stats")).Expect(HttpStatusCode.OK).Json;
            int Of(string name) => stats[name]!.GetValue<int>();
            Assert.Equal(
                (who, sessions, sessions, images, keys, 1),
                (who, Of("sessionsThisMonth"), Of("sessionsTotal"), Of("imagesUploaded"), Of("activeKeys"), Of("totalProjects")));
            Assert.Equal((who, sessions), (who, (await client.GetAsync("sessions")).Json["total"]!.GetValue<int>()));
            Assert.Equal((who, images), (who, (await client.GetAsync("uploads")).Json["total"]!.GetValue<int>()));
        }
    }

    /// <summary>Members of the project whose role is too low, and its key where that is.</summary>
    private async Task AskWithTooLittleAsync(TenantWorld world, Route route)
    {
        if (route.Rule!.Access == Access.Person)
        {
            var answer = await AskAsync(world.App.Client, route, world.Fill(route.Pattern));
            Refused("the project's key", route, answer, HttpStatusCode.Forbidden);
        }

        var needed = route.ToString() == Leave ? Role.Admin : route.Rule.Needed;
        if (needed is null || TenantWorld.KindsIn(route.Pattern).Count == 0)
            return;
        foreach (var role in Enum.GetValues<Role>().Where(role => role < needed))
        {
            var member = await world.App.TokenAsync(world.People[role.WireName()]);
            Refused(role.WireName(), route, await AskAsync(member.Client, route, world.Fill(route.Pattern)), HttpStatusCode.Forbidden);
        }
    }

    private async Task AskWithOtherSessionsAsync(TenantWorld world, Route route)
    {
        var nobody = world.App.ClientOf(null);
        var hole = TenantWorld.KindsIn(route.Pattern)[0];
        string With(string session) => world.Fill(route.Pattern.Replace(hole, hole.Replace("{id}", session, StringComparison.Ordinal), StringComparison.Ordinal));

        Refused("made-up session", route, await AskAsync(nobody, route, With(Guid.NewGuid().ToString())), HttpStatusCode.NotFound);
        if (route.Pattern.EndsWith(Stream, StringComparison.Ordinal))
            return;
        NoMark("wrong session", route, await AskAsync(nobody, route, With(world.OtherSession)));
        var expired = await AskAsync(nobody, route, With(world.ExpiredSession));
        Assert.DoesNotContain(world.Things["uploads/{id}"], expired.Text, StringComparison.Ordinal);
        Assert.True((int)expired.Status < 500, $"expired session: {route} answered {expired.Text}");
    }

    private async Task AskWithoutSecretAsync(TenantWorld world, Route route)
    {
        var holes = TenantWorld.KindsIn(route.Pattern).Count;
        var path = holes > 0 ? world.Fill(route.Pattern, Guid.NewGuid().ToString()) : route.Pattern;
        var answer = await AskAsync(world.App.ClientOf(null), route, path);
        NoMark("nobody", route, answer);
        Assert.True((int)answer.Status < 500, $"nobody: {route} answered {answer.Text}");
        if (holes > 0)
            Assert.True((int)answer.Status is >= 400 and < 500, $"nobody: {route} answered {(int)answer.Status}");
    }

    /// <summary>
    /// The right people get through, or all of the above would prove nothing: what reads first, what changes last, the session and the
    /// project themselves at the end.
    /// </summary>
    private async Task AskRightlyAsync(TenantWorld world, IEnumerable<Route> routes)
    {
        var mine = routes.Where(route => route.Rule!.Access is Access.Caller or Access.Person or Access.Operator)
            .OrderBy(route => route.Changes).ThenBy(route => route.Method == "DELETE")
            .ThenBy(route => route.Pattern switch { "/api/v1/projects/{projectId}" => 2, "/api/v1/upload-sessions/{id}" => 1, _ => 0 })
            .ThenByDescending(route => route.Pattern.Length);
        foreach (var route in mine)
        {
            var role = route.Rule!.Access == Access.Operator ? Role.Owner : route.ToString() == Leave ? Role.Admin : route.Rule.Needed ?? Role.Viewer;
            var member = await world.App.TokenAsync(world.People[role.WireName()]);
            var answer = await AskAsync(member.Client, route, world.Fill(route.Pattern));
            Allowed(role.WireName(), route, answer);
            if (route.Rule.Access == Access.Caller && role <= ApiKey.Role && !route.Changes)
                Allowed("the project's key", route, await AskAsync(world.App.Client, route, world.Fill(route.Pattern)));
        }
    }

    private async Task<Answer> AskAsync(AperturClient client, Route route, string path)
    {
        _calls++;
        return await client.SendAsync(new HttpMethod(route.Method), path, route.Changes ? new { role = "viewer" } : null);
    }

    private static void Refused(string who, Route route, Answer answer, HttpStatusCode status)
    {
        Assert.True(answer.Status == status, $"{who}: {route} must answer {(int)status}, not {(int)answer.Status}: {answer.Text}");
        NoMark(who, route, answer);
    }

    private static void NoMark(string who, Route route, Answer answer) =>
        Assert.False(answer.Text.Contains(TenantWorld.Mark, StringComparison.Ordinal), $"{who}: {route} leaks: {answer.Text}");

    private static void Allowed(string who, Route route, Answer answer)
    {
        var fine = route.Changes
            ? answer.Status is not (HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden or HttpStatusCode.NotFound) && (int)answer.Status < 500
            : (int)answer.Status is >= 200 and < 300;
        Assert.True(fine, $"{who}: {route} must let them through, but answered {(int)answer.Status}: {answer.Text}");
    }
}
