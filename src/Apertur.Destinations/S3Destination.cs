namespace Apertur.Destinations;
public sealed class S3Destination(OutboundHttp http, TimeProvider clock) : IDestinationType
{
    public string Type => "s3";
    public string Label => "S3";
    public IReadOnlyList<ConfigField> Fields { get; } = [];
    public Task<DeliveryOutcome> DeliverAsync(Delivery delivery, CancellationToken cancellationToken) => throw new NotSupportedException(http.ToString() + clock);
    public Task<DeliveryOutcome> TestAsync(DestinationConfig config, CancellationToken cancellationToken) => throw new NotSupportedException();
}
