using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Apertur.Destinations;

namespace Apertur.Tests.Destinations;

public sealed class HttpOutcomeTests
{
    private static readonly FixedClock _clock = new(new DateTimeOffset(2026, 6, 12, 10, 0, 0, TimeSpan.Zero));

    [Theory]
    [InlineData(200, typeof(DeliveryOutcome.Accepted))]
    [InlineData(204, typeof(DeliveryOutcome.Accepted))]
    [InlineData(299, typeof(DeliveryOutcome.Accepted))]
    [InlineData(301, typeof(DeliveryOutcome.TryAgain))]
    [InlineData(304, typeof(DeliveryOutcome.TryAgain))]
    [InlineData(400, typeof(DeliveryOutcome.TryAgain))]
    [InlineData(401, typeof(DeliveryOutcome.TryAgain))]
    [InlineData(404, typeof(DeliveryOutcome.TryAgain))]
    [InlineData(408, typeof(DeliveryOutcome.TryAgain))]
    [InlineData(410, typeof(DeliveryOutcome.GiveUp))]
    [InlineData(415, typeof(DeliveryOutcome.GiveUp))]
    [InlineData(429, typeof(DeliveryOutcome.TryAgain))]
    [InlineData(500, typeof(DeliveryOutcome.TryAgain))]
    [InlineData(503, typeof(DeliveryOutcome.TryAgain))]
    [InlineData(599, typeof(DeliveryOutcome.TryAgain))]
    [InlineData(999, typeof(DeliveryOutcome.TryAgain))]
    public void Every_status_has_its_outcome(int status, Type expected)
    {
        using var response = new HttpResponseMessage((HttpStatusCode)status);
        var outcome = HttpOutcome.Of(response, _clock);
        Assert.Equal(expected, outcome.GetType());
        Assert.Equal(status, outcome.Status);
        if (outcome.ReasonText is { } reason)
            Assert.Contains(status.ToString(CultureInfo.InvariantCulture), reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(429, "120", 120)]
    [InlineData(429, " 120 ", 120)]
    [InlineData(429, "99999999999", 604800)]
    [InlineData(503, "99999999999999999999999999999999", 604800)]
    [InlineData(503, "Fri, 31 Dec 9999 23:59:59 GMT", 604800)]
    [InlineData(503, "Friday, 12-Jun-26 10:05:00 GMT", 300)]
    [InlineData(503, "Fri Jun 12 10:05:00 2026", 300)]
    [InlineData(503, "Thu Jul  2 10:00:00 2026", 604800)]
    [InlineData(503, "0", 0)]
    [InlineData(503, "", null)]
    [InlineData(503, "Fri, 12 Jun 2026 10:05:00 GMT", 300)]
    [InlineData(503, "Fri, 12 Jun 2026 09:00:00 GMT", 0)]
    [InlineData(503, "soon", null)]
    [InlineData(503, "-5", null)]
    [InlineData(503, null, null)]
    [InlineData(500, "120", null)]
    public void Retry_after_counts_on_429_and_503(int status, string? header, int? seconds)
    {
        using var response = new HttpResponseMessage((HttpStatusCode)status);
        if (header is not null)
            response.Headers.TryAddWithoutValidation("Retry-After", header);
        var outcome = Assert.IsType<DeliveryOutcome.TryAgain>(HttpOutcome.Of(response, _clock));
        Assert.Equal(seconds, (int?)outcome.After?.TotalSeconds);
    }

    [Fact]
    public void A_receivers_own_words_are_not_repeated()
    {
        using var response = new HttpResponseMessage(HttpStatusCode.BadRequest) { ReasonPhrase = "Bearer t0ken refused" };
        Assert.Equal("The destination answered 400 Bad Request.", HttpOutcome.Of(response, _clock).ReasonText);
        using var elsewhere = new HttpResponseMessage(HttpStatusCode.Found);
        Assert.Equal("The destination answered 302 Found. Redirects are not followed.", HttpOutcome.Of(elsewhere, _clock).ReasonText);
        using var switched = new HttpResponseMessage(HttpStatusCode.SwitchingProtocols);
        Assert.Equal("The destination answered 101 Switching Protocols.", HttpOutcome.Of(switched, _clock).ReasonText);
        using var unknown = new HttpResponseMessage((HttpStatusCode)599) { ReasonPhrase = "Bearer t0ken refused" };
        Assert.Equal("The destination answered 599.", HttpOutcome.Of(unknown, _clock).ReasonText);
    }

    [Fact]
    public void Failures_without_an_answer_are_tried_again_and_named()
    {
        var refused = Unconnected(new SocketException((int)SocketError.ConnectionRefused));
        Assert.Equal("No connection to the destination: it was refused.", Reason(refused));
        Assert.Equal("No connection to the destination: it timed out.", Reason(Unconnected(new SocketException((int)SocketError.TimedOut))));
        foreach (var nowhere in new[] { SocketError.HostUnreachable, SocketError.NetworkUnreachable })
            Assert.Equal("No connection to the destination: the host cannot be reached.", Reason(Unconnected(new SocketException((int)nowhere))));
        foreach (var inner in new Exception[] { new SocketException((int)SocketError.ConnectionReset), new IOException("internals") })
            Assert.Equal("No connection to the destination: it was broken off.", Reason(Unconnected(inner)));
        Assert.Equal("The destination's host name could not be resolved.",
            Reason(new HttpRequestException(HttpRequestError.NameResolutionError)));
        Assert.Equal("The destination's TLS certificate or handshake was not acceptable.",
            Reason(new HttpRequestException(HttpRequestError.SecureConnectionError)));
        Assert.Equal("The destination closed the connection before it answered.",
            Reason(new HttpRequestException(HttpRequestError.ResponseEnded)));
        Assert.Equal("No connection to the destination: it timed out.", Reason(new TaskCanceledException()));
        Assert.Equal("No connection to the destination: it timed out.", Reason(new TimeoutException()));
        Assert.Equal("The request to the destination failed.", Reason(new IOException("internals")));

        // Nobody answered in time: the breaker opens sooner than for a destination that says no.
        Assert.True(Assert.IsType<DeliveryOutcome.TryAgain>(HttpOutcome.Of(new TaskCanceledException())).TimedOut);
        Assert.False(Assert.IsType<DeliveryOutcome.TryAgain>(HttpOutcome.Of(refused)).TimedOut);

        static HttpRequestException Unconnected(Exception inner) => new(HttpRequestError.ConnectionError, "internals", inner);
        static string Reason(Exception exception) => Assert.IsType<DeliveryOutcome.TryAgain>(HttpOutcome.Of(exception)).Reason;
    }

    [Fact]
    public void A_refused_address_breaks_the_destination_however_deep_it_lies()
    {
        var refused = new HttpRequestException("outer", new IOException("middle", new AddressRefusedException()));
        Assert.IsType<DeliveryOutcome.Broken>(HttpOutcome.Of(refused));
    }

    private sealed class FixedClock(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }
}
