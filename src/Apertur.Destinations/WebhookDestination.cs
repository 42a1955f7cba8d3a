namespace Apertur.Destinations;
public sealed class WebhookDestination(OutboundHttp http) : IDestinationType
{
    public string Type => "webhook";
    public string Label => "Webhook";
    public IReadOnlyList<ConfigField> Fields { get; } = [];
    public Task<DeliveryOutcome> DeliverAsync(Delivery delivery, CancellationToken cancellationToken) => throw new NotSupportedException(http.ToString());
    public Task<DeliveryOutcome> TestAsync(DestinationConfig config, CancellationToken cancellationToken) => throw new NotSupportedException();
}
