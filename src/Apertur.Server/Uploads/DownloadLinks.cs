using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Apertur.Server.Storage;

namespace Apertur.Server.Uploads;

/// <summary>Links that give one image's bytes to whoever holds them, for 24 hours.</summary>
internal sealed class DownloadLinks(DerivedKeys keys, PublicAddress address, TimeProvider clock)
{
    private static readonly TimeSpan _lifetime = TimeSpan.FromHours(24);

    public Uri Create(Guid uploadId)
    {
        var expires = (clock.GetUtcNow() + _lifetime).ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        return new Uri(address.Base + $"/api/v1/downloads/{uploadId}?expires={expires}&signature={Sign(uploadId, expires)}");
    }

    public bool Allows(Guid uploadId, string? expires, string? signature) =>
        long.TryParse(expires, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
        && seconds >= clock.GetUtcNow().ToUnixTimeSeconds()
        && CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(signature ?? ""), Encoding.ASCII.GetBytes(Sign(uploadId, expires)));

    private string Sign(Guid uploadId, string expires) =>
        Convert.ToHexStringLower(HMACSHA256.HashData(keys.Key("download"), Encoding.ASCII.GetBytes($"{uploadId}.{expires}")));
}
