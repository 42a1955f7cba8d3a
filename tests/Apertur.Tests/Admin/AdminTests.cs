using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server.Projects;
using Apertur.Server.Queue;
using Apertur.Tests.Contract;
using Apertur.Tests.Support;

namespace Apertur.Tests.Admin;

/// <summary>What whoever runs the server sees and does. That nobody else does stands in the tenant matrix.</summary>
public sealed class AdminTests
{
    [Theory, AllDatabases]
    public async Task Server_answers_as_accepted(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var owner = await app.SignInAsync();
        await app.AddPersonAsync("member@example.com", app.ProjectId, Role.Viewer);
        var golden = new Golden(app);
        golden.Name("owner", owner.UserId.ToString());
        golden.Name("node", Node.Name);
        golden.Name("version", Node.Version);
        golden.Name("database", database.ToString());

        await golden.PinAsync("admin-server", "GET", "admin/server", client: owner.Client);
        await golden.PinAsync("admin-projects", "GET", "admin/projects", client: owner.Client);
        var users = await golden.PinAsync("admin-users", "GET", "admin/users?limit=1&cursor=a@example.com", client: owner.Client);
        var id = golden.Name("member", users.Json["users"]![0]!["id"]!.GetValue<string>());
        await golden.PinAsync("admin-user-disable", "POST", $"admin/users/{id}/disable", client: owner.Client);
        await golden.PinAsync("admin-user-enable", "POST", $"admin/users/{id}/enable", client: owner.Client);
        await golden.PinAsync("error-admin-self", "POST", $"admin/users/{owner.UserId}/disable", client: owner.Client);
        await golden.PinAsync("error-admin-role", "GET", "admin/server");
    }

    [Theory, AllDatabases]
    public async Task People_are_listed_in_stretches_of_the_same_cost_and_kept_out_at_once(DatabaseKind database)
    {
        var queries = new QueryCount();
        await using var app = await AperturApp.StartAsync(database, configure: queries.Into);
        var owner = await app.SignInAsync();
        for (var i = 0; i < 5; i++)
            await app.AddPersonAsync($"p{i}@example.com", app.ProjectId, Role.Viewer);
        async Task<(JsonNode Page, int Queries)> ListAsync(string query)
        {
            var before = queries.Queries;
            var page = (await owner.Client.GetAsync("admin/users" + query)).Expect(HttpStatusCode.OK).Json;
            return (page, queries.Queries - before);
        }

        var seen = new List<string>();
        var costs = new List<int>();
        for (string? next = ""; next is not null;)
        {
            var (page, cost) = await ListAsync($"?limit=2{(next.Length > 0 ? "&cursor=" + next : "")}");
            seen.AddRange(page["users"]!.AsArray().Select(user => user!["email"]!.GetValue<string>()));
            costs.Add(cost);
            next = page["next"]?.GetValue<string>();
        }

        Assert.Equal([People.OwnerEmail, "p0@example.com", "p1@example.com", "p2@example.com", "p3@example.com", "p4@example.com"], seen);
        Assert.Single(costs.Distinct());
        var one = (await ListAsync("?email=P3@example.com")).Page["users"]!.AsArray().Single()!;
        var id = one["id"]!.GetValue<string>();
        var person = await app.SignInAsync("p3@example.com");
        (await owner.Client.PostAsync($"admin/users/{id}/disable")).Expect(HttpStatusCode.OK);
        (await person.Client.GetAsync("me")).Expect(HttpStatusCode.Forbidden);
        (await app.ClientOf(null).PostAsync("auth/login", new { email = "p3@example.com", password = People.OwnerPassword })).Expect(HttpStatusCode.Forbidden);
        (await owner.Client.PostAsync($"admin/users/{id}/enable")).Expect(HttpStatusCode.OK);
        (await person.Client.GetAsync("me")).Expect(HttpStatusCode.Unauthorized);
        await app.SignInAsync("p3@example.com");
        (await owner.Client.PostAsync($"admin/users/{Guid.NewGuid()}/disable")).Expect(HttpStatusCode.NotFound);
        (await owner.Client.GetAsync("admin/users?cursor=nothing")).Expect(HttpStatusCode.BadRequest);
    }

    [Theory, AllDatabases]
    public async Task Projects_show_what_they_store_and_queues_what_waits(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var owner = await app.SignInAsync();
        var destination = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = "http://127.0.0.1:9/" });
        var photo = Photos.Jpeg();
        var upload = (await app.Client.UploadAsync(await app.Client.CreateSessionAsync(destination), photo))["id"]!.GetValue<string>();
        // While it is taken it may be counted in both states.
        await Eventually.Becomes(
            () => app.DeliveriesAsync(upload), rows => rows.Single() is { Attempts: 1, State: DeliveryState.Retrying });
        (await owner.Client.PostAsync("projects", new { name = "Empty" })).Expect(HttpStatusCode.Created);

        var first = (await owner.Client.GetAsync("admin/projects?limit=1")).Expect(HttpStatusCode.OK).Json;
        var second = (await owner.Client.GetAsync($"admin/projects?limit=1&cursor={first["next"]}")).Expect(HttpStatusCode.OK).Json;

        JsonNode[] projects = [first["projects"]!.AsArray().Single()!, second["projects"]!.AsArray().Single()!];
        Assert.Null(second["next"]);
        var full = projects.Single(project => project["id"]!.GetValue<Guid>() == app.ProjectId);
        Assert.Equal((1, photo.Length, 1), (full["storedImages"]!.GetValue<int>(), full["storedBytes"]!.GetValue<int>(), full["memberCount"]!.GetValue<int>()));
        Assert.Equal(0, projects.Single(project => project != full)["storedBytes"]!.GetValue<int>());
        var queues = (await owner.Client.GetAsync("admin/server")).Expect(HttpStatusCode.OK).Json["queues"]!.AsArray();
        Assert.Equal(1, queues.Single(queue => queue!["queue"]!.GetValue<string>() == "deliveries")!["depth"]!.GetValue<int>());
    }

    [Fact]
    public async Task Settings_in_force_are_shown_without_any_secret()
    {
        const string Secret = "not-for-anybodys-eyes";
        var secrets = new[]
        {
            "OAuth:GoogleDrive:ClientSecret", "OAuth:Dropbox:ClientSecret", "OPENID:CLIENTSECRET", "Storage:S3:SecretAccessKey", "Sharing:SmtpPassword",
            "sharing:smsauthorization", "Sharing:SmsUrl", "Sharing:SmsBody",
        };
        var settings = secrets.ToDictionary(name => name, string? (name) => name.Contains("Sms", StringComparison.Ordinal) ? $"https://sms.example.com/{Secret}?{{text}}" : Secret);
        settings["Delivery:Lanes"] = "7";
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite, settings);
        var owner = await app.SignInAsync();

        var answer = (await owner.Client.GetAsync("admin/settings")).Expect(HttpStatusCode.OK);

        Assert.DoesNotContain(Secret, answer.Text, StringComparison.Ordinal);
        var shown = answer.Json.AsArray().ToDictionary(setting => setting!["name"]!.GetValue<string>(), setting => setting!, StringComparer.OrdinalIgnoreCase);
        Assert.All(secrets, name => Assert.Equal("********", shown[name]["value"]!.GetValue<string>()));
        Assert.Equal(("7", false), (shown["Delivery:Lanes"]["value"]!.GetValue<string>(), shown["Delivery:Lanes"]["isDefault"]!.GetValue<bool>()));
        Assert.Equal(("", true), (shown["Server:PublicUrl"]["value"]!.GetValue<string>(), shown["Server:PublicUrl"]["isDefault"]!.GetValue<bool>()));

        // A new setting whose name sounds like a secret is one, or stands here because it is none.
        string[] harmless = ["Keys:Place", "Keys:WrappingKeyFile", "Storage:S3:AccessKeyId", "Sources:Dropbox:AppKey", "Sources:GoogleDrive:ApiKey"];
        string[] words = ["Secret", "Password", "Key", "Token", "Authorization", "Connection", "Credential"];
        foreach (var name in shown.Keys.Where(name => words.Any(word => name.Contains(word, StringComparison.Ordinal))).Except(harmless).Where(name => !name.EndsWith("TokenUrl", StringComparison.Ordinal)))
            Assert.True(new Apertur.Server.SettingInForce(name, "x", IsDefault: false).IsSecret, $"{name} would be shown.");
    }

    [Theory, AllDatabases]
    public async Task Operators_who_keep_each_other_out_at_the_same_moment_leave_one(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var people = new List<SignedIn> { await app.SignInAsync() };
        await app.AddPersonAsync("helper@example.com");
        await app.CommandAsync("user", "operator", "--email", "helper@example.com");
        people.Add(await app.SignInAsync("helper@example.com"));

        var answers = await Task.WhenAll(
            people[0].Client.PostAsync($"admin/users/{people[1].UserId}/disable"), people[1].Client.PostAsync($"admin/users/{people[0].UserId}/disable"));

        Assert.Single(answers, answer => answer.Status == HttpStatusCode.OK);
    }

    [Theory, AllDatabases]
    public async Task Operators_are_made_and_unmade_on_the_command_line(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        await app.AddPersonAsync("helper@example.com");
        var helper = await app.SignInAsync("helper@example.com");

        (await helper.Client.GetAsync("admin/server")).Expect(HttpStatusCode.Forbidden);
        await app.CommandAsync("user", "operator", "--email", "helper@example.com");
        (await helper.Client.GetAsync("admin/server")).Expect(HttpStatusCode.OK);
        Assert.True((await helper.Client.GetAsync("me")).Json["isOperator"]!.GetValue<bool>());
        await app.CommandAsync("user", "operator", "--email", "helper@example.com", "--remove");

        (await helper.Client.GetAsync("admin/server")).Expect(HttpStatusCode.Forbidden);
    }
}
