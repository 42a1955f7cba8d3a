using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Apertur.Server.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Apertur.Server.Auth;

/// <summary>
/// Signatures of requests: hex HMAC-SHA256, with the secret's UTF-8 bytes, over <c>timestamp.METHOD.path with query.hex SHA-256 of the body</c>.
/// Uploads are multipart, too large to be held, and made with a session's link instead of a key, so they are never asked for one.
/// </summary>
internal static class RequestSigning
{
    private const string TimestampHeader = "X-Aptr-Timestamp";
    private const string SignatureHeader = "X-Aptr-Signature";
    private const string Scheme = "sha256=";
    private const int ToleranceSeconds = 300;

    /// <exception cref="ApiErrorException">401, or 413 when the body is longer than any that a signed call takes.</exception>
    public static async Task CheckAsync(HttpContext context, string secret, DateTimeOffset now)
    {
        var request = context.Request;
        var timestamp = request.Headers[TimestampHeader].ToString();
        var signature = request.Headers[SignatureHeader].ToString();
        if (!long.TryParse(timestamp, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
            || !signature.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
        {
            throw ApiErrors.Unauthenticated(
                $"This API key asks for signed requests: send {TimestampHeader} (unix seconds) and {SignatureHeader} (sha256=…).").ToException();
        }

        if (Math.Abs((decimal)seconds - now.ToUnixTimeSeconds()) > ToleranceSeconds)
            throw ApiErrors.Unauthenticated($"{TimestampHeader} is more than {ToleranceSeconds} seconds away from this server's clock.").ToException();

        var body = await RawBody.ReadAsync(context);
        // The handler reads it again.
        request.Body = new MemoryStream(body, writable: false);
        var target = context.Features.Get<IHttpRequestFeature>()!.RawTarget;
        var expected = Sign(secret, timestamp, request.Method, target, body);
        if (!CryptographicOperations.FixedTimeEquals(
            Encoding.UTF8.GetBytes(signature[Scheme.Length..].ToLowerInvariant()), Encoding.UTF8.GetBytes(expected)))
            throw ApiErrors.Unauthenticated("The signature of this request is wrong.").ToException();
    }

    /// <param name="secret">The key's signing secret.</param>
    /// <param name="timestamp">Unix seconds, as sent.</param>
    /// <param name="method">In capitals.</param>
    /// <param name="target">Path with query, as sent.</param>
    /// <param name="body">Empty when there is none.</param>
    /// <returns>64 lower-case hex characters.</returns>
    public static string Sign(string secret, string timestamp, string method, string target, ReadOnlySpan<byte> body)
    {
        var signed = $"{timestamp}.{method}.{target}.{Convert.ToHexStringLower(SHA256.HashData(body))}";
        return Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes(signed)));
    }
}
