namespace Apertur.Destinations;

/// <summary>
/// Sends a request again, at once and once, when the connection it was given had been closed by the receiver in the meantime. That is an
/// accident of keeping connections open and no answer of the receiver's: without this it would use up an attempt.
/// </summary>
/// <param name="pooled">Keeps connections.</param>
/// <param name="fresh">Makes a new one for every request.</param>
internal sealed class StaleConnectionRetry(HttpMessageHandler pooled, HttpMessageHandler fresh) : HttpMessageHandler
{
    // These do not refuse a request that was sent before, as HttpClient does.
    private readonly HttpMessageInvoker _pooled = new(pooled, disposeHandler: false);
    private readonly HttpMessageInvoker _fresh = new(fresh, disposeHandler: false);

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var exchange = OutboundConnection.Begin();
        try
        {
            return await _pooled.SendAsync(request, cancellationToken).ConfigureAwait(false);
        }
        catch (HttpRequestException) when (exchange.WasOnStaleConnection && !cancellationToken.IsCancellationRequested)
        {
            return await _fresh.SendAsync(request, cancellationToken).ConfigureAwait(false);
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _pooled.Dispose();
            _fresh.Dispose();
        }

        base.Dispose(disposing);
    }
}
