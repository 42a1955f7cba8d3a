using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Apertur.Destinations;
using Apertur.Server.Storage;

namespace Apertur.Server.Uploads;

/// <summary>Links that give one image's bytes, or those of a rendition of it, to whoever holds them, for 24 hours.</summary>
internal sealed class DownloadLinks(DerivedKeys keys, PublicAddress address, TimeProvider clock)
{
    private static readonly TimeSpan _lifetime = TimeSpan.FromHours(24);

    /// <param name="uploadId">The image.</param>
    /// <param name="rendition">Which one; null for the image as it is stored.</param>
    public Uri Create(Guid uploadId, Rendition? rendition = null)
    {
        var expires = (clock.GetUtcNow() + _lifetime).ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        var which = rendition is null ? "" : $"rendition={rendition}&";
        return new Uri(
            address.Base + $"/api/v1/downloads/{uploadId}?{which}expires={expires}&signature={Sign(uploadId, expires, rendition?.ToString())}");
    }

    public bool Allows(Guid uploadId, string? expires, string? signature, string? rendition) =>
        long.TryParse(expires, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
        && seconds >= clock.GetUtcNow().ToUnixTimeSeconds()
        && CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(signature ?? ""), Encoding.ASCII.GetBytes(Sign(uploadId, expires, rendition)));

    private string Sign(Guid uploadId, string expires, string? rendition)
    {
        var what = rendition is null ? $"{uploadId}.{expires}" : $"{uploadId}.{expires}.{rendition}";
        return Convert.ToHexStringLower(HMACSHA256.HashData(keys.Key("download"), Encoding.UTF8.GetBytes(what)));
    }
}
