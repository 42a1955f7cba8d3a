using System.Security.Cryptography;
using Microsoft.AspNetCore.DataProtection;

namespace Apertur.Server.Storage;

/// <summary>
/// Encrypts what must be read again but not by somebody with the database file. The ciphertext is bound to its table, row and column: moved
/// elsewhere it does not decrypt.
/// </summary>
internal sealed class Secrets(IDataProtectionProvider provider)
{
    public string Protect(string column, Guid row, string text) => Protector(column, row).Protect(text);

    /// <exception cref="CryptographicException">Not from this server's keys, or not from this place.</exception>
    public string Unprotect(string column, Guid row, string protectedText) => Protector(column, row).Unprotect(protectedText);

    private IDataProtector Protector(string column, Guid row) => provider.CreateProtector("apertur", column, row.ToString());

    /// <summary>A new secret: 64 lower-case hex characters of 256 random bits.</summary>
    public static string Generate() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
}
