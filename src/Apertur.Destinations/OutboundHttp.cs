using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;

namespace Apertur.Destinations;

/// <summary>
/// The only HTTP client for addresses that users give. The name is resolved, every answer vetted by
/// <see cref="AddressGuard"/>, and the connection made to a vetted address, so a name that changes its answer gains nothing.
/// Redirects are not followed, proxies and cookies not used.
/// </summary>
public sealed class OutboundHttp : IDisposable
{
    /// <summary>Longest answer that a client library gets to see. Lists and errors of storage services are far below.</summary>
    public const int MaxAnswerBytes = 1024 * 1024;

    private static readonly TimeSpan _connectTimeout = TimeSpan.FromSeconds(10);

    private readonly bool _tellsOfTraces;
    private readonly StaleConnectionRetry _handler;
    private readonly HttpClient _client;

    /// <param name="allowPrivateNetworks">Also reach loopback, private and link-local addresses: for tests, demos and closed
    /// networks.</param>
    /// <param name="tellsOfTraces">Send the trace that a request belongs to along: not to hosts that are nobody's destination.</param>
    public OutboundHttp(bool allowPrivateNetworks, bool tellsOfTraces = true)
    {
        _tellsOfTraces = tellsOfTraces;
        AllowPrivateNetworks = allowPrivateNetworks;
        MayReach = allowPrivateNetworks ? static _ => true : AddressGuard.IsPublic;
        // Long enough to profit from open connections, short enough to follow a moved host.
        _handler = new StaleConnectionRetry(pooled: Handler(TimeSpan.FromMinutes(5)), fresh: Handler(TimeSpan.Zero));
        _client = Client(_handler);
    }

    public bool AllowPrivateNetworks { get; }

    /// <summary>Which addresses are connected to. Tests have one that is not, since they have none that is public.</summary>
    internal Func<IPAddress, bool> MayReach { get; init; }

    /// <summary>The addresses of a name. Tests have names of several, and of none.</summary>
    internal Func<string, CancellationToken, Task<IPAddress[]>> Resolve { get; init; } = Dns.GetHostAddressesAsync;

    /// <summary>
    /// For client libraries that want a client of their own; whatever they send takes the same guarded way. Libraries read
    /// answers into memory, so one of more than <see cref="MaxAnswerBytes"/> fails the request.
    /// </summary>
    /// <param name="fetches">Whether what is asked for with GET and found may have any length: for addresses that the operator gives.</param>
    public HttpClient CreateClient(bool fetches = false) => Client(new LibraryLimits(_handler, fetches));

    /// <summary>Sends a request and returns when the headers of the answer are there; its body has not been read.</summary>
    /// <exception cref="HttpRequestException">No answer; see <see cref="HttpOutcome.Of(Exception)"/>.</exception>
    public Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
        _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);

    public void Dispose()
    {
        _client.Dispose();
        _handler.Dispose();
    }

    internal SocketsHttpHandler Handler(TimeSpan connectionLifetime) => new()
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        UseProxy = false,
        ConnectTimeout = _connectTimeout,
        PooledConnectionLifetime = connectionLifetime,
        // Behind a way that is cut for half a minute, a connection may be silent for good: those that were idle meanwhile are not asked again.
        PooledConnectionIdleTimeout = TimeSpan.FromSeconds(20),
        // Answers are judged by their headers; a short body is read off so that the connection can be used again.
        MaxResponseDrainSize = 16 * 1024,
        ConnectCallback = ConnectAsync,
        ActivityHeadersPropagator = _tellsOfTraces ? DistributedContextPropagator.Current : DistributedContextPropagator.CreateNoOutputPropagator(),
        PlaintextStreamFilter = static (context, _) => ValueTask.FromResult<Stream>(new OutboundConnection(context.PlaintextStream)),
    };

    [SuppressMessage("ApiDesign", "RS0030", Justification = "These are the clients that the rule points to.")]
    private static HttpClient Client(HttpMessageHandler guarded) =>
        // The time of a request is its caller's to bound, by token.
        new(guarded, disposeHandler: false) { Timeout = Timeout.InfiniteTimeSpan };

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        var host = context.DnsEndPoint.Host;
        var addresses = IPAddress.TryParse(host, out var literal)
            ? [literal]
            : await Resolve(host, cancellationToken).ConfigureAwait(false);
        var reachable = addresses.Where(MayReach).ToArray();
        if (reachable.Length == 0)
        {
            throw addresses.Length == 0
                ? new SocketException((int)SocketError.HostNotFound)
                : new AddressRefusedException();
        }

        // One address that drops packets, as where IPv6 is broken, must not use up the time of the others.
        for (var i = 0; i < reachable.Length - 1; i++)
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter((_connectTimeout - Stopwatch.GetElapsedTime(started)) / (reachable.Length - i));
            try
            {
                return await ConnectAsync(reachable[i], context.DnsEndPoint.Port, limit.Token).ConfigureAwait(false);
            }
            catch (Exception exception)
                when (exception is SocketException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
            {
            }
        }

        return await ConnectAsync(reachable[^1], context.DnsEndPoint.Port, cancellationToken).ConfigureAwait(false);
    }

    private static async Task<Stream> ConnectAsync(IPAddress address, int port, CancellationToken cancellationToken)
    {
        // For both families, so that an IPv4 address in IPv6 form is reached as well.
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(address, port, cancellationToken).ConfigureAwait(false);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Whether it is what was asked for, rather than a list or an error, which libraries read in one go.</summary>
    private static bool IsObject(HttpResponseMessage response) =>
        response.IsSuccessStatusCode && response.Content.Headers.ContentType?.MediaType is not ("application/xml" or "text/xml");

    /// <summary>Bounds the requests and answers of client libraries.</summary>
    private sealed class LibraryLimits(HttpMessageHandler inner, bool fetches) : DelegatingHandler(inner)
    {
        protected override async Task<HttpResponseMessage> SendAsync(
            HttpRequestMessage request, CancellationToken cancellationToken)
        {
            // The handler sends a body this small even after the receiver refused to be sent one; Ceph takes it for the next
            // request on that connection and refuses that as well.
            if (request.Content?.Headers.ContentLength <= 1024)
                request.Headers.ExpectContinue = false;

            var response = await base.SendAsync(request, cancellationToken).ConfigureAwait(false);
            // The answer to HEAD tells the length of a body that does not come.
            if (request.Method == HttpMethod.Head || (fetches && request.Method == HttpMethod.Get && IsObject(response)))
                return response;
            try
            {
                await response.Content.LoadIntoBufferAsync(MaxAnswerBytes, cancellationToken).ConfigureAwait(false);
                return response;
            }
            catch
            {
                response.Dispose();
                throw;
            }
        }
    }
}

/// <summary>The address leads into a private network, and this server does not connect there.</summary>
public sealed class AddressRefusedException() : IOException(
    "The destination's address is not on the public internet, and this server is set up to deliver to public addresses only.");
