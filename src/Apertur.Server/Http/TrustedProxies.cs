using Microsoft.AspNetCore.HttpOverrides;

namespace Apertur.Server.Http;

/// <summary>
/// Whose word about the client's address and scheme counts. Anybody can write a header, so nobody's does unless the settings name the proxy;
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
