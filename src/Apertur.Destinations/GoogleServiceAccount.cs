using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Apertur.Destinations;

/// <summary>
/// Access tokens for a service account's key file, by a signed assertion (RFC 7523;
/// https://developers.google.com/identity/protocols/oauth2/service-account#httprest).
/// </summary>
internal sealed class GoogleServiceAccount(JsonApi api, TimeProvider clock, string scope)
{
    private const string DefaultTokenUri = "https://oauth2.googleapis.com/token";
    private const int MaxKept = 1000;

    // A token that is about to end would end during a long upload.
    private static readonly TimeSpan _margin = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan _assertionLifetime = TimeSpan.FromHours(1);

    // Only spares a request per delivery. By a digest, so that no key file stays in memory.
    private readonly ConcurrentDictionary<string, (string Token, DateTimeOffset Until)> _kept = new();

    /// <summary>A message when a key file cannot be used, null when it can. For <see cref="ConfigField.Check"/>.</summary>
    public static string? Problem(string keyFile)
    {
        JsonObject key;
        try
        {
            key = JsonNode.Parse(keyFile, documentOptions: JsonApi.Strict)!.AsObject();
        }
        catch (JsonException)
        {
            return "The key file is not as Google wrote it: something in it stands there twice.";
        }

        if (Text(key, "client_email") is null || Text(key, "private_key") is null)
            return "The key file needs client_email and private_key: download it as JSON from the service account's page.";
        if (Text(key, "token_uri") is { } address && !DestinationConfig.IsWebAddress(address))
            return "The key file's token_uri is not a web address.";

        try
        {
            using var rsa = RSA.Create();
            rsa.ImportFromPem(Text(key, "private_key"));
            // A public key can be read too, and only fails when it has to sign. A huge one would take seconds for that.
            if (rsa.KeySize is >= 2048 and <= 8192 && Sign(rsa, "").Length > 0)
                return null;
        }
        catch (Exception exception) when (exception is ArgumentException or CryptographicException)
        {
        }

        return "The key file's private_key is not a private RSA key of 2,048 to 8,192 bits in PEM form.";
    }

    /// <summary>A token with some life left, or why there is none.</summary>
    public async Task<(string? Token, DeliveryOutcome? Failure)> TokenAsync(string keyFile, TransferDeadline deadline)
    {
        var now = clock.GetUtcNow();
        var digest = Digest(keyFile);
        if (_kept.TryGetValue(digest, out var kept) && kept.Until > now)
            return (kept.Token, null);

        var key = JsonNode.Parse(keyFile)!.AsObject();
        var address = Text(key, "token_uri") ?? DefaultTokenUri;
        using var request = new HttpRequestMessage(HttpMethod.Post, address);
        request.Content = new FormUrlEncodedContent(new Dictionary<string, string>
        {
            ["grant_type"] = "urn:ietf:params:oauth:grant-type:jwt-bearer",
            ["assertion"] = Assertion(key, address, now),
        });
        var answer = await api.SendAsync(request, deadline);
        if (answer.IsSuccess && answer.Token("access_token") is { } token)
        {
            if (_kept.Count >= MaxKept)
                _kept.Clear();
            _kept[digest] = (token, now + (answer.Seconds("expires_in") ?? TimeSpan.Zero) - _margin);
            return (token, null);
        }

        return (null, answer.Status switch
        {
            // "Invalid JWT: Token must be a short-lived token …": the key may be good. A wrong clock is the server's own fault.
            HttpStatusCode.BadRequest
                when answer.Text("error_description")?.Contains("iat and exp", StringComparison.Ordinal) == true => answer.Means(
                    new DeliveryOutcome.TryAgain("Google finds that this server's clock is wrong.")),
            HttpStatusCode.BadRequest or HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => answer.Means(
                new DeliveryOutcome.Broken(
                    "Google does not accept the service account's key: it may be deleted or disabled. Save a new key file.")),
            // For a file they would be the end; here they say that there is no such address.
            HttpStatusCode.Gone or HttpStatusCode.UnsupportedMediaType => answer.Means(
                new DeliveryOutcome.Broken("The key file's token_uri does not give access tokens.")),
            _ when answer.IsSuccess => answer.Means(
                new DeliveryOutcome.Broken("The key file's token_uri answered without an access token.")),
            _ => answer.Outcome,
        });
    }

    /// <summary>Asks for a new token next time: the kept one was not accepted.</summary>
    public void Forget(string keyFile) => _kept.TryRemove(Digest(keyFile), out _);

    private string Assertion(JsonObject key, string audience, DateTimeOffset now)
    {
        var header = new JsonObject { ["alg"] = "RS256", ["typ"] = "JWT", ["kid"] = Text(key, "private_key_id") };
        var claims = new JsonObject
        {
            ["iss"] = Text(key, "client_email"),
            ["scope"] = scope,
            ["aud"] = audience,
            ["iat"] = now.ToUnixTimeSeconds(),
            ["exp"] = (now + _assertionLifetime).ToUnixTimeSeconds(),
        };
        var signed = $"{Encode(header)}.{Encode(claims)}";
        using var rsa = RSA.Create();
        rsa.ImportFromPem(Text(key, "private_key"));
        return $"{signed}.{Base64Url.EncodeToString(Sign(rsa, signed))}";
    }

    private static byte[] Sign(RSA key, string text) =>
        key.SignData(Encoding.ASCII.GetBytes(text), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);

    private static string Encode(JsonObject part) => Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(part));

    private static string Digest(string keyFile) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(keyFile)));

    private static string? Text(JsonObject key, string name) =>
        key[name] is JsonValue value && value.TryGetValue<string>(out var text) && text.Length > 0 ? text : null;
}
