using System.Net;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Apertur.Tests.Support;
using Microsoft.EntityFrameworkCore;

namespace Apertur.Tests.Encryption;

/// <summary>Mode <c>e2e</c>: what only the project's owner can read passes through untouched.</summary>
public sealed class EndToEndTests
{
    [Theory, AllDatabases]
    public async Task Envelope_is_stored_and_delivered_as_it_came(DatabaseKind database)
    {
        using var owner = RSA.Create(2048);
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        await SetKeyAsync(app, owner.ExportSubjectPublicKeyInfoPem());
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var session = await app.Client.CreateSessionAsync(webhook);
        var envelope = (await Sealed.ByNodeAsync(owner.ExportSubjectPublicKeyInfoPem(), Photos.Heic())).Bytes();

        var answer = (await app.PostFormAsync(session, envelope, "IMG_1.HEIC.enc", "e2e", "gallery")).Expect(HttpStatusCode.Created).Json;

        var id = (string)answer["id"]!;
        Assert.Equal("IMG_1.HEIC.enc.json", (string)answer["filename"]!);
        Assert.Equal("application/json", (string)answer["mime_type"]!);
        Assert.Equal(envelope.Length, (int)answer["size_bytes"]!);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(envelope)), (string)answer["sha256"]!);
        Assert.Null(answer["width"]);
        var row = await app.Client.UploadBecomesAsync(id, "delivered");
        Assert.True((bool)row["isEncrypted"]!);
        var download = await app.Client.GetAsync($"uploads/{id}/download");
        Assert.Equal(envelope, download.Bytes);
        Assert.Equal("application/json", download.ContentHeaders.ContentType!.ToString());
        var delivered = JsonNode.Parse((await receiver.NextAsync(TestContext.Current.CancellationToken)).Body)!;
        Assert.Equal("application/json", (string)delivered["mime_type"]!);
        var opened = await NodeScript.RunAsync("envelope.mjs", new JsonObject
        {
            ["privateKey"] = owner.ExportPkcs8PrivateKeyPem(),
            ["envelope"] = JsonNode.Parse(Convert.FromBase64String((string)delivered["data"]!)),
        });
        Assert.Equal(Photos.Heic(), Convert.FromBase64String((string)opened["photo"]!));
    }

    [Theory, AllDatabases]
    public async Task Session_info_says_whether_photos_can_be_encrypted_for_the_owner(DatabaseKind database)
    {
        using var owner = RSA.Create(2048);
        var pem = owner.ExportSubjectPublicKeyInfoPem();
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        var limited = await app.Client.CreateSessionAsync(new JsonObject { ["max_image_dimension"] = 500 });
        var typed = await app.Client.CreateSessionAsync(new JsonObject { ["allowed_mime_types"] = new JsonArray("image/png") });
        var stripped = await app.Client.CreateSessionAsync(new JsonObject { ["strip"] = "location" });
        var envelope = Sealed.Here(pem, Photos.Jpeg()).Bytes();

        foreach (var id in new[] { session, limited, typed, stripped })
            await ExpectAsync(id, (false, null, false));
        Assert.Contains("no public key", (string)(await app.PostFormAsync(session, envelope, "a.enc", "e2e"))
            .Expect(HttpStatusCode.BadRequest).Json["message"]!, StringComparison.Ordinal);
        await SetKeyAsync(app, pem);
        await ExpectAsync(session, (true, pem, false));
        foreach (var id in new[] { limited, typed, stripped })
            await ExpectAsync(id, (true, pem, true));
        Assert.DoesNotContain("<noscript>", (await app.Client.GetAsync($"/u/{limited}")).Text, StringComparison.Ordinal);
        Assert.Contains("without e2e", (string)(await app.PostFormAsync(limited, envelope, "a.enc", "e2e"))
            .Expect(HttpStatusCode.BadRequest).Json["message"]!, StringComparison.Ordinal);

        async Task ExpectAsync(string id, (bool, string?, bool) expected)
        {
            var info = (await app.ClientOf(null).GetAsync($"upload/{id}/session")).Json;
            Assert.Equal(expected, ((bool)info["e2eEnabled"]!, (string?)info["e2ePublicKey"], (bool)info["e2eDowngraded"]!));
        }
    }

    [Theory, AllDatabases]
    public async Task What_has_not_the_shape_of_an_envelope_is_refused(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        using var owner = RSA.Create(2048);
        await SetKeyAsync(app, owner.ExportSubjectPublicKeyInfoPem());
        var session = await app.Client.CreateSessionAsync();
        var good = Sealed.Here(owner.ExportSubjectPublicKeyInfoPem(), Photos.Jpeg());

        foreach (var member in good.Select(member => member.Key).ToList())
        {
            var copy = good.DeepClone().AsObject();
            copy.Remove(member);
            (await app.PostFormAsync(session, copy.Bytes(), "a.jpg.enc", "e2e")).Expect(HttpStatusCode.BadRequest);
        }

        (await app.PostFormAsync(session, Photos.Jpeg(), "a.jpg", "e2e")).Expect(HttpStatusCode.BadRequest);
        Assert.Empty(Directory.GetFiles(app.DataFolder + "/images", "*-*", SearchOption.AllDirectories));
    }

    [Theory, AllDatabases]
    public async Task Page_without_script_sends_nothing_in_the_clear(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        using var owner = RSA.Create(2048);
        var session = await app.Client.CreateSessionAsync();
        Assert.DoesNotContain("<noscript>", (await app.Client.GetAsync($"/u/{session}")).Text, StringComparison.Ordinal);
        await SetKeyAsync(app, owner.ExportSubjectPublicKeyInfoPem());

        var page = (await app.Client.GetAsync($"/u/{session}")).Text;
        using var form = new MultipartFormDataContent();
        using var file = new ByteArrayContent(Photos.Jpeg());
        form.Add(file, "file", "a.jpg");
        await app.Client.PostAsync($"/u/{session}", form);

        Assert.Contains("<noscript>", page, StringComparison.Ordinal);
        Assert.Contains("type=\"submit\" disabled", page, StringComparison.Ordinal);
        Assert.Empty((await app.Client.GetAsync("uploads/recent")).Json.AsArray());
    }

    internal static Task SetKeyAsync(AperturApp app, string pem) => app.WriteAsync(
        db => db.Projects.ExecuteUpdateAsync(p => p.SetProperty(x => x.E2ePublicKey, pem), TestContext.Current.CancellationToken));
}
