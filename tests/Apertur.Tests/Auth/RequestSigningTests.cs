using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Apertur.Server.Auth;
using Apertur.Tests.Support;

namespace Apertur.Tests.Auth;

public sealed class RequestSigningTests
{
    private const string Secret = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    [Theory]
    [InlineData("POST", "/api/v1/upload-sessions", "{\"a\":1}", "d5bf88c946aa6cf4397749eacd05cf058e6828878f9b1c84830cb7c07a234d3e")]
    [InlineData("GET", "/api/v1/uploads/abc", "", "f53cf714f69187170c4fdb22c53e0b53578dcbcb61e63b56948d5e1fd8294a3e")]
    public void Signatures_are_those_of_the_contract(string method, string path, string body, string signature) =>
        Assert.Equal(signature, RequestSigning.Sign(Secret, "1800000000", method, path, Encoding.UTF8.GetBytes(body)));

    [Theory, AllDatabases]
    public async Task Key_with_a_signing_secret_counts_only_with_a_right_and_fresh_signature(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var (key, plainText) = await app.CreateKeyAsync(new JsonObject { ["label"] = "a" });
        var path = $"projects/{app.ProjectId}/keys/{key["id"]}/signing-secret";
        var secret = (string)(await app.Client.PostAsync(path)).Expect(HttpStatusCode.OK).Json["signingSecret"]!;
        var client = app.ClientOf(plainText);
        const string Body = "{\"label\":\"signed\",\"max_images\":3}";

        var session = (string)(await SendAsync(HttpMethod.Post, "/api/v1/upload-sessions", Body)).Expect(HttpStatusCode.Created).Json["id"]!;
        Assert.Equal(3, (int)(await client.GetAsync($"upload/{session}/session")).Json["imagesPerSession"]!);
        (await SendAsync(HttpMethod.Get, "/api/v1/uploads?page=1&pageSize=5")).Expect(HttpStatusCode.OK);
        (await SendAsync(HttpMethod.Get, "/api/v1/stats", late: 300)).Expect(HttpStatusCode.OK);
        (await SendAsync(HttpMethod.Get, "/api/v1/stats", late: -300)).Expect(HttpStatusCode.OK);

        (await client.GetAsync("stats")).Expect(HttpStatusCode.Unauthorized);
        (await SendAsync(HttpMethod.Get, "/api/v1/stats", late: 301)).Expect(HttpStatusCode.Unauthorized);
        (await SendAsync(HttpMethod.Get, "/api/v1/stats", late: -301)).Expect(HttpStatusCode.Unauthorized);
        (await SendAsync(HttpMethod.Get, "/api/v1/uploads?page=2", signedPath: "/api/v1/uploads?page=1")).Expect(HttpStatusCode.Unauthorized);
        (await SendAsync(HttpMethod.Post, "/api/v1/upload-sessions", Body, signedBody: "{}")).Expect(HttpStatusCode.Unauthorized);
        (await SendAsync(HttpMethod.Post, "/api/v1/upload-sessions", new string(' ', 400_000))).Expect(HttpStatusCode.RequestEntityTooLarge);

        // Calling a request an upload excuses nothing.
        using var disguised = new StringContent(Body);
        disguised.Headers.ContentType = new("multipart/form-data") { Parameters = { new("boundary", "x") } };
        (await client.PostAsync("upload-sessions", disguised)).Expect(HttpStatusCode.Unauthorized);

        (await app.Client.PostAsync(path)).Expect(HttpStatusCode.OK);
        (await SendAsync(HttpMethod.Get, "/api/v1/stats")).Expect(HttpStatusCode.Unauthorized);
        (await app.Client.SendAsync(HttpMethod.Delete, path)).Expect(HttpStatusCode.NoContent);
        (await client.GetAsync("stats")).Expect(HttpStatusCode.OK);

        Task<Answer> SendAsync(
            HttpMethod method, string path, string? body = null, string? signedPath = null, string? signedBody = null, int late = 0)
        {
            var timestamp = (app.Clock.GetUtcNow().ToUnixTimeSeconds() - late).ToString(System.Globalization.CultureInfo.InvariantCulture);
            var signature = RequestSigning.Sign(
                secret, timestamp, method.Method, signedPath ?? path, Encoding.UTF8.GetBytes(signedBody ?? body ?? ""));
            return client.SendAsync(method, path, body is null ? null : new StringContent(body, Encoding.UTF8, "application/json"),
                ("X-Aptr-Timestamp", timestamp), ("X-Aptr-Signature", "sha256=" + signature));
        }
    }

    /// <summary>Hex is the same number in either case; what we sign ourselves is in lower case, as receivers compare it.</summary>
    [Theory, AllDatabases]
    public async Task Signature_of_a_request_is_taken_in_hex_of_either_case(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var (key, plainText) = await app.CreateKeyAsync(new JsonObject { ["label"] = "a" });
        var made = (await app.Client.PostAsync($"projects/{app.ProjectId}/keys/{key["id"]}/signing-secret")).Expect(HttpStatusCode.OK).Json;
        var timestamp = $"{app.Clock.GetUtcNow().ToUnixTimeSeconds()}";
        var signature = RequestSigning.Sign((string)made["signingSecret"]!, timestamp, "GET", "/api/v1/stats", []);
        Task<Answer> SendAsync(string value) =>
            app.ClientOf(plainText).SendAsync(HttpMethod.Get, "stats", null, ("X-Aptr-Timestamp", timestamp), ("X-Aptr-Signature", value));

        Assert.Matches("^[0-9a-f]{64}$", signature);
        (await SendAsync("sha256=" + signature)).Expect(HttpStatusCode.OK);
        (await SendAsync("sha256=" + signature.ToUpperInvariant())).Expect(HttpStatusCode.OK);
        (await SendAsync("SHA256=" + signature.ToUpperInvariant())).Expect(HttpStatusCode.OK);
        (await SendAsync("sha512=" + signature)).Expect(HttpStatusCode.Unauthorized);
        (await SendAsync("sha256=" + signature[..63])).Expect(HttpStatusCode.Unauthorized);
        (await SendAsync("sha256=" + signature + "00")).Expect(HttpStatusCode.Unauthorized);
    }

    [Theory]
    [AllDatabases("", "", "asks for signed requests")]
    [AllDatabases("abc", "sha256=00", "asks for signed requests")]
    [AllDatabases("-1", "sha256=00", "asks for signed requests")]
    [AllDatabases("99999999999999999999", "sha256=00", "asks for signed requests")]
    [AllDatabases("9223372036854775807", "sha256=00", "seconds away")]
    [AllDatabases("NOW", "sha256=", "is wrong")]
    [AllDatabases("NOW", "0000000000000000000000000000000000000000000000000000000000000000", "asks for signed requests")]
    public async Task Malformed_signature_headers_are_refused(DatabaseKind database, string timestamp, string signature, string words)
    {
        await using var app = await AperturApp.StartAsync(database);
        var (key, plainText) = await app.CreateKeyAsync(new JsonObject { ["label"] = "a" });
        (await app.Client.PostAsync($"projects/{app.ProjectId}/keys/{key["id"]}/signing-secret")).Expect(HttpStatusCode.OK);
        timestamp = timestamp.Replace("NOW", $"{app.Clock.GetUtcNow().ToUnixTimeSeconds()}", StringComparison.Ordinal);

        var answer = await app.ClientOf(plainText).SendAsync(
            HttpMethod.Get, "stats", null, ("X-Aptr-Timestamp", timestamp), ("X-Aptr-Signature", signature));

        Assert.Equal("AUTHENTICATION_FAILED", (string)answer.Expect(HttpStatusCode.Unauthorized).Json["code"]!);
        Assert.Contains(words, (string)answer.Json["message"]!, StringComparison.Ordinal);
    }
}
