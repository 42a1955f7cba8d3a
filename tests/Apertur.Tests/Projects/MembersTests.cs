using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server.Projects;
using Apertur.Tests.Support;

namespace Apertur.Tests.Projects;

public sealed class MembersTests
{
    [Theory, AllDatabases]
    public async Task Invited_person_becomes_a_member_by_the_link_once(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var owner = await app.SignInAsync();

        var invited = await InviteAsync(app, owner, "New@Example.com", "developer");
        Assert.Contains("developer", (await app.ClientOf(null).GetAsync(invited)).Expect(HttpStatusCode.OK).Text, StringComparison.Ordinal);
        (await FollowAsync(app, invited, ("password", "short"))).Expect(HttpStatusCode.BadRequest);
        (await FollowAsync(app, invited, ("password", "battery staple"))).Expect(HttpStatusCode.SeeOther);

        var member = await app.SignInAsync("new@example.com", "battery staple");
        var project = (await member.Client.GetAsync("projects")).Json[0]!;
        Assert.Equal("developer", project["role"]!.GetValue<string>());
        (await FollowAsync(app, invited, ("password", "another one"))).Expect(HttpStatusCode.NotFound);
        var members = (await owner.Client.GetAsync(Members(app))).Expect(HttpStatusCode.OK).Json.AsArray();
        Assert.Equal(["new@example.com", "owner@example.com"], members.Select(m => m!["email"]!.GetValue<string>()).Order());
        Assert.Empty((await owner.Client.GetAsync($"projects/{app.ProjectId}/invitations")).Json.AsArray());
    }

    [Theory, AllDatabases]
    public async Task Somebody_with_an_account_accepts_with_their_password_only(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var owner = await app.SignInAsync();
        var (other, _, _) = await app.CreateOtherProjectAsync();
        await app.AddPersonAsync("known@example.com", other, Role.Owner);
        var invited = await InviteAsync(app, owner, "known@example.com", "viewer");

        (await FollowAsync(app, invited, ("password", "guessed by the sender"))).Expect(HttpStatusCode.BadRequest);
        (await FollowAsync(app, invited, ("password", People.OwnerPassword))).Expect(HttpStatusCode.SeeOther);

        var known = await app.SignInAsync("known@example.com");
        (await known.Client.GetAsync($"projects/{app.ProjectId}")).Expect(HttpStatusCode.OK);
        (await owner.Client.PostAsync(Members(app), new { email = "known@example.com", role = "viewer" })).Expect(HttpStatusCode.BadRequest);
    }

    [Theory, AllDatabases]
    public async Task Two_invitations_of_one_person_followed_at_once_are_no_crash_and_the_one_that_lost_still_works(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var owner = await app.SignInAsync();
        var links = new[] { await InviteAsync(app, owner, "new@example.com", "viewer"), await InviteAsync(app, owner, "new@example.com", "viewer") };

        var answers = await Task.WhenAll(links.Select(link => FollowAsync(app, link, ("password", "battery staple"))));

        Assert.Contains(answers, answer => answer.Status == HttpStatusCode.SeeOther);
        Assert.All(answers, answer => Assert.True(answer.Status is HttpStatusCode.SeeOther or HttpStatusCode.BadRequest, answer.Text));
        foreach (var lost in links.Where((_, i) => answers[i].Status != HttpStatusCode.SeeOther))
            (await FollowAsync(app, lost, ("password", "battery staple"))).Expect(HttpStatusCode.SeeOther);
        await app.SignInAsync("new@example.com", "battery staple");
    }

    [Theory, AllDatabases]
    public async Task Owner_who_is_suspended_is_not_the_one_that_a_project_needs(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var owner = await app.SignInAsync();
        var second = await app.AddPersonAsync("second@example.com", app.ProjectId, Role.Owner);
        await app.ChangeAsync(db => db.Users.Single(u => u.Id == second.Id).DisabledAt = app.Clock.GetUtcNow());

        (await owner.Client.SendAsync(HttpMethod.Delete, $"{Members(app)}/{owner.UserId}")).Expect(HttpStatusCode.Conflict);

        (await owner.Client.SendAsync(HttpMethod.Delete, $"{Members(app)}/{second.Id}")).Expect(HttpStatusCode.NoContent);
    }

    [Theory, AllDatabases]
    public async Task Invitation_ends_when_taken_back_expired_or_its_sender_could_not_send_it_any_more(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var owner = await app.SignInAsync();
        var admin = await app.TokenAsync(await app.AddPersonAsync("admin@example.com", app.ProjectId, Role.Admin));

        var takenBack = await InviteAsync(app, owner, "a@example.com", "viewer");
        var id = (await owner.Client.GetAsync($"projects/{app.ProjectId}/invitations")).Json[0]!["id"]!.GetValue<string>();
        (await owner.Client.SendAsync(HttpMethod.Delete, $"projects/{app.ProjectId}/invitations/{id}")).Expect(HttpStatusCode.NoContent);
        (await FollowAsync(app, takenBack, ("password", "battery staple"))).Expect(HttpStatusCode.NotFound);

        var ofAdmin = await InviteAsync(app, admin, "b@example.com", "viewer");
        (await owner.Client.SendAsync(HttpMethod.Patch, $"{Members(app)}/{admin.UserId}", new { role = "developer" })).Expect(HttpStatusCode.OK);
        (await FollowAsync(app, ofAdmin, ("password", "battery staple"))).Expect(HttpStatusCode.NotFound);

        var old = await InviteAsync(app, owner, "c@example.com", "viewer");
        app.Clock.Jump(TimeSpan.FromDays(7));
        (await app.ClientOf(null).GetAsync(old)).Expect(HttpStatusCode.NotFound);
    }

    [Theory, AllDatabases]
    public async Task Nobody_gives_changes_or_takes_a_role_above_their_own(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var owner = await app.SignInAsync();
        var admin = await app.TokenAsync(await app.AddPersonAsync("admin@example.com", app.ProjectId, Role.Admin));
        var developer = await app.TokenAsync(await app.AddPersonAsync("developer@example.com", app.ProjectId, Role.Developer));
        string Of(SignedIn member) => $"{Members(app)}/{member.UserId}";

        (await admin.Client.PostAsync(Members(app), new { email = "x@example.com", role = "owner" })).Expect(HttpStatusCode.Forbidden);
        (await admin.Client.SendAsync(HttpMethod.Patch, Of(admin), new { role = "owner" })).Expect(HttpStatusCode.Forbidden);
        (await admin.Client.SendAsync(HttpMethod.Patch, Of(owner), new { role = "viewer" })).Expect(HttpStatusCode.Forbidden);
        (await admin.Client.SendAsync(HttpMethod.Delete, Of(owner))).Expect(HttpStatusCode.Forbidden);
        (await developer.Client.SendAsync(HttpMethod.Delete, Of(admin))).Expect(HttpStatusCode.Forbidden);
        (await admin.Client.SendAsync(HttpMethod.Patch, Of(developer), new { role = "boss" })).Expect(HttpStatusCode.BadRequest);

        (await admin.Client.SendAsync(HttpMethod.Patch, Of(developer), new { role = "viewer" })).Expect(HttpStatusCode.OK);
        (await developer.Client.PostAsync($"projects/{app.ProjectId}/destinations", new { type = "webhook" })).Expect(HttpStatusCode.Forbidden);
        (await developer.Client.SendAsync(HttpMethod.Delete, Of(developer))).Expect(HttpStatusCode.NoContent);
        (await developer.Client.GetAsync(Members(app))).Expect(HttpStatusCode.NotFound);
    }

    [Theory, AllDatabases]
    public async Task Last_owner_can_neither_leave_nor_step_down_even_when_two_do_at_once(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var owner = await app.SignInAsync();
        var mine = $"{Members(app)}/{owner.UserId}";
        Assert.Equal("LAST_OWNER", (await owner.Client.SendAsync(HttpMethod.Delete, mine)).Expect(HttpStatusCode.Conflict).Json["code"]!.GetValue<string>());
        (await owner.Client.SendAsync(HttpMethod.Patch, mine, new { role = "admin" })).Expect(HttpStatusCode.Conflict);

        var second = await app.TokenAsync(await app.AddPersonAsync("second@example.com", app.ProjectId, Role.Owner));
        var left = await Task.WhenAll(
            owner.Client.SendAsync(HttpMethod.Delete, mine),
            second.Client.SendAsync(HttpMethod.Delete, $"{Members(app)}/{second.UserId}"));

        Assert.Equal([HttpStatusCode.NoContent, HttpStatusCode.Conflict], left.Select(answer => answer.Status).Order());
    }

    private static string Members(AperturApp app) => $"projects/{app.ProjectId}/members";

    private static async Task<string> InviteAsync(AperturApp app, SignedIn sender, string email, string role)
    {
        JsonNode invited = (await sender.Client.PostAsync(Members(app), new { email, role })).Expect(HttpStatusCode.Created).Json;
        return new Uri(invited["url"]!.GetValue<string>()).AbsolutePath;
    }

    private static async Task<Answer> FollowAsync(AperturApp app, string link, params (string Name, string Value)[] fields)
    {
        using var form = new FormUrlEncodedContent(fields.Select(field => KeyValuePair.Create(field.Name, field.Value)));
        return await app.ClientOf(null).PostAsync(link, form);
    }
}
