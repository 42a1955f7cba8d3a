using System.Net;
using System.Security.Cryptography;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Apertur.Tests.Support;

namespace Apertur.Tests.Encryption;

/// <summary>Mode <c>default</c>: photos encrypted to the server's key arrive as if they had been sent as they are.</summary>
public sealed class ServerDecryptionTests
{
    [Theory, AllDatabases("sha256"), AllDatabases("sha1")]
    public async Task Envelope_of_another_library_is_opened_in_a_form_and_in_a_body(DatabaseKind database, string hash)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var app = await AperturApp.StartAsync(database);
        var webhook = await app.Client.CreateDestinationAsync("webhook", new JsonObject { ["url"] = receiver.Url });
        var session = await app.Client.CreateSessionAsync(webhook);
        var photo = Photos.Jpeg(200_000, seed: 5);
        var envelope = await Sealed.ByNodeAsync(await app.ServerKeyAsync(), photo, hash);

        var form = (await app.PostFormAsync(session, envelope.Bytes(), "beach.jpg.enc", source: "gallery")).Expect(HttpStatusCode.Created).Json;
        envelope["filename"] = "beach.jpg";
        envelope["mimeType"] = "image/jpeg";
        envelope["source"] = "sdk";
        var body = (await app.PostJsonAsync(session, envelope.ToJsonString())).Expect(HttpStatusCode.Created).Json;

        foreach (var (answer, source) in new[] { (form, "gallery"), (body, "camera") })
        {
            Assert.Equal("beach.jpg", (string)answer["filename"]!);
            Assert.Equal(photo.Length, (int)answer["size_bytes"]!);
            Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(photo)), (string)answer["sha256"]!);
            Assert.Equal("image/jpeg", (string)answer["mime_type"]!);
            Assert.Equal(Photos.Width, (int)answer["width"]!);
            var row = await app.Client.UploadBecomesAsync((string)answer["id"]!, "delivered");
            Assert.Equal(source, (string)row["source"]!);
            Assert.False((bool)row["isEncrypted"]!);
            var delivered = JsonNode.Parse((await receiver.NextAsync(TestContext.Current.CancellationToken)).Body)!;
            Assert.Equal(photo, Convert.FromBase64String((string)delivered["data"]!));
        }

        Assert.Equal(2, Directory.GetFiles(app.DataFolder + "/images", "*-*", SearchOption.AllDirectories).Length);
    }

    [Theory, AllDatabases]
    public async Task Snake_case_and_escaped_signs_and_further_members_are_read(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        // So long that its base64 has every sign, padding included.
        var photo = new byte[10_000];
        Photos.Png().CopyTo(photo, 0);
        var envelope = await Sealed.ByNodeAsync(await app.ServerKeyAsync(), photo);
        var snake = new JsonObject
        {
            ["more"] = new JsonObject { ["filename"] = "not this.jpg", ["deep"] = new JsonArray(1, null) },
            ["encrypted_data"] = (string)envelope["encryptedData"]!,
            ["source"] = "google_photos",
            ["mime_type"] = "image/jpeg",
            ["iv"] = (string)envelope["iv"]!,
            ["filename"] = "ö +.png",
            ["encrypted_key"] = (string)envelope["encryptedKey"]!,
            ["algorithm"] = (string)envelope["algorithm"]!,
        };
        // As PHP and .NET write it.
        var text = snake.ToJsonString(new JsonSerializerOptions { Encoder = JavaScriptEncoder.Default });
        text = text[..7_000].Replace("/", "\\/", StringComparison.Ordinal)
            + text[7_000..].Replace("/", "\\u002F", StringComparison.Ordinal).Replace("=", "\\u003d", StringComparison.Ordinal);
        Assert.All(["\\u002B", "\\u002F", "\\u003d", "\\/"], escape => Assert.Contains(escape, text, StringComparison.Ordinal));

        var answer = (await app.PostJsonAsync(session, text)).Expect(HttpStatusCode.Created).Json;

        Assert.Equal("ö +.png", (string)answer["filename"]!);
        Assert.Equal("image/png", (string)answer["mime_type"]!);
        Assert.Equal("google_photos", (string)(await app.Client.UploadRowAsync((string)answer["id"]!))["source"]!);
        Assert.Equal(photo, (await app.Client.GetAsync($"uploads/{answer["id"]}/download")).Bytes);
    }

    [Theory, AllDatabases]
    public async Task Whatever_is_wrong_with_an_envelope_the_answer_is_the_same_and_nothing_stays(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var session = await app.Client.CreateSessionAsync();
        var key = await app.ServerKeyAsync();
        var good = Sealed.Here(key, Photos.Jpeg());
        using var foreign = RSA.Create(3072);
        var data = Convert.FromBase64String((string)good["encryptedData"]!);
        var turned = data.ToArray();
        turned[40] ^= 1;
        var badTag = data.ToArray();
        badTag[^1] ^= 1;
        string[] wrong =
        [
            "", "null", "[]", "{}", "7", "{", good.ToJsonString()[..^2], good.ToJsonString() + "x", "\"text\"",
            With("encryptedData", Convert.ToBase64String(turned)),
            With("encryptedData", Convert.ToBase64String(badTag)),
            With("encryptedData", Convert.ToBase64String(data[..15])),
            With("encryptedData", ""),
            With("encryptedData", "!" + ((string)good["encryptedData"]!)[1..]),
            With("encryptedData", 5),
            With("encryptedData", null),
            With("iv", Convert.ToBase64String(new byte[12])),
            With("iv", Convert.ToBase64String(new byte[16])),
            With("iv", "?"),
            With("iv", null),
            Without("iv"),
            Without("encryptedKey"),
            Without("encryptedData"),
            With("encryptedKey", "?"),
            With("algorithm", null),
            With("filename", new string('a', 4097)),
            With("encryptedKey", Convert.ToBase64String(new byte[384])),
            With("encryptedKey", Convert.ToBase64String(RandomNumberGenerator.GetBytes(384))),
            With("encryptedKey", Convert.ToBase64String(new byte[10])),
            With("encryptedKey", new string('A', 1_000_000)),
            With("encryptedKey", ""),
            With("algorithm", "RSA-OAEP+AES-256-CBC"),
            With("algorithm", 1),
            Sealed.Here(foreign.ExportSubjectPublicKeyInfoPem(), Photos.Jpeg()).ToJsonString(),
            Sealed.Here(key, Photos.Jpeg(), padding: RSAEncryptionPadding.OaepSHA512).ToJsonString(),
            Sealed.Here(key, Photos.Jpeg(), padding: RSAEncryptionPadding.Pkcs1).ToJsonString(),
            Sealed.Here(key, Photos.Jpeg(), key: new byte[16]).ToJsonString(),
            Sealed.Here(key, Photos.Jpeg(), key: new byte[10]).ToJsonString(),
            good.ToJsonString().Replace("\"iv\":\"", "\"iv\":\"\\ud800", StringComparison.Ordinal),
            good.ToJsonString().Replace("\"encryptedData\":\"", "\"encryptedData\":\"\\n", StringComparison.Ordinal),
        ];

        foreach (var text in wrong)
        {
            var shown = text[..Math.Min(300, text.Length)];
            foreach (var answer in new[]
            {
                await app.PostJsonAsync(session, text),
                await app.PostFormAsync(session, System.Text.Encoding.UTF8.GetBytes(text), "a.jpg.enc"),
            })
            {
                Assert.True(answer.Status == HttpStatusCode.BadRequest, $"{answer.Status} for {shown}");
                Assert.Equal("VALIDATION_ERROR", (string)answer.Json["code"]!);
                Assert.StartsWith("The encrypted envelope cannot be opened.", (string)answer.Json["message"]!, StringComparison.Ordinal);
            }
        }

        Assert.Empty(Directory.GetFiles(app.DataFolder + "/images", "*-*", SearchOption.AllDirectories));
        Assert.Empty((await app.Client.GetAsync("uploads/recent")).Json.AsArray());
        // Nobody said that it is one.
        (await app.ClientOf(null).PostAsync($"upload/{session}/images", good.DeepClone())).Expect(HttpStatusCode.BadRequest);
        good.Remove("algorithm");
        (good["filename"], good["source"]) = (null, null);
        (await app.PostJsonAsync(session, good.ToJsonString())).Expect(HttpStatusCode.Created);

        string Without(string member)
        {
            var copy = good.DeepClone().AsObject();
            copy.Remove(member);
            return copy.ToJsonString();
        }

        string With(string member, JsonNode? value)
        {
            var copy = good.DeepClone();
            copy[member] = value;
            return copy.ToJsonString();
        }
    }

    [Theory, AllDatabases]
    public async Task Limits_hold_for_what_an_envelope_holds(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var key = await app.ServerKeyAsync();
        var small = await app.Client.CreateSessionAsync(new JsonObject { ["max_image_size_mb"] = 1 });
        var pngOnly = await app.Client.CreateSessionAsync(new JsonObject { ["allowed_mime_types"] = new JsonArray("image/png") });
        var largest = Photos.Jpeg(1024 * 1024, seed: 3);

        var fits = await app.PostJsonAsync(small, Sealed.Here(key, largest).ToJsonString());
        var tooLarge = await app.PostJsonAsync(small, Sealed.Here(key, Photos.Jpeg(1024 * 1024 + 1, seed: 3)).ToJsonString());
        var farTooLarge = await app.PostFormAsync(small, new byte[4_000_000], "a.enc");
        var wrongType = await app.PostJsonAsync(pngOnly, Sealed.Here(key, Photos.Jpeg()).ToJsonString());
        var noPhoto = await app.PostJsonAsync(small, Sealed.Here(key, "<html>"u8.ToArray()).ToJsonString());
        var nothing = await app.PostJsonAsync(small, Sealed.Here(key, []).ToJsonString());
        var unknownMode = await app.PostFormAsync(small, [1], "a.enc", mode: "rot13");

        fits.Expect(HttpStatusCode.Created);
        Assert.Equal("IMAGE_TOO_LARGE", (string)tooLarge.Expect(HttpStatusCode.RequestEntityTooLarge).Json["code"]!);
        Assert.Equal("IMAGE_TOO_LARGE", (string)farTooLarge.Expect(HttpStatusCode.RequestEntityTooLarge).Json["code"]!);
        Assert.Equal("UNSUPPORTED_IMAGE_TYPE", (string)wrongType.Expect(HttpStatusCode.UnsupportedMediaType).Json["code"]!);
        Assert.Equal("UNSUPPORTED_IMAGE_TYPE", (string)noPhoto.Expect(HttpStatusCode.UnsupportedMediaType).Json["code"]!);
        Assert.Contains("empty", (string)nothing.Expect(HttpStatusCode.BadRequest).Json["message"]!, StringComparison.Ordinal);
        unknownMode.Expect(HttpStatusCode.BadRequest);
        Assert.Single(Directory.GetFiles(app.DataFolder + "/images", "*-*", SearchOption.AllDirectories));
    }
}
