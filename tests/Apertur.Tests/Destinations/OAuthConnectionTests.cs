using System.Net;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Apertur.Destinations;
using Apertur.Server.Projects;
using Apertur.Tests.Support;
using Apertur.Tests.Support.Fakes;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Tests.Destinations;

/// <summary>How a destination is connected at a provider: the way there and back, and who may finish it.</summary>
public sealed class OAuthConnectionTests : IAsyncLifetime
{
    private FakeClouds _clouds = null!;

    public async ValueTask InitializeAsync() => _clouds = await FakeClouds.StartAsync();

    public async ValueTask DisposeAsync() => await _clouds.DisposeAsync();

    [Theory]
    [AllDatabases("google_drive")]
    [AllDatabases("dropbox")]
    public async Task Destination_is_inactive_until_it_is_connected_and_then_delivers(DatabaseKind database, string type)
    {
        await using var app = await AperturApp.StartAsync(database, _clouds.Settings);
        var id = await app.Client.CreateDestinationAsync(type, []);
        var path = $"projects/{app.ProjectId}/destinations/{id}";
        var before = (await app.Client.GetAsync(path)).Json;
        Assert.False((bool)before["isActive"]!);
        Assert.Contains("Not connected to", (string)before["problem"]!, StringComparison.Ordinal);
        var early = await app.Client.SendAsync(HttpMethod.Patch, path, new JsonObject { ["isActive"] = true });
        Assert.Equal("isActive", (string)early.Expect(HttpStatusCode.BadRequest).Json["errors"]![0]!["field"]!);
        var folder = new JsonObject { ["config"] = new JsonObject { ["folder"] = "Site" } };
        (await app.Client.SendAsync(HttpMethod.Patch, path, folder)).Expect(HttpStatusCode.OK);
        Assert.NotNull((string?)(await app.Client.GetAsync(path)).Json["problem"]);
        Assert.False((bool)(await app.Client.PostAsync(path + "/test")).Json["success"]!);

        var page = await app.ClientOf(null).GetAsync(await _clouds.AllowAsync(app, id));

        Assert.Contains("Connected", page.Expect(HttpStatusCode.OK).Text, StringComparison.Ordinal);
        Assert.Equal("no-referrer", page.Headers.GetValues("Referrer-Policy").Single());
        Assert.DoesNotContain("planted", page.Text, StringComparison.Ordinal);
        var after = (await app.Client.GetAsync(path)).Json;
        Assert.True((bool)after["isActive"]!);
        Assert.Null(after["problem"]);
        Assert.True((bool)(await app.Client.PostAsync(path + "/test")).Json["success"]!);
        var photo = Photos.Jpeg(300_000, seed: 4);
        var upload = await app.Client.UploadAsync(await app.Client.CreateSessionAsync(id), photo);
        await app.Client.UploadBecomesAsync((string)upload["id"]!, "delivered");
        var stored = type == "dropbox" ? _clouds.Dropbox.Files.Single().Bytes : _clouds.Google.Files.Single().Bytes;
        Assert.Equal(SHA256.HashData(photo), SHA256.HashData(stored));
    }

    [Theory, AllDatabases]
    public async Task State_works_once(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database, _clouds.Settings);
        var back = await _clouds.AllowAsync(app, await app.Client.CreateDestinationAsync("dropbox", []));

        var twice = await Task.WhenAll(app.ClientOf(null).GetAsync(back), app.ClientOf(null).GetAsync(back));

        Assert.Equal([HttpStatusCode.OK, HttpStatusCode.BadRequest], twice.Select(answer => answer.Status).Order());
        (await app.ClientOf(null).GetAsync(back)).Expect(HttpStatusCode.BadRequest);
    }

    [Theory, AllDatabases]
    public async Task Connection_that_was_begun_too_long_ago_is_not_made(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database, _clouds.Settings);
        var id = await app.Client.CreateDestinationAsync("dropbox", []);
        var back = await _clouds.AllowAsync(app, id);

        await app.PassAsync(TimeSpan.FromMinutes(10));

        await AssertNotConnectedAsync(app, id, back);
    }

    [Theory, AllDatabases]
    public async Task State_of_one_provider_is_nothing_to_another(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database, _clouds.Settings);
        var id = await app.Client.CreateDestinationAsync("dropbox", []);
        var back = await _clouds.AllowAsync(app, id);

        await AssertNotConnectedAsync(app, id, back.Replace("/dropbox", "/google_drive", StringComparison.Ordinal));
        await AssertNotConnectedAsync(app, id, "/oauth/callback/dropbox?state=&code=x");
        await AssertNotConnectedAsync(app, id, "/oauth/callback/dropbox");
    }

    [Theory, AllDatabases]
    public async Task Key_that_was_revoked_meanwhile_connects_nothing(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database, _clouds.Settings);
        var id = await app.Client.CreateDestinationAsync("dropbox", []);
        var back = await _clouds.AllowAsync(app, id);
        await app.WriteAsync(
            db => db.ApiKeys.ExecuteUpdateAsync(key => key.SetProperty(k => k.IsActive, false), TestContext.Current.CancellationToken));

        (await app.ClientOf(null).GetAsync(back)).Expect(HttpStatusCode.BadRequest);

        Assert.False((await app.DestinationAsync(id)).IsActive);
        Assert.Equal(0, _clouds.Dropbox.Count("POST /oauth2/token"));
    }

    [Theory]
    [AllDatabases("taken away")]
    [AllDatabases("made a viewer")]
    [AllDatabases("disabled")]
    public async Task Person_who_was_meanwhile_stopped_connects_nothing(DatabaseKind database, string how)
    {
        await using var app = await AperturApp.StartAsync(database, _clouds.Settings);
        var person = await app.AddPersonAsync("dev@example.com", app.ProjectId, Role.Developer);
        var id = await app.Client.CreateDestinationAsync("dropbox", []);
        var (back, cookie) = await BeginAsync(app, await app.TokenAsync(person), id);
        await app.ChangeAsync(db =>
        {
            var member = db.Members.Single(m => m.UserId == person.Id);
            if (how == "taken away")
                db.Members.Remove(member);
            else if (how == "made a viewer")
                member.Role = Role.Viewer;
            else
                db.Users.Single(user => user.Id == person.Id).DisabledAt = app.Clock.GetUtcNow();
        });

        (await app.ClientOf(null).SendAsync(HttpMethod.Get, back, null, cookie)).Expect(HttpStatusCode.BadRequest);

        Assert.False((await app.DestinationAsync(id)).IsActive);
        Assert.Equal(0, _clouds.Dropbox.Count("POST /oauth2/token"));
    }

    [Theory, AllDatabases]
    public async Task Person_connects_in_the_browser_that_began_it_and_in_no_other(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database, _clouds.Settings);
        var person = await app.SignInAsync();
        var id = await app.Client.CreateDestinationAsync("dropbox", []);

        var (stolen, _) = await BeginAsync(app, person, id);
        await AssertNotConnectedAsync(app, id, stolen);
        var (back, cookie) = await BeginAsync(app, person, id);
        (await app.ClientOf(null).SendAsync(HttpMethod.Get, back, null, cookie)).Expect(HttpStatusCode.OK);

        Assert.True((await app.DestinationAsync(id)).IsActive);
    }

    [Theory, AllDatabases]
    public async Task Person_who_refuses_changes_nothing_and_is_told_so(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database, _clouds.Settings);
        var id = await app.Client.CreateDestinationAsync("google_drive", []);
        var back = await _clouds.AllowAsync(app, id);

        var page = await app.ClientOf(null).GetAsync(back.Split("&code=")[0] + "&error=access_denied&error_description=planted");

        Assert.Contains("You did not allow the connection", page.Expect(HttpStatusCode.BadRequest).Text, StringComparison.Ordinal);
        Assert.DoesNotContain("planted", page.Text, StringComparison.Ordinal);
        Assert.False((await app.DestinationAsync(id)).IsActive);
    }

    [Theory, AllDatabases]
    public async Task Code_of_somebody_else_is_not_accepted_without_the_verifier(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database, _clouds.Settings);
        var mine = await app.Client.CreateDestinationAsync("dropbox", []);
        var back = await _clouds.AllowAsync(app, mine);
        var other = await _clouds.AllowAsync(app, mine);

        await AssertNotConnectedAsync(app, mine, back.Split("&code=")[0] + "&code=" + other.Split("&code=")[1]);
    }

    [Theory, AllDatabases]
    public async Task Type_without_a_registered_client_says_so_everywhere(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var created = (await app.Client.PostAsync(
            $"projects/{app.ProjectId}/destinations", new JsonObject { ["type"] = "gdrive" })).Expect(HttpStatusCode.Created).Json;
        var path = $"projects/{app.ProjectId}/destinations/{(string)created["id"]!}";

        Assert.Equal("google_drive", (string)created["type"]!);
        Assert.False((bool)created["isActive"]!);
        Assert.Contains("not configured on this server", (string)created["problem"]!, StringComparison.Ordinal);
        var authorize = (await app.Client.PostAsync(path + "/authorize")).Expect(HttpStatusCode.BadRequest).Json;
        Assert.Contains("not configured", (string)authorize["message"]!, StringComparison.Ordinal);
        Assert.Contains("not configured", (string)(await app.Client.PostAsync(path + "/test")).Json["error"]!, StringComparison.Ordinal);
        var type = (await app.Client.GetAsync("destination-types")).Json.AsArray().Single(t => (string)t!["type"]! == "google_drive")!;
        Assert.True((bool)type["oAuth"]!);
        Assert.False((bool)type["configured"]!);
    }

    [Theory, AllDatabases]
    public async Task Only_types_that_are_connected_at_a_provider_have_an_address_there(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database, _clouds.Settings);
        var id = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = "http://127.0.0.1:9/" });

        (await app.Client.PostAsync($"projects/{app.ProjectId}/destinations/{id}/authorize")).Expect(HttpStatusCode.BadRequest);
        (await app.Client.PostAsync($"projects/{app.ProjectId}/destinations/{Guid.NewGuid()}/authorize")).Expect(HttpStatusCode.NotFound);
        (await app.ClientOf(null).PostAsync($"projects/{app.ProjectId}/destinations/{id}/authorize")).Expect(HttpStatusCode.Unauthorized);
    }

    [Fact]
    public void Settings_lead_to_the_providers_own_addresses()
    {
        using var folder = new TempFolder();
        Assert.Equal(new DestinationSettings(), Apertur.Server.Settings.Load(folder.Path).ForDestinations());
    }

    /// <returns>The path that the provider sends the person back to, and the cookie of the person's browser.</returns>
    private async Task<(string Back, (string Name, string Value) Cookie)> BeginAsync(AperturApp app, SignedIn person, string id)
    {
        var answer = await person.Client.PostAsync($"projects/{app.ProjectId}/destinations/{id}/authorize");
        var cookie = answer.Expect(HttpStatusCode.OK).Headers.GetValues("Set-Cookie").Single();
        Assert.Contains("httponly", cookie, StringComparison.OrdinalIgnoreCase);
        return (await _clouds.AllowAsync(app, answer), ("Cookie", cookie.Split(';')[0]));
    }

    private static async Task AssertNotConnectedAsync(AperturApp app, string destination, string back)
    {
        var page = await app.ClientOf(null).GetAsync(back);
        Assert.Contains("start", page.Expect(HttpStatusCode.BadRequest).Text, StringComparison.Ordinal);
        Assert.False((await app.DestinationAsync(destination)).IsActive);
    }
}
