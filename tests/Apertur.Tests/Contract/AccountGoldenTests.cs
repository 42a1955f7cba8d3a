using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Apertur.Server.Projects;
using Apertur.Tests.Support;

namespace Apertur.Tests.Contract;

/// <summary>Every answer about people, projects and who belongs to them, as it was accepted; see <see cref="GoldenTests"/>.</summary>
public sealed class AccountGoldenTests
{
    [Theory, AllDatabases]
    public async Task Signing_in_and_out_answers_as_accepted(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var golden = new Golden(app);
        var nobody = app.ClientOf(null);
        var (email, password, next) = (People.OwnerEmail, People.OwnerPassword, "battery staple");

        await golden.PinAsync("error-sign-in", "POST", "auth/login", new { email, password = next }, nobody);
        await golden.PinAsync("error-key-for-person", "GET", "me");
        var login = await golden.PinAsync("auth-login", "POST", "auth/login", new { email, password }, nobody);
        var refreshToken = (string)login.Json["refreshToken"]!;
        var renewed = await golden.PinAsync("auth-refresh", "POST", "auth/refresh", new { refreshToken }, nobody);
        var me = app.Read(renewed.Json).Client;
        await golden.PinAsync("me", "GET", "me", client: me);
        await golden.PinAsync("me-password", "POST", "me/password", new { currentPassword = password, newPassword = next }, me);
        var totp = await golden.PinAsync("me-totp", "POST", "me/totp", client: me);
        var code = app.CodeOf((string)totp.Json["secret"]!);
        await golden.PinAsync("me-totp-confirm", "POST", "me/totp/confirm", new { code }, me);
        await golden.PinAsync("error-totp-required", "POST", "auth/login", new { email, password = next }, nobody);
        await golden.PinAsync("me-totp-delete", "DELETE", "me/totp", new { password = next }, me);
        await golden.PinAsync("auth-logout", "POST", "auth/logout", client: me);
    }

    [Theory, AllDatabases]
    public async Task Projects_answer_as_accepted(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var golden = new Golden(app);
        var owner = (await app.SignInAsync()).Client;
        using var rsa = RSA.Create(2048);
        var pem = rsa.ExportSubjectPublicKeyInfoPem();
        golden.Name("owner's key", pem.Replace("\n", "\\n", StringComparison.Ordinal));

        await golden.PinAsync("project-get", "GET", $"projects/{app.ProjectId}");
        // So that the list, newest first, has one order.
        app.Clock.Advance(TimeSpan.FromSeconds(1));
        var created = await golden.PinAsync("project-create", "POST", "projects", new { name = "Roofs" }, owner);
        var path = "projects/" + golden.Name("new project", (string)created.Json["id"]!);
        await golden.PinAsync("projects", "GET", "projects", client: owner);
        await golden.PinAsync(
            "project-update", "PATCH", path, new JsonObject { ["e2ePublicKey"] = pem, ["retentionDays"] = 30 }, owner);
        await golden.PinAsync("project-rotate-webhook-secret", "POST", $"{path}/webhook-secret/rotate", client: owner);
        await golden.PinAsync("project-delete", "DELETE", path, client: owner);
        await golden.PinAsync("error-project", "POST", "projects", new { name = " " }, owner);
    }

    [Theory, AllDatabases]
    public async Task Members_answer_as_accepted(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var golden = new Golden(app);
        var owner = await app.SignInAsync();
        golden.Name("owner", owner.UserId.ToString());
        var path = $"projects/{app.ProjectId}";

        var invitation = await golden.PinAsync(
            "member-invite", "POST", $"{path}/members", new { email = "new@example.com", role = "viewer" }, owner.Client);
        await golden.PinAsync("invitations", "GET", $"{path}/invitations", client: owner.Client);
        await golden.PinAsync("invitation-delete", "DELETE", $"{path}/invitations/{invitation.Json["id"]}", client: owner.Client);
        app.Clock.Advance(TimeSpan.FromSeconds(1));
        var person = await app.AddPersonAsync("member@example.com", app.ProjectId, Role.Viewer);
        var id = golden.Name("member", person.Id.ToString());
        var member = await app.TokenAsync(person);
        await golden.PinAsync("members", "GET", $"{path}/members", client: member.Client);
        await golden.PinAsync("error-role", "GET", $"{path}/audit", client: member.Client);
        await golden.PinAsync("member-update", "PATCH", $"{path}/members/{id}", new { role = "developer" }, owner.Client);
        app.Clock.Advance(TimeSpan.FromSeconds(1));
        await golden.PinAsync("member-delete", "DELETE", $"{path}/members/{id}", client: owner.Client);
        await golden.PinAsync("error-last-owner", "DELETE", $"{path}/members/{owner.UserId}", client: owner.Client);
        await golden.PinAsync("audit", "GET", $"{path}/audit?limit=2", client: owner.Client);
        await golden.PinAsync("audit-empty", "GET", $"{path}/audit?cursor={Guid.Empty}", client: owner.Client);
    }
}
