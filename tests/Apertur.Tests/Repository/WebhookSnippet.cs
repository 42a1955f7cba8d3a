using System.Security.Cryptography;
using System.Text;

internal static class Webhooks
{
    public static bool Verify(string secret, string? signature, byte[] rawBody)
    {
        var expected = "sha256=" + Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), rawBody));
        return CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(expected), Encoding.UTF8.GetBytes(signature ?? ""));
    }
}
