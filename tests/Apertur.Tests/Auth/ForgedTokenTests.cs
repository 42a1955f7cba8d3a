using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Apertur.Server.Storage;
using Apertur.Tests.Support;
using Microsoft.Extensions.DependencyInjection;

namespace Apertur.Tests.Auth;

public sealed class ForgedTokenTests
{
    [Theory, AllDatabases]
    public async Task No_forged_or_altered_token_is_accepted_and_none_is_a_crash(DatabaseKind database)
    {
        await using var app = await AperturApp.StartAsync(database);
        var real = await app.SignInAsync();
        var key = app.Services.GetRequiredService<DerivedKeys>().Key("jwt");
        var forged = Forge(real.Token, key, app.Clock.GetUtcNow()).ToList();

        (await real.Client.GetAsync("me")).Expect(HttpStatusCode.OK);
        // The forger can make good ones: what is refused below is refused for its one fault.
        (await app.ClientOf(Sign(Header(real.Token), Payload(real.Token), key)).GetAsync("me")).Expect(HttpStatusCode.OK);
        Assert.True(forged.Count >= 200, $"only {forged.Count} tokens");
        foreach (var (fault, token) in forged)
        {
            var answer = await app.ClientOf(null).SendAsync(HttpMethod.Get, "me", null, ("Authorization", "Bearer " + token));

            Assert.True(answer.Status == HttpStatusCode.Unauthorized, $"{fault}: {(int)answer.Status} {answer.Text}");
            Assert.Equal("AUTHENTICATION_FAILED", answer.Json["code"]!.GetValue<string>());
        }

        (await real.Client.GetAsync("me")).Expect(HttpStatusCode.OK);
    }

    private static IEnumerable<(string Fault, string Token)> Forge(string real, byte[] key, DateTimeOffset now)
    {
        var parts = real.Split('.');
        var time = now.ToUnixTimeSeconds();
        using var rsa = RSA.Create(2048);

        foreach (var none in new[] { "none", "None", "NONE", "nOnE", "" })
        {
            yield return ($"no signature, alg '{none}'", $"{Encode(Header(real, "alg", none))}.{parts[1]}.");
            yield return ($"alg '{none}', old signature", $"{Encode(Header(real, "alg", none))}.{parts[1]}.{parts[2]}");
        }

        foreach (var algorithm in new[] { "HS384", "HS512", "RS256", "ES256", "PS256", "EdDSA", "A128KW", "dir", "hs256", "HS256 " })
        {
            var unsigned = $"{Encode(Header(real, "alg", algorithm))}.{parts[1]}";
            var bytes = Encoding.ASCII.GetBytes(unsigned);
            yield return ($"alg {algorithm}, HMAC-SHA256", $"{unsigned}.{Base64Url.EncodeToString(HMACSHA256.HashData(key, bytes))}");
            yield return ($"alg {algorithm}, HMAC-SHA512", $"{unsigned}.{Base64Url.EncodeToString(HMACSHA512.HashData(key, bytes))}");
            yield return ($"alg {algorithm}, RSA",
                $"{unsigned}.{Base64Url.EncodeToString(rsa.SignData(bytes, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1))}");
        }

        foreach (var other in new[] { new byte[32], new byte[64], "secret"u8.ToArray(), [.. key.Reverse()], key[..31], [.. key, 0, 1] })
            yield return ("another key", Sign(Header(real), Payload(real), other));

        foreach (var type in new JsonNode?[] { "JWT", "refresh+jwt", "at+jwtx", "", null, 5 })
            yield return ($"type {type}", Sign(Header(real, "typ", type?.DeepClone()), Payload(real), key));

        foreach (var seconds in new[] { -1_000_000, -86_400, -3600, -901, -60, -1, 0 })
            yield return ($"expired {seconds} s", Sign(Header(real), Payload(real, ("exp", time + seconds)), key));
        foreach (var seconds in new[] { 1, 2, 60, 900, 86_400 })
            yield return ($"not valid for {seconds} s", Sign(Header(real), Payload(real, ("nbf", time + seconds)), key));
        foreach (var claim in new[] { "exp", "nbf", "iss", "aud", "sub", "sid" })
        {
            foreach (var value in new JsonNode?[] { null, "", "x", "apertur-apix", -1, long.MaxValue, true, new JsonArray(), new JsonObject() })
            {
                // No instant is beyond the end of time but the one that is: a far expiry, rightly signed, is not a forgery.
                if (claim == "exp" && value is JsonValue v && v.TryGetValue<long>(out var far) && far > 0)
                    continue;
                if (claim == "nbf" && value is JsonValue early && early.TryGetValue<int>(out var past) && past < 0)
                    continue;
                yield return ($"{claim} = {value?.ToJsonString() ?? "null"}", Sign(Header(real), Payload(real, (claim, value?.DeepClone())), key));
            }

            var without = Payload(real);
            without.Remove(claim);
            yield return ($"no {claim}", Sign(Header(real), without, key));
        }

        foreach (var claim in new[] { "sub", "sid" })
        {
            yield return ($"another {claim}", Sign(Header(real), Payload(real, (claim, Guid.NewGuid().ToString())), key));
            yield return ($"swapped {claim}", Sign(Header(real), Payload(real, (claim, Payload(real)[claim == "sub" ? "sid" : "sub"]!.DeepClone())), key));
        }

        for (var i = 0; i < parts[2].Length - 1; i += 2)
            yield return ($"signature altered at {i}", $"{parts[0]}.{parts[1]}.{Altered(parts[2], i)}");
        for (var i = 0; i < parts[1].Length - 1; i += 8)
            yield return ($"payload altered at {i}", $"{parts[0]}.{Altered(parts[1], i)}.{parts[2]}");
        for (var i = 0; i < parts[0].Length - 1; i += 4)
            yield return ($"header altered at {i}", $"{Altered(parts[0], i)}.{parts[1]}.{parts[2]}");

        foreach (var length in new[] { 8_192, 8_193, 12_000, 16_000 })
            yield return ($"padded to {length}", Sign(Header(real), Payload(real, ("pad", new string('x', length))), key));
        foreach (var nonsense in new[] { ".", "..", "...", "....", "a.b.c", "a.b", "eyJ.eyJ.x", "{}", "null", "%00.%00.%00", "Bearer x", "=.=.=",
            $"{parts[0]}.{parts[1]}", $"{parts[0]}..{parts[2]}", $".{parts[1]}.{parts[2]}", $"{real}.{parts[2]}", $"{real}.", $"{parts[0]}.{parts[1]}.",
            $"{Base64Url.EncodeToString("[]"u8)}.{parts[1]}.{parts[2]}", $"{Base64Url.EncodeToString("\xff\xfe"u8)}.{parts[1]}.{parts[2]}",
            Sign(Header(real, "crit", new JsonArray("exp2")), Payload(real), key)[..^1], $"{parts[1]}.{parts[0]}.{parts[2]}", real + "A", real + "=", real + "==" })
        {
            yield return ("malformed " + nonsense, nonsense);
        }
    }

    private static JsonObject Header(string token, string? name = null, JsonNode? value = null)
    {
        var header = Decode(token.Split('.')[0]);
        if (name is not null)
            header[name] = value;
        return header;
    }

    private static JsonObject Payload(string token, params (string Name, JsonNode? Value)[] changes)
    {
        var payload = Decode(token.Split('.')[1]);
        foreach (var (name, value) in changes)
            payload[name] = value;
        return payload;
    }

    private static string Sign(JsonObject header, JsonObject payload, byte[] key)
    {
        var unsigned = $"{Encode(header)}.{Encode(payload)}";
        return $"{unsigned}.{Base64Url.EncodeToString(HMACSHA256.HashData(key, Encoding.ASCII.GetBytes(unsigned)))}";
    }

    private static string Altered(string text, int at) => $"{text[..at]}{(text[at] == 'A' ? 'B' : 'A')}{text[(at + 1)..]}";

    private static JsonObject Decode(string part) => JsonNode.Parse(Base64Url.DecodeFromChars(part))!.AsObject();

    private static string Encode(JsonObject part) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(part.ToJsonString()));
}
