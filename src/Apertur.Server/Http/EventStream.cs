using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http.Features;

namespace Apertur.Server.Http;

/// <summary>
/// Server-sent events (WHATWG HTML, 9.2) by hand, because the framework's result cannot write comments. Each frame is one write
/// and one flush: some readers take what arrives together for one event.
/// </summary>
internal sealed class EventStream(HttpResponse response)
{
    public async Task BeginAsync(CancellationToken cancellationToken)
    {
        response.ContentType = "text/event-stream";
        response.Headers.CacheControl = "no-store";
        // nginx gathers answers before passing them on unless told so.
        response.Headers["X-Accel-Buffering"] = "no";
        response.HttpContext.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        await response.StartAsync(cancellationToken);
    }

    /// <param name="id">What the client sends back as Last-Event-ID.</param>
    /// <param name="name">Of the event.</param>
    /// <param name="data">A record of the wire.</param>
    /// <param name="cancellationToken">Cancelled when the client has gone.</param>
    public Task SendAsync(string id, string name, object data, CancellationToken cancellationToken) =>
        WriteAsync(
            $"id: {id}\nevent: {name}\ndata: {JsonSerializer.Serialize(data, data.GetType(), WireJson.Wire)}\n\n", cancellationToken);

    public Task HeartbeatAsync(CancellationToken cancellationToken) => WriteAsync(": heartbeat\n\n", cancellationToken);

    private async Task WriteAsync(string frame, CancellationToken cancellationToken) =>
        await response.BodyWriter.WriteAsync(Encoding.UTF8.GetBytes(frame), cancellationToken);
}
