using System.Net;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Apertur.Tests.Support;
using Microsoft.Playwright;

namespace Apertur.Tests.Encryption;

/// <summary>The upload page of a project with a key of its own.</summary>
public sealed class SealingPageTests
{
    [Fact]
    public async Task Photo_is_encrypted_before_it_leaves_the_browser()
    {
        using var owner = RSA.Create(2048);
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        await EndToEndTests.SetKeyAsync(app, owner.ExportSubjectPublicKeyInfoPem());
        var session = await app.Client.CreateSessionAsync();
        var photo = Photos.Jpeg(700_001, seed: 9);
        await using var browser = await Browser.StartAsync();

        var page = await browser.OpenAsync($"{app.Url}/u/{session}", Browser.Phone);
        await page.SetInputFilesAsync("#gallery", new FilePayload { Name = "a.jpg", MimeType = "image/jpeg", Buffer = photo });

        var rows = await Eventually.Becomes(
            async () => (await app.Client.GetAsync("uploads/recent")).Json.AsArray(), rows => rows.Count == 1, "the photo is here");
        Assert.True((bool)rows[0]!["isEncrypted"]!);
        Assert.Equal("a.jpg.enc.json", (string)rows[0]!["filename"]!);
        var envelope = (await app.Client.GetAsync($"uploads/{rows[0]!["id"]}/download")).Expect(HttpStatusCode.OK).Json;
        var opened = await NodeScript.RunAsync("envelope.mjs", new JsonObject
        {
            ["privateKey"] = owner.ExportPkcs8PrivateKeyPem(),
            ["envelope"] = envelope.DeepClone(),
        });
        Assert.Equal(photo, Convert.FromBase64String((string)opened["photo"]!));
        await page.WaitForSelectorAsync("#photos [data-state=sent]");
    }

    [Fact]
    public async Task Browser_that_cannot_encrypt_says_so_and_sends_nothing()
    {
        using var owner = RSA.Create(2048);
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        await EndToEndTests.SetKeyAsync(app, owner.ExportSubjectPublicKeyInfoPem());
        var session = await app.Client.CreateSessionAsync();
        await using var browser = await Browser.StartAsync();
        var page = await browser.OpenAsync($"{app.Url}/u/{session}", Browser.Phone);

        // As over plain HTTP from another machine.
        await page.Context.AddInitScriptAsync("Object.defineProperty(window, 'isSecureContext', { value: false })");
        await page.ReloadAsync();

        await Assertions.Expect(page.Locator("#summary")).ToContainTextAsync("https");
        await Assertions.Expect(page.Locator("#upload")).ToBeHiddenAsync();
    }
}
