using Apertur.Server.Work;

namespace Apertur.Server.Deliveries;

/// <summary>Images on their way to destinations, as the pump sees them.</summary>
internal sealed class DeliveryQueue(Claims claims, DeliveryRun run, Settings settings) : IQueue
{
    public int Lanes => settings.Delivery.Lanes;

    public int LanesPerEndpoint => settings.Delivery.LanesPerDestination;

    public Task<IReadOnlyList<(Guid Endpoint, int? Free)>> DueAsync(CancellationToken cancellationToken) =>
        claims.DueDestinationsAsync(cancellationToken);

    public async Task<IReadOnlyList<Claimed>> TakeAsync(
        IReadOnlyList<(Guid Endpoint, int Most)> wanted, CancellationToken cancellationToken) =>
        (await claims.TakeAsync(wanted, cancellationToken))
            .ConvertAll(
                row => new Claimed(row.Id, row.DestinationId, row.LeaseToken!.Value, stopping => run.RunAsync(row, stopping)));

    public Task ExtendAsync(IReadOnlyCollection<Guid> leaseTokens, CancellationToken cancellationToken) =>
        claims.ExtendAsync(leaseTokens, cancellationToken);

    public Task<int> ReleaseAbandonedAsync(bool all, CancellationToken cancellationToken) =>
        claims.ReleaseAbandonedAsync(all, cancellationToken);
}
