using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server.Accounts;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Commands;

/// <summary>The commands as an operator runs them: another process, beside the running server, on the same data.</summary>
public sealed class OperatorCommandTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, AllDatabases]
    public async Task Users_projects_and_keys_are_managed_while_the_server_runs(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);

        var user = await JsonAsync(app, "user", "create", "--email", "Second@Example.com", "--password", "battery staple");
        var second = await app.SignInAsync("second@example.com", "battery staple");
        Assert.Equal(second.UserId, user["user"]!["id"]!.GetValue<Guid>());

        var made = await JsonAsync(app, "project", "create", "--name", "Made outside", "--owner", "second@example.com");
        var project = made["project"]!["id"]!.GetValue<string>();
        Assert.Equal("owner", (await second.Client.GetAsync($"projects/{project}")).Expect(HttpStatusCode.OK).Json["role"]!.GetValue<string>());
        (await app.ClientOf(made["keys"]!["live"]!.GetValue<string>()).GetAsync("stats")).Expect(HttpStatusCode.OK);
        Assert.StartsWith("aptr_test_", made["keys"]!["test"]!.GetValue<string>(), StringComparison.Ordinal);

        var key = await JsonAsync(app, "key", "create", "--project", project, "--label", "Robot", "--env", "test");
        var robot = app.ClientOf(key["plainTextKey"]!.GetValue<string>());
        (await robot.GetAsync("stats")).Expect(HttpStatusCode.OK);
        Assert.Equal(3, (await JsonAsync(app, "key", "list", "--project", project)).AsArray().Count);
        await JsonAsync(app, "key", "disable", "--key", key["key"]!["id"]!.GetValue<string>());
        (await robot.GetAsync("stats")).Expect(HttpStatusCode.Unauthorized);

        await JsonAsync(app, "project", "disable", "--project", project);
        (await second.Client.GetAsync($"projects/{project}")).Expect(HttpStatusCode.NotFound);
        (await app.ClientOf(made["keys"]!["live"]!.GetValue<string>()).GetAsync("stats")).Expect(HttpStatusCode.Forbidden);
        await JsonAsync(app, "project", "enable", "--project", project);
        (await second.Client.GetAsync($"projects/{project}")).Expect(HttpStatusCode.OK);
        Assert.Equal(2, (await JsonAsync(app, "project", "list")).AsArray().Count);

        var actions = (await second.Client.GetAsync($"projects/{project}/audit")).Json["entries"]!.AsArray();
        Assert.Equal(
            ["keys.create", "keys.disable", "projects.create", "projects.disable", "projects.enable"],
            actions.Select(e => e!["action"]!.GetValue<string>()).Order());
        Assert.All(actions, e => Assert.Equal("operator", e!["actor"]!["type"]!.GetValue<string>()));

        await JsonAsync(app, "user", "disable", "--email", "second@example.com");
        (await second.Client.GetAsync("me")).Expect(HttpStatusCode.Forbidden);
        var users = (await JsonAsync(app, "user", "list")).AsArray();
        Assert.Equal([false, true], users.Select(u => u!["disabled"]!.GetValue<bool>()));
    }

    [Theory, AllDatabases]
    public async Task Forgotten_password_is_set_by_a_link_once_and_every_sign_in_ends(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var owner = await app.SignInAsync();

        var url = (await JsonAsync(app, "user", "reset", "--email", People.OwnerEmail))["passwordUrl"]!.GetValue<string>();
        var link = new Uri(url).AbsolutePath;
        // The command's process has the system's clock, the server the test's: a link lives a day.
        Assert.Contains("Set a new password", (await app.ClientOf(null).GetAsync(link)).Expect(HttpStatusCode.OK).Text, StringComparison.Ordinal);
        (await SetAsync(app, link, "battery staple")).Expect(HttpStatusCode.SeeOther);

        (await owner.Client.GetAsync("me")).Expect(HttpStatusCode.Unauthorized);
        (await SetAsync(app, link, "correct staple")).Expect(HttpStatusCode.NotFound);
        await app.SignInAsync(password: "battery staple");
    }

    [Theory, AllDatabases]
    public async Task Sign_in_link_works_once_asks_for_the_code_of_an_app_and_is_told_in_the_audit_log(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var owner = await app.SignInAsync();
        async Task<string> MakeAsync() =>
            new Uri((await JsonAsync(app, "user", "sign-in-link", "--email", People.OwnerEmail))["signInUrl"]!.GetValue<string>()).AbsolutePath;
        Task<Answer> FollowAsync(string link, string code) => SetAsync(app, link, code, "code");

        var before = await MakeAsync();
        var link = await MakeAsync();
        (await FollowAsync(before, "")).Expect(HttpStatusCode.NotFound);
        (await app.ClientOf(null).GetAsync(link)).Expect(HttpStatusCode.OK);
        var entered = (await FollowAsync(link, "")).Expect(HttpStatusCode.SeeOther);
        Assert.Contains("apertur_session=", entered.Headers.GetValues("Set-Cookie").Single(), StringComparison.Ordinal);
        (await FollowAsync(link, "")).Expect(HttpStatusCode.NotFound);

        var secret = (await owner.Client.PostAsync("me/totp")).Json["secret"]!.GetValue<string>();
        (await owner.Client.PostAsync("me/totp/confirm", new { code = app.CodeOf(secret) })).Expect(HttpStatusCode.NoContent);
        link = await MakeAsync();
        Assert.Contains("Code from your app", (await app.ClientOf(null).GetAsync(link)).Text, StringComparison.Ordinal);
        (await FollowAsync(link, "")).Expect(HttpStatusCode.BadRequest);
        app.Clock.Jump(TimeSpan.FromSeconds(30));
        (await FollowAsync(link, app.CodeOf(secret))).Expect(HttpStatusCode.SeeOther);

        var actions = (await owner.Client.GetAsync($"projects/{app.ProjectId}/audit")).Json["entries"]!.AsArray().Select(e => e!["action"]!.GetValue<string>()).ToList();
        Assert.Equal(3, actions.Count(action => action == "members.create_sign_in_link"));
        Assert.Equal(2, actions.Count(action => action == "members.sign_in_by_link"));

        link = await MakeAsync();
        for (var guess = 0; guess < 5; guess++)
            (await FollowAsync(link, "000000")).Expect(HttpStatusCode.BadRequest);
        Assert.Contains("Too many", (await FollowAsync(link, "000000")).Text, StringComparison.OrdinalIgnoreCase);
        // Whoever changes the password, or is kept out, ends the link with all else.
        link = await MakeAsync();
        foreach (var switched in new[] { "disable", "enable" })
            await app.CommandAsync("user", switched, "--email", People.OwnerEmail);
        (await app.ClientOf(null).GetAsync(link)).Expect(HttpStatusCode.NotFound);
        link = $"/link/{await app.Services.GetRequiredService<Database>().WriteAsync(
            async db => await OneTimeLink.ForSignInAsync(db, await db.Users.SingleAsync(Cancellation), app.Clock.GetUtcNow(), Cancellation), Cancellation)}";
        (await app.ClientOf(null).GetAsync(link)).Expect(HttpStatusCode.OK);
        app.Clock.Jump(TimeSpan.FromMinutes(31));
        (await app.ClientOf(null).GetAsync(link)).Expect(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task Mistakes_are_told_in_one_line()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);

        foreach (var (arguments, said) in new (string[], string)[]
        {
            (["user", "create", "--email", "x", "--password", "battery staple"], "'x' is not an e-mail address."),
            (["user", "create", "--email", "x@example.com", "--password", "short"], "The password must have"),
            (["user", "create", "--email", People.OwnerEmail, "--password", "battery staple"], "There is a user"),
            (["user", "disable", "--email", "x@example.com"], "There is no user"),
            (["project", "create", "--name", "N", "--owner", "x@example.com"], "There is no user"),
            (["project", "create", "--name", new string('x', 201), "--owner", People.OwnerEmail], "The project's name must have"),
            (["key", "create", "--project", "x", "--label", "L"], "There is no project"),
            (["key", "create", "--project", $"{app.ProjectId}", "--label", new string('x', 201)], "The key's label must have"),
            (["key", "disable", "--key", "x"], "There is no key"),
        })
        {
            var (code, output, error) = await RunAsync(app, arguments);

            Assert.Equal((1, ""), (code, output));
            Assert.StartsWith(said, error, StringComparison.Ordinal);
            Assert.Single(error.Trim().Split('\n'));
        }
    }

    private static async Task<Answer> SetAsync(AperturApp app, string link, string value, string field = "password")
    {
        using var form = new FormUrlEncodedContent([KeyValuePair.Create(field, value)]);
        return await app.ClientOf(null).PostAsync(link, form);
    }

    private static async Task<JsonNode> JsonAsync(AperturApp app, params string[] arguments)
    {
        var (code, output, error) = await RunAsync(app, [.. arguments, "--json"]);
        Assert.True(code == 0, $"{string.Join(' ', arguments)}: {error}");
        return JsonNode.Parse(output)!;
    }

    private static Task<(int Code, string Output, string Errors)> RunAsync(AperturApp app, string[] arguments)
    {
        app.WriteSettings();
        return AperturProcess.RunAsync([.. arguments, "--data", app.DataFolder]);
    }
}
