using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Apertur.Server.Http;
using Apertur.Server.Telemetry;

namespace Apertur.Server.Realtime;

/// <summary>
/// Engine.IO, protocol revision 4, over HTTP long-polling and WebSocket (github.com/socketio/engine.io-protocol). No .NET library of it is
/// alive. A polling client has to reach the same process each time; a WebSocket stays where it is.
/// </summary>
/// <param name="options">What clients are told.</param>
/// <param name="clock">Measures pings.</param>
/// <param name="opened">Gets each new connection before anything of it is read.</param>
internal sealed class EngineServer(EngineOptions options, TimeProvider clock, Action<EngineConnection> opened)
{
    private readonly ConcurrentDictionary<string, EngineConnection> _connections = new(StringComparer.Ordinal);
    private static readonly KeyValuePair<string, object?> _kind = new("kind", "socket");
    private readonly Lock _lock = new();
    private readonly Dictionary<string, int> _perAddress = new(StringComparer.Ordinal);

    /// <summary>How many clients there are.</summary>
    public int Count => _connections.Count;

    /// <summary>Answers one request of a client, or serves its WebSocket until it ends.</summary>
    /// <exception cref="ApiErrorException">400 what is no request of this protocol, or of no connection here; 503 too many connections.</exception>
    public async Task HandleAsync(HttpContext http)
    {
        var query = http.Request.Query;
        var (transport, sid) = (query["transport"].ToString(), query["sid"].ToString());
        if (query["EIO"] != "4")
            throw ApiErrors.BadRequest("This server speaks revision 4 of Engine.IO: EIO=4.").ToException();
        if (transport is not ("polling" or "websocket") || (transport == "websocket") != http.WebSockets.IsWebSocketRequest)
            throw ApiErrors.BadRequest("The transport must be polling or websocket.").ToException();

        if (http.WebSockets.IsWebSocketRequest && _connections.TryGetValue(sid, out var upgraded) && upgraded.IsWebSocket)
        {
            // Clients expect to be let in and shut out, not to be refused.
            using var second = await http.WebSockets.AcceptWebSocketAsync();
            return;
        }

        var connection = sid.Length == 0 ? null : Find(sid);
        if (http.WebSockets.IsWebSocketRequest)
            await ServeAsync(http, connection);
        else if (HttpMethods.IsGet(http.Request.Method))
            await AnswerAsync(http, await (connection is null ? OpenAsync(http) : PollAsync(connection, http.RequestAborted)));
        else if (HttpMethods.IsPost(http.Request.Method) && connection is not null)
            await TakeAsync(http, connection);
        else
            throw ApiErrors.BadRequest("A connection begins with a GET.").ToException();
    }

    /// <summary>Ends all connections: the server stops, and clients look for another.</summary>
    public void CloseAll()
    {
        foreach (var connection in _connections.Values)
            connection.Close();
    }

    private EngineConnection Find(string sid) =>
        _connections.TryGetValue(sid, out var connection) && !connection.IsWebSocket && !connection.IsClosed
            ? connection
            : throw ApiErrors.BadRequest("There is no such connection; begin a new one.").ToException();

    private EngineConnection Begin(HttpContext http, bool canUpgrade)
    {
        var address = AddressRanges.Subject(http.Connection.RemoteIpAddress);
        lock (_lock)
        {
            var there = _perAddress.GetValueOrDefault(address);
            if (_connections.Count >= options.MaxConnections || there >= options.MaxConnectionsPerAddress)
                throw ApiErrors.Unavailable.ToException();
            _perAddress[address] = there + 1;
        }

        Instruments.HeldRequests.Add(1, _kind);
        var connection = new EngineConnection(options, clock, address, Forget);
        _connections[connection.Id] = connection;
        opened(connection);
        connection.Send(new EnginePacket(EngineType.Open, string.Create(
            CultureInfo.InvariantCulture,
            $$"""{"sid":"{{connection.Id}}","upgrades":[{{(canUpgrade ? "\"websocket\"" : "")}}],"pingInterval":{{(long)options.PingInterval.TotalMilliseconds}},"pingTimeout":{{(long)options.PingTimeout.TotalMilliseconds}},"maxPayload":{{options.MaxPayload}}}""")));
        return connection;
    }

    private void Forget(EngineConnection ended)
    {
        _connections.TryRemove(ended.Id, out _);
        Instruments.HeldRequests.Add(-1, _kind);
        lock (_lock)
        {
            if (--_perAddress[ended.Address] == 0)
                _perAddress.Remove(ended.Address);
        }
    }

    private Task<string> OpenAsync(HttpContext http) => PollAsync(Begin(http, canUpgrade: true), CancellationToken.None);

    private static async Task<string> PollAsync(EngineConnection connection, CancellationToken cancellationToken) =>
        await connection.PollAsync(cancellationToken) ?? throw ApiErrors.BadRequest("Another poll was waiting, or the connection is a WebSocket now.").ToException();

    private async Task TakeAsync(HttpContext http, EngineConnection connection)
    {
        if (await ReadAsync(http) is { } body && await connection.TakeAsync(EnginePacket.ParsePayload(body), http.RequestAborted))
        {
            await AnswerAsync(http, "ok");
            return;
        }

        connection.Close();
        throw ApiErrors.BadRequest("The connection is closed: what was sent is no payload of Engine.IO, or there was no such namespace.").ToException();
    }

    /// <returns>Null when it is longer than a payload may be.</returns>
    private async Task<string?> ReadAsync(HttpContext http)
    {
        if (http.Request.ContentLength > options.MaxPayload)
            return null;
        using var body = new MemoryStream();
        var buffer = new byte[4096];
        while (await http.Request.Body.ReadAsync(buffer, http.RequestAborted) is > 0 and var read)
        {
            if (body.Length + read > options.MaxPayload)
                return null;
            body.Write(buffer, 0, read);
        }

        return Encoding.UTF8.GetString(body.GetBuffer(), 0, (int)body.Length);
    }

    private async Task ServeAsync(HttpContext http, EngineConnection? connection)
    {
        var upgrade = connection is not null;
        connection ??= Begin(http, canUpgrade: false);
        using var socket = await http.WebSockets.AcceptWebSocketAsync();
        await connection.RunAsync(socket, upgrade, http.RequestAborted);
    }

    private static Task AnswerAsync(HttpContext http, string text)
    {
        http.Response.ContentType = "text/plain; charset=UTF-8";
        http.Response.Headers.CacheControl = "no-store";
        return http.Response.WriteAsync(text, http.RequestAborted);
    }
}
