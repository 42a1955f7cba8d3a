using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Apertur.Server.Auth;

/// <summary>
/// Codes of authenticator apps: RFC 6238 with what every app assumes, which is SHA-1, 30 seconds and 6 digits. Pure; whoever calls keeps the
/// secret and the last step.
/// </summary>
internal static class Totp
{
    private const int StepSeconds = 30;
    private const int SecretBytes = 20;
    private const string Base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

    /// <summary>A new secret: 160 bits, as RFC 4226 section 4 recommends.</summary>
    public static byte[] GenerateSecret() => RandomNumberGenerator.GetBytes(SecretBytes);

    /// <summary>The step that a code is good for, one either way allowed for clocks that differ; null when it is not good.</summary>
    /// <param name="secret">The secret's bytes.</param>
    /// <param name="code">Six digits.</param>
    /// <param name="used">What was accepted before.</param>
    /// <param name="now">The time.</param>
    public static long? Verify(byte[] secret, string? code, UsedCodes used, DateTimeOffset now)
    {
        var current = now.ToUnixTimeSeconds() / StepSeconds;
        var given = Encoding.UTF8.GetBytes((code ?? "").Trim());
        long? good = null;
        for (var step = current - 1; step <= current + 1; step++)
        {
            // All are compared, so that the time taken tells nothing.
            if (CryptographicOperations.FixedTimeEquals(given, Encoding.UTF8.GetBytes(CodeOf(secret, step))) && used.Leave(step, current))
                good = step;
        }

        return good;
    }

    /// <summary>The code of one step: RFC 4226 section 5.3.</summary>
    public static string CodeOf(byte[] secret, long step)
    {
        Span<byte> counter = stackalloc byte[8];
        System.Buffers.Binary.BinaryPrimitives.WriteInt64BigEndian(counter, step);
#pragma warning disable CA5350 // The standard and every app use SHA-1 here; HMAC does not need its collision resistance.
        var hash = HMACSHA1.HashData(secret, counter);
#pragma warning restore CA5350
        var number = System.Buffers.Binary.BinaryPrimitives.ReadInt32BigEndian(hash.AsSpan(hash[^1] & 0xf)) & 0x7fffffff;
        return (number % 1_000_000).ToString("D6", CultureInfo.InvariantCulture);
    }

    /// <summary>How a secret is typed into an app: RFC 4648 base32 without padding.</summary>
    public static string Text(byte[] secret)
    {
        var text = new StringBuilder();
        int buffer = 0, bits = 0;
        foreach (var b in secret)
        {
            (buffer, bits) = (((buffer << 8) | b) & 0xffff, bits + 8);
            for (; bits >= 5; bits -= 5)
                text.Append(Base32[(buffer >> (bits - 5)) & 31]);
        }

        return bits > 0 ? text.Append(Base32[(buffer << (5 - bits)) & 31]).ToString() : text.ToString();
    }

    /// <summary>What an app reads from a QR code.</summary>
    public static string Address(byte[] secret, string account) =>
        $"otpauth://totp/Apertur:{Uri.EscapeDataString(account)}?secret={Text(secret)}&issuer=Apertur";
}

/// <summary>Which codes are used up: each is good once.</summary>
/// <param name="Last">The step of the code that was accepted last.</param>
/// <param name="Highest">The latest step of any; above <paramref name="Last"/> when the clock was set back in between.</param>
internal readonly record struct UsedCodes(long Last, long Highest)
{
    /// <summary>Whether they leave the code of this step good. Those before the last one are used up.</summary>
    /// <remarks>
    /// No code is accepted before its time, so when the last one is of a time to come, the clock was set back. Then it does not count, but
    /// what was accepted around the highest stays used up: the clock may be set right again while those codes are good.
    /// </remarks>
    public bool Leave(long step, long current) =>
        (step > Last || Last > current + 1) && (step > Highest || step < Highest - 2);

    public UsedCodes With(long step) => new(step, Math.Max(step, Highest));
}
