using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Apertur.Server.Realtime;
using Apertur.Tests.Support;

namespace Apertur.Tests.Http;

/// <summary>What answers tell a browser not to do with them: to guess their type, to keep them, to frame them, to pass their address on.</summary>
public sealed class ProtectiveHeadersTests
{
    private const string Nothing = "default-src 'none'";

    [Fact]
    public async Task Pages_files_and_secrets_are_kept_framed_and_passed_on_only_where_they_may_be()
    {
        await using var app = await AperturApp.StartAsync(DatabaseKind.Sqlite);
        var session = await app.Client.CreateSessionAsync();
        var upload = (string)(await app.Client.UploadAsync(session, Photos.Png()))["id"]!;

        await ExpectAsync($"/u/{session}", "nosniff", "no-store", policy: Nothing, referrer: "no-referrer", ("Vary", "Accept-Encoding"), ("X-Frame-Options", null));
        await ExpectAsync("/", "nosniff", "no-store", policy: Nothing, referrer: "no-referrer", ("X-Frame-Options", "DENY"));
        await ExpectAsync("/docs/", "nosniff", "no-store", policy: Nothing, referrer: "no-referrer");
        await ExpectAsync("/openapi/v1.json", "nosniff", "no-cache");
        await ExpectAsync("/accents/00796b.css", "nosniff", "public, max-age=31536000, immutable");
        await ExpectAsync($"uploads/{upload}/download", "nosniff", "no-store, private", policy: "default-src 'none'; sandbox");
        await ExpectAsync($"{SocketApi.Path}/?EIO=4&transport=polling", type: null, "no-store");
        Expect(
            "archive", await app.Client.PostAsync("uploads/archive", new JsonObject { ["uploadIds"] = new JsonArray(upload) }), "nosniff", "no-store, private");
        Expect(
            "sign-in",
            await app.ClientOf(null).SendAsync(
                HttpMethod.Post, "/dashboard/session", JsonContent.Create(new { email = People.OwnerEmail, password = People.OwnerPassword }), ("X-Apertur-Dashboard", "1")),
            type: null, "no-store");

        async Task ExpectAsync(
            string path, string? type, string? cache, string? policy = null, string? referrer = null, params (string Name, string? Value)[] others) =>
            Expect(path, await app.Client.GetAsync(path), type, cache, policy, referrer, others);
    }

    private static void Expect(
        string what, Answer answer, string? type, string? cache, string? policy = null, string? referrer = null, params (string Name, string? Value)[] others)
    {
        Assert.True((int)answer.Status == 200, $"{what}: {answer.Status}");
        Assert.Equal(
            $"{what}: {type} {cache} {referrer}", $"{what}: {answer["X-Content-Type-Options"]} {answer["Cache-Control"]} {answer["Referrer-Policy"]}");
        Assert.StartsWith(policy ?? "", answer["Content-Security-Policy"] ?? "", StringComparison.Ordinal);
        Assert.All(others, other => Assert.Equal((what, other.Name, other.Value), (what, other.Name, answer[other.Name])));
    }
}
