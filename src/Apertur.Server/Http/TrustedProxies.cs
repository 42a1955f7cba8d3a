using Microsoft.AspNetCore.HttpOverrides;

namespace Apertur.Server.Http;

/// <summary>
/// The proxies whose forwarded headers for the client's address and scheme are accepted. None is unless the settings name it;
/// a chain of proxies is followed backwards until the first that is not named.
/// </summary>
internal static class TrustedProxies
{
    /// <returns>Null when no proxy is trusted.</returns>
    public static ForwardedHeadersOptions? Options(ServerSettings settings)
    {
        if (settings.TrustedProxyList.Count == 0)
            return null;
        var options = new ForwardedHeadersOptions
        {
            ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto,
            ForwardLimit = null,
        };
        options.KnownProxies.Clear();
        options.KnownIPNetworks.Clear();
        foreach (var range in settings.TrustedProxyList)
            options.KnownIPNetworks.Add(AddressRanges.Parse(range));
        return options;
    }
}
