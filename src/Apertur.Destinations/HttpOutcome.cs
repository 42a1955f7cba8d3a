using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Apertur.Destinations;

/// <summary>
/// What an HTTP answer, or the lack of one, means for a delivery: decided once, for every destination that speaks HTTP.
/// </summary>
public static class HttpOutcome
{
    /// <summary>No longer wait is passed on, whatever a service asks for.</summary>
    public static readonly TimeSpan LongestWait = TimeSpan.FromDays(7);

    // The one form that is sent, and the two older ones that are read (RFC 9110, 5.6.7).
    private static readonly string[] _dates = ["r", "dddd, dd-MMM-yy HH:mm:ss 'GMT'", "ddd MMM d HH:mm:ss yyyy"];

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

    /// <summary>The wait a service asked for, at most <see cref="LongestWait"/>; null when it did not, or not in a form that can be read.</summary>
    public static TimeSpan? RetryAfter(HttpResponseMessage response, TimeProvider clock) =>
        response.Headers.NonValidated.TryGetValues("Retry-After", out var values) ? RetryAfter(values.ToString(), clock) : null;

    /// <summary>
    /// The same for the value of a <c>Retry-After</c>: seconds or a date (RFC 9110, 10.2.3). More seconds than a number holds are a long wait,
    /// not none.
    /// </summary>
    public static TimeSpan? RetryAfter(string value, TimeProvider clock)
    {
        var text = value.Trim();
        if (text.Length > 0 && text.All(char.IsAsciiDigit))
            return Bounded(double.Parse(text, CultureInfo.InvariantCulture));
        return DateTimeOffset.TryParseExact(text, _dates, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AllowWhiteSpaces, out var date)
            ? Bounded((date - clock.GetUtcNow()).TotalSeconds)
            : null;
    }

    /// <summary>So many seconds, at least none and at most <see cref="LongestWait"/>.</summary>
    internal static TimeSpan Bounded(double seconds) => TimeSpan.FromSeconds(Math.Clamp(seconds, 0, LongestWait.TotalSeconds));

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
