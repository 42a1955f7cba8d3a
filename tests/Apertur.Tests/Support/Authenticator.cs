using OtpNet;

namespace Apertur.Tests.Support;

/// <summary>A person's authenticator app.</summary>
internal static class Authenticator
{
    /// <summary>The code that it shows now.</summary>
    /// <param name="app">Whose clock counts.</param>
    /// <param name="secret">As it was typed in, in base32.</param>
    public static string CodeOf(this AperturApp app, string secret) =>
        new Totp(Base32Encoding.ToBytes(secret)).ComputeTotp(app.Clock.GetUtcNow().UtcDateTime);
}
