namespace Apertur.Destinations;

/// <summary>One at a time for each key; different keys never wait for each other. What nobody waits for or holds is forgotten.</summary>
internal sealed class Turns
{
    private readonly Dictionary<string, Turn> _turns = [];

    /// <summary>Waits until nobody else has this key's turn. Disposing gives it back.</summary>
    public async Task<IDisposable> TakeAsync(string key, CancellationToken cancellationToken)
    {
        Turn? turn;
        lock (_turns)
        {
            if (!_turns.TryGetValue(key, out turn))
                _turns[key] = turn = new Turn(this, key);
            turn.Users++;
        }

        try
        {
            await turn.Free.WaitAsync(cancellationToken);
            return turn;
        }
        catch
        {
            Leave(turn);
            throw;
        }
    }

    private void Leave(Turn turn)
    {
        lock (_turns)
        {
            if (--turn.Users > 0)
                return;
            _turns.Remove(turn.Key);
        }

        turn.Free.Dispose();
    }

    private sealed class Turn(Turns all, string key) : IDisposable
    {
        public string Key => key;

        public SemaphoreSlim Free { get; } = new(1);

        /// <summary>Who holds it or waits for it.</summary>
        public int Users { get; set; }

        public void Dispose()
        {
            Free.Release();
            all.Leave(this);
        }
    }
}
