using System.Text.Json.Nodes;

namespace Apertur.Server.Realtime;

/// <summary>A namespace of a <see cref="SocketServer"/>.</summary>
/// <param name="Name">Begins with a slash.</param>
/// <param name="Connect">
/// Gets each new socket and what its client sent along, and gives what takes its events, one at a time.
/// </param>
internal sealed record SocketNamespace(string Name, Func<Socket, JsonObject, Func<SocketEvent, Task>> Connect);

/// <summary>An event from a client.</summary>
/// <param name="Name">The first argument.</param>
/// <param name="Arguments">Those that follow it.</param>
/// <param name="Binary">What placeholders among the arguments stand for.</param>
/// <param name="Acknowledge">Answers the client; null when it did not ask for that.</param>
internal sealed record SocketEvent(string Name, IReadOnlyList<JsonNode?> Arguments, IReadOnlyList<byte[]> Binary, Action<JsonArray>? Acknowledge);

/// <summary>One client in one namespace.</summary>
internal sealed class Socket : IDisposable
{
    private readonly EngineConnection _connection;
    private readonly string _namespace;
    private readonly CancellationTokenSource _gone = new();

    internal Socket(EngineConnection connection, string name)
    {
        (_connection, _namespace) = (connection, name);
        Gone = _gone.Token;
    }

    /// <summary>Cancelled when the client has left, or is gone.</summary>
    public CancellationToken Gone { get; }

    /// <inheritdoc cref="EngineConnection.Address"/>
    public string Address => _connection.Address;

    /// <param name="arguments">The event's name, and what belongs to it.</param>
    /// <param name="binary">What placeholders among the arguments stand for.</param>
    public void Emit(JsonArray arguments, IReadOnlyList<byte[]>? binary = null) =>
        Send(binary is { Count: > 0 } ? SocketType.BinaryEvent : SocketType.Event, arguments, null, binary ?? []);

    internal void Send(SocketType type, JsonNode? payload, long? ackId, IReadOnlyList<byte[]> binary)
    {
        _connection.Send(new EnginePacket(EngineType.Message, new SocketPacket(type, _namespace, payload, ackId, binary.Count).Encoded));
        foreach (var attachment in binary)
            _connection.Send(new EnginePacket(EngineType.Message, Binary: attachment));
    }

    /// <summary>Disconnects the client; it connects again by itself.</summary>
    public void Drop() => _connection.Close();

    /// <summary>The client has left.</summary>
    public void Dispose()
    {
        _gone.Cancel();
        _gone.Dispose();
    }
}
