namespace Apertur.Server.Queue;

/// <summary>
/// Work that waits in a table, each row for an endpoint: what the <see cref="Pump"/> keeps flowing. A claimed row belongs to this
/// process for a lease, which is extended while it runs; a row whose lease has run out was left by a process that is gone.
/// </summary>
internal interface IQueue
{
    /// <summary>How many rows this node runs at once. Queues do not share lanes, so none can starve another.</summary>
    int Lanes { get; }

    /// <summary>How many of them may be for one endpoint.</summary>
    int LanesPerEndpoint { get; }

    /// <summary>
    /// Endpoints that have something due, and how many rows may be under way for each at once over all nodes; null for no such limit.
    /// </summary>
    Task<IReadOnlyList<(Guid Endpoint, int? Free)>> DueAsync(CancellationToken cancellationToken);

    /// <summary>Claims up to the given number of due rows for each endpoint, oldest first.</summary>
    Task<IReadOnlyList<Claimed>> TakeAsync(IReadOnlyList<(Guid Endpoint, int Most)> wanted, CancellationToken cancellationToken);

    /// <summary>Keeps claims alive.</summary>
    Task ExtendAsync(IReadOnlyCollection<Guid> leaseTokens, CancellationToken cancellationToken);

    /// <summary>Puts back what a crashed process held.</summary>
    /// <param name="all">Also claims whose lease still runs; right only when no other process uses the database.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>How many rows.</returns>
    Task<int> ReleaseAbandonedAsync(bool all, CancellationToken cancellationToken);
}

/// <summary>A row that this process has claimed.</summary>
/// <param name="Id">Of the row.</param>
/// <param name="Endpoint">What it is for.</param>
/// <param name="LeaseToken">Names the claim.</param>
/// <param name="RunAsync">
/// Makes one attempt and writes what came of it. Its token is cancelled when the time to stop is up.
/// </param>
internal sealed record Claimed(Guid Id, Guid Endpoint, Guid LeaseToken, Func<CancellationToken, Task> RunAsync);
