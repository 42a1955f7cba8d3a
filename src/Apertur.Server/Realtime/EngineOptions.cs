namespace Apertur.Server.Realtime;

/// <summary>The limits and intervals of an Engine.IO server.</summary>
internal sealed record EngineOptions
{
    /// <summary>Between two pings; the server sends them.</summary>
    public TimeSpan PingInterval { get; init; } = TimeSpan.FromSeconds(25);

    /// <summary>How long a client may take to answer one.</summary>
    public TimeSpan PingTimeout { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>The largest payload, in bytes, in either direction.</summary>
    public int MaxPayload { get; init; } = 100_000;

    /// <summary>Packets that may wait for one client. One that does not fetch them is disconnected.</summary>
    public int MaxWaiting { get; init; } = 1_000;

    /// <summary>Connections at once; those that come after them are refused.</summary>
    public int MaxConnections { get; init; } = 20_000;

    /// <summary>Of them from one client address (IPv6: one /64). A company's people share one.</summary>
    public int MaxConnectionsPerAddress { get; init; } = 5_000;
}
