namespace Apertur.Server.Queue;

/// <summary>
/// A queue in a table, worked by the <see cref="Pump"/>; each row is for an endpoint. A claimed row belongs to this
/// process for a lease, which is extended while it runs; a row whose lease has run out was left by a process that is gone.
/// </summary>
internal interface IQueue
{
    /// <summary>How many attempts this node makes at once, see <see cref="LaneShares"/>. Queues do not share lanes, so none can starve another.</summary>
    int Lanes { get; }

    /// <summary>How many of them may be for one endpoint of which nothing better is known, see <see cref="LaneWindows"/>.</summary>
    int LanesPerEndpoint { get; }

    /// <summary>How many of them may be for one endpoint that answers fast and well.</summary>
    int MaxLanesPerEndpoint { get; }

    /// <summary>Endpoints that have something due and may be sent to.</summary>
    Task<IReadOnlyList<DueEndpoint>> DueAsync(CancellationToken cancellationToken);

    /// <summary>Claims up to the given number of due rows for each endpoint, oldest first.</summary>
    Task<IReadOnlyList<Claimed>> TakeAsync(IReadOnlyDictionary<Guid, int> wanted, CancellationToken cancellationToken);

    /// <summary>Extends the leases of claims.</summary>
    Task ExtendAsync(IReadOnlyCollection<Guid> leaseTokens, CancellationToken cancellationToken);

    /// <summary>
    /// The time of day was set: what was to wait for five minutes waits for five minutes by the new time, and claims hold for a lease. Doing it
    /// once more on another node changes nothing but that a wait may end earlier.
    /// </summary>
    /// <param name="change">Null at the start of the server: how far it was set meanwhile, if it was, is not known.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    Task RebaseAsync(ClockChange? change, CancellationToken cancellationToken);

    /// <summary>Returns to the queue what a crashed process held.</summary>
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
/// Makes one attempt, says as soon as it is over whether it succeeded, and writes what came of it. Its token is cancelled when the time to stop is up.
/// </param>
internal sealed record Claimed(Guid Id, Guid Endpoint, Guid LeaseToken, Func<Action<bool>, CancellationToken, Task> RunAsync);
