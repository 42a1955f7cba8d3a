using System.Net;
using System.Net.Sockets;

namespace Apertur.Server.Http;

/// <summary>Addresses and networks as people write them: <c>192.0.2.7</c>, <c>192.0.2.0/24</c>, <c>2001:db8::/32</c>.</summary>
internal static class AddressRanges
{
    /// <summary>The first text that is neither an address nor a network; null when all are.</summary>
    public static string? Problem(IEnumerable<string?> ranges) =>
        ranges.Where(range => !TryParse(range, out _)).Select(range => range ?? "null").FirstOrDefault();

    /// <exception cref="FormatException">Not what <see cref="TryParse"/> takes.</exception>
    public static IPNetwork Parse(string text) => TryParse(text, out var range) ? range : throw new FormatException($"'{text}' is no network.");

    /// <summary>
    /// Reads an address, or a network whose host bits are ignored. IPv4-mapped IPv6 addresses (RFC 4291, 2.5.5.2) count as IPv4.
    /// </summary>
    public static bool TryParse(string? text, out IPNetwork range)
    {
        range = default;
        var parts = (text ?? "").Split('/');
        if (parts.Length > 2 || parts[0].AsSpan().ContainsAny('%', '[') || !IPAddress.TryParse(parts[0], out var address))
            return false;
        // 10.1 and 010.0.0.1 are addresses to the framework, but not the ones people mean.
        if (address.AddressFamily == AddressFamily.InterNetwork && address.ToString() != parts[0])
            return false;

        var most = address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128;
        var prefix = most;
        if (parts.Length == 2 && !(int.TryParse(parts[1], System.Globalization.NumberStyles.None, null, out prefix) && prefix <= most))
            return false;
        if (address.IsIPv4MappedToIPv6 && prefix >= 96)
            (address, prefix) = (address.MapToIPv4(), prefix - 96);
        range = new IPNetwork(Mask(address, prefix), prefix);
        return true;
    }

    public static bool Contain(IEnumerable<string> ranges, IPAddress? address) =>
        address is not null && Plain(address) is var plain && ranges.Any(range => Parse(range).Contains(plain));

    /// <summary>An IPv4 address as such, also when a socket for both kinds gives it as IPv6.</summary>
    public static IPAddress Plain(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;

    /// <summary>The subject that requests are counted under: an IPv4 address, or the /64 network of an IPv6 address.</summary>
    public static string Subject(IPAddress? address) => address is null ? "" : Plain(address) switch
    {
        { AddressFamily: AddressFamily.InterNetworkV6 } v6 => Mask(v6, 64).ToString(),
        var v4 => v4.ToString(),
    };

    /// <summary>The address with everything after its first <paramref name="prefix"/> bits zero.</summary>
    public static IPAddress Mask(IPAddress address, int prefix)
    {
        var bytes = address.GetAddressBytes();
        for (var i = 0; i < bytes.Length; i++)
            bytes[i] &= (byte)(0xFF << (8 - Math.Clamp(prefix - (8 * i), 0, 8)));
        return new IPAddress(bytes);
    }
}
