using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Apertur.Server;

/// <summary>The address people reach this server by: as configured, else where it listens.</summary>
internal sealed class PublicAddress(Settings settings, IServer server)
{
    private const string FileName = "server.address";
    private const string Default = "http://127.0.0.1:5080";

    /// <summary>Scheme, host and port, without a slash at the end.</summary>
    public string Base => Configured(settings)
        ?? Reachable(server.Features.Get<IServerAddressesFeature>()?.Addresses.FirstOrDefault() ?? Default);

    /// <summary>The same for a command beside a server: without configuration where a server on this data folder listened last.</summary>
    public static string LastOf(Settings settings)
    {
        var file = Path.Combine(settings.DataFolder, FileName);
        return Configured(settings) ?? (File.Exists(file) ? File.ReadAllText(file).Trim() : Default);
    }

    /// <summary>Notes it for <see cref="LastOf"/>.</summary>
    public void Save() => File.WriteAllText(Path.Combine(settings.DataFolder, FileName), Base + "\n");

    /// <summary>As <see cref="Base"/>, but without configuration the address this request came to.</summary>
    public string BaseOf(HttpRequest request) =>
        settings.Server.PublicUrl.Length > 0 ? Base : $"{request.Scheme}://{request.Host}";

    private static string? Configured(Settings settings) =>
        settings.Server.PublicUrl is { Length: > 0 } configured ? configured.TrimEnd('/') : null;

    // Nobody can open the address that stands for all of a machine's.
    private static string Reachable(string listening) =>
        listening.Replace("//0.0.0.0", "//127.0.0.1", StringComparison.Ordinal).Replace("//[::]", "//[::1]", StringComparison.Ordinal).TrimEnd('/');
}
