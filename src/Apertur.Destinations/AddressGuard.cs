using System.Net;
using System.Net.Sockets;

namespace Apertur.Destinations;

/// <summary>
/// Tells public addresses from all others: the IANA special-purpose registries for IPv4 and IPv6 (RFC 6890 and its updates),
/// multicast, and the IPv6 forms that carry an IPv4 address, judged by the address they carry.
/// </summary>
public static class AddressGuard
{
    // Everything that is not globally reachable by the registries, as of 2026. Anycast relays (192.88.99.0/24) and AS112
    // included: no receiver of photos lives there.
    private static readonly IPNetwork[] _refused4 =
    [
        .. Networks(
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
            "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
            "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
    ];

    // Global unicast is 2000::/3; what is refused inside of it.
    private static readonly IPNetwork _global6 = IPNetwork.Parse("2000::/3");
    private static readonly IPNetwork[] _refused6 = [.. Networks("2001::/23", "2001:db8::/32", "2620:4f:8000::/48", "3fff::/20")];

    private static readonly IPNetwork _nat64 = IPNetwork.Parse("64:ff9b::/96");
    private static readonly IPNetwork _6to4 = IPNetwork.Parse("2002::/16");

    /// <summary>Whether an address is public, so that the server may connect to it when a user asks.</summary>
    public static bool IsPublic(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        if (address.AddressFamily == AddressFamily.InterNetwork)
            return !Array.Exists(_refused4, network => network.Contains(address));

        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out _);
        if (_nat64.Contains(address))
            return IsPublic(new IPAddress(bytes[12..]));
        if (_6to4.Contains(address))
            return IsPublic(new IPAddress(bytes[2..6]));

        return _global6.Contains(address) && !Array.Exists(_refused6, network => network.Contains(address));
    }

    private static IEnumerable<IPNetwork> Networks(params string[] networks) => networks.Select(IPNetwork.Parse);
}
