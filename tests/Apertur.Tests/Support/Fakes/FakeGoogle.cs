using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Apertur.Tests.Support.Fakes;

/// <summary>
/// Google's token endpoint, Cloud Storage and Drive as far as photos need them, after the published references. The official
/// clients for Node work against it, which <c>OfficialClientsTests</c> proves.
/// </summary>
public sealed partial class FakeGoogle : FakeCloud
{
    // One key for all tests: making one takes a tenth of a second.
    private static readonly RSA _key = RSA.Create(2048);

    public FakeOAuth OAuth { get; } = new(("access_type", "offline"));

    public static async Task<FakeGoogle> StartAsync()
    {
        var google = new FakeGoogle();
        await google.StartServerAsync();
        return google;
    }

    /// <summary>The key file of the one service account that exists.</summary>
    public string ServiceAccountJson => new JsonObject
    {
        ["type"] = "service_account",
        ["project_id"] = "photos",
        ["private_key_id"] = "key-1",
        ["private_key"] = _key.ExportPkcs8PrivateKeyPem(),
        ["client_email"] = "apertur@photos.iam.gserviceaccount.com",
        ["token_uri"] = new Uri(Root, "token").AbsoluteUri,
    }.ToJsonString();

    /// <summary>What signatures are dated by.</summary>
    public TimeProvider Clock { get; set; } = TimeProvider.System;

    /// <summary>Set, the service account's key is deleted.</summary>
    public bool KeyIsDeleted { get; set; }

    protected override void Map(WebApplication app)
    {
        app.MapGet("/o/oauth2/v2/auth", (HttpRequest request) => OAuth.Authorize(request));
        app.MapPost("/token", TokenAsync);
        MapUploads(app);
        MapStorage(app);
        MapDrive(app);
    }

    /// <summary>An error as all of Google's JSON APIs give it.</summary>
    public static JsonObject ErrorBody(int code, string reason, string message, string domain = "global") => new()
    {
        ["error"] = new JsonObject
        {
            ["code"] = code,
            ["message"] = message,
            ["errors"] = new JsonArray(new JsonObject { ["message"] = message, ["domain"] = domain, ["reason"] = reason }),
        },
    };

    /// <summary>Refuses with a status and a machine-readable reason.</summary>
    public void RefuseBecause(string line, int status, string reason, int? retryAfterSeconds = null) =>
        Refuse(line, status, ErrorBody(status, reason, "planted-description", "usageLimits").ToJsonString(), retryAfterSeconds);

    private static IResult Error(int code, string reason, string message) =>
        FakeJson.Answer(ErrorBody(code, reason, message), code);

    private IResult? Unauthorized(HttpRequest request) =>
        OAuth.Knows(request) ? null : Error(401, "authError", "Invalid Credentials");

    private async Task<IResult> TokenAsync(HttpRequest request)
    {
        var form = await request.ReadFormAsync();
        if (form["grant_type"] != "urn:ietf:params:oauth:grant-type:jwt-bearer")
            return await OAuth.TokenAsync(request);

        var parts = form["assertion"].ToString().Split('.');
        if (KeyIsDeleted || parts.Length != 3 || !_key.VerifyData(
            Encoding.ASCII.GetBytes($"{parts[0]}.{parts[1]}"),
            Base64Url.DecodeFromChars(parts[2]),
            HashAlgorithmName.SHA256,
            RSASignaturePadding.Pkcs1))
            return FakeOAuth.Error("invalid_grant");

        var header = JsonNode.Parse(Base64Url.DecodeFromChars(parts[0]))!;
        var claims = JsonNode.Parse(Base64Url.DecodeFromChars(parts[1]))!;
        var now = Clock.GetUtcNow().ToUnixTimeSeconds();
        var isGood = (string?)header["alg"] == "RS256" && (string?)header["kid"] == "key-1"
            && (string?)claims["iss"] == "apertur@photos.iam.gserviceaccount.com"
            && (string?)claims["aud"] == new Uri(Root, "token").AbsoluteUri
            && ((string?)claims["scope"])!.Contains("devstorage", StringComparison.Ordinal)
            && Math.Abs((long)claims["iat"]! - now) < 300 && (long)claims["exp"]! - (long)claims["iat"]! <= 3600;
        return isGood
            ? FakeJson.Answer(new JsonObject
            {
                ["access_token"] = OAuth.IssueAccessToken(),
                ["expires_in"] = 3599,
                ["token_type"] = "Bearer",
            })
            : FakeOAuth.Error("invalid_grant");
    }

    /// <summary>Only the members that a <c>fields</c> parameter names: <c>a,b</c> and <c>list(a,b)</c>.</summary>
    private static JsonNode Only(JsonNode node, string? fields)
    {
        if (string.IsNullOrEmpty(fields) || fields == "*" || node is not JsonObject resource)
            return node;

        var kept = new JsonObject();
        foreach (System.Text.RegularExpressions.Match match in FieldPattern().Matches(fields))
        {
            var (name, inner) = (match.Groups[1].Value, match.Groups[2].Value);
            if (resource[name] is JsonArray list && inner.Length > 0)
                kept[name] = new JsonArray([.. list.Select(item => Only(item!.DeepClone(), inner))]);
            else if (resource[name] is { } value)
                kept[name] = value.DeepClone();
        }

        return kept;
    }

    [System.Text.RegularExpressions.GeneratedRegex(@"([A-Za-z0-9]+)(?:\(([^)]*)\))?")]
    private static partial System.Text.RegularExpressions.Regex FieldPattern();
}
