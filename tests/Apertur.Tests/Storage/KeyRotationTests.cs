using System.Net;
using System.Text.Json.Nodes;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Apertur.Tests.Support.Fakes;

namespace Apertur.Tests.Storage;

public sealed class KeyRotationTests
{
    /// <summary>How every text begins that the framework's Data Protection made.</summary>
    private const string Mark = "CfDJ8";

    [Theory, AllDatabases]
    public async Task Rotation_encrypts_everything_anew_while_the_server_works(DatabaseKind database)
    {
        await using var clouds = await FakeClouds.StartAsync();
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database, clouds.Settings);
        var webhook = await FillAsync(app, clouds, receiver);
        app.WriteSettings();

        var (exitCode, output, errors) = await AperturProcess.RunAsync("keys", "rotate", "--data", app.DataFolder, "--json");

        Assert.True(exitCode == 0, errors);
        var said = JsonNode.Parse(output)!;
        var key = Guid.Parse((string)said["key"]!);
        var texts = await ProtectedTextsAsync(app);
        Assert.Equal(texts.Count, (int)said["encrypted"]!);
        Assert.All(texts, text => Assert.Equal(key, ColumnEncryption.KeyOf(text.Text)));
        // The same process, with the keys it read at its start.
        var upload = await app.Client.UploadAsync(await app.Client.CreateSessionAsync(webhook), Photos.Jpeg());
        await app.Client.UploadBecomesAsync((string)upload["id"]!, "delivered");
        var config = (await app.Client.GetAsync($"projects/{app.ProjectId}/destinations/{webhook}")).Expect(HttpStatusCode.OK).Json["config"]!;
        Assert.Equal("********", (string)config["secret"]!);
        await app.RestartAsync();
        Assert.True((bool)(await app.Client.PostAsync($"projects/{app.ProjectId}/destinations/{webhook}/test")).Json["success"]!);
    }

    [Theory, AllDatabases]
    public async Task Every_column_that_holds_encrypted_text_is_on_the_list(DatabaseKind database)
    {
        await using var clouds = await FakeClouds.StartAsync();
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database, clouds.Settings);
        await FillAsync(app, clouds, receiver);

        var found = (await ProtectedTextsAsync(app)).Select(text => text.Place).Distinct().Order();

        Assert.Equal(ProtectedColumn.All.Select(column => $"{column.Table}.{column.Column}").Order(), found);
    }

    [Fact]
    public async Task Rotation_of_nothing_says_that_there_is_nothing()
    {
        using var folder = new TempFolder();

        var (exitCode, output, errors) = await AperturProcess.RunAsync("keys", "rotate", "--data", folder.Path);

        Assert.Equal(1, exitCode);
        Assert.Empty(output);
        Assert.Contains("no installation", errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Text_does_not_decrypt_at_another_place_or_with_other_keys()
    {
        using var folder = new TempFolder();
        using var elsewhere = new TempFolder();
        var secrets = new ColumnEncryption(new KeyFolder(folder.Path));
        var row = Guid.NewGuid();
        var text = secrets.Protect("a.b", row, "planted");

        Assert.Equal("planted", new ColumnEncryption(new KeyFolder(folder.Path)).Unprotect("a.b", row, text));
        Assert.ThrowsAny<System.Security.Cryptography.CryptographicException>(() => secrets.Unprotect("a.c", row, text));
        Assert.ThrowsAny<System.Security.Cryptography.CryptographicException>(() => secrets.Unprotect("a.b", Guid.NewGuid(), text));
        Assert.ThrowsAny<System.Security.Cryptography.CryptographicException>(() => new ColumnEncryption(new KeyFolder(elsewhere.Path)).Unprotect("a.b", row, text));
    }

    /// <summary>Puts something into every column that is encrypted.</summary>
    private static async Task<string> FillAsync(AperturApp app, FakeClouds clouds, Receiver receiver)
    {
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url, ["secret"] = Sample });
        (await app.Client.PostAsync($"projects/{app.ProjectId}/webhooks", new JsonObject
        {
            ["url"] = receiver.Url,
            ["topics"] = new JsonArray("*"),
            ["customHeaders"] = new JsonObject { ["X-Token"] = Sample },
        })).Expect(HttpStatusCode.Created);
        var drive = await clouds.ConnectedAsync(app, "google_drive");
        var (key, _) = await app.CreateKeyAsync(new JsonObject { ["label"] = "signs, and asks for codes" });
        foreach (var secret in new[] { "signing-secret", "totp" })
            (await app.Client.PostAsync($"projects/{app.ProjectId}/keys/{key["id"]}/{secret}")).Expect(HttpStatusCode.OK);
        (await app.Client.PostAsync(
            $"projects/{app.ProjectId}/webhooks",
            new JsonObject { ["url"] = receiver.Url, ["topics"] = new JsonArray("project.session.*"), ["customHeaders"] = new JsonObject { ["X-Room"] = Sample } }))
            .Expect(HttpStatusCode.Created);
        // A connection that nobody finishes, and a delivery that has to go on later.
        await clouds.AllowAsync(app, drive);
        clouds.Google.Refuse("POST /upload/", 503);
        var upload = (string)(await app.Client.UploadAsync(await app.Client.CreateSessionAsync(drive), Photos.Jpeg()))["id"]!;
        await Eventually.Becomes(
            () => app.DeliveriesAsync(upload), rows => rows.Single() is { LastError: not null, Resume: not null }, "a delivery has to go on later");
        var owner = await app.SignInAsync();
        (await owner.Client.PostAsync("me/totp")).Expect(HttpStatusCode.OK);
        (await owner.Client.PostAsync($"projects/{app.ProjectId}/webhook-secret/rotate")).Expect(HttpStatusCode.OK);
        return webhook;
    }

    private const string Sample = "0123456789abcdef0123456789abcdef";

    private static async Task<IReadOnlyList<(string Place, string Text)>> ProtectedTextsAsync(AperturApp app) =>
        [.. (await app.TextsAsync()).Where(text => text.Text.StartsWith(Mark, StringComparison.Ordinal))];
}
