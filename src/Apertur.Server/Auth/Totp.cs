using OtpNet;

namespace Apertur.Server.Auth;

/// <summary>
/// Codes of authenticator apps: RFC 6238 with what every app assumes, which is SHA-1, 30 seconds and 6 digits. Pure; whoever calls keeps the
/// secret and the last step.
/// </summary>
internal static class Totp
{
    /// <summary>A new secret: 160 bits, as RFC 4226 section 4 recommends.</summary>
    public static byte[] GenerateSecret() => KeyGeneration.GenerateRandomKey(OtpHashMode.Sha1);

    /// <summary>The step that a code is good for, one either way allowed for clocks that differ; null when it is not good.</summary>
    /// <param name="secret">The secret's bytes.</param>
    /// <param name="code">Six digits.</param>
    /// <param name="used">What was accepted before.</param>
    /// <param name="now">The time.</param>
    public static long? Verify(byte[] secret, string? code, UsedCodes used, DateTimeOffset now) =>
        new OtpNet.Totp(secret).VerifyTotp(now.UtcDateTime, (code ?? "").Trim(), out var step, VerificationWindow.RfcSpecifiedNetworkDelay)
        && used.Leave(step, now.ToUnixTimeSeconds() / 30) ? step : null;

    /// <summary>How a secret is typed into an app: RFC 4648 base32 without padding.</summary>
    public static string Text(byte[] secret) => Base32Encoding.ToString(secret).TrimEnd('=');

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
