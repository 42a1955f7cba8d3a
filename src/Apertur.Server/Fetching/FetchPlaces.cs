using Apertur.Server.Http;
using Apertur.Server.Sessions;

namespace Apertur.Server.Fetching;

/// <summary>Bounds how many photos are fetched at once (a bulkhead): on this node, of them for one project, for one session, and for one client address.</summary>
internal sealed class FetchPlaces(Settings settings)
{
    private readonly SourceSettings _limits = settings.Sources;
    private readonly Dictionary<string, int> _taken = [];

    /// <summary>Takes a place, which disposing gives back.</summary>
    /// <param name="session">For which it is fetched.</param>
    /// <param name="address">Who asks, see <see cref="AddressRanges.Subject"/>.</param>
    /// <exception cref="ApiErrorException">429: there is none.</exception>
    public IDisposable Take(UploadSession session, string address)
    {
        (string Name, int Most)[] wanted =
        [
            ("node", _limits.FetchesAtOnce),
            // Half: whoever has many sessions and many addresses leaves something to others.
            ($"project {session.ProjectId}", (_limits.FetchesAtOnce + 1) / 2),
            ($"session {session.Id}", _limits.FetchesPerSession),
            ($"address {address}", _limits.FetchesPerAddress),
        ];
        lock (_taken)
        {
            if (Array.Exists(wanted, each => _taken.GetValueOrDefault(each.Name) >= each.Most))
                throw ApiErrors.TooManyFetches.ToException();
            foreach (var (name, _) in wanted)
                _taken[name] = _taken.GetValueOrDefault(name) + 1;
        }

        return new Place(() => Leave(wanted.Select(each => each.Name)));
    }

    private void Leave(IEnumerable<string> names)
    {
        lock (_taken)
        {
            foreach (var name in names)
            {
                if (--_taken[name] == 0)
                    _taken.Remove(name);
            }
        }
    }

    private sealed class Place(Action leave) : IDisposable
    {
        public void Dispose() => leave();
    }
}
