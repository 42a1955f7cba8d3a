using System.Collections.Concurrent;

namespace Apertur.Server.Queue;

/// <summary>
/// How many rows may be under way for each endpoint, on this node: one more for each that went well and fast, and back to the start at the first
/// that did not. A receiver that keeps up is kept busy without anybody tuning anything, one in trouble is not pushed further into it.
/// </summary>
/// <param name="start">Of an endpoint of which nothing is known.</param>
/// <param name="most">Never more.</param>
internal sealed class LaneWindows(int start, int most)
{
    /// <summary>
    /// What takes longer gets no more lanes: it may be the endpoint that is slow, the line that is full, or images so large that they fill it.
    /// </summary>
    public static readonly TimeSpan Fast = TimeSpan.FromMilliseconds(500);

    private readonly ConcurrentDictionary<Guid, int> _lanes = [];

    /// <summary>How many it may have. One that is being tried out again begins anew, also on a node that has seen none of its failures.</summary>
    public int Of(DueEndpoint endpoint)
    {
        if (endpoint.Free is not null)
            _lanes.TryRemove(endpoint.Id, out _);
        return _lanes.GetValueOrDefault(endpoint.Id, start);
    }

    /// <summary>Counts one attempt.</summary>
    public void Count(Guid endpoint, bool succeeded, TimeSpan took)
    {
        if (!succeeded || took > Fast)
            _lanes.TryRemove(endpoint, out _);
        else
            _lanes.AddOrUpdate(endpoint, Math.Min(start + 1, most), (_, lanes) => Math.Min(lanes + 1, most));
    }
}
