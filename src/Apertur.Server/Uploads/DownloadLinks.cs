using System.Buffers.Binary;
using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Apertur.Destinations;
using Apertur.Server.Storage;

namespace Apertur.Server.Uploads;

/// <summary>
/// Links that give one image's bytes, or those of a rendition of it, to whoever holds them, for 24 hours; and tickets for several, which a browser begins a
/// download with at once, for a minute.
/// </summary>
internal sealed class DownloadLinks(DerivedKeys keys, PublicAddress address, TimeProvider clock)
{
    private const int IdLength = 16;

    private static readonly TimeSpan _lifetime = TimeSpan.FromHours(24);
    private static readonly TimeSpan _lifetimeOfTicket = TimeSpan.FromMinutes(1);

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

    /// <summary>What opens an archive of those images: their ids, which may be too many for an address, and the end of its time, signed.</summary>
    public string CreateTicket(IReadOnlyList<Guid> uploadIds)
    {
        var ticket = new byte[sizeof(long) + (uploadIds.Count * IdLength) + HMACSHA256.HashSizeInBytes];
        BinaryPrimitives.WriteInt64BigEndian(ticket, (clock.GetUtcNow() + _lifetimeOfTicket).ToUnixTimeSeconds());
        for (var i = 0; i < uploadIds.Count; i++)
            uploadIds[i].TryWriteBytes(ticket.AsSpan(sizeof(long) + (i * IdLength)));
        HMACSHA256.HashData(keys.Key("archive"), ticket.AsSpan(..^HMACSHA256.HashSizeInBytes), ticket.AsSpan(^HMACSHA256.HashSizeInBytes..));
        return Base64Url.EncodeToString(ticket);
    }

    /// <returns>The ids that it names; null when it is none of ours or its time is up.</returns>
    public IReadOnlyList<Guid>? OpenTicket(string ticket)
    {
        if (!Base64Url.IsValid(ticket, out var length) || length < sizeof(long) + HMACSHA256.HashSizeInBytes)
            return null;
        var bytes = Base64Url.DecodeFromChars(ticket);
        var said = bytes.AsSpan(..^HMACSHA256.HashSizeInBytes);
        if (!CryptographicOperations.FixedTimeEquals(bytes.AsSpan(^HMACSHA256.HashSizeInBytes..), HMACSHA256.HashData(keys.Key("archive"), said))
            || BinaryPrimitives.ReadInt64BigEndian(said) < clock.GetUtcNow().ToUnixTimeSeconds())
        {
            return null;
        }

        return [.. bytes[sizeof(long)..^HMACSHA256.HashSizeInBytes].Chunk(IdLength).Select(id => new Guid(id))];
    }

    private string Sign(Guid uploadId, string expires, string? rendition)
    {
        var what = rendition is null ? $"{uploadId}.{expires}" : $"{uploadId}.{expires}.{rendition}";
        return Convert.ToHexStringLower(HMACSHA256.HashData(keys.Key("download"), Encoding.UTF8.GetBytes(what)));
    }
}
