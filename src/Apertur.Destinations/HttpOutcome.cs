using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Apertur.Destinations;

/// <summary>
/// What an HTTP answer, or the lack of one, means for a delivery: decided once, for every destination that speaks HTTP.
/// </summary>
public static class HttpOutcome
{
    /// <summary>
    /// 2xx is accepted; 410 and 415 are final for the image; everything else, redirects included, may work later.
    /// <c>Retry-After</c> counts on 429 and 503 (RFC 9110, 10.2.3), in seconds or as a date. A service whose 401, 403 or 404 say that only
    /// the owner can help has to be asked before: for webhooks, which have deployments and outages, they pass.
    /// </summary>
    /// <param name="response">The answer; its body is not read.</param>
    /// <param name="clock">Reads a <c>Retry-After</c> date against now.</param>
    /// <param name="reference">Where the image is when it was accepted.</param>
    public static DeliveryOutcome Of(HttpResponseMessage response, TimeProvider clock, string? reference = null)
    {
        var status = (int)response.StatusCode;
        var said = string.Create(CultureInfo.InvariantCulture, $"The destination answered {status}{Phrase(response)}.");
        DeliveryOutcome outcome = response.StatusCode switch
        {
            _ when response.IsSuccessStatusCode => new DeliveryOutcome.Accepted(reference),
            HttpStatusCode.Gone or HttpStatusCode.UnsupportedMediaType => new DeliveryOutcome.GiveUp(said),
            HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable =>
                new DeliveryOutcome.TryAgain(said, RetryAfter(response, clock)),
            _ when status is >= 300 and < 400 => new DeliveryOutcome.TryAgain(said + " Redirects are not followed."),
            _ => new DeliveryOutcome.TryAgain(said),
        };
        return outcome with { Status = status };
    }

    /// <summary>
    /// What a request that failed without an answer means: a refused address breaks the destination, everything else may work
    /// later. To be called only when neither the caller nor a time limit of its own ended the request.
    /// </summary>
    public static DeliveryOutcome Of(Exception exception)
    {
        if (RefusedAddress(exception) is { } refused)
            return new DeliveryOutcome.Broken(refused.Message);
        // The handler's limit for connecting shows as a cancellation that nobody asked for; the SDK of S3 unwraps it.
        if (exception is OperationCanceledException or TimeoutException)
            return new DeliveryOutcome.TryAgain("No connection to the destination: it timed out.") { TimedOut = true };

        var failure = exception as HttpRequestException;
        return new DeliveryOutcome.TryAgain(failure?.HttpRequestError switch
        {
            HttpRequestError.NameResolutionError => "The destination's host name could not be resolved.",
            HttpRequestError.ConnectionError => "No connection to the destination: " + SocketReason(failure) + ".",
            HttpRequestError.SecureConnectionError => "The destination's TLS certificate or handshake was not acceptable.",
            HttpRequestError.ResponseEnded => "The destination closed the connection before it answered.",
            _ => "The request to the destination failed.",
        });
    }

    /// <summary>The wait a service asked for; null when it did not, or not in a form that can be read.</summary>
    public static TimeSpan? RetryAfter(HttpResponseMessage response, TimeProvider clock) =>
        response.Headers.RetryAfter switch
        {
            { Delta: { } delta } => delta,
            { Date: { } date } => date - clock.GetUtcNow() is var wait && wait > TimeSpan.Zero ? wait : TimeSpan.Zero,
            _ => null,
        };

    private static AddressRefusedException? RefusedAddress(Exception? exception)
    {
        for (; exception is not null; exception = exception.InnerException)
        {
            if (exception is AddressRefusedException refused)
                return refused;
        }

        return null;
    }

    private static string SocketReason(HttpRequestException exception) =>
        exception.InnerException is SocketException socket
            ? socket.SocketErrorCode switch
            {
                SocketError.ConnectionRefused => "it was refused",
                SocketError.TimedOut => "it timed out",
                SocketError.HostUnreachable or SocketError.NetworkUnreachable => "the host cannot be reached",
                _ => "it was broken off",
            }
            : "it was broken off";

    private static string Phrase(HttpResponseMessage response) =>
        // The reason phrase is the receiver's text; the standard one is not.
        Enum.IsDefined(response.StatusCode) ? " " + new HttpResponseMessage(response.StatusCode).ReasonPhrase : "";
}
