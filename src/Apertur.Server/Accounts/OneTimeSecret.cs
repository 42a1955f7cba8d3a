using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Apertur.Server.Accounts;

/// <summary>Secrets that are given out once and kept only as a hash: refresh tokens, and what stands in one-time links.</summary>
internal static class OneTimeSecret
{
    /// <summary>256 random bits, for use in addresses.</summary>
    public static string Generate() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));

    /// <summary>SHA-256 in lower-case hex: with 256 random bits a slow hash would protect nothing.</summary>
    public static string HashOf(string secret) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(secret)));
}
