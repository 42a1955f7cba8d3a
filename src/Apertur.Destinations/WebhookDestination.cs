using System.Globalization;
using System.Net;

namespace Apertur.Destinations;

/// <summary>
/// Posts every image to an address of the owner's, signed. Any 2xx is success; a receiver that refuses the size gets a link
/// instead.
/// </summary>
/// <remarks>
/// <b>Time.</b> <c>timeoutSeconds</c> is the longest wait without progress: for the connection, for each piece of the body to be
/// taken, and for the answer after the last one; <see cref="TransferDeadline"/> adds a floor for the rate of the whole.
/// </remarks>
/// <param name="http">The guarded way out.</param>
/// <param name="clock">Timestamps of signatures, time limits, <c>Retry-After</c> dates.</param>
public sealed class WebhookDestination(OutboundHttp http, TimeProvider clock) : IDestinationType
{
    // Above this it pays to ask first (RFC 9110, 10.1.1): a receiver that refuses the size says so before it has read all of it,
    // and often closes the connection, which would lose its answer. Receivers that do not know the question cost one second.
    private const int AskFirstBytes = 1024 * 1024;

    public string Type => "webhook";

    public string Label => "Webhook";

    public IReadOnlyList<ConfigField> Fields { get; } =
    [
        new("url", "URL", ConfigFieldKind.Url) { Required = true, Help = "Receives a POST for every image." },
        new("format", "Format")
        {
            Default = WebhookBody.JsonBase64,
            Allowed = [WebhookBody.JsonBase64, WebhookBody.MultipartForm, WebhookBody.Binary, WebhookBody.Link],
        },
        new("headers", "Headers", ConfigFieldKind.Map)
        {
            Secret = true,
            CheckEntry = WebhookHeaders.Problem,
            Help = "Sent with every request, such as Authorization.",
        },
        new("secret", "Signing secret") { Secret = true, Help = "Signs the body. The project's webhook secret when left empty." },
        new("timeoutSeconds", "Timeout in seconds", ConfigFieldKind.Number)
        {
            Default = 30,
            Range = (1, 30),
            Help = "The longest wait for an answer, or for the next piece of a large image to be taken.",
        },
    ];

    public Task<DeliveryOutcome> DeliverAsync(Delivery delivery, CancellationToken cancellationToken) =>
        DeliverAsync(delivery, isTest: false, cancellationToken);

    /// <summary>
    /// Sends a real, signed request with an image of one pixel, marked by <c>X-Aptr-Test: true</c> and ids of all zeros.
    /// </summary>
    public Task<DeliveryOutcome> TestAsync(DestinationConfig config, CancellationToken cancellationToken) =>
        DeliverAsync(TestImage.Delivery(config, clock), isTest: true, cancellationToken);

    private async Task<DeliveryOutcome> DeliverAsync(Delivery delivery, bool isTest, CancellationToken cancellationToken)
    {
        var format = delivery.Config.Text("format")!;
        var outcome = await SendAsync(delivery, format, isTest, cancellationToken).ConfigureAwait(false);
        if (outcome.Status != (int)HttpStatusCode.RequestEntityTooLarge)
            return outcome;

        if (format != WebhookBody.Link)
            outcome = await SendAsync(delivery, WebhookBody.Link, isTest, cancellationToken).ConfigureAwait(false);
        return outcome.Status == (int)HttpStatusCode.RequestEntityTooLarge
            ? new DeliveryOutcome.GiveUp("The destination answered 413, even to a link instead of the image.")
            {
                Status = outcome.Status,
            }
            : outcome;
    }

    private async Task<DeliveryOutcome> SendAsync(
        Delivery delivery, string format, bool isTest, CancellationToken cancellationToken)
    {
        var own = delivery.Config.Text("secret");
        var secret = own ?? delivery.Config.ProjectSecret;
        var previous = own is null ? delivery.Config.PreviousProjectSecret : null;
        if (secret.Length == 0)
            return new DeliveryOutcome.Broken("There is no secret to sign with. Set one in the destination's configuration.");

        var body = WebhookBody.Of(format, delivery);
        var signatures = await SignAsync(body, secret, previous, delivery.Id.ToString(), cancellationToken).ConfigureAwait(false);
        var ask = body.Length > AskFirstBytes;
        var outcome = await TryAsync(ask).ConfigureAwait(false);
        // A receiver may refuse to be asked; then it is not asked (RFC 9110, 10.1.1).
        return ask && outcome.Status == (int)HttpStatusCode.ExpectationFailed
            ? await TryAsync(askFirst: false).ConfigureAwait(false)
            : outcome;

        async Task<DeliveryOutcome> TryAsync(bool askFirst)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, delivery.Config.Required("url"));
            WebhookHeaders.Add(request, delivery, delivery.Config.Map("headers"), format);
            foreach (var (name, value) in signatures)
                request.Headers.Add(name, value);
            if (isTest)
                request.Headers.Add("X-Aptr-Test", "true");
            request.Headers.ExpectContinue = askFirst;
            var seconds = delivery.Config.Number("timeoutSeconds");
            return await ExchangeAsync(request, body, seconds, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<List<KeyValuePair<string, string>>> SignAsync(
        WebhookBody body, string secret, string? previous, string id, CancellationToken cancellationToken)
    {
        var timestamp = clock.GetUtcNow().ToUnixTimeSeconds();
        using var plain = Signature.OfBody(secret);
        using var standard = Signature.StandardWebhooks(secret, id, timestamp);
        using var before = previous is null ? null : Signature.StandardWebhooks(previous, id, timestamp);
        await foreach (var piece in body.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            plain.Append(piece.Span);
            standard.Append(piece.Span);
            before?.Append(piece.Span);
        }

        var signature = plain.Finish();
        return
        [
            new("X-Apertur-Signature", signature),
            new("X-Aptr-Signature", signature),
            new("webhook-id", id),
            new("webhook-timestamp", timestamp.ToString(CultureInfo.InvariantCulture)),
            // Several signatures stand side by side there, for secrets that are being replaced (Standard Webhooks 1.0). The headers above
            // have room for one.
            new("webhook-signature", before is null ? standard.Finish() : $"{standard.Finish()} {before.Finish()}"),
        ];
    }

    private Task<DeliveryOutcome> ExchangeAsync(
        HttpRequestMessage request, WebhookBody body, int seconds, CancellationToken cancellationToken) =>
        TransferDeadline.AttemptAsync(
            TimeSpan.FromSeconds(seconds), body.Length, clock,
            async deadline =>
            {
                request.Content = new StreamedContent(body, deadline.Progress);
                using var response = await http.SendAsync(request, deadline.Token).ConfigureAwait(false);
                return HttpOutcome.Of(response, clock);
            },
            cancellationToken);

    /// <summary>Sends the body as it is read and tells of every piece that was taken.</summary>
    private sealed class StreamedContent : HttpContent
    {
        private readonly WebhookBody _body;
        private readonly Action _progress;

        public StreamedContent(WebhookBody body, Action progress)
        {
            (_body, _progress) = (body, progress);
            Headers.TryAddWithoutValidation("Content-Type", body.ContentType);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = _body.Length;
            return true;
        }

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
            SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override async Task SerializeToStreamAsync(
            Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            await foreach (var piece in _body.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                await stream.WriteAsync(piece, cancellationToken).ConfigureAwait(false);
                _progress();
            }
        }
    }
}
