using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server;
using Apertur.Server.Keys;
using Apertur.Server.ProjectData;
using Apertur.Server.Projects;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.ProjectData;

/// <summary>The five lists and sums as a person asks for them: over every project they own or belong to, and no other.</summary>
public sealed class AcrossProjectsTests
{
    [Theory, AllDatabases]
    public async Task Person_sees_exactly_the_projects_they_own_or_belong_to(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var owner = await app.SignInAsync();
        var (second, secondKey) = await ProjectAsync(app, "Second");
        var (third, thirdKey) = await ProjectAsync(app, "Third");
        await app.ChangeAsync(db => db.Members.Add(new Member
        {
            ProjectId = second,
            UserId = owner.UserId,
            Role = Role.Viewer,
            CreatedAt = app.Clock.GetUtcNow(),
        }));
        var mine = await FillAsync(app.Client, sessions: 3, photos: 2);
        var theirs = await FillAsync(app.ClientOf(secondKey), sessions: 2, photos: 1);
        await FillAsync(app.ClientOf(thirdKey), sessions: 5, photos: 4);
        var test = await app.ClientOf(app.TestKey).CreateSessionAsync();

        string[] both = [.. mine.Sessions, .. theirs.Sessions];
        Assert.Equal(both.Order(), await IdsAsync(owner.Client, "sessions/recent?limit=50"));
        Assert.Equal(both.Order(), await IdsAsync(owner.Client, "sessions"));
        string[] images = [.. mine.Uploads, .. theirs.Uploads];
        Assert.Equal(images.Order(), await IdsAsync(owner.Client, "uploads/recent?limit=50"));
        Assert.Equal(images.Order(), await IdsAsync(owner.Client, "uploads"));
        Assert.Equal(5, (await JsonAsync(owner.Client, "sessions?pageSize=1"))["total"]!.GetValue<int>());
        Assert.Equal(8, (await JsonAsync(owner.Client, "uploads?page=9"))["total"]!.GetValue<int>());
        var stats = await JsonAsync(owner.Client, "stats");
        Assert.Equal(
            (5, 5, 8, 2),
            (stats["sessionsThisMonth"]!.GetValue<int>(), stats["sessionsTotal"]!.GetValue<int>(), stats["imagesUploaded"]!.GetValue<int>(),
                stats["totalProjects"]!.GetValue<int>()));
        Assert.Equal(2, stats["activeKeys"]!.GetValue<int>());
        Assert.Equal(3, (await JsonAsync(owner.Client, "stats?env=all"))["activeKeys"]!.GetValue<int>());
        Assert.Equal(["Claims", "Second"], stats["topProjects"]!.AsArray().Select(p => p!["name"]!.GetValue<string>()));
        Assert.DoesNotContain(third.ToString(), (await owner.Client.GetAsync("projects")).Text, StringComparison.Ordinal);

        Assert.Equal([test], await IdsAsync(owner.Client, "sessions?env=test"));
        Assert.Equal(both.Append(test).Order(), await IdsAsync(owner.Client, "sessions?env=all"));
        (await owner.Client.GetAsync("sessions?env=none")).Expect(HttpStatusCode.BadRequest);

        await app.ChangeAsync(db => db.Members.Remove(db.Members.Single(m => m.ProjectId == second)));

        Assert.Equal(mine.Sessions.Order(), await IdsAsync(owner.Client, "sessions"));
        Assert.Equal(mine.Uploads.Order(), await IdsAsync(owner.Client, "uploads/recent?limit=50"));
        stats = await JsonAsync(owner.Client, "stats");
        Assert.Equal((3, 6, 1), (stats["sessionsTotal"]!.GetValue<int>(), stats["imagesUploaded"]!.GetValue<int>(), stats["totalProjects"]!.GetValue<int>()));
        await app.ChangeAsync(db => db.ApiKeys.Single(key => key.ProjectId == app.ProjectId && key.Env == Env.Live).IsActive = false);
        Assert.Equal(0, (await JsonAsync(owner.Client, "stats"))["activeKeys"]!.GetValue<int>());
    }

    [Theory, AllDatabases]
    public async Task Ten_projects_with_the_most_sessions_are_told_and_none_without_any(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var owner = await app.SignInAsync();
        for (var sessions = 0; sessions < 12; sessions++)
        {
            var id = (string)(await owner.Client.PostAsync("projects", new { name = $"Project {sessions}" })).Expect(HttpStatusCode.Created).Json["id"]!;
            await app.ChangeAsync(db => db.DailyCounts.Add(new DailyCount
            {
                ProjectId = Guid.Parse(id),
                Env = Env.Live,
                Day = DailyCount.DayOf(app.Clock.GetUtcNow()),
                // Two have the same number: they come by name.
                Sessions = sessions == 9 ? 10 : sessions,
            }));
            if (sessions == 2)
                Assert.Equal(["Project 2", "Project 1"], await TopAsync());
        }

        Assert.Equal([11, 10, 9, 8, 7, 6, 5, 4, 3, 2], (await TopAsync()).Select(name => int.Parse(name[8..], CultureInfo.InvariantCulture)));

        async Task<IEnumerable<string>> TopAsync() =>
            (await JsonAsync(owner.Client, "stats"))["topProjects"]!.AsArray().Select(project => (string)project!["name"]!);
    }

    [Theory, AllDatabases]
    public async Task Person_makes_sessions_in_a_project_they_name(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var owner = await app.SignInAsync();
        var (foreign, _) = await ProjectAsync(app, "Foreign");
        var viewer = await app.TokenAsync(await app.AddPersonAsync("viewer@example.com", app.ProjectId, Role.Viewer));

        Assert.Equal("project_id", (await owner.Client.PostAsync("upload-sessions", new { }))
            .Expect(HttpStatusCode.BadRequest).Json["errors"]![0]!["field"]!.GetValue<string>());
        (await owner.Client.PostAsync("upload-sessions", new { project_id = foreign })).Expect(HttpStatusCode.NotFound);
        (await viewer.Client.PostAsync("upload-sessions", new { project_id = app.ProjectId })).Expect(HttpStatusCode.Forbidden);
        (await app.Client.PostAsync("upload-sessions", new { project_id = foreign })).Expect(HttpStatusCode.NotFound);
        (await app.ClientOf(app.TestKey).PostAsync("upload-sessions", new { env = "live" })).Expect(HttpStatusCode.BadRequest);

        var live = (await owner.Client.PostAsync("upload-sessions", new { project_id = app.ProjectId })).Expect(HttpStatusCode.Created).Json;
        var test = (await owner.Client.PostAsync("upload-sessions", new { project_id = app.ProjectId, env = "test" })).Expect(HttpStatusCode.Created).Json;

        Assert.Equal(("live", "test"), (live["env"]!.GetValue<string>(), test["env"]!.GetValue<string>()));
        var photo = await app.ClientOf(null).UploadAsync(test["id"]!.GetValue<string>(), Photos.Png());
        // By its id a person reaches what is theirs in either environment.
        (await owner.Client.GetAsync($"uploads/{photo["id"]}/download")).Expect(HttpStatusCode.OK);
        (await app.Client.GetAsync($"uploads/{photo["id"]}/download")).Expect(HttpStatusCode.NotFound);
    }

    private static async Task<(Guid Id, string Key)> ProjectAsync(AperturApp app, string name)
    {
        var now = app.Clock.GetUtcNow();
        var project = Project.Create(name, app.Services.GetRequiredService<ColumnEncryption>(), now);
        var (key, text) = ApiKey.Create(project.Id, Env.Live, "Live", now);
        await app.ChangeAsync(db =>
        {
            db.Projects.Add(project);
            db.ApiKeys.Add(key);
        });
        return (project.Id, text);
    }

    private static async Task<(List<string> Sessions, List<string> Uploads)> FillAsync(AperturClient client, int sessions, int photos)
    {
        var made = (Sessions: new List<string>(), Uploads: new List<string>());
        for (var i = 0; i < sessions; i++)
        {
            made.Sessions.Add(await client.CreateSessionAsync());
            for (var j = 0; j < photos; j++)
                made.Uploads.Add((await client.UploadAsync(made.Sessions[^1], Photos.Png()))["id"]!.GetValue<string>());
        }

        return made;
    }

    private static async Task<JsonNode> JsonAsync(AperturClient client, string path) => (await client.GetAsync(path)).Expect(HttpStatusCode.OK).Json;

    private static async Task<IEnumerable<string>> IdsAsync(AperturClient client, string path)
    {
        var list = await JsonAsync(client, path);
        return (list as JsonArray ?? list["data"]!.AsArray()).Select(row => row!["id"]!.GetValue<string>()).Order();
    }
}
