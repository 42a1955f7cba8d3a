namespace Apertur.Server.Queue;

/// <summary>The known health of an endpoint, better first.</summary>
internal enum Standing
{
    /// <summary>It answered the last time.</summary>
    Proven,

    /// <summary>It has never been asked.</summary>
    New,

    /// <summary>Its last attempt got no answer in time.</summary>
    Silent,
}

/// <summary>An endpoint that has something due.</summary>
/// <param name="Id">What rows are for: a destination, an event webhook.</param>
/// <param name="Project">Whose it is.</param>
/// <param name="Standing">What is known of it.</param>
/// <param name="Free">How many more rows may be under way for it over all nodes; null for no such limit.</param>
internal sealed record DueEndpoint(Guid Id, Guid Project, Standing Standing = Standing.Proven, int? Free = null)
{
    /// <summary>How many rows may be under way for it on this node; null for the number that every endpoint has.</summary>
    public int? Lanes { get; init; }

    /// <summary>How many rows there are for it; null when that is not known.</summary>
    public int? Rows { get; init; }
}

/// <summary>
/// Divides a node's lanes: fair between projects first, then between the endpoints of a project. Lanes are handed out one by one, each to the
/// project that has the fewest and there to the endpoint that has the fewest (max-min fairness), so none is reserved for what has nothing due.
/// </summary>
/// <remarks>
/// An attempt that hangs keeps its lane until its time is up: no lane can be taken back from who came first. So who has little may go over the
/// node's number: an endpoint with nothing under way up to twice, a project with few lanes up to three times, one with none up to four times.
/// An endpoint gets a second lane when it has answered once. Those that fell silent share half of the node's number, or twice that number when
/// their projects have nothing else under way: the rest is for those that may be well.
/// </remarks>
/// <param name="lanes">How many rows this node runs at once when all are for few endpoints of one project.</param>
/// <param name="perEndpoint">How many of them may be for an endpoint that has no number of its own.</param>
internal sealed class LaneShares(int lanes, int perEndpoint)
{
    private readonly int _half = Math.Max(1, lanes / 2);

    /// <summary>Says how many rows to claim for which endpoint. Pure.</summary>
    /// <param name="due">Endpoints that have something due, in random order: then among equals nobody is always first.</param>
    /// <param name="running">The endpoint of every row that runs here, as it was when that was claimed.</param>
    public IReadOnlyDictionary<Guid, int> Divide(IEnumerable<DueEndpoint> due, IReadOnlyCollection<DueEndpoint> running)
    {
        var busy = running.CountBy(endpoint => endpoint.Id).ToDictionary();
        var lanesOf = running.CountBy(endpoint => endpoint.Project).ToDictionary();
        var (total, silent) = (running.Count, running.Count(endpoint => endpoint.Standing == Standing.Silent));
        var granted = new Dictionary<Guid, int>();
        var projects = new PriorityQueue<PriorityQueue<DueEndpoint, (bool, int)>, int>();
        foreach (var project in due.GroupBy(endpoint => endpoint.Project))
        {
            var endpoints = new PriorityQueue<DueEndpoint, (bool, int)>(project.Select(endpoint => (endpoint, Rank(endpoint))));
            projects.Enqueue(endpoints, lanesOf.GetValueOrDefault(project.Key));
        }

        while (projects.TryDequeue(out var endpoints, out var projectHas))
        {
            if (!endpoints.TryDequeue(out var endpoint, out _))
                continue;
            if (MayTake(endpoint, projectHas))
            {
                (busy[endpoint.Id], granted[endpoint.Id]) = (busy.GetValueOrDefault(endpoint.Id) + 1, granted.GetValueOrDefault(endpoint.Id) + 1);
                endpoints.Enqueue(endpoint, Rank(endpoint));
                projectHas++;
                total++;
                silent += endpoint.Standing == Standing.Silent ? 1 : 0;
            }

            projects.Enqueue(endpoints, projectHas);
        }

        return granted;

        (bool IsSilent, int Lanes) Rank(DueEndpoint endpoint) => (endpoint.Standing == Standing.Silent, busy.GetValueOrDefault(endpoint.Id));

        bool MayTake(DueEndpoint endpoint, int projectHas)
        {
            var has = busy.GetValueOrDefault(endpoint.Id);
            var most = Math.Min(endpoint.Free ?? int.MaxValue, endpoint.Rows ?? int.MaxValue);
            if (has >= (endpoint.Lanes ?? perEndpoint) || granted.GetValueOrDefault(endpoint.Id) >= most)
                return false;
            if (endpoint.Standing != Standing.Proven && has > 0)
                return false;
            if (endpoint.Standing == Standing.Silent && silent >= (projectHas == 0 ? 2 * lanes : _half))
                return false;
            return total < (projectHas == 0 ? 4 : projectHas < perEndpoint ? 3 : has == 0 ? 2 : 1) * lanes;
        }
    }
}
