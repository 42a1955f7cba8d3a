using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Apertur.Server;

/// <summary>The address people reach this server by: as configured, else where it listens.</summary>
internal sealed class PublicAddress(Settings settings, IServer server)
{
    /// <summary>Scheme, host and port, without a slash at the end.</summary>
    public string Base => settings.Server.PublicUrl is { Length: > 0 } configured
        ? configured.TrimEnd('/')
        : (server.Features.Get<IServerAddressesFeature>()?.Addresses.FirstOrDefault() ?? "http://127.0.0.1:5080").TrimEnd('/');

    /// <summary>As <see cref="Base"/>, but without configuration the address this request came to.</summary>
    public string BaseOf(HttpRequest request) =>
        settings.Server.PublicUrl.Length > 0 ? Base : $"{request.Scheme}://{request.Host}";
}
