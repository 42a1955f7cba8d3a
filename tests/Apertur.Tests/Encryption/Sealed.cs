using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Apertur.Tests.Support;

namespace Apertur.Tests.Encryption;

/// <summary>Envelopes as clients make them, and the two ways to send them.</summary>
internal static class Sealed
{
    /// <summary>An envelope made by Node.</summary>
    public static async Task<JsonObject> ByNodeAsync(string publicKey, byte[] photo, string hash = "sha256") =>
        (await NodeScript.RunAsync("envelope.mjs", new JsonObject
        {
            ["publicKey"] = publicKey,
            ["photo"] = Convert.ToBase64String(photo),
            ["hash"] = hash,
        })).AsObject();

    /// <summary>An envelope made here: for large ones, and ones that no honest client makes.</summary>
    public static JsonObject Here(string publicKey, byte[] photo, byte[]? key = null, RSAEncryptionPadding? padding = null)
    {
        key ??= RandomNumberGenerator.GetBytes(32);
        var iv = RandomNumberGenerator.GetBytes(12);
        var data = new byte[photo.Length + 16];
        using var aes = new AesGcm(key.Length == 32 ? key : RandomNumberGenerator.GetBytes(32), 16);
        aes.Encrypt(iv, photo, data.AsSpan(0, photo.Length), data.AsSpan(photo.Length));
        using var rsa = RSA.Create();
        rsa.ImportFromPem(publicKey);
        return new JsonObject
        {
            ["encryptedKey"] = Convert.ToBase64String(rsa.Encrypt(key, padding ?? RSAEncryptionPadding.OaepSHA256)),
            ["iv"] = Convert.ToBase64String(iv),
            ["encryptedData"] = Convert.ToBase64String(data),
            ["algorithm"] = "RSA-OAEP+AES-256-GCM",
        };
    }

    public static async Task<string> ServerKeyAsync(this AperturApp app) =>
        (string)(await app.ClientOf(null).GetAsync("encryption/server-key")).Expect(HttpStatusCode.OK).Json["publicKey"]!;

    /// <summary>As the <c>file</c> part of a form.</summary>
    public static async Task<Answer> PostFormAsync(
        this AperturApp app, string session, byte[] envelope, string filename, string mode = "default", string? source = null)
    {
        using var form = new MultipartFormDataContent();
        using var file = new ByteArrayContent(envelope);
        form.Add(file, "file", filename);
        using var origin = new StringContent(source ?? "");
        if (source is not null)
            form.Add(origin, "source");
        return await app.ClientOf(null).SendAsync(HttpMethod.Post, $"upload/{session}/images", form, ("X-Aptr-Encrypted", mode));
    }

    /// <summary>As the JSON body.</summary>
    public static async Task<Answer> PostJsonAsync(this AperturApp app, string session, string json, string mode = "default")
    {
        using var body = new StringContent(json, Encoding.UTF8, "application/json");
        return await app.ClientOf(null).SendAsync(HttpMethod.Post, $"upload/{session}/images", body, ("X-Aptr-Encrypted", mode));
    }

    /// <summary>Without escapes, so equal photos give equally many bytes.</summary>
    public static byte[] Bytes(this JsonObject envelope) =>
        Encoding.UTF8.GetBytes(envelope.ToJsonString(new JsonSerializerOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }));
}
