using System.Collections.Concurrent;
using Apertur.Server.Auth;
using Apertur.Server.Contract;
using Apertur.Server.Http;

namespace Apertur.Server.Sessions;

/// <summary>Events of every session that a key or a person may see.</summary>
internal sealed class ProjectStream(ProjectFeed feed, IHostApplicationLifetime lifetime, TimeProvider clock)
{
    public const int MostPerCaller = 20;

    // Clocks of nodes differ, and events of several sessions have no one order: what is close to the last one seen is told again.
    private static readonly TimeSpan _overlap = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<Guid, int> _open = [];

    /// <summary>
    /// What happens to every session that the caller may see, as server-sent events. Each has an id; after <c>Last-Event-ID</c> those of the last five
    /// minutes come again, and the ones just before it too: go by the id.
    /// </summary>
    public static Task<IResult> Open(HttpContext http, Caller caller, ProjectStream streams, CancellationToken cancellationToken) =>
        streams.OpenAsync(http, caller, cancellationToken);

    private async Task<IResult> OpenAsync(HttpContext http, Caller caller, CancellationToken cancellationToken)
    {
        var topics = http.Request.Query["topic"].ToString().Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var now = clock.GetUtcNow();
        var seen = EventCursor.Parse(http.Request.Headers["Last-Event-ID"].ToString()) is { } place
            ? DateTimeOffset.FromUnixTimeMilliseconds(place.Stamp) - _overlap
            // What happens within this millisecond may come after it.
            : now.AddMilliseconds(-1);
        var since = seen > now - SessionFeed.Replay ? seen : now - SessionFeed.Replay;
        if (_open.AddOrUpdate(caller.Id, 1, (_, open) => open + 1) > MostPerCaller)
        {
            Leave(caller.Id);
            throw ApiErrors.TooManyCallerStreams(MostPerCaller).ToException();
        }

        try
        {
            using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lifetime.ApplicationStopping);
            var stream = new EventStream(http.Response);
            await stream.BeginAsync(ended.Token);
            await stream.SendAsync(EventCursor.After(now).ToString(), "connected", new ConnectedData(caller.Projects.Keys), ended.Token);
            await foreach (var each in feed.FollowAsync(caller, since, ended.Token))
            {
                if (each is null)
                    await stream.HeartbeatAsync(ended.Token);
                else if (topics.Length == 0 || Array.Exists(topics, topic => Fits(topic, each.Event.Name)))
                    await stream.SendAsync(each.Event.Place.ToString(), each.Event.Name, ProjectEventData.Of(each), ended.Token);
            }
        }
        catch (OperationCanceledException) when (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            // The client comes back to the next server with the last id it has seen.
        }
        catch (ApiErrorException) when (http.Response.HasStarted)
        {
            // Shut out meanwhile: the end of the stream says so, and coming back is refused.
        }
        finally
        {
            Leave(caller.Id);
        }

        return TypedResults.Empty;
    }

    private static bool Fits(string topic, string name) =>
        topic.EndsWith('*') ? name.StartsWith(topic[..^1], StringComparison.Ordinal) : name == topic;

    private void Leave(Guid caller)
    {
        // A count of nought is taken out only while it is nought: somebody may be coming in.
        if (_open.AddOrUpdate(caller, 0, (_, open) => open - 1) == 0)
            _open.TryRemove(new(caller, 0));
    }
}
