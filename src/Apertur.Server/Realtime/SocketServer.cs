using System.Text.Json.Nodes;

namespace Apertur.Server.Realtime;

/// <summary>Socket.IO, protocol revision 5, on Engine.IO (github.com/socketio/socket.io-protocol): namespaces, events, acknowledgements.</summary>
internal sealed class SocketServer
{
    public static readonly TimeSpan DefaultConnectTimeout = TimeSpan.FromSeconds(45);

    private readonly TimeSpan _connectTimeout;
    private readonly IReadOnlyDictionary<string, SocketNamespace> _namespaces;
    private readonly TimeProvider _clock;

    /// <param name="options">Of the connections.</param>
    /// <param name="connectTimeout">How long a client may stay without connecting to a namespace.</param>
    /// <param name="clock">Measures both.</param>
    /// <param name="namespaces">What can be connected to; others are refused.</param>
    public SocketServer(EngineOptions options, TimeSpan connectTimeout, TimeProvider clock, params IReadOnlyList<SocketNamespace> namespaces)
    {
        (_connectTimeout, _clock) = (connectTimeout, clock);
        _namespaces = namespaces.ToDictionary(each => each.Name, StringComparer.Ordinal);
        Engine = new EngineServer(options, clock, connection => new Client(this, connection).Begin());
    }

    public EngineServer Engine { get; }

    /// <summary>One client, in the namespaces that it has connected to.</summary>
    private sealed class Client(SocketServer server, EngineConnection connection)
    {
        // More than a client of ours sends; each is held in memory until all have come.
        private const int MaxAttachments = 10;

        private readonly Dictionary<string, (Socket Socket, Func<SocketEvent, Task> Received)> _sockets = new(StringComparer.Ordinal);
        private readonly Lock _lock = new();
        private SocketPacket? _incomplete;
        private List<byte[]> _attachments = [];
        private ITimer? _connectTimer;

        public void Begin()
        {
            connection.Received = ReceiveAsync;
            connection.Closed = LeaveAll;
            _connectTimer = server._clock.CreateTimer(_ => CloseIfAlone(), null, server._connectTimeout, Timeout.InfiniteTimeSpan);
        }

        private async Task ReceiveAsync(EnginePacket message)
        {
            if (message.Binary is { } attachment)
            {
                await CompleteAsync(attachment);
                return;
            }

            if (_incomplete is not null || SocketPacket.Parse(message.Text) is not { } packet)
                connection.Close();
            else if (packet.Type == SocketType.Connect)
                Connect(packet);
            else if (packet.Attachments == 0)
                await HandleAsync(packet, []);
            else if (packet.Attachments <= MaxAttachments)
                _incomplete = packet;
            else
                connection.Close();
        }

        private async Task CompleteAsync(byte[] attachment)
        {
            if (_incomplete is not { } packet)
            {
                connection.Close();
                return;
            }

            _attachments.Add(attachment);
            if (_attachments.Count < packet.Attachments)
                return;
            var all = _attachments;
            (_incomplete, _attachments) = (null, []);
            await HandleAsync(packet, all);
        }

        private void Connect(SocketPacket packet)
        {
            if (!server._namespaces.TryGetValue(packet.Namespace, out var target))
            {
                Send(new SocketPacket(SocketType.ConnectError, packet.Namespace, new JsonObject { ["message"] = "Invalid namespace" }));
                return;
            }

            var socket = new Socket(connection, target.Name);
            lock (_lock)
            {
                if (connection.IsClosed || _sockets.ContainsKey(target.Name))
                    return;
                Send(new SocketPacket(SocketType.Connect, target.Name, new JsonObject { ["sid"] = Guid.NewGuid().ToString("N") }));
                _sockets[target.Name] = (socket, target.Connect(socket, packet.Payload as JsonObject ?? []));
                _connectTimer?.Dispose();
                _connectTimer = null;
            }
        }

        private async Task HandleAsync(SocketPacket packet, IReadOnlyList<byte[]> attachments)
        {
            (Socket Socket, Func<SocketEvent, Task> Received) target;
            bool isConnected;
            lock (_lock)
                isConnected = _sockets.TryGetValue(packet.Namespace, out target);
            if (!isConnected)
            {
                // Of a namespace that it has just left, something may still be on its way.
                if (packet.Type != SocketType.Disconnect && !server._namespaces.ContainsKey(packet.Namespace))
                    connection.Close();
            }
            else if (packet.Type == SocketType.Disconnect)
            {
                lock (_lock)
                    _sockets.Remove(packet.Namespace);
                target.Socket.Dispose();
            }
            else if (packet.Type is SocketType.Event or SocketType.BinaryEvent)
            {
                var arguments = packet.Payload!.AsArray();
                Action<JsonArray>? acknowledge = packet.AckId is not { } id
                    ? null
                    : answer => target.Socket.Send(attachments.Count > 0 ? SocketType.BinaryAck : SocketType.Ack, answer, id, attachments);
                await target.Received(new SocketEvent(arguments[0]!.GetValue<string>(), [.. arguments.Skip(1)], attachments, acknowledge));
            }
        }

        private void Send(SocketPacket packet) => connection.Send(new EnginePacket(EngineType.Message, packet.Encoded));

        private void CloseIfAlone()
        {
            bool isAlone;
            lock (_lock)
                isAlone = _sockets.Count == 0;
            if (isAlone)
                connection.Close();
        }

        private void LeaveAll()
        {
            List<Socket> sockets;
            lock (_lock)
            {
                _connectTimer?.Dispose();
                sockets = [.. _sockets.Values.Select(each => each.Socket)];
                _sockets.Clear();
            }

            foreach (var socket in sockets)
                socket.Dispose();
        }
    }
}
