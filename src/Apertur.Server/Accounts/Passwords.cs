using Microsoft.AspNetCore.Identity;

namespace Apertur.Server.Accounts;

/// <summary>People's passwords: the framework's PBKDF2 (HMAC-SHA512, 100,000 rounds, 128 bits of salt).</summary>
internal static class Passwords
{
    private const int MinLength = 8;
    private const int MaxLength = 256;

    private static readonly PasswordHasher<object> _hasher = new();

    // Verified against when there is no such person, so that the time an answer takes does not tell who has an account.
    private static readonly string _nobodys = Hash(Guid.NewGuid().ToString());

    /// <summary>What is wrong with a new password; null when it can be used.</summary>
    public static string? Problem(string? password) =>
        password is { Length: >= MinLength and <= MaxLength }
            ? null
            : $"The password must have {MinLength} to {MaxLength} characters.";

    public static string Hash(string password) => _hasher.HashPassword(_hasher, password);

    /// <param name="hash">Null when there is no such person, empty when the person has none: the answer is no, after the same time.</param>
    /// <param name="password">What was typed.</param>
    public static bool Verify(string? hash, string? password) =>
        password is { Length: <= MaxLength }
        && _hasher.VerifyHashedPassword(_hasher, hash is { Length: > 0 } ? hash : _nobodys, password) != PasswordVerificationResult.Failed
        && hash is { Length: > 0 };
}
