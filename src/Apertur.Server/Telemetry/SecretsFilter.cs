using System.Diagnostics;
using OpenTelemetry;

namespace Apertur.Server.Telemetry;

/// <summary>
/// Takes addresses out of spans. The path of an upload link is its credential, and the address of a webhook often holds one; routes, hosts and
/// status codes say enough.
/// </summary>
internal sealed class SecretsFilter : BaseProcessor<Activity>
{
    // OpenTelemetry's semantic conventions for HTTP, and the names before them.
    private static readonly string[] _addresses = ["url.full", "url.path", "url.query", "http.url", "http.target"];

    public override void OnEnd(Activity data)
    {
        foreach (var name in _addresses)
            data.SetTag(name, null);
    }
}
